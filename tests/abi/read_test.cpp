// oarlock.read/1 in both homes: what reaches the host, what comes back, and where it is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "tests/abi/started.hpp"

namespace oarlock::abi {
namespace {

using controller::live_object;
using controller::plan_verdict;
using ::testing::HasSubstr;

class read_test : public ::testing::TestWithParam<home> {};
INSTANTIATE_TEST_SUITE_P(homes, read_test, ::testing::Values(home::core, home::child), home_name);

class answers final : public controller::live_reads {
 public:
  [[nodiscard]] live_object get(const std::string& resource, const std::string& name) override {
    asked += (asked.empty() ? "" : ", ") + resource + " " + name;
    return next;
  }
  std::string asked;
  live_object next;
};

// As a server has it.
live_object there(std::string json) {
  live_object out;
  out.is_read = true;
  out.json = std::move(json);
  return out;
}

TEST_P(read_test, an_observation_reads_what_is_there_and_what_is_not) {
  started zoo("reader", GetParam());
  answers live;
  live.next = there(R"({"data":{"password":"czNjcjN0"}})");
  auto in = zoo.input("secret-a");
  in.reads = &live;
  EXPECT_EQ(zoo.plan(in).status_json, R"({"saw":{"there":true,"password":8}})");
  EXPECT_EQ(live.asked, "secrets secret-a-root");
  live.next.json.reset();
  EXPECT_EQ(zoo.plan(in).status_json, R"({"saw":{"there":false}})");
  live.next = there("{" + std::string(1U << 20U, ' ') + "}");
  EXPECT_EQ(zoo.plan(in).status_json, R"({"saw":{"there":true,"password":0}})");
}

TEST_P(read_test, an_effect_reads_too) {
  started zoo("reader", GetParam());
  answers live;
  live.next = there(R"({"data":{"password":"abc"}})");
  auto in = zoo.effect_input("read");
  in.reads = &live;
  EXPECT_EQ(zoo.effect(in).message, R"({"there":true,"password":3})");
  EXPECT_EQ(live.asked, "secrets one-root");
}

TEST_P(read_test, a_read_that_fails_fails_the_observation_as_the_host_says) {
  started zoo("reader", GetParam());
  answers live;
  live.next.reason = "Forbidden";
  live.next.message = "secrets is forbidden";
  auto in = zoo.input("secret-a");
  in.reads = &live;
  auto out = zoo.plan(in);
  EXPECT_EQ(out.verdict, plan_verdict::terminal);
  EXPECT_EQ(out.fail_reason, "Forbidden");
  EXPECT_EQ(out.fail_message, "secrets is forbidden");
  live.next.may_work_later = true;
  live.next.reason = "Unavailable";
  out = zoo.plan(in);
  EXPECT_EQ(out.verdict, plan_verdict::retry);
  EXPECT_EQ(out.fail_reason, "Unavailable");
}

TEST_P(read_test, nothing_is_read_in_a_plan_or_on_another_thread) {
  started zoo("reader", GetParam());
  answers live;
  auto in = zoo.input("plan-a");
  in.reads = &live;
  const auto out = zoo.plan(in);
  EXPECT_EQ(out.fail_reason, "NotNow");
  EXPECT_THAT(out.fail_message, HasSubstr("on the thread of observe() or effect()"));
  auto other = zoo.input("thread-a");
  other.reads = &live;
  EXPECT_EQ(zoo.plan(other).status_json, R"({"saw":{"there":"NotNow"}})");
  EXPECT_EQ(live.asked, "");
}

TEST_P(read_test, without_reads_there_is_a_reason) {
  started zoo("reader", GetParam());
  EXPECT_EQ(zoo.plan("secret-a").fail_reason, "NotNow");
}

class read_contract : public ::testing::TestWithParam<std::tuple<const char*, home>> {
 protected:
  started zoo{std::string("contract-") + std::get<0>(GetParam()), std::get<1>(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(in, read_contract,
                         ::testing::Combine(::testing::Values("c", "cpp"),
                                            ::testing::Values(home::core, home::child)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) +
                                  (std::get<1>(info.param) == home::core ? "_core" : "_child");
                         });

TEST_P(read_contract, an_object_arrives_whole_or_is_not_there_or_the_reason_does) {
  answers live;
  auto in = zoo.input("read");
  in.reads = &live;
  live.next = there(R"({"data":{"password":"czNjcjN0"}})");
  // FNV-1a of it.
  EXPECT_EQ(zoo.plan(in).status_json, R"({"read":"32-18eeb5e73621b4d0"})");
  EXPECT_EQ(live.asked, "secrets read-root");
  live.next.json.reset();
  EXPECT_EQ(zoo.plan(in).status_json, R"({"read":"none"})");
  live.next = {};
  live.next.reason = "Forbidden";
  live.next.message = "secrets is forbidden";
  const auto refused = zoo.plan(in);
  EXPECT_EQ(refused.verdict, plan_verdict::terminal);
  EXPECT_EQ(refused.fail_reason + ": " + refused.fail_message, "Forbidden: secrets is forbidden");
  live.next.may_work_later = true;
  EXPECT_EQ(zoo.plan(in).verdict, plan_verdict::retry);
}

}  // namespace
}  // namespace oarlock::abi
