#include "core/json/utf8.hpp"

#include <gtest/gtest.h>

namespace oarlock::json {
namespace {

struct utf8_case {
  std::string_view text;
  std::optional<std::size_t> bad_at;
};
class utf8_texts : public ::testing::TestWithParam<utf8_case> {};
TEST_P(utf8_texts, are_judged) {
  EXPECT_EQ(first_not_utf8(GetParam().text), GetParam().bad_at);
}
INSTANTIATE_TEST_SUITE_P(
    table, utf8_texts,
    ::testing::Values(utf8_case{"", {}}, utf8_case{"plain", {}},
                      utf8_case{"\xC3\xBC\xE2\x82\xAC\xF0\x9F\x9A\xA3", {}},
                      utf8_case{"\xF4\x8F\xBF\xBF", {}}, utf8_case{"a\xFF", 1},
                      utf8_case{"\x80", 0}, utf8_case{"\xC0\xAF", 0}, utf8_case{"\xE0\x80\xAF", 0},
                      utf8_case{"\xED\xA0\x80", 0}, utf8_case{"\xF0\x80\x80\x80", 0},
                      utf8_case{"\xF4\x90\x80\x80", 0}, utf8_case{"ab\xE2\x82", 2},
                      utf8_case{"\xE2\x28\xA1", 0}, utf8_case{"eight by\xFFtes", 8},
                      utf8_case{"eight byt\xC3\xBCs and eight more", {}},
                      utf8_case{"eight bytes and a la\xFFst", 20}));

TEST(is_yaml_text, takes_text_and_refuses_control_characters) {
  EXPECT_TRUE(is_yaml_text("a: \xC3\xBC\n\tb: [1]\r\n"));
  EXPECT_FALSE(is_yaml_text(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_yaml_text("a\x0B"));
  EXPECT_TRUE(is_yaml_text("\"a\x7F\""));
  EXPECT_FALSE(is_yaml_text("a\xFF"));
}

TEST(has_surrogate, finds_halves_of_a_pair) {
  EXPECT_TRUE(has_surrogate("a\xED\xB8\x80"));
  EXPECT_FALSE(has_surrogate("\xED\x9F\xBF"));
  EXPECT_FALSE(has_surrogate("plain"));
}

}  // namespace
}  // namespace oarlock::json
