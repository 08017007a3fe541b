#include "core/net/answer_parser.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace oarlock::net {
namespace {

constexpr std::size_t header_max = 1024;

struct parsed {
  result<> fed;
  int status = 0;
  std::string body;
  bool done = false;
  bool reusable = false;
};

// Feeds `bytes` in pieces of `step`, then the end when asked to.
parsed parse(std::string_view bytes, std::size_t step, bool end = false,
             bool head_request = false) {
  answer_parser p(header_max, head_request);
  parsed out;
  for (std::size_t at = 0; at < bytes.size() && out.fed; at += step) {
    out.fed = p.feed(bytes.substr(at, step));
    if (p.head_ready()) out.body += p.take_body();
  }
  if (out.fed && end) out.fed = p.feed_end();
  if (p.head_ready()) out.status = p.head().status;
  out.done = out.fed && p.done();
  out.reusable = out.fed && p.reusable();
  return out;
}

struct good_case {
  const char* name;
  std::string bytes;
  int status;
  std::string body;
  bool reusable;
  bool end = false;
  bool head_request = false;
};

class good_answers : public ::testing::TestWithParam<good_case> {};

TEST_P(good_answers, read_alike_whole_and_byte_by_byte) {
  const auto& c = GetParam();
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, c.bytes.size()}) {
    const auto p = parse(c.bytes, step, c.end, c.head_request);
    ASSERT_TRUE(p.fed.has_value()) << p.fed.error().message << " at step " << step;
    EXPECT_TRUE(p.done);
    EXPECT_EQ(p.status, c.status);
    EXPECT_EQ(p.body, c.body);
    EXPECT_EQ(p.reusable, c.reusable) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(
    table, good_answers,
    ::testing::Values(
        good_case{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello",
                  true},
        good_case{"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true},
        good_case{"no_content", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
        good_case{"chunked",
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n",
                  200, "abcde", true},
        good_case{"no_chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                  200, "", true},
        good_case{"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
                  200, "a", false},
        good_case{"http_1_0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a", false},
        good_case{"until_close", "HTTP/1.1 200 OK\r\n\r\nabc", 200, "abc", false, true},
        good_case{"interim",
                  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                  "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\na",
                  201, "a", true},
        good_case{"head_request", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "", true,
                  false, true}),
    [](const auto& info) { return info.param.name; });

struct bad_case {
  const char* name;
  std::string bytes;
  net_error code;
  bool end = false;
};

std::string repeated(int times, const std::string& text) {
  std::string out;
  for (int i = 0; i < times; ++i)
    out += text;
  return out;
}

class bad_answers : public ::testing::TestWithParam<bad_case> {};

TEST_P(bad_answers, are_refused_whole_and_byte_by_byte) {
  const auto& c = GetParam();
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, c.bytes.size()}) {
    const auto p = parse(c.bytes, step, c.end);
    ASSERT_FALSE(p.fed.has_value()) << "step " << step;
    EXPECT_EQ(p.fed.error().code, c.code) << p.fed.error().message << " at step " << step;
    EXPECT_FALSE(p.done);
  }
}

const std::string chunked_head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    table, bad_answers,
    ::testing::Values(
        bad_case{"not_http", "SSH-2.0-OpenSSH\r\n\r\n", net_error::bad_answer},
        bad_case{"http_2", "HTTP/2 200 OK\r\n\r\n", net_error::bad_answer},
        bad_case{"space_in_name", "HTTP/1.1 200 OK\r\nA B: c\r\n\r\n", net_error::bad_answer},
        bad_case{"cr_in_value", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", net_error::bad_answer},
        bad_case{"one_long_header", "HTTP/1.1 200 OK\r\nA: " + repeated(2000, "x") + "\r\n\r\n",
                 net_error::bad_answer},
        bad_case{"many_headers", "HTTP/1.1 200 OK\r\n" + repeated(300, "A: b\r\n") + "\r\n",
                 net_error::bad_answer},
        bad_case{"endless_start_line", repeated(2000, "H"), net_error::bad_answer},
        bad_case{"two_lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                 net_error::bad_answer},
        bad_case{"negative_length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                 net_error::bad_answer},
        bad_case{"length_and_chunked",
                 "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                 net_error::bad_answer},
        bad_case{"unknown_transfer_coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
                 net_error::bad_answer},
        bad_case{"two_transfer_codings",
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                 net_error::bad_answer},
        bad_case{"switch_of_protocols", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
                 net_error::bad_answer},
        bad_case{"only_interim", repeated(20, "HTTP/1.1 100 Continue\r\n\r\n"),
                 net_error::bad_answer},
        bad_case{"bad_chunk_size", chunked_head + "xyz\r\n", net_error::broken_body},
        bad_case{"chunk_size_overflow", chunked_head + "fffffffffffffffff\r\n",
                 net_error::broken_body},
        bad_case{"chunk_without_line_end", chunked_head + "1\r\naXX2\r\n", net_error::broken_body},
        bad_case{"endless_chunk_extension", chunked_head + "1;" + repeated(3000, "x"),
                 net_error::broken_body},
        bad_case{"endless_trailers", chunked_head + "0\r\n" + repeated(500, "A: b\r\n"),
                 net_error::broken_body},
        bad_case{"closed_before_the_head", "HTTP/1.1 200 OK\r\nA: b\r\n", net_error::no_answer,
                 true},
        bad_case{"closed_after_interim", "HTTP/1.1 100 Continue\r\n\r\n", net_error::no_answer,
                 true},
        bad_case{"closed_in_length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
                 net_error::broken_body, true},
        bad_case{"closed_in_chunk", chunked_head + "5\r\nhel", net_error::broken_body, true},
        bad_case{"closed_before_last_chunk", chunked_head + "3\r\nabc\r\n", net_error::broken_body,
                 true}),
    [](const auto& info) { return info.param.name; });

TEST(answer_parser, hands_out_the_body_as_it_comes) {
  answer_parser p(header_max, false);
  ASSERT_TRUE(p.feed(chunked_head));
  EXPECT_TRUE(p.head_ready());
  EXPECT_EQ(p.take_body(), "");
  ASSERT_TRUE(p.feed("4\r\nab"));
  EXPECT_EQ(p.take_body(), "ab");
  ASSERT_TRUE(p.feed("cd\r\n"));
  EXPECT_EQ(p.take_body(), "cd");
  EXPECT_FALSE(p.done());
  ASSERT_TRUE(p.feed("0\r\n\r\n"));
  EXPECT_TRUE(p.done());
}

TEST(answer_parser, does_not_take_a_bare_line_feed_for_a_line_end) {
  for (const std::size_t step : {std::size_t{1}, std::size_t{100}}) {
    const auto p = parse("HTTP/1.1 200 OK\nContent-Length: 0\n\n", step, true);
    EXPECT_FALSE(p.fed.has_value());
    EXPECT_EQ(p.status, 0);
  }
}

TEST(answer_parser, does_not_reuse_a_connection_with_bytes_left_over) {
  const auto p = parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n", 1000);
  EXPECT_TRUE(p.done);
  EXPECT_EQ(p.body, "a");
  EXPECT_FALSE(p.reusable);
}

TEST(answer_parser, keeps_repeated_headers_and_drops_trailers) {
  answer_parser p(header_max, false);
  ASSERT_TRUE(
      p.feed("HTTP/1.1 200 OK\r\nWarning: a\r\nWarning: b\r\n"
             "Transfer-Encoding: chunked\r\n\r\n0\r\nX: late\r\n\r\n"));
  EXPECT_EQ(p.head().headers.size(), 3U);
  EXPECT_EQ(p.head().find("X"), "");
}

}  // namespace
}  // namespace oarlock::net
