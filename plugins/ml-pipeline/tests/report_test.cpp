// What a pod may say while it trains, and what it gets to hear of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oarlock/sdk/testing/bench_host.hpp"
#include "oarlock/sdk/testing/library.hpp"

namespace ml::testing {
namespace {

namespace kit = oarlock::sdk::testing;
using ::testing::HasSubstr;

kit::answered post(const std::string& body, const std::string& pod_uid = "p-1",
                   const std::string& rest = "progress", const std::string& method = "POST") {
  kit::bench_host host(kit::plugin_of(ML_PIPELINE_LIBRARY));
  return host.request({.rest = rest, .body = body, .method = method, .pod_uid = pod_uid});
}

std::string with_metrics(int count) {
  std::string all;
  for (int i = 0; i < count; ++i)
    all += (i == 0 ? "" : ",") + std::string("\"m") + std::to_string(i) + "\":1";
  return R"({"unit":"trial-0","attempt":1,"seq":1,"step":1,"total":2,"metrics":{)" + all + "}}";
}

TEST(reports, become_notes_with_what_the_plan_knows_of) {
  const auto said = post(R"({"unit":"trial-0","attempt":2,"seq":7,"step":4,"total":9,
    "metrics":{"validation-loss":0.5},"more":"of it"})");
  EXPECT_EQ(said.status, 204) << said.body;
  ASSERT_EQ(said.notes.size(), 1U);
  EXPECT_EQ(said.notes[0].name, "pod-21") << "cases/report.yaml has its notes under this name";
  EXPECT_EQ(said.notes[0].json, R"({"unit":"trial-0","attempt":2,"seq":7,"step":4,"total":9,)"
                                R"("metrics":{"validation-loss":0.5}})");
  EXPECT_EQ(post(with_metrics(16)).status, 204);
}

TEST(reports, G10_a_pod_replaces_no_words_but_its_own) {
  const std::string body = R"({"unit":"trial-0","attempt":1,"seq":1,"step":1,"total":2})";
  EXPECT_EQ(post(body, "p-2").notes.at(0).name, "pod-12") << "not by what it says it is";
  EXPECT_EQ(post(body, "p-1").notes.at(0).name, "pod-21");
}

TEST(reports, G10_what_cannot_be_a_report_is_refused_with_a_sentence) {
  const auto with = [](const char* unit, const char* attempt, const char* seq, const char* step,
                       const char* total, const char* metrics = "{}") {
    return std::string(R"({"unit":")") + unit + R"(","attempt":)" + attempt + R"(,"seq":)" + seq +
           R"(,"step":)" + step + R"(,"total":)" + total + R"(,"metrics":)" + metrics + "}";
  };
  const std::pair<std::string, const char*> all[] = {
      {"", "expected JSON"},
      {"[]", "expected a JSON object"},
      {"{}", "expected unit to be trial-<n>"},
      {with("evaluate", "1", "1", "1", "2"), "expected unit to be trial-<n>"},
      {with("trial-../x", "1", "1", "1", "2"), "expected unit to be trial-<n>"},
      {with("trial-0", "0", "1", "1", "2"), "expected attempt from 1 to 1000, found 0"},
      {with("trial-0", "1", "0", "1", "2"), "expected seq from 1 to 1000000000, found 0"},
      {with("trial-0", "1", "1", "101", "100"), "expected step from 0 to 100, found 101"},
      {with("trial-0", "1", "1", "-1", "100"), "expected step from 0 to 100, found -1"},
      {with("trial-0", "1", "1", "1", "0"), "expected total from 1"},
      {with("trial-0", "1", "1", "1", "1e300"), "found something else"},
      {with("trial-0", "1", "1", "\"7\"", "9"), "found something else"},
      {with("trial-0", "1", "1", "1", "2", "[]"), "expected metrics to be an object"},
      {with("trial-0", "1", "1", "1", "2", R"({"loss":NaN})"), "expected JSON"},
      {with("trial-0", "1", "1", "1", "2", R"({"loss":1e999})"), "expected JSON"},
      {with("trial-0", "1", "1", "1", "2", R"({"loss":"x"})"), "metrics.loss to be a finite"},
      {with("trial-0", "1", "1", "1", "2", R"({"a b":1})"), "expected names of metrics"},
      {with_metrics(17), "expected 16 metrics at most, found 17"},
      {with_metrics(1000), "expected 16 metrics at most, found 1000"},
  };
  for (const auto& [body, says] : all) {
    const auto answer = post(body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_THAT(answer.body, HasSubstr(says)) << body;
    EXPECT_TRUE(answer.notes.empty()) << body;
  }
  EXPECT_EQ(post("{}", "p-1", "other").status, 404);
  EXPECT_EQ(post("{}", "p-1", "progress", "GET").status, 405);
}

}  // namespace
}  // namespace ml::testing
