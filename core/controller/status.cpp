#include "core/controller/status.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <rapidjson/document.h>

#include <algorithm>

#include "core/base/limits.hpp"
#include "core/base/mutant.hpp"
#include "core/controller/json_text.hpp"
#include "core/json/matcher.hpp"
#include "core/json/parse.hpp"

namespace oarlock::controller {

namespace {

using rapidjson::Value;
using allocator = rapidjson::Document::AllocatorType;

// A controller that writes more different fields than this takes every change for one of them.
constexpr std::size_t terms_max = 256;

condition* find_condition(std::vector<condition>& conditions, std::string_view type) {
  const auto found = std::find_if(conditions.begin(), conditions.end(),
                                  [&](const auto& c) { return c.type == type; });
  return found == conditions.end() ? nullptr : &*found;
}

void set_condition(std::vector<condition>& conditions, condition value) {
  if (auto* there = find_condition(conditions, value.type)) {
    *there = std::move(value);
  } else {
    conditions.push_back(std::move(value));
  }
}

const char* status_text(condition_status s) {
  switch (s) {
    case condition_status::yes:
      return "True";
    case condition_status::no:
      return "False";
    case condition_status::unknown:
      return "Unknown";
  }
  return "Unknown";
}

const Value* member(const Value* object, const char* name) {
  if (object == nullptr || !object->IsObject()) return nullptr;
  const auto found = object->FindMember(name);
  return found == object->MemberEnd() ? nullptr : &found->value;
}

const Value* live_condition(const Value* live_status, std::string_view type) {
  const auto* conditions = member(live_status, "conditions");
  if (conditions == nullptr || !conditions->IsArray()) return nullptr;
  for (const auto& entry : conditions->GetArray()) {
    const auto* name = member(&entry, "type");
    if (name != nullptr && name->IsString() && name->GetString() == type) return &entry;
  }
  return nullptr;
}

std::string transition_time(const Value* live, const char* status, wall_time now) {
  const auto* live_value = member(live, "status");
  const auto* since = member(live, "lastTransitionTime");
  const bool same = live_value != nullptr && live_value->IsString() &&
                    std::string_view(live_value->GetString()) == status;
  if (same && since != nullptr && since->IsString()) return since->GetString();
  return rfc3339(now);
}

Value render_condition(const condition& c, const Value* live_status, std::int64_t generation,
                       wall_time now, allocator& memory) {
  const char* status = status_text(c.status);
  const auto since = transition_time(live_condition(live_status, c.type), status, now);
  const std::string_view message(c.message);
  Value entry(rapidjson::kObjectType);
  entry.AddMember("type", text(c.type, memory), memory);
  entry.AddMember("status", text(status, memory), memory);
  entry.AddMember("observedGeneration", generation, memory);
  entry.AddMember("lastTransitionTime", text(since, memory), memory);
  entry.AddMember("reason", text(c.reason.empty() ? "Unspecified" : c.reason, memory), memory);
  entry.AddMember("message", text(message.substr(0, limits::condition_message_bytes_max), memory),
                  memory);
  return entry;
}

Value render_conditions(const std::vector<condition>& conditions, const Value* live_status,
                        std::int64_t generation, wall_time now, allocator& memory) {
  Value list(rapidjson::kArrayType);
  for (const auto& c : conditions)
    list.PushBack(render_condition(c, live_status, generation, now, memory), memory);
  return list;
}

// The live status has all that is wanted, and no field at its top that is not wanted any more.
bool says_all(const Value* live, const Value& wanted) {
  if (live == nullptr || !live->IsObject()) return false;
  for (const auto& field : live->GetObject()) {
    if (!wanted.HasMember(field.name)) return false;
  }
  return json::contains(*live, wanted);
}

Value status_body(const controller_spec& spec, const cache::object& primary, Value& status,
                  allocator& memory) {
  Value body(rapidjson::kObjectType);
  body.AddMember("apiVersion", text(spec.primary.api_version(), memory), memory);
  body.AddMember("kind", text(spec.primary.kind, memory), memory);
  Value metadata(rapidjson::kObjectType);
  metadata.AddMember("name", text(primary.meta().key.name, memory), memory);
  if (!primary.meta().key.ns.empty()) {
    metadata.AddMember("namespace", text(primary.meta().key.ns, memory), memory);
  }
  body.AddMember("metadata", metadata, memory);
  body.AddMember("status", status, memory);
  return body;
}

bool says(const Value* live_status, const char* type) {
  const auto* status = member(live_condition(live_status, type), "status");
  return status != nullptr && status->IsString() && std::string_view(status->GetString()) == "True";
}

// A plan of which the status tells nothing.
bool says_nothing(const plan_output& plan) {
  return !plan.status_json && plan.conditions.empty() && plan.apply_set.empty() &&
         plan.steps.empty();
}

bool says_paused(const Value* live_status) {
  return says(live_status, "Paused");
}

// A plan that has no status to report leaves none, but what was said of a failure before it ends.
bool says_unsettled(const Value* live_status) {
  return says_paused(live_status) || says(live_status, "Reconciling") ||
         says(live_status, "Stalled");
}

}  // namespace

bool is_paused(const cache::object& primary) {
  const auto found = primary.meta().annotations.find(std::string(paused_annotation));
  return found != primary.meta().annotations.end() && found->second == "true";
}

result<std::optional<std::string>> render_paused(const controller_spec& spec,
                                                 const cache::object& primary, wall_time now) {
  auto live = json::parse(primary.json());
  if (!live) return live.error().within("cached " + primary.meta().key.text());
  auto& memory = live->GetAllocator();
  const auto* live_status = member(&*live, "status");
  if (says_paused(live_status)) return std::optional<std::string>{};
  Value status(rapidjson::kObjectType);
  if (live_status != nullptr && live_status->IsObject()) status.CopyFrom(*live_status, memory);
  if (!status.HasMember("conditions") || !status["conditions"].IsArray()) {
    status.RemoveMember("conditions");
    status.AddMember("conditions", Value(rapidjson::kArrayType), memory);
  }
  const condition paused{"Paused", condition_status::yes, "Annotated",
                         "annotation " + std::string(paused_annotation) + " is \"true\""};
  status["conditions"].PushBack(
      render_condition(paused, nullptr, primary.meta().generation, now, memory), memory);
  return std::optional<std::string>(json::write(status_body(spec, primary, status, memory)));
}

result<std::optional<std::string>> render_status_swap(const controller_spec& spec,
                                                      const cache::object& primary,
                                                      const status_swap& step) {
  auto wanted = json::parse(step.json);
  if (!wanted) return wanted.error().within("status step of " + primary.meta().key.text());
  auto live = json::parse(primary.json());
  if (!live) return live.error().within("cached " + primary.meta().key.text());
  const auto* live_status = member(&*live, "status");
  const bool current = primary.meta().resource_version == step.resource_version;
  if (current && live_status != nullptr && json::contains(*live_status, *wanted)) {
    return std::optional<std::string>{};
  }
  auto& memory = wanted->GetAllocator();
  Value status(rapidjson::kObjectType);
  status.CopyFrom(*wanted, memory);
  for (const char* kept : {"conditions", "observedGeneration"}) {
    if (const auto* value = member(live_status, kept)) {
      status.AddMember(Value(kept, memory), Value(*value, memory), memory);
    }
  }
  auto body = status_body(spec, primary, status, memory);
  if (!OARLOCK_MUTANT("status_step_without_version")) {
    body["metadata"].AddMember("resourceVersion", text(step.resource_version, memory), memory);
  }
  return std::optional<std::string>(json::write(body));
}

std::string rfc3339(wall_time t) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(t)));
}

std::vector<condition> complete_conditions(const plan_output& plan, const attempt& outcome) {
  auto all = plan.conditions;
  const bool failed = outcome.failure.has_value();
  if (failed) {
    const auto& f = *outcome.failure;
    const auto message = f.step.empty() ? f.message : f.step + ": " + f.message;
    const bool stuck = outcome.failure_needs_a_person;
    set_condition(all, {"Ready", condition_status::no, f.reason, message});
    // kstatus: an object is on its way or stuck, never both.
    const char* other = stuck ? "Reconciling" : "Stalled";
    set_condition(all, {other, condition_status::no, f.reason, message});
    set_condition(all,
                  {stuck ? "Stalled" : "Reconciling", condition_status::yes, f.reason, message});
  }
  const auto* stalled = find_condition(all, "Stalled");
  const bool is_stalled = stalled != nullptr && stalled->status == condition_status::yes;
  const auto* ready = find_condition(all, "Ready");
  const bool is_ready = ready == nullptr || ready->status == condition_status::yes;
  if (ready == nullptr) {
    all.push_back({"Ready", is_stalled ? condition_status::no : condition_status::yes,
                   is_stalled ? "Stalled" : "Reconciled", ""});
  }
  if (find_condition(all, "Reconciling") == nullptr) {
    const bool busy = !is_ready && !is_stalled;
    all.push_back({"Reconciling", busy ? condition_status::yes : condition_status::no,
                   busy ? "Progressing" : "Idle", ""});
  }
  if (find_condition(all, "Stalled") == nullptr) {
    all.push_back({"Stalled", condition_status::no, "NotStalled", ""});
  }
  return all;
}

result<std::optional<std::string>> render_status(const controller_spec& spec,
                                                 const cache::object& primary,
                                                 std::int64_t generation, const plan_output& plan,
                                                 const attempt& outcome, wall_time now) {
  const bool silent = says_nothing(plan);
  auto wanted = json::parse(plan.status_json.value_or("{}"));
  if (!wanted) return wanted.error().within("status of " + primary.meta().key.text());
  auto live = json::parse(primary.json());
  if (!live) return live.error().within("cached " + primary.meta().key.text());
  auto& memory = wanted->GetAllocator();
  const auto* live_status = member(&*live, "status");
  if (silent && !outcome.failure && !says_unsettled(live_status)) {
    return std::optional<std::string>{};
  }
  Value status(rapidjson::kObjectType);
  // A plan that failed says nothing about the fields it keeps: they stay as they are.
  const bool keep_live = plan.verdict != plan_verdict::done && live_status != nullptr;
  status.CopyFrom(keep_live ? *live_status : static_cast<const Value&>(*wanted), memory);
  status.RemoveMember("conditions");
  status.RemoveMember("observedGeneration");
  status.AddMember("observedGeneration", generation, memory);
  status.AddMember(
      "conditions",
      render_conditions(complete_conditions(plan, outcome), live_status, generation, now, memory),
      memory);
  // Conditions of others may stand beside ours; one that says paused is ours and is over.
  if (!says_paused(live_status) && says_all(live_status, status))
    return std::optional<std::string>{};
  return std::optional<std::string>(json::write(status_body(spec, primary, status, memory)));
}

void status_terms::learn_fields(std::string_view status_json) {
  const auto parsed = json::parse(status_json);
  if (!parsed || !parsed->IsObject()) return;
  for (const auto& field : parsed->GetObject()) {
    if (fields_.size() > terms_max) return;
    if (std::string_view(field.name.GetString()) != "conditions")
      fields_.insert(field.name.GetString());
  }
}

void status_terms::learn(const plan_output& plan, const attempt& outcome) {
  for (const auto& step : plan.steps) {
    if (const auto* swap = std::get_if<status_swap>(&step)) learn_fields(swap->json);
  }
  if (says_nothing(plan) && !outcome.failure) return;
  fields_.insert("observedGeneration");
  if (plan.status_json) learn_fields(*plan.status_json);
  for (auto& c : complete_conditions(plan, outcome)) {
    if (conditions_.size() <= terms_max) conditions_.insert(std::move(c.type));
  }
}

bool status_terms::touched(const cache::object& before, const cache::object& after) const {
  if (fields_.size() > terms_max || conditions_.size() > terms_max) return true;
  const auto was = json::parse(before.json());
  const auto is = json::parse(after.json());
  if (!was || !is) return true;
  const auto* old_status = member(&*was, "status");
  const auto* new_status = member(&*is, "status");
  const auto differ = [](const Value* a, const Value* b) {
    return (a == nullptr) != (b == nullptr) || (a != nullptr && *a != *b);
  };
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const std::string& name) {
                       return differ(member(old_status, name.c_str()),
                                     member(new_status, name.c_str()));
                     }) ||
         std::any_of(conditions_.begin(), conditions_.end(), [&](const std::string& type) {
           return differ(live_condition(old_status, type), live_condition(new_status, type));
         });
}

}  // namespace oarlock::controller
