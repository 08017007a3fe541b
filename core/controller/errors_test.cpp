#include "core/controller/errors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/cache/errors.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::controller {
namespace {

using kube::kube_error;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int controller_errors = static_cast<int>(controller_error::changed_meanwhile);
constexpr int kube_errors = static_cast<int>(kube_error::cancelled);

// What API conventions want of a condition's reason, and what people filter by.
TEST(reason_of, is_a_word_of_its_own_for_each_error) {
  std::set<std::string> seen{"Error"};
  const auto check = [&](const boost::system::error_code& code) {
    const auto reason = reason_of({code, "m"});
    EXPECT_TRUE(seen.insert(reason).second) << reason << " stands for another error too";
    EXPECT_TRUE(reason.front() >= 'A' && reason.front() <= 'Z') << reason;
    EXPECT_EQ(reason.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
              std::string::npos)
        << reason;
  };
  for (int i = 1; i <= controller_errors; ++i)
    check(static_cast<controller_error>(i));
  for (int i = 1; i <= kube_errors; ++i)
    check(static_cast<kube_error>(i));
  EXPECT_EQ(reason_of({cache::cache_error::bad_list, "m"}), "Error") << "no reconcile meets it";
}

TEST(controller_error, has_a_message_for_every_value) {
  for (int i = 1; i <= controller_errors; ++i) {
    const auto code = make_error_code(static_cast<controller_error>(i));
    EXPECT_THAT(code.message(), Not(HasSubstr("unknown"))) << i;
    EXPECT_STREQ(code.category().name(), "oarlock.controller");
  }
  EXPECT_THAT(make_error_code(static_cast<controller_error>(99)).message(), HasSubstr("unknown"));
}

}  // namespace
}  // namespace oarlock::controller
