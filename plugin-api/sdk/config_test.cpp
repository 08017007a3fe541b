// What an administrator configures, as a struct: in plans, and in classes beside them.
#include <gtest/gtest.h>

#include "oarlock/k8s/coordination/v1.hpp"
#include "oarlock/sdk/outside.hpp"
#include "oarlock/sdk/testing/cases.hpp"

namespace oarlock::sdk {
namespace {

using k8s::coordination::v1::lease;
using k8s::coordination::v1::lease_spec;  // as good a configuration as any

void plan(const input<lease>& in, const lease_spec& set, output<lease>& out) {
  in.log().info("planned", {{"holder", set.holder_identity.value_or("nobody")},
                            {"seconds", set.lease_duration_seconds.value_or(-1)}});
  out.condition("Held", set.holder_identity.has_value(), "Configured", "");
  out.condition("Known", condition_status::unknown, "NotAsked", "");
}

struct holders {
  explicit holders(const setup& s) : set(s.config_as<lease_spec>()) {}
  std::optional<json::value> observe(const input<lease>&, std::chrono::milliseconds) {
    return json::object({{"holder", set.holder_identity.value_or("nobody")}});
  }
  lease_spec set;
};

constexpr auto plain = detail::describe<planner<"keeper", plan>>("keeper", "1");
constexpr auto beside = detail::describe<planner_with<"keeper", plan, holders>>("keeper", "1");

testing::given a_lease() {
  testing::given g;
  g.controller = "keeper";
  g.primary = {"leases.coordination.k8s.io",
               R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease"})"};
  g.ns = "default";
  g.name = "p";
  return g;
}

TEST(configuration, is_given_to_the_plan) {
  for (const auto* plugin : {&plain, &beside}) {
    testing::bench_host host(*plugin, R"({"holderIdentity":"me","leaseDurationSeconds":15})");
    const auto answer = host.plan(a_lease());
    ASSERT_EQ(answer.returned, OARLOCK_OK) << answer.fail_message;
    EXPECT_EQ(answer.conditions.at("Held").status, OARLOCK_CONDITION_TRUE);
    EXPECT_EQ(answer.conditions.at("Known").status, OARLOCK_CONDITION_UNKNOWN);
    EXPECT_EQ(host.world().log, std::vector<std::string>{"info: planned holder=me seconds=15"});
  }
  testing::bench_host host(plain);
  EXPECT_EQ(host.plan(a_lease()).conditions.at("Held").status, OARLOCK_CONDITION_FALSE);
}

TEST(configuration, is_given_to_the_class_beside_it) {
  testing::bench_host host(beside, R"({"holderIdentity":"me"})");
  EXPECT_EQ(host.observe(a_lease()).json, R"({"holder":"me"})");
}

// The host has checked it; one without a schema for it says why it ends.
TEST(configuration, that_does_not_fit_is_no_plugin) {
  try {
    testing::bench_host host(plain, R"({"holderIdentity":7})");
    FAIL() << "expected a refusal";
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("holderIdentity: expected text, found the number 7"),
              std::string::npos)
        << e.what();
  }
}

TEST(configuration, is_said_in_cases) {
  const auto all = testing::detail::case_reader("x.yaml", testing::from_yaml(YAML::Load(R"(
controller: keeper
config: {holderIdentity: file}
objects: {a: {apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: p}}}
cases:
  - {name: one, given: {primary: {from: a}}, expect: {}}
  - {name: two, given: {primary: {from: a}, config: {holderIdentity: own}}, expect: {}}
)")))
                       .read();
  EXPECT_EQ(all.at(0).config, R"({"holderIdentity":"file"})");
  EXPECT_EQ(all.at(1).config, R"({"holderIdentity":"own"})");
}

}  // namespace
}  // namespace oarlock::sdk
