#pragma once
// The answer of a plan, as a bench_host records it.
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "oarlock/plan.h"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk::testing {

struct recorded_condition {
  oarlock_condition_status status = OARLOCK_CONDITION_UNKNOWN;
  std::string reason, message;
};

struct recorded_event {
  oarlock_event_type type = OARLOCK_EVENT_NORMAL;
  std::string reason, message;
};

/// One step beside the apply set.
struct recorded_step {
  std::string what;  ///< "apply" (where the apply set stands), "create", "patch", "delete",
                     ///< "status", "effect"
  std::string resource, name, uid, resource_version;
  std::string json;  ///< of create, patch, status and effect
  std::string kind;  ///< of a patch: "merge", "apply"
  std::int64_t grace_seconds = -1;
  std::string propagation;  ///< of a delete: "Background", "Foreground", "Orphan"
};

/// The answer of one plan.
struct recorded {
  oarlock_status returned = OARLOCK_OK;
  std::string fail_reason, fail_message;
  std::vector<std::pair<std::uint32_t, std::string>> applied;  ///< group, JSON
  std::optional<std::string> status_json;
  std::map<std::string, recorded_condition> conditions;
  std::vector<recorded_event> events;
  std::optional<std::int64_t> requeue_after_ms;
  bool finished = false;
  std::vector<recorded_step> steps;  ///< in order
};

namespace detail {

inline recorded& to(oarlock_plan_ctx* ctx) {
  return *reinterpret_cast<recorded*>(ctx);
}
inline std::string str(oarlock_str_view v) {
  return std::string(to_text(v));
}

inline recorded_step step_for(const char* what, const oarlock_target_view& t) {
  return {what, str(t.resource), str(t.name), str(t.uid), str(t.resource_version), {}, {}, -1, {}};
}

inline void record_steps(oarlock_plan_out& out) {
  out.create_once = [](oarlock_plan_ctx* ctx, oarlock_encoding,
                       oarlock_bytes_view object) -> oarlock_status {
    recorded_step step{"create", {}, {}, {}, {}, std::string(to_text(object)), {}, -1, {}};
    to(ctx).steps.push_back(std::move(step));
    return OARLOCK_OK;
  };
  out.patch_existing = [](oarlock_plan_ctx* ctx, const oarlock_target_view* target,
                          oarlock_patch_kind kind, oarlock_encoding,
                          oarlock_bytes_view patch) -> oarlock_status {
    auto step = step_for("patch", *target);
    step.json = std::string(to_text(patch));
    step.kind = kind == OARLOCK_PATCH_APPLY ? "apply" : "merge";
    to(ctx).steps.push_back(std::move(step));
    return OARLOCK_OK;
  };
  out.remove = [](oarlock_plan_ctx* ctx, const oarlock_target_view* target,
                  std::int64_t grace_seconds, oarlock_propagation how) -> oarlock_status {
    static constexpr const char* names[] = {"Background", "Foreground", "Orphan"};
    auto step = step_for("delete", *target);
    step.grace_seconds = grace_seconds;
    step.propagation = names[how];
    to(ctx).steps.push_back(std::move(step));
    return OARLOCK_OK;
  };
  out.swap_status = [](oarlock_plan_ctx* ctx, oarlock_str_view version, oarlock_encoding,
                       oarlock_bytes_view status) -> oarlock_status {
    recorded_step step{"status", {}, {}, {}, str(version), std::string(to_text(status)),
                       {},       -1, {}};
    to(ctx).steps.push_back(std::move(step));
    return OARLOCK_OK;
  };
  out.effect = [](oarlock_plan_ctx* ctx, oarlock_str_view name, oarlock_encoding,
                  oarlock_bytes_view payload) -> oarlock_status {
    recorded_step step{"effect", {}, str(name), {}, {}, std::string(to_text(payload)), {}, -1, {}};
    to(ctx).steps.push_back(std::move(step));
    return OARLOCK_OK;
  };
}

inline oarlock_plan_out recorder(recorded& into) {
  oarlock_plan_out out{};
  out.struct_size = sizeof(out);
  out.ctx = reinterpret_cast<oarlock_plan_ctx*>(&into);
  out.apply = [](oarlock_plan_ctx* ctx, std::uint32_t group, oarlock_encoding,
                 oarlock_bytes_view object) -> oarlock_status {
    if (to(ctx).applied.empty()) to(ctx).steps.push_back({"apply", {}, {}, {}, {}, {}, {}, -1, {}});
    to(ctx).applied.emplace_back(group, std::string(to_text(object)));
    return OARLOCK_OK;
  };
  record_steps(out);
  out.status = [](oarlock_plan_ctx* ctx, oarlock_encoding,
                  oarlock_bytes_view status) -> oarlock_status {
    if (to(ctx).status_json) return OARLOCK_INVALID;
    to(ctx).status_json = std::string(to_text(status));
    return OARLOCK_OK;
  };
  out.condition = [](oarlock_plan_ctx* ctx, const oarlock_condition_view* c) -> oarlock_status {
    to(ctx).conditions[str(c->type)] = {c->status, str(c->reason), str(c->message)};
    return OARLOCK_OK;
  };
  out.event = [](oarlock_plan_ctx* ctx, oarlock_event_type type, oarlock_str_view reason,
                 oarlock_str_view message) -> oarlock_status {
    to(ctx).events.push_back({type, str(reason), str(message)});
    return OARLOCK_OK;
  };
  out.requeue_after = [](oarlock_plan_ctx* ctx, std::int64_t delay_ms) -> oarlock_status {
    auto& kept = to(ctx).requeue_after_ms;
    kept = kept ? std::min(*kept, delay_ms) : delay_ms;
    return OARLOCK_OK;
  };
  out.finished = [](oarlock_plan_ctx* ctx) -> oarlock_status {
    to(ctx).finished = true;
    return OARLOCK_OK;
  };
  out.fail = [](oarlock_plan_ctx* ctx, oarlock_str_view reason,
                oarlock_str_view message) -> oarlock_status {
    to(ctx).fail_reason = str(reason);
    to(ctx).fail_message = str(message);
    return OARLOCK_OK;
  };
  return out;
}

}  // namespace detail
}  // namespace oarlock::sdk::testing
