#pragma once
// The answer of a plan, spelled as a case would expect it (format: cases.hpp).
#include <string>
#include <string_view>

#include "oarlock/sdk/testing/cases.hpp"

namespace oarlock::sdk::testing {
namespace detail {

/// A step as a case spells it.
inline json::value as_case(const recorded_step& step) {
  json::members fields;
  const bool has_body = !step.json.empty();
  if (has_body) {
    const auto document = json::parse(step.json);
    fields.push_back({step.what, json::copy(json::node{&document})});
  } else {
    fields.push_back({step.what, json::value(true)});
  }
  const auto add = [&](const char* key, const std::string& text) {
    if (!text.empty()) fields.push_back({key, json::value(text)});
  };
  add("resource", step.resource);
  add("name", step.name);
  add("uid", step.uid);
  add("resource_version", step.resource_version);
  add("kind", step.kind);
  add("propagation", step.propagation);
  if (step.grace_seconds >= 0) fields.push_back({"grace_seconds", json::value(step.grace_seconds)});
  return fields;
}

inline std::string verdict_of(const recorded& got) {
  if (got.returned == OARLOCK_OK) return "ok";
  return got.returned == OARLOCK_TERMINAL ? "terminal" : "error";
}

inline json::value parsed(const std::string& text) {
  const auto document = json::parse(text);
  return json::copy(json::node{&document});
}

inline json::value conditions_of(const recorded& got) {
  static constexpr const char* statuses[] = {"False", "True", "Unknown"};
  json::value all = json::object({});
  for (const auto& [type, c] : got.conditions) {
    all.set(type,
            json::object(
                {{"status", statuses[c.status]}, {"reason", c.reason}, {"message", c.message}}));
  }
  return all;
}

inline json::value events_of(const recorded& got) {
  json::items all;
  for (const auto& e : got.events) {
    all.push_back(json::object({{"type", e.type == OARLOCK_EVENT_WARNING ? "Warning" : "Normal"},
                                {"reason", e.reason},
                                {"message", e.message}}));
  }
  return all;
}

/// What a section means that is not there: an answer without events has these events.
inline json::value empty_section(std::string_view key) {
  if (key == "apply" || key == "events" || key == "steps") return json::items{};
  if (key == "conditions") return json::members{};
  if (key == "finished") return false;
  if (key == "verdict") return "ok";
  return {};
}

inline bool is_exact(const json::value& expect) {
  return text_at(expect, {"match"}) == "exact";
}

}  // namespace detail

/// The whole answer as a case would expect it. What it has none of is left out, and so is a list of
/// steps with nothing but the apply set, unless `all_steps`.
[[nodiscard]] inline json::value as_expectation(const recorded& got, bool all_steps = false) {
  json::value all = json::object({});
  if (got.returned != OARLOCK_OK) {
    all.set("verdict", detail::verdict_of(got));
    all.set("reason", got.fail_reason);
    all.set("message", got.fail_message);
  }
  json::items children;
  for (const auto& [group, child] : got.applied)
    children.push_back(detail::parsed(child));
  if (!children.empty()) all.set("apply", children);
  json::items steps;
  for (const auto& step : got.steps)
    steps.push_back(detail::as_case(step));
  const bool only_children = steps.empty() || (steps.size() == 1 && !children.empty());
  if (all_steps || !only_children) all.set("steps", steps);
  if (got.status_json) all.set("status", detail::parsed(*got.status_json));
  if (!got.conditions.empty()) all.set("conditions", detail::conditions_of(got));
  if (!got.events.empty()) all.set("events", detail::events_of(got));
  if (got.requeue_after_ms) all.set("requeue_after_ms", *got.requeue_after_ms);
  if (got.finished) all.set("finished", true);
  return all;
}

}  // namespace oarlock::sdk::testing
