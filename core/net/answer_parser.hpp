#pragma once
// HTTP/1.1 answers, from bytes: head, body pieces, end. Pure, so that it can be fuzzed. The only
// code of the core that includes Beast is behind it.
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/net/transport.hpp"

namespace oarlock::net {

/// Bytes of one answer in, as they arrive; what they mean out. Interim (1xx) answers are skipped.
/// After an error it must not be fed again.
class answer_parser {
 public:
  /// `header_bytes_max` bounds the start line and headers, and whatever is held back unparsed.
  /// `head_request`: the answer to a HEAD has no body, whatever its headers say.
  answer_parser(std::size_t header_bytes_max, bool head_request);
  ~answer_parser();
  answer_parser(const answer_parser&) = delete;
  answer_parser& operator=(const answer_parser&) = delete;

  /// net_error::bad_answer while the head is read, broken_body after it.
  [[nodiscard]] result<> feed(std::string_view bytes);
  /// The peer closed. net_error::no_answer before the head, broken_body when the body is not whole.
  [[nodiscard]] result<> feed_end();

  [[nodiscard]] bool head_ready() const;
  /// Valid once head_ready().
  [[nodiscard]] const http_head& head() const;
  /// The body bytes since the last call, without transfer coding.
  [[nodiscard]] std::string take_body();
  /// The whole answer was read.
  [[nodiscard]] bool done() const;
  /// done(), the server keeps the connection, and nothing came after the answer.
  [[nodiscard]] bool reusable() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace oarlock::net
