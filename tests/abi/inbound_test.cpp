// oarlock.inbound/1 in both homes: what a request lends, what comes back, and what plans see of it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "core/base/log.hpp"
#include "tests/abi/started.hpp"

namespace oarlock::abi {
namespace {

using plugin::inbound_answer;
using plugin::inbound_request;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// FNV-1a, as the plugins say what they were lent.
std::string digest_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text)
    hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211U;
  return fmt::format("{}-{:016x}", text.size(), hash);
}

inbound_request request(std::string rest, std::string body = R"({"step":3})") {
  return {.method = "POST",
          .ns = "shop",
          .name = "one",
          .rest = std::move(rest),
          .query = "a=b",
          .content_type = "application/json",
          .body = std::move(body),
          .service_account = "trainer",
          .pod_name = "pod-0",
          .pod_uid = "uid-0",
          .now = wall_time(std::chrono::milliseconds(1700000000123))};
}

class inbound_contract : public ::testing::TestWithParam<std::tuple<const char*, home>> {
 protected:
  started zoo{std::string("contract-") + std::get<0>(GetParam()), std::get<1>(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(in, inbound_contract,
                         ::testing::Combine(::testing::Values("c", "cpp"),
                                            ::testing::Values(home::core, home::child)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) +
                                  (std::get<1>(info.param) == home::core ? "_core" : "_child");
                         });

TEST_P(inbound_contract, a_request_lends_all_that_is_known_of_it) {
  const auto told = zoo.plugin().inbound(request("tell"));
  EXPECT_EQ(told.status, 200) << told.why;
  EXPECT_EQ(told.content_type, "text/x-told");
  EXPECT_EQ(told.body, "POST shop one tell a=b application/json trainer pod-0 uid-0 " +
                           digest_of(R"({"step":3})") + " 1700000000123 in time");
  const std::string large(plugin::inbound_limits::body_bytes_max, '\0');
  EXPECT_THAT(zoo.plugin().inbound(request("tell", large)).body, HasSubstr(digest_of(large)));
}

TEST_P(inbound_contract, it_is_answered_with_204_unless_the_plugin_says_otherwise) {
  const auto quiet = zoo.plugin().inbound(request("quiet"));
  EXPECT_EQ(quiet.status, 204) << quiet.why;
  EXPECT_EQ(quiet.body + quiet.content_type, "");
  EXPECT_THAT(quiet.notes, IsEmpty());
}

TEST_P(inbound_contract, it_leaves_notes_for_plans) {
  const auto answer = zoo.plugin().inbound(request("note"));
  EXPECT_EQ(answer.status, 204) << answer.why;
  ASSERT_EQ(answer.notes.size(), 2U);
  EXPECT_EQ(answer.notes[0].controller, "zoo");
  EXPECT_EQ(answer.notes[0].name + "=" + answer.notes[0].json, R"(progress={"step":3})");
  EXPECT_EQ(answer.notes[1].name + "=" + answer.notes[1].json, R"(seen={"n":1})");
}

TEST_P(inbound_contract, a_request_that_fails_leaves_none_and_the_pod_learns_little) {
  for (const char* rest : {"note-fails", "throw", "no-status"}) {
    SCOPED_TRACE(rest);
    const auto answer = zoo.plugin().inbound(request(rest));
    EXPECT_EQ(answer.status, 500);
    EXPECT_THAT(answer.body, HasSubstr("the plugin"));
    EXPECT_THAT(answer.notes, IsEmpty());
    EXPECT_NE(answer.why, "") << "for the log";
  }
  EXPECT_EQ(zoo.plugin().inbound(request("quiet")).status, 204) << "it goes on";
}

TEST_P(inbound_contract, what_is_not_json_is_no_note) {
  const auto answer = zoo.plugin().inbound(request("note", "{"));
  EXPECT_THAT(answer.status, ::testing::AnyOf(400, 500));
  EXPECT_THAT(answer.notes, IsEmpty());
  const std::string large = "\"" + std::string(plugin::inbound_limits::note_bytes_max, 'x') + "\"";
  EXPECT_EQ(zoo.plugin().inbound(request("note", large)).status, 500);
}

TEST_P(inbound_contract, a_plan_sees_notes_and_how_pods_reach_the_daemon) {
  auto in = zoo.input("notes");
  EXPECT_EQ(zoo.plan(in).status_json, R"({"notes":[],"inbound":""})");
  const auto at = wall_time(std::chrono::milliseconds(1700000000123));
  for (const char* name : {"a", "b"}) {
    in.notes.push_back(std::make_shared<const controller::input_note>(
        controller::input_note{name, R"({"x":1})", "trainer", "pod-0", "uid-0", at}));
  }
  in.inbound = std::make_shared<const controller::inbound_endpoint>(
      controller::inbound_endpoint{"https://oarlock.test:9443/v1", "PEM", "pods"});
  const auto shown = [](const char* name) {
    return fmt::format("\"{} trainer pod-0 uid-0 {} 1700000000123\"", name,
                       digest_of(R"({"x":1})"));
  };
  EXPECT_EQ(zoo.plan(in).status_json, R"({"notes":[)" + shown("a") + "," + shown("b") +
                                          R"(],"inbound":"https://oarlock.test:9443/v1/zoo pods )" +
                                          digest_of("PEM") + "\"}");
}

TEST_P(inbound_contract, it_logs_in_the_plugins_name) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(zoo.plugin().inbound(request("log")).status, 204);
  zoo.plugin().stop();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("the contract speaks plugin=zoo color=blue"));
}

TEST_P(inbound_contract, a_stopped_plugin_takes_none) {
  zoo.plugin().stop();
  EXPECT_EQ(zoo.plugin().inbound(request("quiet")).status, 503);
}

class inbound_zoo : public ::testing::TestWithParam<home> {};
INSTANTIATE_TEST_SUITE_P(homes, inbound_zoo, ::testing::Values(home::core, home::child), home_name);

TEST_P(inbound_zoo, a_plugin_without_a_handler_takes_no_requests) {
  started zoo("good", GetParam());
  const auto answer = zoo.plugin().inbound(request("tell"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.body, HasSubstr("takes no requests"));
}

TEST_P(inbound_zoo, what_a_handler_may_not_say_is_a_500_that_the_log_explains) {
  started zoo("listener", GetParam());
  const struct {
    const char* rest;
    const char* why;
  } cases[] = {
      {"other-controller", "expected a controller of plugin.yaml"},
      {"bad-name", "letters, digits"},
      {"bad-type", "content type in visible ASCII"},
      {"null-body", "found NULL"},
      {"null-note", "expected JSON"},
      {"large-body", "expected at most 65536 bytes"},
      {"many-notes", "expected 16 notes"},
      {"kept-table", "status 1"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.rest);
    const auto answer = zoo.plugin().inbound(request(c.rest));
    EXPECT_EQ(answer.status, 500);
    EXPECT_THAT(answer.notes, IsEmpty());
    EXPECT_THAT(answer.why, HasSubstr(c.why));
  }
  EXPECT_EQ(zoo.plan("calm").verdict, controller::plan_verdict::done)
      << "a table that was kept takes no calls";
}

// A pod's request may end the child: it is answered, the plans of others go on.
TEST(inbound_child, one_that_dies_of_a_request_is_started_again) {
  started zoo("listener", home::child);
  const auto answer = zoo.plugin().inbound(request("crash"));
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.why, HasSubstr("SIGSEGV"));
  EXPECT_EQ(zoo.plan("calm").verdict, controller::plan_verdict::done);
  EXPECT_EQ(zoo.plugin().inbound(request("fine")).status, 204);
}

TEST(inbound_child, one_that_hangs_in_a_request_is_ended) {
  started zoo("listener", home::child);
  const auto answer = zoo.plugin().inbound(request("hang"));
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.why, HasSubstr("no answer to a pod within"));
  EXPECT_EQ(zoo.plugin().inbound(request("fine")).status, 204);
}

}  // namespace
}  // namespace oarlock::abi
