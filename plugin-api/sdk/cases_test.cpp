// The case runner: it must see every difference, or the cases of the plugins prove nothing.
#include <gtest/gtest.h>

#include "oarlock/sdk/testing/compare.hpp"

namespace oarlock::sdk::testing {
namespace {

std::string differences(const std::string& expect_yaml, const recorded& got) {
  return compare(from_yaml(YAML::Load(expect_yaml)), got);
}

recorded answer() {
  recorded got;
  got.applied.emplace_back(0, R"({"kind":"A","spec":{"replicas":3,"list":[{"a":1,"b":2}]}})");
  got.status_json = R"({"phase":"Fine","count":0})";
  got.conditions["Ready"] = {OARLOCK_CONDITION_TRUE, "Good", "all is well"};
  got.events.push_back({OARLOCK_EVENT_WARNING, "Hm", "something happened"});
  got.requeue_after_ms = 5000;
  got.steps.push_back({"apply", {}, {}, {}, {}, {}, {}, -1, {}});
  got.steps.push_back({"patch", "pods", "p", "u", {}, R"({"x":1})", "merge", -1, {}});
  got.steps.push_back({"delete", "pods", "q", "v", "7", {}, {}, 5, "Orphan"});
  return got;
}

TEST(cases, what_matches) {
  for (const char* expect : {
           "{}",
           "{verdict: ok}",
           "{apply: [{kind: A}]}",
           "{apply: [{spec: {list: [{b: 2}]}}]}",
           "{apply: [{kind: A, spec: {replicas: 3, list: [{a: 1, b: 2}]}}], exact: true}",
           "{apply: [{kind: A, metadata: null}]}",
           "{status: {count: 0}}",
           "{conditions: {Ready: {status: \"True\", reason: Good, message: is well}, Odd: null}}",
           "{events: [{type: Warning, reason: Hm, message: happened}]}",
           "{requeue_after_ms: 5000}",
           "{finished: false}",
           "{steps: [{apply: true}, {patch: {x: 1}, kind: merge, resource: pods, name: p}, "
           "{delete: true, uid: v, resource_version: '7', grace_seconds: 5, propagation: Orphan}]}",
       }) {
    EXPECT_EQ(differences(expect, answer()), "") << expect;
  }
}

TEST(cases, what_differs) {
  for (const char* expect : {
           "{verdict: terminal}",
           "{apply: []}",
           "{apply: [{kind: B}]}",
           "{apply: [{kind: A, spec: {replicas: 4}}]}",
           "{apply: [{kind: A, metadata: {name: x}}]}",
           "{apply: [{spec: {list: []}}]}",
           "{apply: [{spec: {list: [{a: 1, c: 3}]}}]}",
           "{apply: [{kind: A}], exact: true}",
           "{apply: [{kind: null}]}",
           "{status: {count: 1}}",
           "{status: null}",
           "{status: {phase: null}}",
           "{conditions: {Ready: {status: \"False\"}}}",
           "{conditions: {Ready: {status: True}}}",  // a boolean is no condition status
           "{conditions: {Ready: {reason: Bad}}}",
           "{conditions: {Ready: {message: is bad}}}",
           "{conditions: {Ready: null}}",
           "{conditions: {Stalled: {status: \"False\"}}}",
           "{events: []}",
           "{events: [{type: Normal}]}",
           "{events: [{reason: Oh}]}",
           "{events: [{message: nothing}]}",
           "{requeue_after_ms: null}",
           "{requeue_after_ms: 1}",
           "{finished: true}",
           "{steps: []}",
           "{steps: [{apply: true}, {delete: true}, {patch: {x: 1}}]}",
           "{steps: [{apply: true}, {patch: {x: 2}}, {delete: true}]}",
           "{steps: [{apply: true}, {patch: {x: 1}}, {delete: true, grace_seconds: 6}]}",
       }) {
    EXPECT_NE(differences(expect, answer()), "") << expect;
  }
  EXPECT_NE(differences("{requeue_after_ms: 1}", recorded{}), "");
  recorded failed;
  failed.returned = OARLOCK_TERMINAL;
  failed.fail_reason = "X";
  EXPECT_NE(differences("{}", failed), "");
  EXPECT_NE(differences("{verdict: terminal, reason: Y}", failed), "");
  EXPECT_EQ(differences("{verdict: terminal, reason: X}", failed), "");
}

TEST(cases, merge_patch) {
  json::value target = from_yaml(YAML::Load("{a: 1, b: {c: 2, d: 3}, e: [1, 2]}"));
  merge_patch(target, from_yaml(YAML::Load("{a: null, b: {c: 5}, e: [9], f: {g: null, h: 1}}")));
  EXPECT_EQ(target.text(), R"({"b":{"c":5,"d":3},"e":[9],"f":{"h":1}})");
}

TEST(cases, an_observation_is_given_as_json) {
  const auto cases =
      detail::case_reader(
          "f.yaml",
          from_yaml(YAML::Load("{cases: [{name: x, given: {primary: {kind: A}, observation: "
                               "{servers: [1, two]}}, expect: {}}]}")))
          .read();
  ASSERT_EQ(cases.size(), 1U);
  EXPECT_EQ(cases[0].inputs.observation, R"({"servers":[1,"two"]})");
}

TEST(cases, notes_of_pods_and_how_they_reach_the_daemon_are_given) {
  const auto cases =
      detail::case_reader(
          "f.yaml",
          from_yaml(YAML::Load(
              "{cases: [{name: x, given: {primary: {kind: A}, now: '2026-03-01T12:00:00Z', "
              "inbound: {url: 'https://x/v1/p', ca: PEM, audience: a}, notes: [{name: trial-0, "
              "json: {step: 10}, podName: p, podUID: u, serviceAccount: s, at: "
              "'2026-03-01T11:00:00Z'}, {name: trial-1, json: 7}]}, expect: {}}]}")))
          .read();
  ASSERT_EQ(cases.size(), 1U);
  const auto& in = cases[0].inputs;
  ASSERT_TRUE(in.inbound);
  EXPECT_EQ(in.inbound->url + " " + in.inbound->ca_pem + " " + in.inbound->audience,
            "https://x/v1/p PEM a");
  ASSERT_EQ(in.notes.size(), 2U);
  EXPECT_EQ(in.notes[0].name + " " + in.notes[0].json, R"(trial-0 {"step":10})");
  EXPECT_EQ(in.notes[0].pod_name + in.notes[0].pod_uid + in.notes[0].service_account, "pus");
  EXPECT_EQ(in.now_unix_ms - in.notes[0].recorded_unix_ms, 3600000);
  EXPECT_EQ(in.notes[1].json, "7");
  EXPECT_EQ(in.notes[1].recorded_unix_ms, in.now_unix_ms);
}

TEST(cases, malformed_files_are_errors) {
  const auto read = [](const char* yaml) {
    return detail::case_reader("f.yaml", from_yaml(YAML::Load(yaml))).read();
  };
  EXPECT_EQ(read("{cases: [{name: x, given: {primary: {kind: A}}, expect: {}}]}").size(), 1U);
  for (const char* bad : {
           "{}",
           "{cases: [{given: {primary: {}}, expect: {}}]}",
           "{cases: [{name: x, given: {}, expect: {}}]}",
           "{cases: [{name: x, given: {primary: {from: y}}, expect: {}}]}",
           "{cases: [{name: x, given: {primary: {}}, expect: {condition: {}}}]}",
           "{cases: [{name: x, given: {primary: {}, pods: []}, expect: {}}]}",
           "{cases: [{name: x, given: {primary: {}, now: noon}, expect: {}}]}",
           "{cases: [{name: x, given: {primary: {}, notes: {}}, expect: {}}]}",
           "{cases: [{name: x, given: {primary: {}, notes: [{at: noon}]}, expect: {}}]}",
           "{cases: [{name: x, given: {primary: {}, inbound: {host: x}}, expect: {}}]}",
       }) {
    EXPECT_THROW((void)read(bad), std::runtime_error) << bad;
  }
}

}  // namespace
}  // namespace oarlock::sdk::testing
