// Rows D1 to D5 of docs/fault-catalogue.md: data that the API does not promise. A bad object is
// reported; the rest of its list or watch goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "core/json/parse.hpp"
#include "tests/integration/fault_subject.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FaultData : public ::testing::Test {
 protected:
  FaultData() {
    shared_cluster().make_namespace(ns);
    gate_.add(no_streaming(path));
  }
  static std::string next_namespace() {
    static int count = 0;
    return "data-" + std::to_string(++count);
  }
  std::string good(const std::string& name, const std::string& version = "5") {
    return config_map_json(ns, name, version);
  }
  // A ConfigMap with `metadata` and `data` spelled out.
  static std::string raw(const std::string& metadata, const std::string& data = R"({"v":"x"})") {
    return R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{)" + metadata + R"(},"data":)" +
           data + "}";
  }
  std::string named(const std::string& name, const std::string& more = {}) {
    return R"("namespace":")" + ns + R"(","name":")" + name +
           R"(","uid":"u","resourceVersion":"4")" + more;
  }
  // The list as the gate tells it, then a watch that says `events` and stays silent.
  const cache::informer& told(const std::vector<std::string>& items, const std::string& events = {},
                              const std::string& version = "10") {
    gate_.add(on_list(path, gate::answer(200, list_json(version, items))));
    gate_.add(on_watch(path, gate::watch_of(events), 0));
    return subject.follow(ns);
  }
  static std::vector<std::string> names(const cache::informer& view) {
    std::vector<std::string> out;
    for (const auto& o : view.list())
      out.push_back(o->meta().key.name);
    return out;
  }

  const std::string ns = next_namespace();
  const std::string path = maps_path(ns);
  fault_gate gate_{admin_kubeconfig()};
  fault_subject subject{gate_.kubeconfig()};
};

std::vector<std::string> bad_objects(const std::string& ns) {
  const std::string me = R"("namespace":")" + ns + R"(","name":"bad")";
  const auto raw = [](const std::string& metadata, const std::string& data = "{}") {
    return R"({"metadata":{)" + metadata + R"(},"data":)" + data + "}";
  };
  return {
      "7",
      "null",
      "[]",
      R"("text")",
      "{}",
      R"({"metadata":null})",
      R"({"metadata":[]})",
      R"({"metadata":"x"})",
      raw(""),
      raw(R"("name":7)"),
      raw(R"("name":"bad")"),
      raw(me + R"(,"labels":["a"])"),
      raw(me + R"(,"labels":{"a":1})"),
      raw(me + R"(,"uid":17)"),
      raw(me + R"(,"ownerReferences":{})"),
      raw(me + R"(,"resourceVersion":5)"),
      raw(me + R"(,"name":"twice")"),
      raw(me, R"({"k":"1","k":"2"})"),
      raw(me, R"({"k":"\ud800"})"),
      raw(me, std::string("{\"k\":\"") + "\xc0\xaf" + "\"}"),
      raw(me, std::string("{\"k\":\"") + "\xff" + "\"}"),
      raw(me, std::string(100'000, '[') + std::string(100'000, ']')),
  };
}

TEST_F(FaultData, D1_BadItemsOfAListAreReportedAndTheRestGoesOn) {
  const auto bad = bad_objects(ns);
  std::vector<std::string> items{good("first")};
  for (const auto& b : bad) {
    items.push_back(b);
    items.push_back(good("g" + std::to_string(items.size())));
  }
  const auto& view = told(items);
  EXPECT_EQ(view.object_count(), bad.size() + 1);
  EXPECT_EQ(view.get({ns, "bad"}), nullptr);
  EXPECT_EQ(subject.failures("bad_object"), static_cast<double>(bad.size()));
}

TEST_F(FaultData, D1_BadEventsAreReportedAndTheRestGoesOn) {
  const auto bad = bad_objects(ns);
  std::string events;
  for (const auto& b : bad) {
    for (const auto* type : {"ADDED", "MODIFIED", "DELETED"})
      events += event_json(type, b);
  }
  events += event_json("SIDEWAYS", "{}") + event_json("BOOKMARK", "{}") +
            event_json("ADDED", good("last", "11"));
  const auto& view = told({good("first")}, events);
  ASSERT_TRUE(eventually([&] { return view.object_count() == 2; }, 60s)) << view.trouble();
  EXPECT_THAT(names(view), ElementsAre("first", "last"));
  EXPECT_EQ(view.seen_version(), "11");
  EXPECT_EQ(subject.failures("bad_object"), static_cast<double>(3 * bad.size() + 1));
  EXPECT_EQ(subject.counted("oarlock_reflector_watches_total"), 2) << "on one connection";
}

TEST_F(FaultData, D2_NumbersStayAsTheyAre) {
  const std::string numbers =
      R"({"a":9007199254740993,"b":9223372036854775808,"c":-1,"d":1e300,"e":-0,"f":0.1,)"
      R"("g":1E-7,"h":"0.5m","i":"1e3"})";
  const auto& view = told({raw(named("n"), numbers)});
  EXPECT_THAT(view.get({ns, "n"})->json(), HasSubstr(numbers));
  fault_subject other(gate_.kubeconfig());
  gate_.add(on_list(
      path, gate::answer(200, list_json("10", {raw(named("m"), R"({"a":1e400})"), good("n")}))));
  EXPECT_THAT(names(other.follow(ns)), ElementsAre("n")) << "no double holds it: reported as bad";
}

TEST_F(FaultData, D2_NotANumberIsNoJson) {
  std::vector<std::string> items{good("n")};
  for (const auto* number : {"NaN", "Infinity", "-Infinity", "+1", "01", ".5", "0x10"})
    items.push_back(raw(named("bad"), R"({"a":)" + std::string(number) + "}"));
  const auto& view = told(items);
  EXPECT_THAT(names(view), ElementsAre("n"));
  EXPECT_EQ(subject.failures("bad_object"), static_cast<double>(items.size() - 1));
}

TEST_F(FaultData, D3_OddTextIsKeptOrRefusedAsAWhole) {
  const std::string odd = R"({"v":"\u0000\u202e\ufeffaдa"})";
  const auto& view = told({raw(named("odd"), odd), good("plain")});
  EXPECT_EQ(data_in(view, ns, "odd"), std::string("\0", 1) + "\u202e\ufeff" + "aдa");
  const auto log_safe = subject.get(path + "?limit=1%00");
  EXPECT_EQ(log_safe.find('\0'), std::string::npos);
}

TEST_F(FaultData, D4_DepthAndSizeHaveLimitsAndBigObjectsPass) {
  std::string deep = "\"x\"";
  for (int i = 0; i < 120; ++i)
    deep = R"({"d":)" + deep + "}";
  std::string keys = "{";
  for (int i = 0; i < 100'000; ++i)
    keys += fmt::format("{}\"k{}\":\"v\"", i == 0 ? "" : ",", i);
  keys += "}";
  const auto fields = R"(,"managedFields":[{"manager":"m","fieldsV1":{"f:x":")" +
                      std::string(900U << 10U, 'm') + "\"}}]";
  const auto& view =
      told({raw(named("deep"), deep), raw(named("keys"), keys), raw(named("managed", fields)),
            raw(named("big"), "{\"v\":\"" + std::string(1536U << 10U, 'b') + "\"}")});
  EXPECT_THAT(names(view), ElementsAre("big", "deep", "keys", "managed"));
  EXPECT_LT(view.get({ns, "managed"})->json().size(), 1000U) << "managedFields are not kept";
  EXPECT_EQ(data_in(view, ns, "big").size(), 1536U << 10U);
}

TEST_F(FaultData, D4_ARealBigObjectComesByListAndByEvent) {
  gate_.clear();
  auto& client = subject.client();
  const std::string big(900U << 10U, 'b');
  const auto body = R"({"metadata":{"name":"big"},"data":{"v":")" + big + "\"}}";
  ASSERT_TRUE(subject.call(client.create(config_maps, ns, body)));
  const auto& view = subject.follow(ns);
  EXPECT_EQ(data_in(view, ns, "big"), big);
  ASSERT_TRUE(subject.call(client.merge_patch(config_maps, ns, "big", R"({"data":{"w":"1"}})")));
  EXPECT_TRUE(eventually([&] { return data_in(view, ns, "big", "w") == "1"; }, 60s));
  const auto too_big = R"({"data":{"w":")" + std::string(3U << 20U, 'w') + "\"}}";
  const auto refused = subject.call(client.merge_patch(config_maps, ns, "big", too_big));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, kube::kube_error::invalid) << refused.error().message;
}

TEST_F(FaultData, D5_VersionsThatAreNoNumbersAreNoOrder) {
  const auto at = [&](const std::string& name, const std::string& version,
                      const std::string& value) {
    return config_map_json(ns, name, version, value);
  };
  const auto events =
      event_json("MODIFIED", at("a", "", "2")) + event_json("MODIFIED", at("b", "abc", "2")) +
      event_json("MODIFIED", at("a", "12", "3")) + event_json("MODIFIED", at("b", "13", "3")) +
      event_json("ADDED", at("end", "14", "x"));
  const auto& view = told({at("a", "5", "1"), at("b", "6", "1")}, events);
  ASSERT_TRUE(eventually([&] { return view.object_count() == 3; }, 60s)) << view.trouble();
  EXPECT_EQ(data_in(view, ns, "a"), "3");
  EXPECT_EQ(data_in(view, ns, "b"), "3");
  EXPECT_EQ(view.seen_version(), "14");
}

TEST_F(FaultData, D5_AListWithoutAVersionIsNoList) {
  gate_.add(on_list(path, gate::answer(200, list_json("", {})), 2));
  put_config_map(ns, "a", "1");
  const auto& view = subject.follow(ns);
  EXPECT_EQ(data_in(view, ns, "a"), "1");
  EXPECT_GT(subject.failures("bad_list"), 0);
}

TEST_F(FaultData, D5_GenerationsBackwardsAndDeletionWithoutFinalizersAreShownAsTheyAre) {
  const auto generation = [&](const std::string& version, int n, const std::string& more = {}) {
    return R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"namespace":")" + ns +
           R"(","name":"a","uid":"u","resourceVersion":")" + version + R"(","generation":)" +
           std::to_string(n) + more + "}}";
  };
  const auto events =
      event_json("MODIFIED", generation("11", 2)) +
      event_json("MODIFIED", generation("12", 1, R"(,"deletionTimestamp":"2026-01-01T00:00:00Z")"));
  const auto& view = told({generation("5", 7)}, events);
  ASSERT_TRUE(eventually([&] { return view.seen_version() == "12"; }, 60s));
  EXPECT_EQ(view.get({ns, "a"})->meta().generation, 1);
  EXPECT_TRUE(view.get({ns, "a"})->meta().deleting);
}

}  // namespace
}  // namespace oarlock::testing
