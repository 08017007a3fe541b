// packed_writer, span_cursor and scan: what reads and writes objects without a DOM.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/json/packed_writer.hpp"
#include "core/json/scan.hpp"
#include "core/json/span_cursor.hpp"

namespace oarlock::json {
namespace {

TEST(packed_writer, writes_compact_json) {
  packed_writer w;
  w.open('{');
  w.key("a\"b");
  w.open('[');
  w.raw("1.0");
  w.raw("null");
  w.string("x");
  w.close(']');
  w.key("o");
  w.open('{');
  w.close('}');
  w.close('}');
  EXPECT_EQ(w.text(), R"({"a\"b":[1.0,null,"x"],"o":{}})");
  w.reset();
  w.string(std::string("\b\f\n\r\t\\/\x01\x1f\0 \x7f\xc3\xa9", 14));
  EXPECT_EQ(w.text(), "\"\\b\\f\\n\\r\\t\\\\/\\u0001\\u001f\\u0000 \x7f\xc3\xa9\"");
}

TEST(packed_writer, escapes_what_must_be_at_each_place) {
  for (int c = 0; c < 256; ++c) {
    for (std::size_t at = 0; at < 17; ++at) {
      std::string text(17, 'x');
      text[at] = static_cast<char>(c);
      packed_writer w;
      w.string(text);
      std::string inside(w.text().substr(1, w.text().size() - 2));
      const bool escaped = c < 0x20 || c == '"' || c == '\\';
      EXPECT_EQ(inside != text, escaped) << c << " at " << at;
      EXPECT_EQ(inside.substr(0, at), text.substr(0, at)) << c << " at " << at;
      if (escaped) EXPECT_EQ(inside[at], '\\') << c << " at " << at;
    }
  }
}

std::vector<std::string> walk(std::string_view text) {
  std::vector<std::string> out;
  span_cursor cursor(text);
  const char bracket = cursor.peek();
  if (!cursor.open(bracket)) return {"broken"};
  while (true) {
    std::string_view key;
    const auto step = bracket == '{' ? cursor.next_member(key) : cursor.next_element();
    if (step == span_cursor::step::broken) return {"broken"};
    if (step == span_cursor::step::end) break;
    span where;
    if (!cursor.skip_value(where)) return {"broken"};
    std::string item(key);
    if (bracket == '{') item += '=';
    out.push_back(item.append(text.substr(where.begin, where.end - where.begin)));
  }
  if (!cursor.at_end()) return {"broken"};
  return out;
}

using strings = std::vector<std::string>;

TEST(span_cursor, finds_members_and_elements) {
  EXPECT_EQ(walk(R"( { "a" : 1 , "b":{"x":[1,"}"]},"c":"q\"]" } )"),
            (strings{"a=1", R"(b={"x":[1,"}"]})", R"(c="q\"]")"}));
  EXPECT_EQ(walk(R"([1,[2,3],"a,b",{"k":"]"},null])"),
            (strings{"1", "[2,3]", R"("a,b")", R"({"k":"]"})", "null"}));
  EXPECT_EQ(walk("{}"), strings{});
  EXPECT_EQ(walk("[ ]"), strings{});
}

TEST(span_cursor, refuses_what_is_cut_or_malformed) {
  for (const char* text : {"",          "1",          "{",         "[",         "[1",
                           "[1,",       "[1,]",       "[,1]",      "[1 2]",     "[1]x",
                           "{\"a\"",    "{\"a\":",    "{\"a\":1",  "{\"a\":1,", "{\"a\":1,}",
                           "{\"a\" 1}", "{a:1}",      "{\"a\":}",  "{\"a",      "[\"\\",
                           "[\"a\\\"]", "[{\"a\":1]", "{\"a\":[1}"}) {
    EXPECT_EQ(walk(text), strings{"broken"}) << text;
  }
}

TEST(scan_string, walks_json_pointers) {
  const std::string_view text =
      R"({"a":{"b":["x",{"c":"y"}],"d/e":"slash","f~g":"tilde","q\"":"quote","":"none"},)"
      R"("n":7,"s":"t\u0065xt\n","o":{},"l":[]})";
  EXPECT_EQ(scan_string(text, "/a/b/0"), "x");
  EXPECT_EQ(scan_string(text, "/a/b/1/c"), "y");
  EXPECT_EQ(scan_string(text, "/a/d~1e"), "slash");
  EXPECT_EQ(scan_string(text, "/a/f~0g"), "tilde");
  EXPECT_EQ(scan_string(text, "/a/q\""), "quote");
  EXPECT_EQ(scan_string(text, "/a/"), "none");
  EXPECT_EQ(scan_string(text, "/s"), "text\n");
  EXPECT_EQ(scan_string(R"( "whole" )", ""), "whole");
  for (const char* nothing : {"", "a", "/x", "/a", "/a/b", "/a/b/2", "/a/b/-1", "/a/b/0x", "/a/b/",
                              "/s/deeper", "/n", "/n/0", "/o/x", "/l/0"}) {
    EXPECT_EQ(scan_string(text, nothing), std::nullopt) << nothing;
  }
}

}  // namespace
}  // namespace oarlock::json
