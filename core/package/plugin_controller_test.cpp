// The controller of Plugin objects against an API server of a few lines, under a fake clock. What
// pulls images and runs plugins is tested with the real programs (tests/integration).
#include "core/package/plugin_controller.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/log.hpp"
#include "core/controller/small_api_test.hpp"
#include "core/json/parse.hpp"
#include "core/package/plugin_object.hpp"

namespace oarlock::package {
namespace {

using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* tag = "r.example.com/turner:v1";
constexpr const char* digest = "r.example.com/turner@sha256:1";

// Nothing gets as far as to run.
class no_runner final : public plugin_runner {
 public:
  task<result<>> run(plugin_order) override { co_return result<>(); }
  task<> end(std::string) override { co_return; }
  [[nodiscard]] plugin_health look(const std::string&) const override { return {}; }
  [[nodiscard]] std::vector<kind_claim> claims() const override { return {}; }
};

class plugin_controller_world : public ::testing::Test {
 protected:
  plugin_controller_world() {
    log_configure(static_cast<log_level>(99), log_format::text);
    api.intercept = [this](const test::scripted_call_ptr& call) { return answers(call); };
  }
  ~plugin_controller_world() override {
    subject.stop();
    for (const auto& call : secrets_asked)
      if (!call->answered()) call->reply(404, not_found);
    loop.run_ready();
    loop.await(cache.stop());
    loop.run_ready();
    log_configure(log_level::info, log_format::text);
  }

  // A Plugin whose pull waits for a Secret, which the test gives or does not give.
  void put_plugin(const std::string& status) {
    api.put(plugin_resource(),
            fmt::format(R"({{"metadata":{{"name":"turner","uid":"u","generation":1}},)"
                        R"("spec":{{"image":"{}","runtime":"oarlock",)"
                        R"("imagePullSecrets":[{{"name":"pull"}}]}},"status":{}}})",
                        tag, status));
  }
  bool answers(const test::scripted_call_ptr& call) {
    if (call->path().ends_with("/secrets/pull")) {
      secrets_asked.push_back(call);
      return true;
    }
    if (!call->path().ends_with("/status")) return false;
    // A status is replaced as a whole, and the watch hears of it before the writer does.
    const auto body = json::parse(call->request().body);
    const auto* status = json::find(*body, "/status");
    resolved.emplace_back(json::string_at(*body, "/status/resolved/from"));
    put_plugin(json::write(*status));
    written.push_back(call);
    return true;
  }
  void settle() {
    loop.run_ready();
    while (!written.empty()) {
      std::exchange(written, {}).front()->reply(200, "{}");
      loop.run_ready();
    }
  }

  const std::string not_found = R"({"kind":"Status","reason":"NotFound","code":404})";
  test::test_loop loop;
  controller::testing::small_api api{loop, {plugin_resource()}};
  std::vector<test::scripted_call_ptr> secrets_asked;
  std::vector<test::scripted_call_ptr> written;  // and not answered yet
  std::vector<std::string> resolved;  // what each status that was written says of the tag
  test::fixed_random random{0};
  std::unique_ptr<metric_registry> metrics = make_prometheus_registry();
  kube::client::parts to_api{loop.loop(),  &api.transport, nullptr, &loop.clock,
                             &loop.timers, metrics.get(),  nullptr};
  kube::client client{to_api};
  cache::informer_cache cache{
      {loop.loop(), &client, &loop.clock, &loop.timers, &random, metrics.get(), duration::zero()}};
  controller::event_recorder events{
      {loop.loop(), &client, &loop.clock, &loop.timers, metrics.get(), "test"}};
  no_runner runner;
  plugin_controller subject{{.loop = loop.loop(),
                             .worker = loop.loop(),
                             .daemon = to_api,
                             .anonymous = &api.transport,
                             .cache = &cache,
                             .events = &events,
                             .runner = &runner,
                             .programs = {},
                             .runtime = "oarlock",
                             .ns = "oarlock-system",
                             .scope_ns = {},
                             .store = {},
                             .work = {},
                             .image_policy = {}}};
};

// It would be looked up again, and mean something else by now.
TEST_F(plugin_controller_world, who_comes_to_lead_at_work_keeps_what_the_tag_meant) {
  put_plugin(
      fmt::format(R"({{"resolved":{{"from":"{}","image":"{}"}},"running":{{"image":"{}"}}}})", tag,
                  digest, digest));
  subject.start();
  settle();
  ASSERT_EQ(secrets_asked.size(), 1U) << "brings up what ran, as a follower";
  subject.lead();
  secrets_asked[0]->reply(404, not_found);
  settle();
  ASSERT_THAT(resolved, Not(IsEmpty())) << "the failure is told";
  EXPECT_THAT(resolved, Each(tag));
}

}  // namespace
}  // namespace oarlock::package
