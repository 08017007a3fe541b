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
#include "core/package/handover.hpp"
#include "core/package/plugin_object.hpp"

namespace oarlock::package {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* tag = "r.example.com/turner:v1";
constexpr const char* digest = "r.example.com/turner@sha256:1";

// Nothing gets as far as to run.
class no_runner final : public plugin_runner {
 public:
  task<result<>> run(plugin_order) override { co_return result<>(); }
  task<bool> end(std::string) override { co_return true; }
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
  void put_plugin(const std::string& status, const std::string& runtime = "oarlock") {
    api.put(plugin_resource(),
            fmt::format(R"({{"metadata":{{"name":"turner","uid":"u","generation":1}},)"
                        R"("spec":{{"image":"{}","runtime":"{}",)"
                        R"("imagePullSecrets":[{{"name":"pull"}}]}},"status":{}}})",
                        tag, runtime, status));
  }
  [[nodiscard]] std::string now(const char* pointer) const {
    return api.at(plugin_resource(), "", "turner", pointer);
  }
  bool answers(const test::scripted_call_ptr& call) {
    if (call->path().ends_with("/secrets/pull")) {
      if (has_secrets) {
        secrets_asked.push_back(call);
      } else {
        call->reply(404, not_found);
        ++refused;
      }
      return true;
    }
    if (!call->path().ends_with("/status")) return false;
    // A status is replaced as a whole, and the watch hears of it before the writer does.
    const auto body = json::parse(call->request().body);
    const auto* status = json::find(*body, "/status");
    const auto onto = json::string_at(*body, "/metadata/resourceVersion");
    if (!onto.empty() && onto != now("/metadata/resourceVersion")) {
      ++conflicts;
      call->reply(409, R"({"kind":"Status","reason":"Conflict","code":409})");
      return true;
    }
    resolved.emplace_back(json::string_at(*body, "/status/resolved/from"));
    put_plugin(json::write(*status), now("/spec/runtime"));
    written.push_back(call);
    return true;
  }
  void settle() {
    loop.run_ready();
    while (!written.empty()) {
      std::exchange(written, {})
          .front()
          ->reply(200, fmt::format(R"({{"metadata":{{"resourceVersion":"{}"}}}})",
                                   now("/metadata/resourceVersion")));
      loop.run_ready();
    }
  }
  void start_leading() {
    subject.start();
    settle();
    subject.lead();
    settle();
  }

  const std::string not_found = R"({"kind":"Status","reason":"NotFound","code":404})";
  test::test_loop loop;
  controller::testing::small_api api{loop, {plugin_resource()}};
  std::vector<test::scripted_call_ptr> secrets_asked;
  std::vector<test::scripted_call_ptr> written;  // and not answered yet
  bool has_secrets = true;                       // false: none, and nothing can be fetched
  int refused = 0;
  int conflicts = 0;
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

constexpr const char* named_ours =
    R"({"running":{"runtime":"oarlock","image":"r.example.com/turner@sha256:1"}})";
constexpr const char* named_theirs =
    R"({"running":{"runtime":"two","image":"r.example.com/turner@sha256:1"}})";
constexpr const char* named_nobodys = R"({"running":{"image":"r.example.com/turner@sha256:1"}})";
constexpr const char* named = "/status/running/runtime";

// It died while it drained: nothing of it runs any more.
TEST_F(plugin_controller_world, a_restart_lets_go_of_what_was_moved_away_meanwhile) {
  put_plugin(named_ours, "two");
  start_leading();
  EXPECT_EQ(now(named), "");
  EXPECT_EQ(now("/status/running/image"), digest) << "what the other one brings up";
  EXPECT_THAT(now("/status/conditions"), HasSubstr("WaitsForRuntime"));
  EXPECT_EQ(resolved.size(), 1U);
  loop.advance(10min);
  settle();
  EXPECT_EQ(resolved.size(), 1U) << "from here on it is the other one's";
}

TEST_F(plugin_controller_world, a_follower_lets_go_when_it_leads) {
  put_plugin(named_ours, "two");
  subject.start();
  settle();
  loop.advance(10min);
  settle();
  EXPECT_THAT(resolved, IsEmpty());
  EXPECT_EQ(now(named), "oarlock");
  subject.lead();
  settle();
  EXPECT_EQ(now(named), "");
}

TEST_F(plugin_controller_world, a_name_is_taken_out_again_when_that_has_failed) {
  api.hold = true;  // the watch lags
  put_plugin(named_ours, "two");
  subject.start();
  settle();
  put_plugin(named_ours, "three");
  subject.lead();
  settle();
  EXPECT_GT(conflicts, 0) << "it would act on what is not there any more";
  EXPECT_EQ(now(named), "oarlock");
  api.release();
  loop.advance(1s);
  settle();
  EXPECT_EQ(now(named), "");
}

TEST_F(plugin_controller_world, what_was_moved_here_waits_until_the_other_has_ended_it) {
  has_secrets = false;
  put_plugin(named_theirs);
  start_leading();
  EXPECT_GT(refused, 0) << "the image is fetched meanwhile";
  loop.advance(59s);
  settle();
  EXPECT_THAT(resolved, IsEmpty()) << "the other one writes the status";
  EXPECT_THAT(api.told, Contains(HasSubstr("WaitsForRuntime: runtime two is to end it first")));
  put_plugin(named_nobodys);
  settle();
  EXPECT_EQ(now(named), "oarlock");
  EXPECT_THAT(api.told, Not(Contains(HasSubstr("RuntimeTakenOver"))));
}

TEST_F(plugin_controller_world, a_runtime_that_does_not_answer_is_not_waited_for_longer) {
  has_secrets = false;
  put_plugin(named_theirs);
  start_leading();
  loop.advance(handover_wait - 1s);
  settle();
  ASSERT_EQ(now(named), "two");
  loop.advance(2s);
  settle();
  EXPECT_EQ(now(named), "oarlock");
  EXPECT_THAT(api.told, Contains(HasSubstr("RuntimeTakenOver: runtime two did not answer")));
}

TEST_F(plugin_controller_world, who_stands_by_takes_nothing_over) {
  has_secrets = false;
  put_plugin(named_theirs);
  subject.start();
  settle();
  loop.advance(10min);
  settle();
  EXPECT_EQ(now(named), "two");
  EXPECT_THAT(api.told, IsEmpty());
  subject.lead();
  settle();
  EXPECT_EQ(now(named), "oarlock") << "it has waited long enough";
}

TEST_F(plugin_controller_world, what_was_moved_on_is_not_begun) {
  has_secrets = false;
  api.hold = true;  // the watch lags
  put_plugin(named_nobodys);
  subject.start();
  settle();
  put_plugin(named_nobodys, "three");
  subject.lead();
  settle();
  EXPECT_GT(conflicts, 0);
  api.release();
  loop.advance(10min);
  settle();
  EXPECT_EQ(now(named), "");
}

TEST(handover_turns, begin_anew_for_each_runtime_that_is_named) {
  handover subject;
  const steady_time start{1000s};
  EXPECT_EQ(subject.look("", "us", start), handover::turn::nobodys);
  EXPECT_EQ(subject.look("us", "us", start), handover::turn::ours);
  EXPECT_FALSE(subject.waits());
  EXPECT_EQ(subject.look("two", "us", start), handover::turn::theirs);
  EXPECT_TRUE(subject.waits());
  EXPECT_EQ(subject.left(start + 20s), 40s);
  EXPECT_EQ(subject.look("two", "us", start + 59s), handover::turn::theirs);
  EXPECT_EQ(subject.look("three", "us", start + 59s), handover::turn::theirs);
  EXPECT_EQ(subject.look("three", "us", start + 60s), handover::turn::theirs);
  EXPECT_EQ(subject.look("three", "us", start + 119s), handover::turn::overdue);
  EXPECT_EQ(subject.left(start + 120s), 0s);
  EXPECT_EQ(subject.look("us", "us", start + 120s), handover::turn::ours);
  EXPECT_FALSE(subject.waits());
}

}  // namespace
}  // namespace oarlock::package
