#include "report.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

namespace ml {

namespace {

constexpr std::size_t metrics_max = 16, metric_name_bytes_max = 40, unit_bytes_max = 40;
constexpr std::int64_t attempts_max = 1000, steps_max = 1'000'000'000;
// Notes of one object: the daemon has room for 64.
constexpr std::size_t slots = 48;

[[noreturn]] void refuse(const std::string& expected, const std::string& found) {
  throw json::parse_error("expected " + expected + ", found " + found);
}

std::string shown(json::node value) {
  if (!value.exists()) return "none";
  return value.is_integer() ? std::to_string(value.integer()) : "something else";
}

std::int64_t number_in(json::node body, const char* field, std::int64_t least, std::int64_t most) {
  const json::node value = body[field];
  const bool fits = value.is_integer() && value.integer() >= least && value.integer() <= most;
  if (!fits) {
    refuse(std::string(field) + " from " + std::to_string(least) + " to " + std::to_string(most),
           shown(value));
  }
  return value.integer();
}

bool is_word(std::string_view text, std::size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.@").find(c) != std::string_view::npos;
  });
}

std::map<std::string, double> metrics_in(json::node given) {
  std::map<std::string, double> made;
  if (!given.exists()) return made;
  if (!given.is_object()) refuse("metrics to be an object", "something else");
  const auto& all = *given.raw();
  if (all.MemberCount() > metrics_max) {
    refuse(std::to_string(metrics_max) + " metrics at most", std::to_string(all.MemberCount()));
  }
  for (auto one = all.MemberBegin(); one != all.MemberEnd(); ++one) {
    const std::string_view name(one->name.GetString(), one->name.GetStringLength());
    if (!is_word(name, metric_name_bytes_max)) {
      refuse("names of metrics of letters, digits and \"-_.@\", 40 at most", "another one");
    }
    if (!one->value.IsNumber() || !std::isfinite(one->value.GetDouble())) {
      refuse("metrics." + std::string(name) + " to be a finite number", "something else");
    }
    made.emplace(name, one->value.GetDouble());
  }
  return made;
}

json::value note_of(const report& said) {
  json::members metrics;
  for (const auto& [name, value] : said.metrics)
    metrics.push_back({name, value});
  return json::object({{"unit", said.unit},
                       {"attempt", said.attempt},
                       {"seq", said.seq},
                       {"step", said.step},
                       {"total", said.total},
                       {"metrics", std::move(metrics)}});
}

// By the UID of the pod, which the API server vouches for: a pod can only replace its own words,
// but for two whose UIDs share a slot, and those are told apart by the UID again.
std::string slot_of(std::string_view pod_uid) {
  return "pod-" + std::to_string(std::stoull(hash_of(pod_uid), nullptr, 16) % slots);
}

struct told {
  report said;
  std::int64_t unix_ms = 0;
};

std::optional<told> told_by(const input& in, const unit& entry, const std::string& pod_uid) {
  const sdk::note* note = in.find_note(slot_of(pod_uid));
  if (note == nullptr || note->pod_uid() != pod_uid) return std::nullopt;
  try {
    told made{read_report(note->root()), note->recorded_unix_ms()};
    const bool is_news = made.said.unit == entry.name &&
                         made.said.attempt == entry.attempt.value_or(1) &&
                         made.said.seq > entry.seq.value_or(0);
    return is_news ? std::optional(std::move(made)) : std::nullopt;
  } catch (const json::parse_error&) {
    return std::nullopt;  // of a version of this plugin that knew other reports
  }
}

}  // namespace

report read_report(json::node body) {
  if (!body.is_object()) refuse("a JSON object", "something else");
  report made;
  made.unit = body["unit"].text();
  if (!made.unit.starts_with("trial-") || !is_word(made.unit, unit_bytes_max)) {
    refuse("unit to be trial-<n>", "something else");
  }
  made.attempt = static_cast<std::int32_t>(number_in(body, "attempt", 1, attempts_max));
  made.seq = number_in(body, "seq", 1, steps_max);
  made.total = number_in(body, "total", 1, steps_max);
  made.step = number_in(body, "step", 0, made.total);
  made.metrics = metrics_in(body["metrics"]);
  return made;
}

void take_request(const sdk::inbound_request& request, sdk::inbound_response& response) {
  if (request.rest() != "progress") {
    return response.answer(404, "expected /v1/ml-pipeline/<namespace>/<pipeline>/progress\n");
  }
  if (request.method() != "POST") return response.answer(405, "expected POST\n");
  const auto document = request.json_body();
  const report said = read_report(json::node{&document});
  response.note(slot_of(request.pod_uid()), note_of(said));
}

void take_report(unit_desk& desk, unit& entry, const std::string& pod_uid) {
  if (entry.pod_uid && *entry.pod_uid != pod_uid) forget_reports(entry);
  const auto found = told_by(desk.in, entry, pod_uid);
  if (!found) return;
  if (desk.reports_wait_ms > 0) {
    desk.out.requeue_after(std::chrono::milliseconds(desk.reports_wait_ms));
    return;
  }
  const report& said = found->said;
  const auto at = sdk::timestamp::of_unix_ms(found->unix_ms);
  const bool is_first = !entry.seq;
  entry.seq = said.seq;
  entry.total_steps = said.total;
  entry.heartbeat_at = at;
  if (is_first) entry.first_step = said.step;
  // A step only grows while its pod lives.
  if (is_first || said.step > entry.step.value_or(0)) {
    entry.step = said.step;
    entry.step_at = at;
  }
  auto& shown_of_all = *desk.status.progress;
  shown_of_all.last_heartbeat = at;
  if (!said.metrics.empty()) shown_of_all.metrics = said.metrics;
}

}  // namespace ml
