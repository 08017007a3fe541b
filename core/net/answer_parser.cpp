#include "core/net/answer_parser.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <optional>

#include "core/net/message.hpp"

namespace oarlock::net {

namespace http = boost::beast::http;
using boost::system::error_code;
using beast_view = boost::beast::string_view;

namespace {

// A server may send any number of interim answers (RFC 9110 section 15.2); none sends this many.
constexpr int interim_answers_max = 8;

class collector final : public http::basic_parser<false> {
 public:
  explicit collector(std::size_t header_bytes_max) : header_bytes_left_(header_bytes_max) {
    header_limit(static_cast<std::uint32_t>(header_bytes_max));
    body_limit(boost::none);
    eager(true);
  }

  http_head head;
  std::string body;

  // Where a chunk's size line is due, Beast 1.83 asserts on fewer bytes than the shortest last
  // chunk
  // ("0\r\n\r\n") has, if they come in pieces.
  [[nodiscard]] bool wants_more_than(std::size_t bytes) const {
    return is_header_done() && chunked() && chunk_bytes_left_ == 0 && bytes < 5;
  }

 private:
  void on_request_impl(http::verb, beast_view, beast_view, int, error_code&) override {}
  void on_response_impl(int code, beast_view reason, int, error_code& ec) override {
    head.status = code;
    spend(reason.size() + 16, ec);
  }
  void on_field_impl(http::field, beast_view name, beast_view value, error_code& ec) override {
    spend(name.size() + value.size() + 4, ec);
    if (ec || is_header_done()) return;  // trailers are counted, and dropped
    if (same_name(name, "Transfer-Encoding") && !same_name(value, "chunked")) {
      ec = http::error::bad_transfer_encoding;
      return;
    }
    head.headers.push_back({std::string(name), std::string(value)});
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(beast_view bytes, error_code&) override {
    body.append(bytes);
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t size, beast_view, error_code&) override {
    chunk_bytes_left_ = size;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, beast_view bytes, error_code&) override {
    body.append(bytes);
    chunk_bytes_left_ -= bytes.size();
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}

  // Beast's own limit is per call, so a header that arrives in pieces would never reach it.
  void spend(std::size_t bytes, error_code& ec) {
    if (bytes > header_bytes_left_) {
      ec = http::error::header_limit;
      return;
    }
    header_bytes_left_ -= bytes;
  }

  std::size_t header_bytes_left_;
  std::uint64_t chunk_bytes_left_ = 0;
};

}  // namespace

struct answer_parser::impl {
  std::size_t header_bytes_max = 0;
  bool head_request = false;
  std::optional<collector> parser;
  std::string pending;  // bytes that the parser wants to see again with more behind them
  int interim_answers = 0;

  void restart() {
    parser.emplace(header_bytes_max);
    parser->skip(head_request);
  }
  [[nodiscard]] bool final_head() const {
    return parser->is_header_done() && parser->head.status >= 200;
  }
  [[nodiscard]] error failed(const std::string& why) const {
    if (parser->is_header_done()) {
      return {net_error::broken_body, "expected a whole HTTP body, found: " + why};
    }
    return {net_error::bad_answer, "expected an HTTP/1.1 answer, found: " + why};
  }
  result<> skip_interim();
};

result<> answer_parser::impl::skip_interim() {
  const int status = parser->head.status;
  if (status == 101) {
    return error{net_error::bad_answer, "expected an answer, found a switch of protocols (101)"};
  }
  if (++interim_answers > interim_answers_max) {
    return error{net_error::bad_answer, "expected an answer, found only interim ones (1xx)"};
  }
  restart();
  return {};
}

answer_parser::answer_parser(std::size_t header_bytes_max, bool head_request)
    : impl_(std::make_unique<impl>()) {
  impl_->header_bytes_max = header_bytes_max;
  impl_->head_request = head_request;
  impl_->restart();
}

answer_parser::~answer_parser() = default;

result<> answer_parser::feed(std::string_view bytes) {
  auto& s = *impl_;
  s.pending.append(bytes);
  while (!s.pending.empty() && !s.parser->is_done() &&
         !s.parser->wants_more_than(s.pending.size())) {
    error_code ec;
    const auto used =
        s.parser->put(boost::asio::const_buffer(s.pending.data(), s.pending.size()), ec);
    s.pending.erase(0, used);
    if (ec && ec != http::error::need_more) return s.failed(ec.message());
    if (s.parser->is_done() && s.parser->head.status < 200) {
      if (auto skipped = s.skip_interim(); !skipped) return skipped.error();
      continue;
    }
    if (ec || used == 0) break;
  }
  if (!s.parser->is_done() && s.pending.size() > s.header_bytes_max) {
    return s.failed("header, chunk line or trailer above " + std::to_string(s.header_bytes_max) +
                    " bytes");
  }
  return {};
}

result<> answer_parser::feed_end() {
  auto& s = *impl_;
  if (s.parser->is_done()) return {};
  if (!s.final_head()) {
    return error{net_error::no_answer, "expected an answer, found the connection closed"};
  }
  error_code ec;
  s.parser->put_eof(ec);
  if (ec) return s.failed("the connection closed in the middle of it");
  return {};
}

bool answer_parser::head_ready() const {
  return impl_->final_head();
}

const http_head& answer_parser::head() const {
  return impl_->parser->head;
}

std::string answer_parser::take_body() {
  return std::exchange(impl_->parser->body, {});
}

bool answer_parser::done() const {
  return impl_->parser->is_done() && impl_->final_head();
}

bool answer_parser::reusable() const {
  return done() && impl_->pending.empty() && impl_->parser->keep_alive();
}

}  // namespace oarlock::net
