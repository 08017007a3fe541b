#include "core/daemon/plugin_access.hpp"

#include <gmock/gmock.h>

#include "core/json/parse.hpp"
#include "tests/support/scripted_transport.hpp"

namespace oarlock::daemon {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

// A server that knows who may do what, and how often it was asked.
class plugin_access_test : public ::testing::Test {
 protected:
  void SetUp() override {
    declared_.name = "boats";
    controller::controller_spec boats;
    boats.primary = {"example.com", "v1", "Boat", "boats"};
    declared_.controllers = {boats};
    options_.plugin_identity = identity_kind::service_account;
    options_.plugin_namespace = "oarlock-system";
    daemon_server_.on_request = [this](const auto& call) { answer(call, daemon_may_); };
    plugin_server_.on_request = [this](const auto& call) { answer(call, plugin_may_); };
    access_.emplace(declared_, options_, "/plugins/boats",
                    plugin_access::parts{{loop_.loop(), &daemon_server_, nullptr, &loop_.clock,
                                          &loop_.timers, metrics_.get(), nullptr},
                                         &plugin_server_,
                                         "host"});
    spawn(loop_.loop(), access_->watch(stop_.get_token(), [this] { ++changes_; }));
    loop_.run_ready();
  }
  void TearDown() override {
    stop_.request_stop();
    loop_.run_ready();
  }
  static void answer(const test::scripted_call_ptr& call, const std::string& may) {
    if (call->path().ends_with("/token")) {
      call->reply(201, R"({"spec":{"expirationSeconds":3600},"status":{"token":"t"}})");
    } else if (call->path().ends_with("/selfsubjectreviews")) {
      call->reply(201, R"({"status":{"userInfo":{"username":"system:serviceaccount:a:b"}}})");
    } else {
      const auto asked = json::parse(call->request().body);
      const auto verb = json::string_at(*asked, "/spec/resourceAttributes/verb");
      const bool allowed = may.find(verb) != std::string::npos;
      call->reply(201,
                  std::string(R"({"status":{"allowed":)") + (allowed ? "true" : "false") + "}}");
    }
  }

  test::test_loop loop_;
  test::scripted_transport daemon_server_{loop_};
  test::scripted_transport plugin_server_{loop_};
  std::string daemon_may_ = "get list watch";
  std::string plugin_may_ = "get list watch";
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  plugin::manifest declared_;
  options options_;
  std::stop_source stop_;
  std::optional<plugin_access> access_;
  int changes_ = 0;
};

TEST_F(plugin_access_test, is_reviewed_with_its_own_token_before_it_works) {
  EXPECT_EQ(access_->trouble(), "");
  EXPECT_EQ(changes_, 1);
  ASSERT_EQ(plugin_server_.calls().size(), 3U);
  for (const auto& call : plugin_server_.calls()) {
    bool own = false;
    for (const auto& h : call->request().headers)
      own |= h.name == "Authorization" && h.value == "Bearer t";
    EXPECT_TRUE(own);
  }
}

TEST_F(plugin_access_test, loses_its_work_when_a_right_is_taken_and_gets_it_back_with_it) {
  plugin_may_ = "get list";
  loop_.advance(2min);
  EXPECT_EQ(changes_, 2);
  EXPECT_THAT(access_->trouble(),
              AllOf(HasSubstr("expected ServiceAccount oarlock-system/oarlock-plugin-boats to be "
                              "allowed to watch boats.example.com, found it forbidden; apply: "
                              "oarlock plugin manifest /plugins/boats"),
                    HasSubstr(" --daemon-service-account=a/b | kubectl apply -f -")));
  loop_.advance(5s);
  EXPECT_EQ(changes_, 2) << "asked again, and nothing is new";
  plugin_may_ = "get list watch";
  loop_.advance(5s);
  EXPECT_EQ(access_->trouble(), "");
  EXPECT_EQ(changes_, 3);
}

TEST_F(plugin_access_test, waits_for_the_daemon_that_watches_for_it) {
  daemon_may_ = "get";
  loop_.advance(2min);
  EXPECT_THAT(access_->trouble(), HasSubstr("expected the daemon to be allowed to list boats."));
}

}  // namespace
}  // namespace oarlock::daemon
