// What a controller does at its start and after history was rewound: nothing is deleted on the word
// of the cache alone until the key has converged once.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "core/base/log.hpp"
#include "core/controller/controller.hpp"
#include "core/controller/own_writes.hpp"
#include "core/controller/test_objects.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/scripted_transport.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using testing::deployments;
using testing::widgets;

class wants_nothing final : public reconciler {
 public:
  plan_output plan(const plan_input&) override { return {}; }
};

std::string list_of(const kube::resource& r, const std::string& item, const std::string& version) {
  return R"({"kind":")" + r.kind + R"(List","metadata":{"resourceVersion":")" + version +
         R"("},"items":[)" + item + "]}";
}
std::string primary_at(const std::string& version) {
  return R"({"metadata":{"namespace":"ns","name":"w","uid":"u-1","resourceVersion":")" + version +
         "\"}}";
}
std::string child_at(const std::string& version) {
  return R"({"metadata":{"namespace":"ns","name":"c","uid":"u-2","resourceVersion":")" + version +
         R"(","labels":{"app.kubernetes.io/managed-by":"oarlock"},"ownerReferences":[{)"
         R"("apiVersion":"example.com/v1","kind":"Widget","name":"w","uid":"u-1",)"
         R"("controller":true}]}})";
}

// A server that was restored: its widgets stand at 60, where they were at 100 before.
class rewound : public ::testing::Test {
 protected:
  rewound() {
    log_configure(log_level::error, log_format::text);
    transport.on_request = [this](const test::scripted_call_ptr& call) { serve(call); };
    subject.start();
    loop.run_ready();
  }
  ~rewound() override {
    loop.await(subject.drain());
    loop.await(cache.stop());
    loop.run_ready();
    log_configure(log_level::info, log_format::text);
  }

  void serve(const test::scripted_call_ptr& call) {
    const bool child = call->path().find("deployments") != std::string::npos;
    const auto& resource = child ? deployments : widgets;
    if (call->request().method == "DELETE") {
      ++deletes;
      call->reply(200, "{}");
    } else if (call->request().method != "GET") {
      call->reply(200, primary_at("60"));
    } else if (call->query("watch") == "true" && call->query("sendInitialEvents").empty()) {
      (child ? children : watch) = call;
      call->answer(200);
    } else if (call->query("watch") == "true") {
      const int code = rewinding ? 410 : 422;
      call->reply(code, R"({"kind":"Status","status":"Failure","reason":"x","code":)" +
                            std::to_string(code) + "}");
    } else if (call->path().ends_with("/w")) {
      gets.push_back("w");
      call->reply(200, live_primary);
    } else if (call->path().ends_with("/c")) {
      gets.push_back("c");
      call->reply(200, live_child);
    } else if (child) {
      call->reply(200, list_of(resource, child_at("41"), "60"));
    } else {
      const bool is_widget = call->path().ends_with("/widgets");
      call->reply(200, list_of(resource, is_widget ? primary_at(rewinding ? "40" : "90") : "",
                               rewinding ? "60" : "100"));
    }
  }
  void rewind() {
    rewinding = true;
    watch->push(R"({"type":"ERROR","object":{"kind":"Status","status":"Failure","code":410,)"
                R"("reason":"Expired"}})"
                "\n");
    loop.advance(30s);
  }

  test::test_loop loop;
  test::scripted_transport transport{loop};
  test::fixed_random random{0};
  std::unique_ptr<metric_registry> metrics = make_prometheus_registry();
  kube::client client{
      {loop.loop(), &transport, nullptr, &loop.clock, &loop.timers, metrics.get(), nullptr}};
  cache::informer_cache cache{
      {loop.loop(), &client, &loop.clock, &loop.timers, &random, metrics.get(), duration::zero()}};
  event_recorder events{{loop.loop(), &client, &loop.clock, &loop.timers, metrics.get(), "test"}};
  wants_nothing plan;
  controller subject{{"widget", "widget", widgets, {deployments}, {}, 16, {}},
                     {loop.loop(), loop.loop(), &client, &cache, &events, &plan, &loop.clock,
                      &loop.timers, metrics.get(), &random}};
  bool rewinding = false;
  test::scripted_call_ptr watch;  // the widgets'
  test::scripted_call_ptr children;
  std::string live_primary = primary_at("40");
  std::string live_child = child_at("41");
  std::vector<std::string> gets;
  int deletes = 0;
};

TEST_F(rewound, a_start_believes_no_list_before_a_delete) {
  live_primary = primary_at("95");
  subject.lead();
  loop.advance(1s);
  EXPECT_GT(gets.size(), 1U) << "and looks again";
  EXPECT_EQ(deletes, 0) << "the list that the cache has is older than the server";
  live_primary = primary_at("90");
  gets.clear();
  loop.advance(10s);
  EXPECT_EQ(gets, (std::vector<std::string>{"w", "c"}));
  EXPECT_EQ(deletes, 1);
}

TEST_F(rewound, deletes_without_a_live_read_once_it_has_converged) {
  live_primary = primary_at("90");
  subject.lead();
  loop.advance(1s);
  ASSERT_EQ(deletes, 1);
  gets.clear();
  children->push(R"({"type":"DELETED","object":)" + child_at("110") + "}\n" +
                 R"({"type":"ADDED","object":)" + child_at("120") + "}\n");
  loop.advance(10s);
  EXPECT_EQ(deletes, 2);
  EXPECT_TRUE(gets.empty());
}

TEST_F(rewound, reads_the_primary_and_the_child_before_a_delete) {
  rewind();
  subject.lead();
  loop.advance(1s);
  EXPECT_EQ(gets, (std::vector<std::string>{"w", "c"}));
  EXPECT_EQ(deletes, 1);
}

TEST_F(rewound, deletes_nothing_while_the_primary_differs_from_the_cache) {
  live_primary = primary_at("55");
  rewind();
  subject.lead();
  loop.advance(10s);
  EXPECT_GT(gets.size(), 1U) << "and looks again";
  EXPECT_EQ(std::count(gets.begin(), gets.end(), "c"), 0);
  EXPECT_EQ(deletes, 0);
}

TEST_F(rewound, deletes_nothing_while_the_child_differs_from_the_cache) {
  live_child = child_at("55");
  rewind();
  subject.lead();
  loop.advance(10s);
  EXPECT_GT(std::count(gets.begin(), gets.end(), "c"), 1);
  EXPECT_EQ(deletes, 0);
}

TEST_F(rewound, does_not_wait_for_own_writes_of_the_old_history) {
  const auto joined = cache.acquire({widgets, "", ""}, {}, [](const cache::change&) {});
  own_writes writes;
  const cache::object_key key{"ns", "w"};
  writes.expect_version(key, joined->view(), "150");
  EXPECT_FALSE(writes.seen(key));
  rewind();
  EXPECT_EQ(joined->view().epoch(), 1U);
  EXPECT_FALSE(writes.seen(key)) << "it would wait for ever";
  writes.forget_all_in(joined->view());
  EXPECT_TRUE(writes.seen(key));
}

}  // namespace
}  // namespace oarlock::controller
