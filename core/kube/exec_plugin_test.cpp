#include "core/kube/exec_plugin.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "core/base/asio_timers.hpp"
#include "core/json/parse.hpp"
#include "core/kube/errors.hpp"
#include "core/kube/exec_process.hpp"

namespace oarlock::kube {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr auto v1 = "client.authentication.k8s.io/v1";

std::string printed(const std::string& status, const std::string& version = v1) {
  return R"({"kind":"ExecCredential","apiVersion":")" + version + R"(","status":)" + status + "}";
}

TEST(parse_exec_credential, reads_tokens_and_certificates) {
  const auto token = parse_exec_credential(
      printed(R"({"token":"t","expirationTimestamp":"2026-01-02T00:00:00Z"})"), v1);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->token, "t");
  EXPECT_EQ(token->expires, std::chrono::sys_days(std::chrono::year(2026) / 1 / 2));
  const auto pair =
      parse_exec_credential(printed(R"({"clientCertificateData":"c","clientKeyData":"k"})"), v1);
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->client_cert_pem, "c");
  EXPECT_EQ(pair->client_key_pem, "k");
  EXPECT_FALSE(pair->expires);
}

struct refusal_case {
  std::string text;
  std::string why;
};
class refused_outputs : public ::testing::TestWithParam<refusal_case> {};
TEST_P(refused_outputs, say_what_was_expected_and_quote_nothing) {
  const auto got = parse_exec_credential(GetParam().text, v1);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, HasSubstr(GetParam().why));
  EXPECT_THAT(got.error().message, ::testing::Not(HasSubstr("secret")));
}
INSTANTIATE_TEST_SUITE_P(
    table, refused_outputs,
    ::testing::Values(
        refusal_case{"secret", "no JSON"}, refusal_case{R"({"kind":"Pod"})", "kind ExecCredential"},
        refusal_case{printed(R"({"token":"secret"})", "client.authentication.k8s.io/v1beta1"),
                     "expected apiVersion client.authentication.k8s.io/v1"},
        refusal_case{printed("{}"), "found neither"},
        refusal_case{printed(R"({"clientCertificateData":"secret"})"), "only one of them"},
        refusal_case{printed(R"({"token":"secret","expirationTimestamp":"tomorrow"})"),
                     "RFC 3339"}));

cluster_config config_with(exec_plugin plugin) {
  cluster_config config;
  config.server = "https://api:6443";
  plugin.api_version = v1;
  config.exec = std::move(plugin);
  return config;
}

TEST(exec_info, tells_the_cluster_only_where_asked) {
  const auto plain = json::parse(exec_info(config_with({}), "ca"));
  ASSERT_TRUE(plain);
  EXPECT_EQ(json::bool_at(*plain, "/spec/interactive"), false);
  EXPECT_EQ(json::find(*plain, "/spec/cluster"), nullptr);
  exec_plugin plugin;
  plugin.provide_cluster_info = true;
  const auto full = json::parse(exec_info(config_with(plugin), "ca"));
  ASSERT_TRUE(full);
  EXPECT_EQ(json::string_at(*full, "/spec/cluster/server"), "https://api:6443");
  EXPECT_EQ(json::string_at(*full, "/spec/cluster/certificate-authority-data"), "Y2E=");
  EXPECT_EQ(json::find(*full, "/spec/cluster/insecure-skip-tls-verify"), nullptr);
  auto unsafe = config_with(plugin);
  unsafe.insecure_skip_tls_verify = true;
  const auto told = json::parse(exec_info(unsafe, "ca"));
  ASSERT_TRUE(told);
  EXPECT_EQ(json::bool_at(*told, "/spec/cluster/insecure-skip-tls-verify"), true);
}

// The identity over a scripted plugin and a clock that the test moves.
class exec_identity_test : public ::testing::Test {
 protected:
  class moving_clock final : public clock {
   public:
    [[nodiscard]] steady_time now() const override { return {}; }
    [[nodiscard]] wall_time wall_now() const override { return wall; }
    wall_time wall = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
  };
  std::shared_ptr<exec_identity> make() {
    exec_plugin plugin;
    plugin.command = "login";
    plugin.install_hint = "get it from the help desk";
    return make_exec_identity(
        io_.get_executor(), clock_, config_with(plugin), "",
        [this](exec_command command) { return answer(std::move(command)); }, metrics_.get());
  }
  task<result<std::string>> answer(exec_command command) {
    ++runs_;
    last_ = std::move(command);
    co_await boost::asio::post(io_, boost::asio::use_awaitable);  // it takes a while
    co_return output_;
  }
  // Starts one prepare(); its outcome is added to outcomes_.
  void ask(exec_identity& who) {
    boost::asio::co_spawn(io_, who.prepare(), [this](std::exception_ptr, result<> got) {
      outcomes_.push_back(got ? "" : got.error().message);
    });
  }
  void run() {
    io_.restart();
    io_.poll();
  }

  bool counted(const std::string& line) const {
    return metrics_->serialize().find("\n" + line + "\n") != std::string::npos;
  }

  boost::asio::io_context io_;
  moving_clock clock_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  int runs_ = 0;
  exec_command last_;
  result<std::string> output_{printed(R"({"token":"one"})")};
  std::vector<std::string> outcomes_;
};

TEST_F(exec_identity_test, counts_its_runs_and_says_how_long_the_identity_lasts) {
  const auto who = make();
  EXPECT_TRUE(counted("rest_client_exec_plugin_ttl_seconds +Inf"));
  output_ = printed(R"({"token":"t","expirationTimestamp":"2026-01-01T01:00:00Z"})");
  ask(*who);
  run();
  clock_.wall += 10min;
  EXPECT_TRUE(counted("rest_client_exec_plugin_ttl_seconds 3000")) << metrics_->serialize();
  clock_.wall += 1h;
  for (const auto& answer : {result<std::string>(printed(R"({"token":"t"})")),
                             result<std::string>(std::string("no JSON")),
                             result<std::string>(error{kube_error::invalid, "not found"}),
                             result<std::string>(error{kube_error::unauthorized, "exit code 7"})}) {
    output_ = answer;
    who->refused();
    ask(*who);
    run();
  }
  for (const char* line : {"{call_status=\"no_error\",code=\"0\"} 2",
                           "{call_status=\"client_internal_error\",code=\"1\"} 1",
                           "{call_status=\"plugin_not_found_error\",code=\"1\"} 1",
                           "{call_status=\"plugin_execution_error\",code=\"1\"} 1"}) {
    EXPECT_TRUE(counted(std::string("rest_client_exec_plugin_call_total") + line)) << line;
  }
  EXPECT_TRUE(counted("rest_client_exec_plugin_ttl_seconds +Inf")) << "the last one does not end";
}

TEST_F(exec_identity_test, runs_once_for_all_that_wait) {
  const auto who = make();
  ask(*who);
  ask(*who);
  ask(*who);
  run();
  EXPECT_THAT(outcomes_, ::testing::ElementsAre("", "", ""));
  EXPECT_EQ(runs_, 1);
  EXPECT_EQ(*who->bearer_token(), "one");
  ASSERT_EQ(last_.env.size(), 1U);
  EXPECT_EQ(last_.env[0].first, "KUBERNETES_EXEC_INFO");
}

TEST_F(exec_identity_test, keeps_a_credential_until_shortly_before_its_end) {
  const auto who = make();
  output_ = printed(R"({"token":"one","expirationTimestamp":"2026-01-01T01:00:00Z"})");
  ask(*who);
  run();
  clock_.wall += 59min;
  output_ = printed(R"({"token":"two"})");
  ask(*who);
  run();
  EXPECT_EQ(*who->bearer_token(), "one");
  clock_.wall += 55s;
  ask(*who);
  run();
  EXPECT_EQ(*who->bearer_token(), "two");
  clock_.wall += 1000h;
  ask(*who);
  run();
  EXPECT_EQ(runs_, 2) << "without an end it is kept";
}

TEST_F(exec_identity_test, runs_again_after_a_401_and_counts_revisions) {
  const auto who = make();
  ask(*who);
  run();
  const auto before = who->revision();
  who->refused();
  output_ = printed(R"({"clientCertificateData":"c","clientKeyData":"k"})");
  ask(*who);
  run();
  EXPECT_EQ(runs_, 2);
  EXPECT_NE(who->revision(), before);
  EXPECT_EQ(who->certificate().first, "c");
}

TEST_F(exec_identity_test, says_who_failed_and_what_to_do) {
  const auto who = make();
  output_ = error{kube_error::invalid, "could not be started: No such file or directory"};
  ask(*who);
  run();
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_THAT(outcomes_[0], HasSubstr("credential plugin 'login'"));
  EXPECT_THAT(outcomes_[0], HasSubstr("No such file"));
  EXPECT_THAT(outcomes_[0], HasSubstr("help desk"));
  output_ = printed(R"({"token":"late"})");
  ask(*who);
  run();
  EXPECT_EQ(*who->bearer_token(), "late") << "a failure is not kept";
}

// Real programs.
class process_runner_test : public ::testing::Test {
 protected:
  result<std::string> run(const std::string& script, duration limit = 20s,
                          std::size_t bytes_max = 1000) {
    return run(exec_command{"sh", {"-c", script}, {{"GREETING", "hello"}}, limit, bytes_max});
  }
  result<std::string> run(exec_command command) {
    result<std::string> out;
    const auto runner = make_process_runner(io_.get_executor(), timers_);
    boost::asio::co_spawn(io_, runner(std::move(command)),
                          [&](std::exception_ptr, result<std::string> got) { out = got; });
    io_.restart();
    io_.run();
    return out;
  }
  boost::asio::io_context io_;
  asio_timers timers_;
};

TEST_F(process_runner_test, returns_what_was_printed) {
  EXPECT_EQ(*run("printf \"$GREETING\"; echo noise >&2"), "hello");
  EXPECT_EQ(*run("cat"), "") << "standard input is empty";
}

TEST_F(process_runner_test, hands_over_input_and_no_more_of_the_environment_than_is_said) {
  exec_command command{"/bin/sh", {"-c", "cat; echo $GREETING$HOME"}, {}, 20s, 1U << 20U};
  command.input = std::string(300000, 'x');
  command.env = {{"GREETING", "hello"}};
  command.only_this_env = true;
  EXPECT_EQ(*run(command), command.input + "hello\n");
}

TEST_F(process_runner_test, takes_an_answer_with_a_bad_exit_code_where_that_is_asked_for) {
  exec_command command{"sh", {"-c", "echo no; exit 3"}, {}, 20s, 100};
  EXPECT_FALSE(run(command));
  command.any_exit_code = true;
  EXPECT_EQ(*run(command), "no\n");
  command.args = {"-c", "echo no; kill -9 $$"};
  EXPECT_THAT(run(command).error().message, HasSubstr("signal 9"));
}

TEST_F(process_runner_test, says_how_it_ended) {
  EXPECT_THAT(run("echo no ticket >&2; exit 3").error().message,
              HasSubstr("exit code 3: no ticket"));
  EXPECT_THAT(run("kill -9 $$").error().message, HasSubstr("signal 9"));
  EXPECT_THAT(run("head -c 2000 /dev/zero").error().message, HasSubstr("at most 1000 bytes"));
}

TEST_F(process_runner_test, kills_what_takes_too_long_with_its_children) {
  const auto late = run("echo waiting >&2; sleep 100 & echo $!; wait", 1s);
  EXPECT_THAT(late.error().message, HasSubstr("within 1 s, killed it: waiting"));
}

TEST_F(process_runner_test, says_that_a_program_is_not_there) {
  result<std::string> out;
  const auto runner = make_process_runner(io_.get_executor(), timers_);
  boost::asio::co_spawn(io_, runner({"/nonexistent/login", {}, {}, 1s, 100}),
                        [&](std::exception_ptr, result<std::string> got) { out = got; });
  io_.run();
  ASSERT_FALSE(out);
  EXPECT_THAT(out.error().message, HasSubstr("No such file"));
}

}  // namespace
}  // namespace oarlock::kube
