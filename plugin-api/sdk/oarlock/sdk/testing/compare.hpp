#pragma once
// Compares the answer of a plan with what a case expects (format: cases.hpp).
#include <string>

#include "oarlock/sdk/testing/expectation.hpp"

namespace oarlock::sdk::testing {
namespace detail {

/// Says where `found` lacks something of `wanted`; empty when it has all. In lists, items pair up
/// by position. A null in `wanted` means: absent.
inline std::string missing(const json::value& wanted, const json::value* found,
                           const std::string& path) {
  if (wanted.is_null()) {
    if (found == nullptr || found->is_null()) return {};
    return path + ": expected nothing, found " + found->text() + "\n";
  }
  if (found == nullptr) return path + ": expected " + wanted.text() + ", found nothing\n";
  std::string lacks;
  if (const auto* fields = wanted.as_object(); fields != nullptr && found->as_object() != nullptr) {
    for (const auto& field : *fields) {
      lacks += missing(field.value, found->find(field.key), path + "." + field.key);
    }
    return lacks;
  }
  const auto *list = wanted.as_array(), *there = found->as_array();
  if (list != nullptr && there != nullptr && list->size() == there->size()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      lacks += missing((*list)[i], &(*there)[i], path + "[" + std::to_string(i) + "]");
    }
    return lacks;
  }
  if (wanted == *found) return {};
  return path + ": expected " + wanted.text() + ", found " + found->text() + "\n";
}

inline std::string differs(const std::string& what, const json::value& wanted,
                           const std::string& found) {
  if (wanted.as_text() != nullptr && *wanted.as_text() == found) return {};
  return what + ": expected " + wanted.text() + ", found \"" + found + "\"\n";
}

inline std::string lacks_part(const std::string& what, const json::value* part,
                              const std::string& found) {
  if (part == nullptr) return {};
  if (part->as_text() != nullptr && found.find(*part->as_text()) != std::string::npos) return {};
  return what + ": expected " + part->text() + " in \"" + found + "\"\n";
}

inline std::string compare_applied(const json::value& expect, const recorded& got) {
  const auto* wanted = expect.find("apply");
  if (wanted == nullptr || wanted->as_array() == nullptr) return {};
  if (wanted->as_array()->size() != got.applied.size()) {
    return "apply: expected " + std::to_string(wanted->as_array()->size()) + " children, found " +
           std::to_string(got.applied.size()) + "\n";
  }
  const auto* exact = expect.find("exact");
  const bool whole = exact != nullptr && *exact == json::value(true);
  std::string wrong;
  for (std::size_t i = 0; i < got.applied.size(); ++i) {
    const auto document = json::parse(got.applied[i].second);
    const json::value found = json::copy(json::node{&document});
    const std::string path = "apply[" + std::to_string(i) + "]";
    wrong += missing((*wanted->as_array())[i], &found, path);
    if (whole) wrong += missing(found, &(*wanted->as_array())[i], path + " (exact, reversed)");
  }
  return wrong;
}

inline std::string compare_conditions(const json::value& wanted, const recorded& got) {
  static constexpr const char* names[] = {"False", "True", "Unknown"};
  std::string wrong;
  for (const auto& [type, want] : *wanted.as_object()) {
    const auto found = got.conditions.find(type);
    const std::string path = "conditions." + type;
    if (want.is_null()) {
      if (found != got.conditions.end()) wrong += path + ": expected none, found one\n";
      continue;
    }
    if (found == got.conditions.end()) {
      wrong += path + ": expected one, found none\n";
      continue;
    }
    const auto& has = found->second;
    const std::string status = names[static_cast<std::size_t>(has.status)];
    if (const auto* s = want.find("status")) wrong += differs(path + ".status", *s, status);
    if (const auto* r = want.find("reason")) {
      wrong += differs(path + ".reason", *r, has.reason);
    }
    wrong += lacks_part(path + ".message", want.find("message"), has.message);
  }
  return wrong;
}

inline std::string compare_events(const json::items& wanted, const recorded& got) {
  if (wanted.size() != got.events.size()) {
    std::string found;
    for (const auto& event : got.events)
      found += " " + event.reason + " (" + event.message + ")";
    return "events: expected " + std::to_string(wanted.size()) + ", found " +
           std::to_string(got.events.size()) + ":" + found + "\n";
  }
  std::string wrong;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto& has = got.events[i];
    const std::string path = "events[" + std::to_string(i) + "]";
    const char* type = has.type == OARLOCK_EVENT_WARNING ? "Warning" : "Normal";
    if (const auto* t = wanted[i].find("type")) wrong += differs(path + ".type", *t, type);
    if (const auto* r = wanted[i].find("reason")) {
      wrong += differs(path + ".reason", *r, has.reason);
    }
    wrong += lacks_part(path + ".message", wanted[i].find("message"), has.message);
  }
  return wrong;
}

inline std::string compare_steps(const json::items& wanted, const recorded& got) {
  if (wanted.size() != got.steps.size()) {
    std::string found;
    for (const auto& step : got.steps)
      found += " " + as_case(step).text();
    return "steps: expected " + std::to_string(wanted.size()) + ", found " +
           std::to_string(got.steps.size()) + ":" + found + "\n";
  }
  std::string wrong;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const json::value found = as_case(got.steps[i]);
    wrong += missing(wanted[i], &found, "steps[" + std::to_string(i) + "]");
  }
  return wrong;
}

inline std::string compare_verdict(const json::value& expect, const recorded& got) {
  std::string verdict = text_at(expect, {"verdict"});
  if (verdict.empty()) verdict = "ok";
  const std::string found = verdict_of(got);
  std::string wrong;
  if (verdict != found) {
    wrong = "verdict: expected " + verdict + ", found " + found + ": " + got.fail_reason + ": " +
            got.fail_message + "\n";
  }
  if (const auto* r = expect.find("reason")) wrong += differs("reason", *r, got.fail_reason);
  return wrong + lacks_part("message", expect.find("message"), got.fail_message);
}

/// Equal as JSON: the order of an object's fields does not count.
inline bool same(const json::value& a, const json::value& b) {
  const auto *left = a.as_object(), *right = b.as_object();
  if (left != nullptr && right != nullptr) {
    if (left->size() != right->size()) return false;
    for (const auto& field : *left) {
      const auto* there = b.find(field.key);
      if (there == nullptr || !same(field.value, *there)) return false;
    }
    return true;
  }
  const auto *list = a.as_array(), *other = b.as_array();
  if (list == nullptr || other == nullptr) return a == b;
  return std::equal(list->begin(), list->end(), other->begin(), other->end(), same);
}

// Section by section, whatever their order; one that is not mentioned has to be empty.
inline std::string compare_exactly(const json::value& expect, const recorded& got) {
  const json::value found = as_expectation(got, expect.find("steps") != nullptr);
  std::string wrong;
  for (const char* key : {"verdict", "reason", "message", "apply", "steps", "status", "conditions",
                          "events", "requeue_after_ms", "finished"}) {
    const json::value* wanted = expect.find(key);
    const json::value* there = found.find(key);
    const json::value left = wanted != nullptr ? *wanted : empty_section(key);
    const json::value right = there != nullptr ? *there : empty_section(key);
    if (!same(left, right)) {
      wrong +=
          std::string(key) + ": expected exactly " + left.text() + ", found " + right.text() + "\n";
    }
  }
  return wrong;
}

}  // namespace detail

/// What of the expectation the answer does not meet, a line each; empty when all is well.
[[nodiscard]] inline std::string compare(const json::value& expect, const recorded& got) {
  if (detail::is_exact(expect)) return detail::compare_exactly(expect, got);
  std::string wrong = detail::compare_verdict(expect, got) + detail::compare_applied(expect, got);
  if (const auto* status = expect.find("status")) {
    const auto document = json::parse(got.status_json.value_or("null"));
    const json::value found = json::copy(json::node{&document});
    wrong += detail::missing(*status, &found, "status");
  }
  if (const auto* wanted = expect.find("conditions"); wanted != nullptr && wanted->as_object()) {
    wrong += detail::compare_conditions(*wanted, got);
  }
  if (const auto* wanted = expect.find("events"); wanted != nullptr && wanted->as_array()) {
    wrong += detail::compare_events(*wanted->as_array(), got);
  }
  if (const auto* wanted = expect.find("steps"); wanted != nullptr && wanted->as_array()) {
    wrong += detail::compare_steps(*wanted->as_array(), got);
  }
  if (const auto* wanted = expect.find("requeue_after_ms")) {
    const json::value found = got.requeue_after_ms ? json::value(*got.requeue_after_ms) : nullptr;
    wrong += detail::missing(*wanted, &found, "requeue_after_ms");
  }
  if (const auto* wanted = expect.find("finished")) {
    const json::value found(got.finished);
    wrong += detail::missing(*wanted, &found, "finished");
  }
  return wrong;
}

}  // namespace oarlock::sdk::testing
