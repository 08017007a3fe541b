// Rows H1 to H10 of docs/fault-catalogue.md: answers that refuse, lie, break off or never come, and
// TLS that fails. The subject is a client and a cache; the API server behind the gate is a real
// one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <zlib.h>

#include <fstream>

#include "tests/integration/fault_subject.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using kube::kube_error;
using std::chrono::steady_clock;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A namespace of its own for each test, with one ConfigMap "a" in it.
class FaultHttp : public ::testing::Test {
 protected:
  FaultHttp() {
    shared_cluster().make_namespace(ns);
    put_config_map(ns, "a", "1");
  }
  static std::string next_namespace() {
    static int count = 0;
    return "http-" + std::to_string(++count);
  }
  bool shows(const cache::informer& view, const std::string& name, const std::string& value) {
    return eventually([&] { return data_in(view, ns, name) == value; }, 60s);
  }
  std::size_t asked(const std::string& target_part) {
    const auto all = gate_.requests();
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto& r) {
      return r.target.find(target_part) != std::string::npos;
    }));
  }
  // The pauses between the requests that match, in order.
  std::vector<steady_clock::duration> pauses(const std::string& target_part) {
    std::vector<steady_clock::duration> out;
    std::optional<steady_clock::time_point> last;
    for (const auto& r : gate_.requests()) {
      if (r.target.find(target_part) == std::string::npos) continue;
      if (last) out.push_back(r.when - *last);
      last = r.when;
    }
    return out;
  }
  boost::system::error_code code_of(const result<kube::write_answer>& r) {
    return r ? boost::system::error_code() : r.error().code;
  }

  const std::string ns = next_namespace();
  const std::string path = maps_path(ns);
  fault_gate gate_{admin_kubeconfig()};
  fault_subject subject{gate_.kubeconfig()};
};

const char* const body_of_a = R"({"metadata":{"name":"a"},"data":{"v":"9"}})";

TEST_F(FaultHttp, H1_RefusalsAreTypedAndNotRepeated) {
  auto& client = subject.client();
  EXPECT_EQ(code_of(subject.call(client.create(config_maps, ns, body_of_a))),
            kube_error::already_exists);
  EXPECT_EQ(
      code_of(subject.call(client.update(
          config_maps, ns, "a", R"({"metadata":{"name":"a","resourceVersion":"1"},"data":{}})"))),
      kube_error::conflict);
  EXPECT_EQ(code_of(subject.call(client.merge_patch(config_maps, ns, "missing", "{}"))),
            kube_error::not_found);
  EXPECT_EQ(code_of(subject.call(client.create(config_maps, ns, R"({"metadata":{"name":"A B"}})"))),
            kube_error::invalid);
  EXPECT_EQ(gate_.requests().size(), 4U) << "none is sent twice";
}

TEST_F(FaultHttp, H2_GoneOnAContinuedListStartsItAgain) {
  gate_.add(no_streaming(path));
  gate_.add(on_list(
      path, gate::answer(200, list_json("5", {config_map_json(ns, "ghost", "4")}, "token"))));
  gate_.add({"GET", path, "continue=token", "", 0, 1,
             gate::answer(410, gate::status_body(410, "Expired"))});
  const auto& view = subject.follow(ns);
  EXPECT_EQ(data_in(view, ns, "a"), "1");
  EXPECT_EQ(data_in(view, ns, "ghost"), "-") << "of a list that did not come to its end";
  EXPECT_EQ(asked("limit="), 3U);
}

TEST_F(FaultHttp, H2_GoneAtTheStartOfAWatchAndInsideItRelistsAtTheBackoffsPace) {
  const auto& view = subject.follow(ns);
  const auto gone = gate::status_body(410, "Expired");
  gate_.add(on_watch(path, gate::answer(410, gone)));
  gate_.add(on_watch(path, gate::watch_of(event_json("ERROR", gone)), 1));
  gate_.forget_requests();
  // A relist by streaming turns into the live watch, so each needs a new cut.
  for (int i = 0; i < 2; ++i) {
    const auto lists = subject.counted("oarlock_reflector_lists_total");
    gate_.cut_all();
    ASSERT_TRUE(
        eventually([&] { return subject.counted("oarlock_reflector_lists_total") > lists; }, 60s));
  }
  EXPECT_EQ(subject.failures("gone"), 2);
  for (const auto pause : pauses("sendInitialEvents"))
    EXPECT_GE(pause, 800ms);
  put_config_map(ns, "a", "2");
  EXPECT_TRUE(shows(view, "a", "2"));
  EXPECT_THAT(subject.story(), ElementsAre("+a", "~a"));
}

struct throttle_row {
  const char* label;
  const char* header;
  std::chrono::milliseconds at_least;
};
class FaultThrottle : public FaultHttp, public ::testing::WithParamInterface<throttle_row> {};

TEST_P(FaultThrottle, H3_RetryAfterIsObeyed) {
  gate_.add({"GET", path, "", "", 0, 2,
             gate::answer(429, gate::status_body(429, "TooManyRequests"), GetParam().header)});
  const auto answer = subject.get(path);
  EXPECT_THAT(answer, HasSubstr("ConfigMapList"));
  const auto waits = pauses(path);
  ASSERT_EQ(waits.size(), 2U);
  EXPECT_GE(waits[0], GetParam().at_least);
  EXPECT_GE(waits[1], GetParam().at_least);
}
INSTANTIATE_TEST_SUITE_P(
    Header, FaultThrottle,
    ::testing::Values(throttle_row{"zero", "Retry-After: 0\r\n", 100ms},
                      throttle_row{"one", "Retry-After: 1\r\n", 1000ms},
                      throttle_row{"absent", "", 100ms},
                      throttle_row{"garbage", "Retry-After: soon\r\n", 100ms},
                      throttle_row{"negative", "Retry-After: -7\r\n", 100ms},
                      throttle_row{"date", "Retry-After: Wed, 21 Oct 2065 07:28:00 GMT\r\n",
                                   100ms}),
    [](const auto& row) { return row.param.label; });

TEST_F(FaultHttp, H3_AnHourIsNotWaitedForInACall) {
  gate_.add(
      {"", path, "", "", 0, 0,
       gate::answer(429, gate::status_body(429, "TooManyRequests"), "Retry-After: 3600\r\n")});
  EXPECT_THAT(subject.get(path), HasSubstr("429"));
  const auto write = subject.call(subject.client().create(config_maps, ns, body_of_a));
  ASSERT_FALSE(write);
  EXPECT_EQ(write.error().code, kube_error::throttled);
  EXPECT_EQ(write.error().retry_after, std::optional<std::chrono::milliseconds>(1h));
  EXPECT_EQ(gate_.requests().size(), 2U);
}

TEST_F(FaultHttp, H4_ABurstOfServerErrorsIsWaitedOut) {
  const auto& view = subject.follow(ns);
  std::vector<int> rules;
  for (const int status : {500, 502, 503})
    rules.push_back(gate_.add(on_watch(path, gate::answer(status, "upstream connect error"))));
  gate_.cut_all();
  ASSERT_TRUE(eventually([&] { return gate_.hits(rules.back()) == 1; }, 60s));
  put_config_map(ns, "a", "2");
  EXPECT_TRUE(shows(view, "a", "2"));
  EXPECT_EQ(subject.counted("oarlock_reflector_lists_total"), 1) << "an outage is no relist";
  for (const int status : {500, 502, 503, 504})
    gate_.add({"GET", "/version", "", "", 0, 1, gate::answer(status, "<html>bad</html>")});
  EXPECT_THAT(subject.get("/version"), HasSubstr("gitVersion"));
}

TEST_F(FaultHttp, H5_ARotatedTokenIsReadAgainAfterA401) {
  const scratch_dir dir;
  const auto token = dir.path() / "token";
  std::ofstream(token) << "old";
  auto config = (std::ostringstream() << std::ifstream(gate_.kubeconfig()).rdbuf()).str();
  const auto at = config.find("token: gate");
  config.replace(at, 11, "tokenFile: '" + token.string() + "'");
  std::ofstream(dir.path() / "config") << config;
  gate_.choose([](const gate_request& r) -> std::optional<gate_fault> {
    if (r.head.find("Authorization: Bearer new\r\n") != std::string::npos) return std::nullopt;
    return gate::answer(401, gate::status_body(401, "Unauthorized"));
  });
  fault_subject other(dir.path() / "config");
  EXPECT_THAT(other.get(path), HasSubstr("401"));
  EXPECT_EQ(gate_.requests().size(), 1U) << "the same token is not tried twice";
  std::ofstream(token) << "new";
  EXPECT_THAT(other.get(path), HasSubstr("ConfigMapList"));
  const auto last = gate_.requests().back();
  EXPECT_THAT(last.head, HasSubstr("Bearer new"));
}

TEST_F(FaultHttp, H5_AForbiddenWatchIsParkedWithItsReason) {
  const auto& view = subject.follow(ns);
  const auto forbidden = gate::status_body(403, "Forbidden", "configmaps is forbidden");
  gate_.add({"", path, "", "", 0, 0, gate::answer(403, forbidden)});
  gate_.forget_requests();
  gate_.cut_all();
  EXPECT_TRUE(eventually([&] { return view.trouble().starts_with("forbidden: "); }, 60s))
      << view.trouble();
  EXPECT_EQ(data_in(view, ns, "a"), "1") << "what is known stays";
  EXPECT_LE(gate_.requests().size(), 2U) << "a second look, then parked: not hot";
}

TEST_F(FaultHttp, H6_AVersionFromTheFutureIsAskedAgainAndThenListed) {
  const auto& view = subject.follow(ns);
  const std::string too_large =
      R"({"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Timeout","code":504,)"
      R"("message":"Too large resource version: 99, current: 7","details":{"causes":[{"reason":)"
      R"("ResourceVersionTooLarge","message":"Too large resource version"}],)"
      R"("retryAfterSeconds":1}})";
  gate_.add(on_watch(path, gate::answer(504, too_large, "Retry-After: 1\r\n"), 2));
  gate_.cut_all();
  ASSERT_TRUE(
      eventually([&] { return subject.counted("oarlock_reflector_lists_total") == 2; }, 60s));
  put_config_map(ns, "a", "2");
  EXPECT_TRUE(shows(view, "a", "2"));
  EXPECT_EQ(subject.failures("version_too_large"), 2);
}

TEST_F(FaultHttp, H6_AFailureUnder200IsAFailure) {
  const auto body = gate::status_body(403, "Forbidden", "behind your back");
  gate_.add({"GET", path + "/a", "", "", 0, 1, gate::answer(200, body)});
  const auto read = subject.call(subject.client().get(config_maps, ns, "a"));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, kube_error::forbidden);
  gate_.add({"WRITE", path, "", "", 0, 1, gate::answer(200, gate::status_body(500, "x", "etcd"))});
  const auto written = subject.call(subject.client().create(config_maps, ns, body_of_a));
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("etcd"));
  gate_.add(no_streaming(path));
  gate_.add(on_list(path, gate::answer(200, gate::status_body(500, "InternalError")), 2));
  EXPECT_EQ(data_in(subject.follow(ns), ns, "a"), "1");
}

TEST_F(FaultHttp, H6_AWatchThatAnswers200WithAFailureIsNotBelieved) {
  const auto& view = subject.follow(ns);
  gate_.add(on_watch(path, gate::answer(200, gate::status_body(410, "Expired") + "\n"), 5));
  gate_.cut_all();
  ASSERT_TRUE(
      eventually([&] { return subject.counted("oarlock_reflector_lists_total") == 2; }, 60s))
      << view.trouble();
  put_config_map(ns, "a", "2");
  EXPECT_TRUE(shows(view, "a", "2"));
}

class FaultRedirects : public FaultHttp, public ::testing::WithParamInterface<int> {};
TEST_P(FaultRedirects, H6_IsNeverFollowed) {
  fault_gate other(admin_kubeconfig());
  const auto to = "Location: https://127.0.0.1:" + other.port() + "/version\r\n";
  gate_.add({"", "/", "", "", 0, 2, gate::answer(GetParam(), "moved", to)});
  EXPECT_THAT(subject.get("/version"), HasSubstr("redirects are not followed"));
  const auto write = subject.call(subject.client().create(config_maps, ns, body_of_a));
  ASSERT_FALSE(write);
  EXPECT_THAT(write.error().message, HasSubstr("redirects are not followed"));
  EXPECT_EQ(other.accepted(), 0);
  EXPECT_EQ(gate_.requests().size(), 2U);
}
INSTANTIATE_TEST_SUITE_P(Status, FaultRedirects, ::testing::Values(301, 302, 303, 307, 308));

std::string gzip(const std::string& plain) {
  z_stream z{};
  deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, plain.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  z.avail_in = static_cast<uInt>(plain.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

TEST_F(FaultHttp, H7_AnAnswerCutAnywhereIsAnError) {
  const auto body = list_json("5", {config_map_json(ns, "ü", "4")});
  const auto zipped = gzip(body);
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n" +
                              fmt::format("{:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n", 40,
                                          body.substr(0, 40), body.size() - 40, body.substr(40));
  const std::vector<std::string> forms = {
      ok + fmt::format("Content-Length: {}\r\n\r\n", body.size()) + body, chunked,
      ok + fmt::format("Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", zipped.size()) +
          zipped};
  for (const auto& bytes : forms) {
    for (std::size_t n = 0; n < bytes.size(); n += 3) {
      auto cut = gate::raw(bytes);
      cut.cut_after = n;
      gate_.add({"GET", "/cut", "", "", 0, 1, cut});
      EXPECT_THAT(subject.fetch("/cut", 30s), StartsWith("!")) << "cut after " << n;
    }
    gate_.add({"GET", "/cut", "", "", 0, 1, gate::raw(bytes)});
    EXPECT_EQ(subject.fetch("/cut", 30s), body) << "whole";
  }
}

TEST_F(FaultHttp, H7_AWrongContentLengthIsAnErrorBothWays) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: ";
  auto longer = gate::raw(head + "50\r\n\r\n{}");
  longer.cut_after = longer.answer.size();
  gate_.add({"GET", "/wrong", "", "", 0, 1, longer});
  EXPECT_THAT(subject.fetch("/wrong", 30s), StartsWith("!"));
  gate_.add({"GET", "/wrong", "", "", 0, 1,
             gate::raw(head + "2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")});
  EXPECT_EQ(subject.fetch("/wrong", 30s), "{}");
  EXPECT_THAT(subject.fetch("/version", 30s), HasSubstr("gitVersion"))
      << "what was left over is not the next answer";
}

TEST_F(FaultHttp, H7_AGzipBombIsStoppedAtTheLimit) {
  const auto bomb = gzip(std::string(200U << 20U, '0'));
  ASSERT_LT(bomb.size(), 1U << 20U);
  gate_.add({"GET", path, "", "", 0, 0, gate::answer(200, bomb, "Content-Encoding: gzip\r\n")});
  EXPECT_THAT(subject.get(path), HasSubstr("67108864 bytes"));
}

TEST_F(FaultHttp, H7_NoPartOfACutListOrWatchIsSeen) {
  put_config_map(ns, "b", "ü");
  // After a failed streaming list comes one by pages: cut as well.
  for (const std::size_t n : {150U, 400U, 777U}) {
    gate_.add(on_streaming(path, gate::cut_after(n)));
    gate_.add(on_list(path, gate::cut_after(n - 40)));
  }
  const auto& view = subject.follow(ns);
  EXPECT_EQ(data_in(view, ns, "a"), "1");
  EXPECT_EQ(data_in(view, ns, "b"), "ü");
  EXPECT_EQ(subject.counted("oarlock_reflector_lists_total"), 1);
  // Live events cut in the middle: in a head, in JSON.
  fault_subject other(gate_.kubeconfig());
  const auto& live = other.follow(ns);
  for (const std::size_t n : {120U, 333U, 700U})
    gate_.add(on_watch(path, gate::cut_after(n), 2));
  gate_.cut_all();
  for (int i = 2; i < 6; ++i)
    put_config_map(ns, "b", "ü" + std::to_string(i));
  EXPECT_TRUE(shows(live, "b", "ü5"));
  for (const auto& step : other.story())
    EXPECT_THAT(step, AnyOf("+a", "+b", "~b"));
}

TEST_F(FaultHttp, H8_AByteASecondMeetsTheDeadline) {
  gate_.add({"GET", path, "", "", 0, 0, gate::throttle(1)});
  const auto began = steady_clock::now();
  EXPECT_THAT(subject.fetch(path, 1500ms), HasSubstr("before the deadline"));
  EXPECT_GE(steady_clock::now() - began, 1500ms);
}

TEST_F(FaultHttp, H8_AnEndlessWatchLineIsDroppedAndLeftBehindByAList) {
  const auto& view = subject.follow(ns);
  const std::string line(64U << 20U, 'x');
  const int endless = gate_.add(on_watch(path, gate::watch_of(line), 5));
  gate_.cut_all();
  ASSERT_TRUE(
      eventually([&] { return subject.counted("oarlock_reflector_lists_total") == 2; }, 60s))
      << view.trouble();
  EXPECT_LE(gate_.hits(endless), 5);
  put_config_map(ns, "a", "2");
  EXPECT_TRUE(shows(view, "a", "2"));
}

TEST_F(FaultHttp, H8_TenThousandHeadersAreTooMany) {
  std::string headers;
  for (int i = 0; i < 10'000; ++i)
    headers += fmt::format("X-{}: y\r\n", i);
  gate_.add({"GET", path, "", "", 0, 0, gate::answer(200, "{}", headers)});
  EXPECT_THAT(subject.fetch(path, 30s), StartsWith("!"));
  const auto read = subject.call(subject.client().get_path(path));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, kube_error::bad_answer) << read.error().message;
}

TEST_F(FaultHttp, H8_ControlCharactersInHeadersAreRefusedAndNeverSent) {
  gate_.add({"GET", path, "", "", 0, 1,
             gate::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\rY: b\r\n\r\n{}")});
  EXPECT_THAT(subject.fetch(path, 30s), StartsWith("!"));
  gate_.forget_requests();
  EXPECT_THAT(subject.fetch("/version\r\nX: smuggled", 30s), StartsWith("!"));
  EXPECT_THAT(subject.fetch("/version HTTP/1.1", 30s), StartsWith("!"));
  EXPECT_TRUE(gate_.requests().empty());
}

TEST_F(FaultHttp, H9_WatchesThatEndAtOnceComeBackAtTheBackoffsPace) {
  const auto& view = subject.follow(ns);
  gate_.add(on_watch(path, gate::answer(200, ""), 2));
  gate_.add(on_watch(path, gate::close(), 1));
  gate_.forget_requests();
  gate_.cut_all();
  ASSERT_TRUE(eventually([&] { return asked("watch=true") >= 4; }, 60s));
  const auto waits = pauses("watch=true");
  EXPECT_GE(waits[0], 800ms);
  EXPECT_GE(waits[1], 1600ms);
  EXPECT_GE(waits[2], 3200ms);
  put_config_map(ns, "a", "2");
  EXPECT_TRUE(shows(view, "a", "2"));
}

TEST_F(FaultHttp, H9_ABookmarkStormAndUnknownEventsLeaveTheRestAlone) {
  const auto& view = subject.follow(ns);
  const auto position = std::stoull(view.seen_version());
  std::string storm;
  const auto bookmark = [](std::uint64_t version) {
    return event_json("BOOKMARK", R"({"kind":"ConfigMap","metadata":{"resourceVersion":")" +
                                      std::to_string(version) + "\"}}");
  };
  for (int i = 0; i < 20'000; ++i)
    storm += bookmark(position);
  storm += event_json("PURGED", config_map_json(ns, "a", std::to_string(position + 1)));
  storm += bookmark(position + 1);
  gate_.add(on_watch(path, gate::watch_of(storm)));
  gate_.cut_all();
  ASSERT_TRUE(eventually([&] { return view.seen_version() == std::to_string(position + 1); }, 60s));
  EXPECT_EQ(data_in(view, ns, "a"), "1");
  EXPECT_THAT(subject.story(), ElementsAre("+a"));
  EXPECT_EQ(subject.counted("oarlock_reflector_watch_events_total", "type=\"UNKNOWN\""), 1);
}

TEST_F(FaultHttp, H9_AHalfOpenConnectionFailsTheCallAtItsDeadline) {
  gate_.set_door(gate_door::silent);
  EXPECT_THAT(subject.fetch(path, 500ms), HasSubstr("no progress before the deadline"));
  gate_.set_door(gate_door::open);
  EXPECT_THAT(subject.fetch(path, 30s), HasSubstr("ConfigMapList"));
  gate_.freeze(true);
  EXPECT_THAT(subject.fetch(path, 500ms), HasSubstr("no progress before the deadline"));
  gate_.freeze(false);
  EXPECT_THAT(subject.fetch(path, 30s), HasSubstr("ConfigMapList"));
}

struct certificate_row {
  const char* label;
  const char* names;
  long valid_seconds;
  bool of_stranger;
  const char* says;
};
class FaultTls : public FaultHttp, public ::testing::WithParamInterface<certificate_row> {};

TEST_P(FaultTls, H10_ABadCertificateFailsClosedAndAGoodOneRecovers) {
  const auto& row = GetParam();
  test::authority_for_tests stranger;
  auto& by = row.of_stranger ? stranger : gate_.authority();
  gate_.present(by.issue(test::key_kind::ec, row.names, row.valid_seconds));
  const int accepted = gate_.accepted();
  const auto before = subject.get("/version");
  EXPECT_THAT(before, StartsWith("!"));
  EXPECT_THAT(before, HasSubstr(row.says));
  EXPECT_TRUE(gate_.requests().empty()) << "not even the token was sent";
  EXPECT_EQ(gate_.accepted(), accepted + 1) << "no attempt after it";
  gate_.present(gate_.authority().issue(test::key_kind::ec, "IP:127.0.0.1"));
  EXPECT_THAT(subject.get("/version"), HasSubstr("gitVersion"));
}
INSTANTIATE_TEST_SUITE_P(
    Certificate, FaultTls,
    ::testing::Values(certificate_row{"wrong_authority", "IP:127.0.0.1", 3600, true, "not trusted"},
                      certificate_row{"expired", "IP:127.0.0.1", -60, false, "expired"},
                      certificate_row{"other_name", "DNS:elsewhere.test,IP:127.0.0.2", 3600, false,
                                      "mismatch"}),
    [](const auto& row) { return row.param.label; });

TEST_F(FaultHttp, H10_ARotatedAuthorityIsReadFromItsFile) {
  const scratch_dir dir;
  const auto ca = dir.path() / "ca.pem";
  std::ofstream(ca) << gate_.authority().pem();
  auto config = (std::ostringstream() << std::ifstream(gate_.kubeconfig()).rdbuf()).str();
  const auto begin = config.find("certificate-authority-data");
  config.replace(begin, config.find('}', begin) - begin,
                 "certificate-authority: '" + ca.string() + "'");
  std::ofstream(dir.path() / "config") << config;
  fault_subject other(dir.path() / "config");
  const auto& view = other.follow(ns);
  test::authority_for_tests next;
  gate_.present(next.issue(test::key_kind::ec, "IP:127.0.0.1"));
  gate_.cut_all();
  EXPECT_TRUE(eventually([&] { return !view.trouble().empty(); }, 60s));
  EXPECT_THAT(view.trouble(), HasSubstr("not trusted"));
  std::ofstream(ca) << next.pem();
  put_config_map(ns, "a", "2");
  EXPECT_TRUE(eventually([&] { return data_in(view, ns, "a") == "2"; }, 60s)) << view.trouble();
}

TEST_F(FaultHttp, H10_AHandshakeThatIsCutIsNotSentAndRecovers) {
  gate_.set_door(gate_door::cut_handshake);
  const auto write = std::async(std::launch::async, [&] {
    return subject.call(subject.client().create(
        config_maps, ns, R"({"metadata":{"name":"once"},"data":{"v":"1"}})"));
  });
  ASSERT_TRUE(eventually([&] { return gate_.accepted() >= 3; }, 60s));
  gate_.set_door(gate_door::open);
  EXPECT_TRUE(eventually([&] { return gate_.requests().size() == 1; }, 60s));
  EXPECT_EQ(write.wait_for(60s), std::future_status::ready);
  EXPECT_EQ(shared_cluster().field("configmap", "once", ns, ".data.v"), "1");
}

TEST_F(FaultHttp, H10_NamesThatDoNotResolveOrLeadElsewhereFirst) {
  const auto at = [&](const std::string& host) {
    auto config = (std::ostringstream() << std::ifstream(gate_.kubeconfig()).rdbuf()).str();
    const auto server = config.find("https://127.0.0.1");
    config.replace(server, 17, "https://" + host);
    const auto file = shared_cluster().dir() / (host + ".gate");
    std::ofstream(file) << config;
    return file;
  };
  fault_subject nowhere(at("api.invalid"));
  EXPECT_THAT(nowhere.fetch("/version", 30s), HasSubstr("name resolution"));
  // Where ::1 comes first there is no listener on it.
  gate_.present(gate_.authority().issue(test::key_kind::ec, "DNS:localhost"));
  fault_subject local(at("localhost"));
  EXPECT_THAT(local.fetch("/version", 30s), HasSubstr("gitVersion"));
}

}  // namespace
}  // namespace oarlock::testing
