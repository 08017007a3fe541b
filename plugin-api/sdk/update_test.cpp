// What rewrites expectations: only what differs changes, and what it writes is met afterwards.
#include <gtest/gtest.h>
#include <unistd.h>

#include "oarlock/sdk/testing/update.hpp"

namespace oarlock::sdk::testing {
namespace {

recorded answer() {
  recorded got;
  got.applied.emplace_back(
      0, R"({"kind":"A","metadata":{"name":"a"},"spec":{"replicas":3,"text":"yes"}})");
  got.status_json = R"({"phase":"Fine","count":0})";
  got.conditions["Ready"] = {OARLOCK_CONDITION_TRUE, "Good", "all is well"};
  got.events.push_back({OARLOCK_EVENT_WARNING, "Hm", "something: happened"});
  got.requeue_after_ms = 5000;
  got.steps.push_back({"apply", {}, {}, {}, {}, {}, {}, -1, {}});
  return got;
}

class update : public ::testing::Test {
 protected:
  update() {
    auto pattern = (std::filesystem::temp_directory_path() / "oarlock-cases-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~update() override { std::filesystem::remove_all(folder_); }

  // Writes `text`, updates its case `name`, and returns what the file says then.
  std::string rewritten(const std::string& text, const recorded& got = answer(),
                        const std::string& name = "one") {
    const auto file = folder_ / "f.yaml";
    std::ofstream(file) << text;
    for (const auto& one : read_cases(file)) {
      if (one.name == name) update_case(file, one, got);
    }
    for (const auto& one : read_cases(file)) {
      if (one.name == name) {
        EXPECT_EQ(compare(one.expect, got), "");
        EXPECT_EQ(expectation_diff(one.expect, got), "");
      }
    }
    std::ifstream in(file);
    std::ostringstream now;
    now << in.rdbuf();
    return std::move(now).str();
  }

  std::filesystem::path folder_;
};

constexpr const char* head = R"(# The head.
cases:
  - name: one  # first
    given:
      primary: {kind: P}
)";

TEST_F(update, what_is_met_keeps_its_text) {
  const std::string text = std::string(head) + R"(    expect:
      # why three
      apply: [{spec: {replicas: 3}}]   # odd   spacing
      conditions:
        Ready: {status: "True", message: is well}
)";
  EXPECT_EQ(rewritten(text), text);
}

TEST_F(update, only_sections_that_differ_change) {
  const std::string text = std::string(head) + R"(    expect:
      # why four
      apply:
        - kind: A
          spec: {replicas: 4, gone: 1}
      # the status
      status: {phase: Fine}
      conditions: {Ready: {status: "False", message: is well}}
      events: []
      requeue_after_ms: null

  # the second
  - name: two
    given: {primary: {kind: P}}
    expect: {status: {phase: Bad}}
)";
  EXPECT_EQ(rewritten(text), std::string(head) + R"(    expect:
      # why four
      apply:
        - kind: A
          spec: {replicas: 3, gone: null}
      # the status
      status: {phase: Fine}
      conditions:
        Ready: {status: "True", message: is well}
      events:
        - {type: Warning, reason: Hm, message: "something: happened"}
      requeue_after_ms: 5000

  # the second
  - name: two
    given: {primary: {kind: P}}
    expect: {status: {phase: Bad}}
)");
}

TEST_F(update, children_keep_the_order_of_their_fields) {
  const std::string text = std::string(head) + R"(    expect:
      exact: true
      apply:
        - spec: {text: "no", replicas: 3}
          metadata: {name: a}
          kind: A
)";
  EXPECT_EQ(rewritten(text), std::string(head) + R"(    expect:
      exact: true
      apply:
        - spec: {text: "yes", replicas: 3}
          metadata: {name: a}
          kind: A
)");
}

TEST_F(update, flow_style_and_verdicts) {
  recorded failed;
  failed.returned = OARLOCK_TERMINAL;
  failed.fail_reason = "InvalidSpec";
  failed.fail_message = "no image";
  EXPECT_EQ(rewritten(std::string(head) + "    expect: {apply: [{kind: A}]}\n", failed),
            std::string(head) + R"(    expect:
      apply: []
      verdict: terminal
      reason: InvalidSpec
      message: no image
)");
  EXPECT_EQ(rewritten(std::string(head) + "    expect: {verdict: terminal, reason: X}\n"),
            std::string(head) + "    expect: {verdict: ok}\n");
}

TEST_F(update, a_case_without_expectation_gets_all_of_it) {
  const std::string whole = R"(    expect:
      apply:
        - kind: A
          metadata: {name: a}
          spec: {replicas: 3, text: "yes"}
      status: {phase: Fine, count: 0}
      conditions:
        Ready: {status: "True", reason: Good, message: all is well}
      events:
        - {type: Warning, reason: Hm, message: "something: happened"}
      requeue_after_ms: 5000
)";
  EXPECT_EQ(rewritten(head), head + whole);
  EXPECT_EQ(rewritten(std::string(head) + "    expect:\n"), head + whole);
  const std::string next = "\n  - name: two\n    given: {primary: {kind: P}}\n    expect: {}\n";
  EXPECT_EQ(rewritten(head + next), head + whole + next);
}

TEST_F(update, exact_cases_stay_exact) {
  const auto text = rewritten(std::string(head) + "    expect: {match: exact, events: []}\n");
  EXPECT_NE(text.find("match: exact"), std::string::npos) << text;
  const auto cases = read_cases(folder_ / "f.yaml");
  recorded other = answer();
  other.conditions["Stalled"] = {OARLOCK_CONDITION_FALSE, "X", ""};
  EXPECT_EQ(compare(cases[0].expect, answer()), "");
  EXPECT_NE(compare(cases[0].expect, other), "");
  other = answer();
  other.conditions["Ready"].message += "!";
  EXPECT_NE(compare(cases[0].expect, other), "");
  other = answer();
  other.requeue_after_ms.reset();
  EXPECT_NE(compare(cases[0].expect, other), "");
}

TEST_F(update, no_case_of_that_name) {
  std::ofstream(folder_ / "f.yaml") << head;
  plan_case other{"f.yaml", "other", {}, {}};
  EXPECT_THROW(update_case(folder_ / "f.yaml", other, answer()), std::runtime_error);
}

TEST(yaml_text, reads_back_as_the_same_value) {
  for (const char* text : {"yes",  "no",   "null",     "~",
                           "1",    "1e3",  "0x10",     "",
                           " a",   "a ",   "a: b",     "a #b",
                           "- a",  "a\nb", "\xc3\xbc", "\"q\"",
                           "'q'",  "[x]",  "{x}",      "*a",
                           "&a",   "!a",   "%a",       "@a",
                           "true", "a,b",  "app=web",  "registry.example.com:5000/a@sha256:01",
                           "a: ",  ":",    "?",        "-",
                           "."}) {
    const auto value = json::object({{text, json::array({text, json::object({{"k", text}})})}});
    EXPECT_EQ(from_yaml(YAML::Load(to_yaml(value))).text(), value.text()) << to_yaml(value);
  }
  const auto nested = from_yaml(YAML::Load(
      "{a: [[1, 2], [{b: [{c: {d: [1]}}]}], [], {}], long: ['" + std::string(90, 'x') + "', 1]}"));
  EXPECT_EQ(from_yaml(YAML::Load(to_yaml(nested))).text(), nested.text()) << to_yaml(nested);
}

TEST(line_diff, shows_changes_and_what_is_around) {
  EXPECT_EQ(line_diff("a\nb\n", "a\nb\n"), "");
  EXPECT_EQ(line_diff("1\n2\n3\n4\n5\n6\n", "1\n2\n3\nx\n5\n6\n"),
            "  2\n  3\n- 4\n+ x\n  5\n  6\n");
  EXPECT_EQ(line_diff("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n"),
            "- a\n+ A\n  1\n  2\n  ...\n  5\n  6\n- b\n+ B\n");
  EXPECT_EQ(line_diff("", "a\n"), "+ a\n");
}

}  // namespace
}  // namespace oarlock::sdk::testing
