#include "core/base/base64.hpp"

#include <gtest/gtest.h>

namespace oarlock {
namespace {

TEST(base64_decode, reads_what_rfc_4648_section_10_lists) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"Zg==", "f"},
                                                       {"Zm8=", "fo"},
                                                       {"Zm9v", "foo"},
                                                       {"Zm9vYg==", "foob"},
                                                       {"Zm9vYmE=", "fooba"},
                                                       {"Zm9vYmFy", "foobar"},
                                                       {"Zm9v\n YmFy\r\n", "foobar"},
                                                       {"Zg", "f"},
                                                       {"Zm8", "fo"},
                                                       {"+/+/", "\xfb\xff\xbf"}};
  for (const auto& [text, bytes] : cases) {
    const auto decoded = base64_decode(text);
    ASSERT_TRUE(decoded.has_value()) << text;
    EXPECT_EQ(*decoded, bytes) << text;
  }
}

TEST(base64_encode, is_what_decode_reads) {
  EXPECT_EQ(base64_encode(""), "");
  EXPECT_EQ(base64_encode("f"), "Zg==");
  EXPECT_EQ(base64_encode("fooba"), "Zm9vYmE=");
  const std::string zeros("\0\xff\0", 3);
  EXPECT_EQ(*base64_decode(base64_encode(zeros)), zeros);
}

TEST(base64_decode, keeps_zero_bytes) {
  const auto decoded = base64_decode("AAAA");
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, std::string(3, '\0'));
}

TEST(base64_decode, refuses_what_is_not_base64) {
  for (const char* text :
       {"Z", "Zg=", "Zg===", "Z===", "Zm9v=", "Zg==Zg==", "Zm9_", "Zm 9-", "===="}) {
    EXPECT_FALSE(base64_decode(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace oarlock
