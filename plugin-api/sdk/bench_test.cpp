// The SDK over a host's extensions, on the test kit's host: typed reads and cursors, Secrets, logs.
#include <gtest/gtest.h>

#include "oarlock/k8s/coordination/v1.hpp"
#include "oarlock/k8s/core/v1.hpp"
#include "oarlock/sdk/outside.hpp"
#include "oarlock/sdk/testing/bench_host.hpp"

namespace oarlock::sdk {
namespace {

using k8s::coordination::v1::lease;
using k8s::core::v1::config_map;
using k8s::core::v1::pod;

// Runs what a test wants inside of observe().
struct runner {
  explicit runner(const setup& s) : with(s) {}
  std::optional<json::value> observe(const input<lease>&, std::chrono::milliseconds) {
    return json::value(work(with));
  }
  setup with;
  static inline std::string (*work)(const setup&) = nullptr;
};
void plan(const input<lease>&, output<lease>&) {}
constexpr auto plugin = detail::describe<planner_with<"keeper", plan, runner>>("keeper", "1");

class bench : public ::testing::Test {
 protected:
  testing::observed run(std::string (*work)(const setup&)) {
    runner::work = work;
    testing::given g;
    g.controller = "keeper";
    g.primary = {"leases.coordination.k8s.io",
                 R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease"})"};
    g.ns = "shop";
    g.name = "p";
    return host_.observe(g);
  }
  testing::bench_world& world() { return host_.world(); }

 private:
  testing::bench_host host_{plugin};
};

TEST_F(bench, live_reads_are_structs) {
  world().live["configmaps/settings"] =
      R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"a":"b"}})";
  world().live["configmaps/odd"] = R"({"apiVersion":"v2","kind":"ConfigMap"})";
  const auto seen = run([](const setup& s) {
    const auto there = s.reads.get<config_map>("settings");
    const auto none = s.reads.get<config_map>("none");
    return there->data.at("a") + (none ? " and one" : " and none");
  });
  EXPECT_EQ(seen.json, R"("b and none")") << seen.fail_message;
  const auto odd = run([](const setup& s) {
    return std::string(s.reads.get<config_map>("odd") ? "there" : "none");
  });
  EXPECT_EQ(odd.returned, OARLOCK_TERMINAL);
  EXPECT_EQ(odd.fail_reason, "InvalidObject");
  EXPECT_EQ(odd.fail_message, "configmaps odd: apiVersion: expected \"v1\", found the text \"v2\"");
}

TEST_F(bench, secrets_are_read_by_name) {
  world().live["secrets/root"] = R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"root"},)"
                                 R"("data":{"password":"czNjcjN0IQ==","empty":""}})";
  const auto seen = run([](const setup& s) {
    const auto root = s.reads.secret("root");
    return root->at("password") + (root->find("user") == nullptr ? " nobody" : "") +
           root->at("empty") + (s.reads.secret("other") ? " other" : "");
  });
  EXPECT_EQ(seen.json, R"("s3cr3t! nobody")") << seen.fail_message;
  const auto lacking = run([](const setup& s) { return s.reads.secret("root")->at("user"); });
  EXPECT_EQ(lacking.returned, OARLOCK_ERROR) << "somebody may write it yet";
  EXPECT_EQ(lacking.fail_reason, "SecretIncomplete");
  EXPECT_EQ(lacking.fail_message, "secret root: expected the key user, found none");
  world().live["secrets/root"] = R"({"metadata":{"name":"root"},"data":{"a":"???"}})";
  const auto broken = run([](const setup& s) { return s.reads.secret("root")->name(); });
  EXPECT_EQ(broken.fail_message, "secret root: expected base64 in a");
}

TEST_F(bench, reads_are_for_calls_only) {
  const live_reader none;
  EXPECT_THROW((void)none.get<config_map>("settings"), terminal_error);
}

TEST_F(bench, cursors_show_structs) {
  const auto pod_of = [](const std::string& name, const std::string& rest) {
    return testing::given_object{"pods", R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" +
                                             name + R"(","namespace":"shop")" + rest + "}}"};
  };
  world().cached = {pod_of("a", R"(,"labels":{"app":"web","tier":"x"})"),
                    {"configmaps", R"({"metadata":{"labels":{"app":"web"}}})"},
                    pod_of("b", R"(,"labels":{"app":"web","old":""})"),
                    pod_of("c", R"(,"labels":{"app":"db"},"ownerReferences":[{"uid":"u"}])")};
  const auto all = run([](const setup& s) {
    std::string out;
    const auto add = [&](const query& q) {
      for (const pod& one : s.cache.find<pod>(q))
        out += *one.metadata->name;
      out += " ";
    };
    for (const char* labels : {"", "app=web", "app==web,!old", "app!=web", "old,app=web", "x"})
      add({.labels = labels});
    add({.ns = "shop", .owner_uid = "u"});
    add({.ns = "other"});
    return out;
  });
  EXPECT_EQ(all.json, R"("abc ab a c b  c  ")") << all.fail_message;
}

TEST_F(bench, logs_have_keys_with_texts_and_numbers) {
  (void)run([](const setup& s) {
    const std::string text = "owned";
    s.log.warn("no answer", {{"a", "b"},
                             {"text", text},
                             {"view", std::string_view(text)},
                             {"tries", 3},
                             {"big", std::uint64_t{18446744073709551615U}},
                             {"least", std::numeric_limits<std::int64_t>::min()},
                             {"ratio", 0.5},
                             {"is", true}});
    return text;
  });
  EXPECT_EQ(world().log,
            std::vector<std::string>{
                "warn: no answer a=b text=owned view=owned tries=3 big=18446744073709551615 "
                "least=-9223372036854775808 ratio=0.5 is=true"});
}

TEST_F(bench, clock_lease_metrics_and_events_are_the_tests) {
  world().lease_valid_until_ns = world().monotonic_ns + 5'000'000'000;
  const auto seen = run([](const setup& s) {
    using namespace std::chrono_literals;
    s.metrics.counters("queries_total", "Queries", {"outcome"}).add({"ok"}).increment(2);
    s.metrics.gauges("size", "Size").add().set(7);
    s.events.enqueue("keeper", "shop", "q");
    const auto left = s.leadership.valid_until() - s.clock.now();
    return std::string(left == 5s ? "5 s" : "?");
  });
  EXPECT_EQ(seen.json, R"("5 s")");
  EXPECT_EQ(world().metrics,
            (std::map<std::string, double>{{"queries_total{ok}", 2}, {"size", 7}}));
  EXPECT_EQ(world().enqueued, std::vector<std::string>{"keeper shop/q"});
}

TEST(base64, is_read_and_written) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
      {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfb", "//77"}};
  for (const auto& [plain, coded] : cases) {
    EXPECT_EQ(base64_encode(plain), coded);
    EXPECT_EQ(base64_decode(coded), plain);
  }
  EXPECT_EQ(base64_encode(std::string(1, '\0')), "AA==");
  for (const char* bad : {"Zg", "Zg=", "Z===", "Zm9v====", "Zm 9", "Zm-_", "=AAA"})
    EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace oarlock::sdk
