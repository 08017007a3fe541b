#include "core/kube/client.hpp"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include <thread>

#include "core/base/limits.hpp"
#include "core/kube/fake_transport_test.hpp"

namespace oarlock::kube {
namespace {

using namespace std::chrono_literals;
using net::net_error;
using testing::answers;
using testing::fails_with;
using testing::scripted;

const resource deployments{"apps", "v1", "Deployment", "deployments", true};

std::string status_json(int code, const std::string& reason, const std::string& message = "m") {
  return R"({"kind":"Status","apiVersion":"v1","status":"Failure","reason":")" + reason +
         R"(","message":")" + message + R"(","code":)" + std::to_string(code) + "}";
}

struct closed_gate final : write_gate {
  mutable int asked = 0;
  int closes_at = 1;
  [[nodiscard]] result<> check() const override {
    if (++asked < closes_at) return {};
    return error{kube_error::forbidden, "not the leader"};
  }
};

// Writes down what it is asked, and refuses on demand.
struct noting_policy final : write_policy {
  std::vector<std::string> asked;
  bool refuses = false;
  int held = 0;
  [[nodiscard]] task<result<std::shared_ptr<void>>> admit(write_intent what, steady_time,
                                                          std::stop_token) override {
    asked.push_back(what.verb + " " + what.group + " " + what.resource + " " + what.ns + " " +
                    what.name);
    if (refuses) co_return error{kube_error::not_declared, "not yours"};
    ++held;
    co_return std::shared_ptr<void>(static_cast<void*>(this), [this](void*) { --held; });
  }
};

struct fake_identity final : credentials {
  std::vector<std::string> tokens{"t1"};
  std::size_t at = 0;
  int refusals = 0;
  [[nodiscard]] result<std::string> bearer_token() override { return tokens[at]; }
  void refused() override {
    ++refusals;
    if (at + 1 < tokens.size()) ++at;
  }
};

class client_test : public ::testing::Test {
 protected:
  boost::asio::io_context io_;
  testing::manual_clock clock_;
  testing::manual_timers timers_{clock_};
  testing::fake_transport transport_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  fake_identity identity_;
  const write_gate* gate_ = nullptr;
  write_policy* policy_ = nullptr;

  client make() {
    return client({io_.get_executor(), &transport_, &identity_, &clock_, &timers_, metrics_.get(),
                   gate_, policy_});
  }
  template <class T>
  T run(task<T> work) {
    std::optional<T> out;
    boost::asio::co_spawn(io_, std::move(work), [&](std::exception_ptr e, T value) {
      if (e) std::rethrow_exception(e);
      out.emplace(std::move(value));
    });
    io_.restart();
    io_.run();
    return std::move(*out);
  }
  result<std::string> get() {
    auto c = make();
    return run(c.get(deployments, "ns", "a"));
  }
  result<write_answer> create() {
    auto c = make();
    return run(c.create(deployments, "ns", "{}"));
  }
};

struct retry_case {
  const char* name;
  std::vector<scripted> script;
  bool write;
  /// 0: success
  int expected = 0;
  std::size_t requests = 1;
  std::vector<duration> slept = {};
};

class retries : public client_test, public ::testing::WithParamInterface<retry_case> {};

TEST_P(retries, follow_the_table) {
  const auto& c = GetParam();
  transport_.script = c.script;
  error why;
  if (c.write) {
    const auto got = create();
    if (!got) why = got.error();
  } else {
    const auto got = get();
    if (!got) why = got.error();
  }
  EXPECT_EQ(why.code.value(), c.expected) << why.message;
  EXPECT_EQ(transport_.requests.size(), c.requests);
  if (!c.slept.empty()) EXPECT_EQ(timers_.slept, c.slept);
}

constexpr int ok = 0;
constexpr int unavailable = static_cast<int>(kube_error::unavailable);
constexpr int throttled = static_cast<int>(kube_error::throttled);
constexpr int unknown = static_cast<int>(kube_error::unknown_outcome);
constexpr int untrusted = static_cast<int>(kube_error::untrusted);
constexpr int bad_answer = static_cast<int>(kube_error::bad_answer);
constexpr int cancelled = static_cast<int>(kube_error::cancelled);
constexpr int invalid = static_cast<int>(kube_error::invalid);

scripted good() {
  return answers(200, "{}");
}
scripted busy(const std::string& seconds) {
  return answers(429, status_json(429, "TooManyRequests"), {{"Retry-After", seconds}});
}
scripted cut_body() {
  return {{}, {200, {}}, {"{\"a\":"}, error{net_error::broken_body, "cut"}};
}
scripted too_large() {
  return {{}, {200, {}}, std::vector<std::string>(65, std::string(1U << 20U, ' '))};
}

const std::vector<duration> doubling{100ms, 200ms, 400ms, 800ms};

INSTANTIATE_TEST_SUITE_P(
    reads, retries,
    ::testing::Values(
        retry_case{"ok", {good()}, false, ok},
        retry_case{"not_sent", {fails_with(net_error::not_sent), good()}, false, ok, 2, {100ms}},
        retry_case{"no_answer", {fails_with(net_error::no_answer), good()}, false, ok, 2, {100ms}},
        retry_case{"broken_body", {cut_body(), good()}, false, ok, 2, {100ms}},
        retry_case{"bad_answer", {fails_with(net_error::bad_answer)}, false, bad_answer},
        retry_case{"cancelled", {fails_with(net_error::cancelled)}, false, cancelled},
        retry_case{"gateway", {answers(502, "<html>Bad Gateway</html>"), good()}, false, ok, 2},
        retry_case{"doubles",
                   {answers(500, ""), answers(500, ""), answers(500, ""), answers(500, ""), good()},
                   false,
                   ok,
                   5,
                   doubling},
        retry_case{"gives_up_in_time", {answers(503, "")}, false, unavailable, 9},
        retry_case{"obeys_the_server", {busy("3"), good()}, false, ok, 2, {3s}},
        retry_case{
            "at_once_is_not_hot", {busy("0"), busy("0"), good()}, false, ok, 3, {100ms, 200ms}},
        retry_case{"garbled_wish", {busy("soon"), good()}, false, ok, 2, {100ms}},
        retry_case{"does_not_wait_an_hour", {busy("3600")}, false, throttled},
        retry_case{"not_found",
                   {answers(404, "404 page not found")},
                   false,
                   static_cast<int>(kube_error::not_found)},
        retry_case{"gone",
                   {answers(410, status_json(410, "Expired"))},
                   false,
                   static_cast<int>(kube_error::gone)},
        retry_case{"hidden_failure",
                   {answers(200, status_json(403, "Forbidden"))},
                   false,
                   static_cast<int>(kube_error::forbidden)},
        retry_case{"redirect", {answers(302, "")}, false, bad_answer},
        retry_case{"untrusted", {fails_with(net_error::untrusted)}, false, untrusted},
        retry_case{"too_large", {too_large()}, false, bad_answer}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    writes, retries,
    ::testing::Values(
        retry_case{"ok", {answers(201, "{}")}, true, ok},
        retry_case{"not_sent", {fails_with(net_error::not_sent), good()}, true, ok, 2, {100ms}},
        retry_case{"untrusted", {fails_with(net_error::untrusted)}, true, untrusted},
        retry_case{"never_sent", {fails_with(net_error::not_sent)}, true, unavailable, 9},
        retry_case{"no_answer", {fails_with(net_error::no_answer), good()}, true, unknown},
        retry_case{"broken_body", {cut_body(), good()}, true, unknown},
        retry_case{"bad_answer", {fails_with(net_error::bad_answer), good()}, true, unknown},
        retry_case{"too_large", {too_large()}, true, unknown},
        retry_case{"obeys_the_server", {busy("1"), good()}, true, ok, 2, {1s}},
        retry_case{"no_wish", {answers(429, status_json(429, "x"))}, true, throttled},
        retry_case{"does_not_wait_an_hour", {busy("3600")}, true, throttled},
        retry_case{"unavailable",
                   {answers(503, status_json(503, "ServiceUnavailable"))},
                   true,
                   unavailable},
        retry_case{
            "internal_error", {answers(500, status_json(500, "InternalError"))}, true, unavailable},
        retry_case{"store_timed_out",
                   {answers(500, status_json(500, "", "etcdserver: request timed out"))},
                   true,
                   unknown},
        retry_case{"timeout", {answers(504, status_json(504, "Timeout"))}, true, unknown},
        retry_case{"proxy_503", {answers(503, "upstream reset")}, true, unknown},
        retry_case{"proxy_502", {answers(502, "<html>")}, true, unknown},
        retry_case{"conflict",
                   {answers(409, status_json(409, "Conflict"))},
                   true,
                   static_cast<int>(kube_error::conflict)},
        retry_case{"exists",
                   {answers(409, status_json(409, "AlreadyExists"))},
                   true,
                   static_cast<int>(kube_error::already_exists)},
        retry_case{"invalid", {answers(422, status_json(422, "Invalid"))}, true, invalid},
        retry_case{"no_webhook", {answers(400, "x")}, true, invalid}),
    [](const auto& info) { return info.param.name; });

TEST_F(client_test, tries_ten_times_at_most) {
  transport_.script = {answers(503, "", {{"Retry-After", "0"}})};
  clock_.elapsed = 1h;
  timers_.on_sleep = [this] { clock_.elapsed -= 20s; };  // time is not what ends it
  EXPECT_EQ(get().error().code, kube_error::unavailable);
  EXPECT_EQ(transport_.requests.size(), 10U);
}

TEST_F(client_test, gives_every_attempt_the_deadline_of_the_call) {
  transport_.script = {answers(503, ""), good()};
  const auto deadline = clock_.now() + limits::request_timeout;
  ASSERT_TRUE(get());
  for (const auto& options : transport_.all_options)
    EXPECT_EQ(options.deadline, deadline);
}

TEST_F(client_test, stops_between_attempts) {
  transport_.script = {answers(503, "")};
  std::stop_source stop;
  timers_.on_sleep = [&] { stop.request_stop(); };
  auto c = make();
  const auto got = run(c.get(deployments, "ns", "a", stop.get_token()));
  EXPECT_EQ(got.error().code, kube_error::cancelled);
  EXPECT_NE(got.error().message.find("503"), std::string::npos) << "what it waited for";
  EXPECT_EQ(transport_.requests.size(), 1U);
  EXPECT_EQ(run(c.get(deployments, "ns", "a", stop.get_token())).error().code,
            kube_error::cancelled);
  EXPECT_EQ(transport_.requests.size(), 1U) << "stopped before it began";
}

TEST_F(client_test, asks_the_gate_before_each_sending_of_a_write) {
  closed_gate gate;
  gate_ = &gate;
  transport_.script = {fails_with(net_error::not_sent)};
  EXPECT_EQ(create().error().code, kube_error::forbidden);
  EXPECT_EQ(transport_.requests.size(), 0U);
  gate.closes_at = 4;
  EXPECT_EQ(create().error().code, kube_error::forbidden);
  EXPECT_EQ(transport_.requests.size(), 2U) << "closed while it waited to send again";
  EXPECT_EQ(gate.asked, 4);
  transport_.script = {good()};
  EXPECT_TRUE(get().has_value()) << "reads pass";
  EXPECT_EQ(gate.asked, 4);
}

TEST_F(client_test, asks_the_gate_again_once_a_write_has_its_connection) {
  closed_gate gate;
  gate.closes_at = 100;
  gate_ = &gate;
  auto slow = good();
  slow.connects = [&] { gate.closes_at = 0; };
  transport_.script = {slow};
  EXPECT_EQ(create().error().code, kube_error::forbidden);
  EXPECT_EQ(transport_.requests.size(), 1U) << "what the gate holds back is not tried again";
  gate.closes_at = 100;
  slow.connects = [] {};
  transport_.script = {slow};
  EXPECT_TRUE(create().has_value());
}

TEST_F(client_test, sends_a_refused_token_only_once) {
  identity_.tokens = {"old", "new"};
  transport_.script = {answers(401, ""), answers(201, "{}")};
  ASSERT_TRUE(create().has_value());
  ASSERT_EQ(transport_.requests.size(), 2U);
  EXPECT_EQ(transport_.requests[0].headers.back().value, "Bearer old");
  EXPECT_EQ(transport_.requests[1].headers.back().value, "Bearer new");
  EXPECT_TRUE(timers_.slept.empty());

  transport_.requests.clear();
  transport_.script = {answers(401, "")};
  EXPECT_EQ(create().error().code, kube_error::unauthorized);
  EXPECT_EQ(transport_.requests.size(), 1U) << "there was no newer token";
  EXPECT_EQ(identity_.refusals, 2);
}

TEST_F(client_test, names_the_flow_that_throttled_it) {
  transport_.script = {answers(429, status_json(429, "TooManyRequests"),
                               {{"X-Kubernetes-PF-FlowSchema-UID", "f1"}})};
  EXPECT_NE(create().error().message.find("flow schema f1"), std::string::npos);
}

TEST_F(client_test, sends_again_with_a_certificate_that_was_replaced) {
  struct certificate final : credentials {
    std::uint64_t now = 0;
    bool replaced = true;
    [[nodiscard]] result<std::string> bearer_token() override { return std::string(); }
    [[nodiscard]] std::uint64_t revision() const override { return now; }
    void refused() override { now += replaced ? 1 : 0; }
  } own;
  auto c =
      client({io_.get_executor(), &transport_, &own, &clock_, &timers_, metrics_.get(), nullptr});
  transport_.script = {answers(401, ""), answers(201, "{}")};
  EXPECT_TRUE(run(c.create(deployments, "ns", "{}")).has_value());
  EXPECT_EQ(transport_.requests.size(), 2U);
  own.replaced = false;
  transport_.script = {answers(401, "")};
  EXPECT_EQ(run(c.create(deployments, "ns", "{}")).error().code, kube_error::unauthorized);
  EXPECT_EQ(transport_.requests.size(), 3U) << "not again with the same one";
}

struct call_case {
  const char* name;
  std::function<task<result<write_answer>>(client&)> write;
  std::string method;
  std::string target;
  std::string content_type;
  std::string body;
};
class write_calls : public client_test, public ::testing::WithParamInterface<call_case> {};

TEST_P(write_calls, send_what_the_api_expects) {
  const auto& c = GetParam();
  transport_.script = {answers(200, "{\"a\":1}")};
  auto made = make();
  const auto got = run(c.write(made));
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->body, "{\"a\":1}");
  const auto& sent = transport_.requests.at(0);
  EXPECT_EQ(sent.method, c.method);
  EXPECT_EQ(sent.target, c.target);
  EXPECT_EQ(sent.body, c.body);
  const std::vector<std::pair<std::string, std::string>> expected{{"Accept", "application/json"},
                                                                  {"Content-Type", c.content_type},
                                                                  {"Authorization", "Bearer t1"}};
  ASSERT_EQ(sent.headers.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(sent.headers[i].name, expected[i].first);
    EXPECT_EQ(sent.headers[i].value, expected[i].second);
  }
}

const std::string one = "/apis/apps/v1/namespaces/ns/deployments/a";
const std::string json = "application/json";

INSTANTIATE_TEST_SUITE_P(
    table, write_calls,
    ::testing::Values(
        call_case{"create", [](client& c) { return c.create(deployments, "ns", "{}"); }, "POST",
                  "/apis/apps/v1/namespaces/ns/deployments?fieldValidation=Strict", json, "{}"},
        call_case{"create_dry",
                  [](client& c) { return c.create(deployments, "ns", "{}", {}, {"m", true}); },
                  "POST",
                  "/apis/apps/v1/namespaces/ns/deployments?fieldValidation=Strict&fieldManager=m"
                  "&dryRun=All",
                  json, "{}"},
        call_case{"create_for",
                  [](client& c) { return c.create_for(deployments, "ns", "a", "scale", "{}"); },
                  "POST", one + "/scale?fieldValidation=Strict", json, "{}"},
        call_case{"update_dry",
                  [](client& c) { return c.update(deployments, "ns", "a", "{}", {}, {"", true}); },
                  "PUT", one + "?dryRun=All", json, "{}"},
        call_case{"merge_patch_dry",
                  [](client& c) {
                    return c.merge_patch(deployments, "ns", "a", "{}", "", {}, {"m", true});
                  },
                  "PATCH", one + "?fieldManager=m&dryRun=All", "application/merge-patch+json",
                  "{}"},
        call_case{
            "remove_dry",
            [](client& c) { return c.remove(deployments, "ns", "a", {"", "", "", {}, true}); },
            "DELETE", one, json, R"({"apiVersion":"v1","kind":"DeleteOptions","dryRun":["All"]})"},
        call_case{"update", [](client& c) { return c.update(deployments, "ns", "a", "{}"); }, "PUT",
                  one, json, "{}"},
        call_case{"apply",
                  [](client& c) {
                    return c.apply(deployments, "ns", "a", "{}", {"oarlock-x", true, "", true});
                  },
                  "PATCH",
                  one + "?fieldManager=oarlock-x&force=true&fieldValidation=Strict&dryRun=All",
                  "application/apply-patch+yaml", "{}"},
        call_case{
            "apply_status",
            [](client& c) { return c.apply(deployments, "ns", "a", "{}", {"m", false, "status"}); },
            "PATCH", one + "/status?fieldManager=m&fieldValidation=Strict",
            "application/apply-patch+yaml", "{}"},
        call_case{"json_patch",
                  [](client& c) { return c.json_patch(deployments, "ns", "a", "[]", "status"); },
                  "PATCH", one + "/status", "application/json-patch+json", "[]"},
        call_case{"merge_patch",
                  [](client& c) { return c.merge_patch(deployments, "ns", "a", "{}"); }, "PATCH",
                  one, "application/merge-patch+json", "{}"},
        call_case{
            "remove",
            [](client& c) {
              return c.remove(deployments, "ns", "a", {"u\"1", "7", "Foreground", 0});
            },
            "DELETE", one, json,
            R"({"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground",)"
            R"("gracePeriodSeconds":0,"preconditions":{"uid":"u\"1","resourceVersion":"7"}})"},
        call_case{
            "remove_plain", [](client& c) { return c.remove(deployments, "ns", "a", {}); },
            "DELETE", one, json,
            R"({"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background"})"}),
    [](const auto& info) { return info.param.name; });

TEST_F(client_test, refuses_writes_to_no_name) {
  auto c = make();
  EXPECT_EQ(run(c.remove(deployments, "ns", "", {})).error().code, kube_error::invalid);
  EXPECT_EQ(run(c.update(deployments, "ns", "", "{}")).error().code, kube_error::invalid);
  const apply_options as_us{"m", false, "", false};
  EXPECT_EQ(run(c.apply(deployments, "ns", "", "{}", as_us)).error().code, kube_error::invalid);
  EXPECT_EQ(run(c.apply(deployments, "ns", "a", "{}", {})).error().code, kube_error::invalid);
  EXPECT_EQ(run(c.merge_patch(deployments, "ns", "", "{}")).error().code, kube_error::invalid);
  EXPECT_EQ(run(c.json_patch(deployments, "ns", "", "[]")).error().code, kube_error::invalid);
  EXPECT_EQ(run(c.create_for(deployments, "ns", "", "scale", "{}")).error().code,
            kube_error::invalid);
  EXPECT_EQ(run(c.get(deployments, "ns", "")).error().code, kube_error::invalid);
  EXPECT_TRUE(transport_.requests.empty());
}

TEST_F(client_test, lists_by_pages) {
  transport_.script = {good()};
  auto c = make();
  list_options options;
  options.label_selector = "app in (a,b)";
  options.resource_version = "0";
  options.resource_version_match = "NotOlderThan";
  options.limit = 500;
  ASSERT_TRUE(run(c.list_page(deployments, options)).has_value());
  options.continue_token = "next==";
  ASSERT_TRUE(run(c.list_page(deployments, options)).has_value());
  EXPECT_EQ(transport_.requests[0].target,
            "/apis/apps/v1/deployments?labelSelector=app%20in%20%28a%2Cb%29&resourceVersion=0"
            "&resourceVersionMatch=NotOlderThan&limit=500");
  EXPECT_EQ(transport_.requests[1].target,
            "/apis/apps/v1/deployments?labelSelector=app%20in%20%28a%2Cb%29&limit=500"
            "&continue=next%3D%3D");
}

TEST_F(client_test, watches_on_a_connection_of_its_own) {
  transport_.script = {{{}, {200, {}}, {"one\n", "two\n"}}};
  auto c = make();
  watch_options options;
  options.ns = "ns";
  options.resource_version = "5";
  auto got = run(c.watch(deployments, options));
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(transport_.all_options[0].dedicated);
  EXPECT_EQ(transport_.requests[0].target,
            "/apis/apps/v1/namespaces/ns/deployments?watch=true&allowWatchBookmarks=true"
            "&timeoutSeconds=300&resourceVersion=5");
  EXPECT_EQ(run((*got)->read_some(clock_.now()))->value(), "one\n");

  options.send_initial_events = true;
  options.bookmarks = false;
  ASSERT_TRUE(run(c.watch(deployments, options)).has_value());
  EXPECT_EQ(transport_.requests[1].target,
            "/apis/apps/v1/namespaces/ns/deployments?watch=true&timeoutSeconds=300"
            "&resourceVersion=5&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
}

TEST_F(client_test, streams_the_log_of_a_pod) {
  transport_.script = {{{}, {200, {}}, {"one\n", "two\n"}}};
  auto c = make();
  log_options options;
  options.container = "app";
  options.follow = options.previous = options.timestamps = true;
  options.tail_lines = 10;
  options.since_seconds = 60;
  options.bytes_max = 1000;
  auto got = run(c.pod_log("ns", "web-0", options));
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(transport_.all_options[0].dedicated);
  EXPECT_EQ(transport_.requests[0].target,
            "/api/v1/namespaces/ns/pods/web-0/log?container=app&follow=true&previous=true"
            "&timestamps=true&tailLines=10&sinceSeconds=60&limitBytes=1000");
  EXPECT_EQ(run((*got)->read_some(clock_.now()))->value(), "one\n");
  EXPECT_EQ(run(c.pod_log("ns", "", {})).error().code, kube_error::invalid);
}

TEST_F(client_test, does_not_retry_a_watch) {
  auto c = make();
  transport_.script = {busy("1")};
  const auto got = run(c.watch(deployments, {}));
  EXPECT_EQ(got.error().code, kube_error::throttled);
  EXPECT_EQ(got.error().retry_after, 1s);
  EXPECT_EQ(transport_.requests.size(), 1U);
}

TEST_F(client_test, names_the_call_in_its_errors) {
  transport_.script = {answers(403, status_json(403, "Forbidden", "no rights"))};
  EXPECT_EQ(get().error().message,
            "GET /apis/apps/v1/namespaces/ns/deployments/a: HTTP 403: no rights");
}

TEST_F(client_test, counts_its_requests) {
  transport_.script = {fails_with(net_error::no_answer), answers(404, "")};
  EXPECT_FALSE(get().has_value());
  const auto text = metrics_->serialize();
  const auto has = [&](const std::string& line) { return text.find(line) != std::string::npos; };
  EXPECT_TRUE(
      has(R"(rest_client_requests_total{code="<error>",host="api.test:6443",method="GET"} 1)"))
      << text;
  EXPECT_TRUE(has(R"(rest_client_requests_total{code="404",host="api.test:6443",method="GET"} 1)"));
  EXPECT_TRUE(
      has(R"(rest_client_request_duration_seconds_count{host="api.test:6443",verb="GET"} 2)"));
  EXPECT_TRUE(
      has(R"(rest_client_request_retries_total{code="<error>",host="api.test:6443",verb="GET"} 1)"))
      << text;
}

TEST_F(client_test, counts_the_bytes_of_bodies) {
  transport_.script = {busy("1"), answers(201, R"({"a":1})")};
  auto c = make();
  ASSERT_TRUE(run(c.create(deployments, "ns", "{}")).has_value());
  const auto text = metrics_->serialize();
  const auto has = [&](const std::string& line) { return text.find(line) != std::string::npos; };
  EXPECT_TRUE(has(R"(rest_client_request_size_bytes_sum{host="api.test:6443",verb="POST"} 4)"))
      << text;
  EXPECT_TRUE(has(R"(rest_client_response_size_bytes_count{host="api.test:6443",verb="POST"} 2)"));
  EXPECT_TRUE(
      has(R"(rest_client_request_retries_total{code="429",host="api.test:6443",verb="POST"} 1)"));
}

TEST_F(client_test, a_policy_is_asked_once_for_each_write_in_the_words_of_rbac) {
  noting_policy policy;
  policy_ = &policy;
  transport_.script = {busy("1"), good()};
  for (auto& next : transport_.script)
    next.before = [&] { EXPECT_EQ(policy.held, 1) << "until the call has ended"; };
  auto c = make();
  const resource nodes{"", "v1", "Node", "nodes", false};
  EXPECT_TRUE(run(c.create(deployments, "ns", "{}")));
  EXPECT_TRUE(run(c.update(deployments, "ns", "a", "{}")));
  EXPECT_TRUE(run(c.apply(deployments, "ns", "a", "{}", {"me", false, "status"})));
  EXPECT_TRUE(run(c.json_patch(deployments, "ns", "a", "[]")));
  EXPECT_TRUE(run(c.merge_patch(nodes, "ignored", "n1", "{}", "scale")));
  EXPECT_TRUE(run(c.remove(deployments, "ns", "a", {})));
  EXPECT_TRUE(run(c.create_for(deployments, "ns", "a", "eviction", "{}")));
  EXPECT_EQ(policy.asked, (std::vector<std::string>{
                              "create apps deployments ns ", "update apps deployments ns a",
                              "patch apps deployments/status ns a", "patch apps deployments ns a",
                              "patch  nodes/scale  n1", "delete apps deployments ns a",
                              "create apps deployments/eviction ns a"}));
  EXPECT_EQ(policy.held, 0);
}

TEST_F(client_test, what_a_policy_refuses_is_not_sent_and_reads_are_not_its_business) {
  noting_policy policy;
  policy.refuses = true;
  policy_ = &policy;
  transport_.script = {good()};
  const auto refused = create();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, kube_error::not_declared);
  EXPECT_TRUE(transport_.requests.empty());
  EXPECT_TRUE(get());
}

TEST_F(client_test, may_be_called_from_any_thread) {
  transport_.script = {good()};
  auto c = make();
  std::thread::id ran_on;
  transport_.script[0].before = [&] { ran_on = std::this_thread::get_id(); };
  std::thread loop([&] {
    const auto guard = boost::asio::make_work_guard(io_);
    io_.run();
  });
  boost::asio::thread_pool lane(1);
  const auto call = [&]() -> task<bool> {
    const auto before = std::this_thread::get_id();
    const auto got = co_await c.get(deployments, "ns", "a");
    co_return got.has_value() && before == std::this_thread::get_id();
  };
  const auto came_back = boost::asio::co_spawn(lane, call(), boost::asio::use_future).get();
  EXPECT_TRUE(came_back);
  EXPECT_EQ(ran_on, loop.get_id());
  io_.stop();
  loop.join();
}

}  // namespace
}  // namespace oarlock::kube
