#include "core/cache/line_splitter.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace oarlock::cache {
namespace {

using strings = std::vector<std::string>;

strings split(line_splitter& lines, const strings& chunks) {
  strings out;
  for (const auto& chunk : chunks) {
    lines.push(chunk);
    while (auto line = lines.next())
      out.push_back(*line);
  }
  return out;
}

TEST(line_splitter, cuts_wherever_the_chunks_end) {
  const std::string text = "{\"a\":\"\xc3\xa9\xf0\x9f\x98\x80\"}\n\n{\"b\":1}\r\nlast\n";
  const strings expected = {"{\"a\":\"\xc3\xa9\xf0\x9f\x98\x80\"}", "{\"b\":1}", "last"};
  for (std::size_t size = 1; size <= text.size(); ++size) {
    strings chunks;
    for (std::size_t at = 0; at < text.size(); at += size)
      chunks.push_back(text.substr(at, size));
    line_splitter lines(100);
    EXPECT_EQ(split(lines, chunks), expected) << "chunks of " << size;
    EXPECT_FALSE(lines.in_line());
    EXPECT_FALSE(lines.overflown());
  }
}

TEST(line_splitter, knows_that_a_line_is_not_over) {
  line_splitter lines(100);
  EXPECT_EQ(split(lines, {"whole\nha"}), strings{"whole"});
  EXPECT_TRUE(lines.in_line());
  EXPECT_EQ(split(lines, {"lf\n"}), strings{"half"});
  EXPECT_FALSE(lines.in_line());
}

TEST(line_splitter, keeps_lines_that_were_not_taken) {
  line_splitter lines(100);
  lines.push("a\nb\nc");
  EXPECT_EQ(lines.next(), "a");
  lines.push("d\n");
  EXPECT_EQ(lines.next(), "b");
  EXPECT_EQ(lines.next(), "cd");
  EXPECT_EQ(lines.next(), std::nullopt);
}

TEST(line_splitter, stops_at_the_limit) {
  line_splitter exact(4);
  EXPECT_EQ(split(exact, {"ab", "cd\n"}), strings{"abcd"});
  EXPECT_FALSE(exact.overflown());
  line_splitter over(4);
  EXPECT_EQ(split(over, {"ok\nab", "cde"}), strings{"ok"});
  EXPECT_TRUE(over.overflown());
  EXPECT_EQ(split(over, {"\nmore\n"}), strings{}) << "nothing is given out after that";
}

}  // namespace
}  // namespace oarlock::cache
