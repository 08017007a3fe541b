// Two plugins on one loop: what one does with very many objects, and what the other notices.
#include <boost/asio/post.hpp>

#include "core/controller/controller_world_test.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using namespace testing;

class beside_a_large_one : public controller_world {
 protected:
  static constexpr int many = 50000;

  beside_a_large_one() {
    plan.run = [](const plan_input& input) {
      plan_output out;
      out.conditions = {{"Ready", condition_status::yes, round(input.primary), ""}};
      return out;
    };
  }
  ~beside_a_large_one() override {
    loop.clock.tick_on_read(0ns);
    large->follow();
    loop.await(large->drain());
    large.reset();
  }
  static std::string round(const cache::object_ptr& o) {
    const auto found = o->meta().labels.find("round");
    return found == o->meta().labels.end() ? "Zero" : found->second;
  }
  void change_small(const std::string& round) {
    api.put(widgets, widget_json("w", "", R"("labels":{"round":")" + round + R"("})"));
  }
  // The list of the large one; as text, since the API server of the tests keeps 64 KiB for each.
  static std::string secret_list() {
    std::string body = R"({"kind":"SecretList","metadata":{"resourceVersion":"1"},"items":[)";
    for (int i = 0; i < many; ++i) {
      const auto name = "s" + std::to_string(i);
      body += (i == 0 ? "" : ",");
      body += R"({"metadata":{"namespace":"ns","name":")" + name + R"(","uid":")" + name +
              R"(","resourceVersion":"1"}})";
    }
    return body + "]}";
  }
  // `what` in the turn after the next.
  void later(std::function<void()> what) { boost::asio::post(loop.io, std::move(what)); }

  planned of_large;
  std::unique_ptr<controller> large;
};

TEST_F(beside_a_large_one, a_reconcile_waits_for_no_more_than_a_slice_of_its_list_and_plans) {
  api.put(widgets, widget_json());
  lead();
  ASSERT_EQ(condition("Ready"), "Zero");
  loop.clock.tick_on_read(20us);  // a slice is some dozens of objects

  bool is_listing = false;
  bool first_done_before_the_list = false;
  int begun_at = 0;
  int done_at = 0;
  api.intercept = [&](const test::scripted_call_ptr& call) {
    const bool lists = call->request().method == "GET" && call->path().ends_with("/secrets") &&
                       call->query("watch") != "true";
    if (lists) {
      is_listing = true;
      call->reply(200, secret_list());
      later([&] { change_small("One"); });
      return true;
    }
    if (call->path().ends_with("/widgets/w/status")) {
      const auto& body = call->request().body;
      if (body.find("One") != std::string::npos) first_done_before_the_list = !large->synced();
      if (body.find("Two") != std::string::npos) {
        done_at = of_large.plans;
        large->follow();  // has shown enough
      }
    }
    return false;
  };
  of_large.run = [&](const plan_input&) {
    if (of_large.plans == 1000) {
      begun_at = of_large.plans;
      later([&] { change_small("Two"); });
    }
    return plan_output{};
  };
  auto p = parts();
  p.plan = &of_large;
  large =
      std::make_unique<controller>(controller_spec{"large", "large", secrets, {}, {}, 16, {}}, p);
  large->start();
  large->lead();
  settle(5s);
  EXPECT_TRUE(is_listing);
  EXPECT_TRUE(large->synced());
  EXPECT_TRUE(first_done_before_the_list);
  EXPECT_EQ(condition("Ready"), "Two");
  EXPECT_EQ(begun_at, 1000);
  EXPECT_GE(done_at, begun_at);
  EXPECT_LE(done_at - begun_at, 1000) << "not behind the " << many << " keys of the other";
}

}  // namespace
}  // namespace oarlock::controller
