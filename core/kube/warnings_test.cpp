#include "core/kube/warnings.hpp"

#include <gtest/gtest.h>

namespace oarlock::kube {
namespace {

TEST(warning_texts, reads_code_299_only) {
  const net::http_head head{200,
                            {{"Warning", R"(299 - "v1beta1 is deprecated; use \"v1\"")"},
                             {"warning", R"(299 kube "second")"},
                             {"Warning", R"(199 - "misc")"},
                             {"Warning", R"(299 - "open)"},
                             {"Warning", "299 - nothing"},
                             {"X-Warning", R"(299 - "other")"}}};
  EXPECT_EQ(warning_texts(head),
            (std::vector<std::string>{"v1beta1 is deprecated; use \"v1\"", "second"}));
}

TEST(warning_memory, says_each_text_once_and_is_bounded) {
  warning_memory memory;
  EXPECT_TRUE(memory.is_new("a"));
  EXPECT_FALSE(memory.is_new("a"));
  for (std::size_t i = 0; i < warning_memory::texts_max; ++i) {
    EXPECT_TRUE(memory.is_new(std::to_string(i)));
  }
  EXPECT_TRUE(memory.is_new("a")) << "it started anew";
}

}  // namespace
}  // namespace oarlock::kube
