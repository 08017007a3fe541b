// What the status of a Plugin, its events and its metrics say.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/log.hpp"
#include "core/package/controller_state.hpp"

namespace oarlock::package {

namespace {

enum class stage { resolved, verified, granted, loaded };

stage stage_of(const error& why) {
  if (why.code.category() != make_error_code(package_error::not_loaded).category()) {
    return stage::loaded;
  }
  switch (static_cast<package_error>(why.code.value())) {
    case package_error::digest_mismatch:
    case package_error::policy_missing:
    case package_error::policy_ambiguous:
    case package_error::policy_invalid:
    case package_error::digest_required:
    case package_error::signature_missing:
    case package_error::signature_invalid:
    case package_error::trust_root_invalid:
      return stage::verified;
    case package_error::awaiting_grant:
    case package_error::kind_claimed:
      return stage::granted;
    case package_error::no_such_architecture:
    case package_error::invalid_image:
    case package_error::image_too_large:
    case package_error::unsafe_archive:
    case package_error::output_failed:
    case package_error::name_mismatch:
    case package_error::not_loaded:
    case package_error::finalizers_pending:
    case package_error::waits_for_runtime:
      return stage::loaded;
    default:
      return stage::resolved;
  }
}

plugin_condition made(const char* type, bool holds, std::string reason, std::string message) {
  return {type, holds ? "True" : "False", std::move(reason), std::move(message)};
}

plugin_condition pending(const char* type) {
  return {type, "Unknown", "Pending", "not looked at yet"};
}

plugin_condition verified_by(const fetched_image& image) {
  if (image.mode == "none") {
    return made("Verified", false, "PolicyNone",
                fmt::format("rule {} lets every image pass, signed or not", image.rule));
  }
  if (image.mode == "digest") {
    return made("Verified", true, "DigestAllowed",
                fmt::format("rule {} asks for a digest, not for a signature", image.rule));
  }
  return made("Verified", true, "SignatureVerified",
              fmt::format("rule {}: signed by {}", image.rule, image.signer));
}

// Reasons of other modules are words with '_': conditions want CamelCase.
std::string reason_of(const error& why) {
  std::string out;
  bool is_first = true;
  for (const char c : why.code.message()) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) out += is_first && c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
    is_first = !letter;
  }
  return out.empty() ? "Failed" : out;
}

// The four steps of what is wanted.
void add_steps(const tracked_plugin& t, plugin_status& s) {
  const auto failed = t.failure ? std::optional<stage>(stage_of(*t.failure)) : std::nullopt;
  const auto fails_at = [&](stage at) { return failed && *failed == at; };
  const auto refusal = [&](const char* type) {
    return made(type, false, reason_of(*t.failure), t.failure->message);
  };
  const revision* shown = t.next ? &*t.next : t.running ? &*t.running : nullptr;
  // Without one of its own, what is wanted has come as far as the step that failed.
  const bool is_ours = t.next || (!t.failure && !t.is_under_way);
  const bool is_resolved = !t.resolved_image.empty() && t.resolved_from == t.want.image;
  if (fails_at(stage::resolved)) {
    s.conditions.push_back(refusal("Resolved"));
  } else if (is_resolved || t.want.image.find('@') != std::string::npos) {
    s.conditions.push_back(made("Resolved", true, "Resolved",
                                "by digest: " + (is_resolved ? t.resolved_image : t.want.image)));
  } else {
    s.conditions.push_back(pending("Resolved"));
  }
  s.conditions.push_back(fails_at(stage::verified)     ? refusal("Verified")
                         : shown != nullptr && is_ours ? verified_by(shown->image)
                                                       : pending("Verified"));
  const bool is_granted = t.next ? t.is_granted : is_ours && t.running;
  s.conditions.push_back(fails_at(stage::granted) ? refusal("Granted")
                         : is_granted
                             ? made("Granted", true, "Granted", "its rights and CRDs are there")
                             : pending("Granted"));
  if (t.running) {
    const bool is_old = t.failure || t.is_under_way || t.next;
    s.conditions.push_back(
        made("Loaded", true, is_old ? "PreviousRevision" : "Loaded",
             fmt::format("version {} of {} runs", t.running->declared.version, t.running->ref)));
  } else {
    s.conditions.push_back(fails_at(stage::loaded) ? refusal("Loaded") : pending("Loaded"));
  }
}

// What kstatus reads: Ready, Reconciling, Stalled.
void add_summary(const tracked_plugin& t, const plugin_health& health, plugin_status& s) {
  const bool is_well = t.running && health.trouble.empty();
  s.conditions.push_back(
      !t.running ? plugin_condition{"Healthy", "Unknown", "NotRunning", "nothing runs"}
      : is_well  ? made("Healthy", true, "Running", health.note.empty() ? "it works" : health.note)
                 : made("Healthy", false, "NotWorking", health.trouble));
  auto reason = t.is_leaving     ? t.running ? "Moving" : "WaitsForRuntime"
                : t.failure      ? reason_of(*t.failure)
                : t.is_under_way ? "Progressing"
                : t.want.paused  ? "Paused"
                : !t.running     ? "Pending"
                : is_well        ? "Running"
                                 : "NotWorking";
  std::string message =
      is_well ? fmt::format("version {} runs", t.running->declared.version) : health.trouble;
  if (t.failure && t.running) message += (message.empty() ? "" : "; ") + std::string("but ");
  if (t.failure) message += t.failure->message;
  if (t.is_leaving) {
    message = fmt::format("runtime {} is to run it; {}", t.want.runtime,
                          t.running ? "what is under way here ends first" : "it has ended here");
  }
  if (message.empty()) message = t.want.paused ? "spec.paused is true" : "on its way";
  const bool is_settled =
      !t.is_leaving && (t.failure || t.want.paused || (is_well && !t.is_under_way));
  s.conditions.push_back(made("Ready", is_well, reason, message));
  s.conditions.push_back(made("Reconciling", !is_settled, is_settled ? "Settled" : "Progressing",
                              is_settled ? "nothing is under way" : message));
  s.conditions.push_back(made("Stalled", t.failure.has_value(), t.failure ? reason : "Progressing",
                              t.failure ? t.failure->message : "nothing is in the way"));
}

const plugin_condition* find(const plugin_status& s, std::string_view type) {
  const auto at = std::find_if(s.conditions.begin(), s.conditions.end(),
                               [&](const auto& one) { return one.type == type; });
  return at == s.conditions.end() ? nullptr : &*at;
}

}  // namespace

plugin_status plugin_controller::state::status_of(const tracked_plugin& t) const {
  plugin_status s;
  s.observed_generation = t.want.generation;
  s.resolved_from = t.resolved_from;
  s.resolved_image = t.resolved_image;
  s.missing = t.missing;
  s.running_runtime = t.names;
  if (t.running) {
    s.running_image = t.running->ref;
    s.running_version = t.running->declared.version;
    s.running_policy = t.running->image.mode;
    s.running_signer = t.running->image.signer;
    for (const auto& c : t.running->declared.controllers)
      s.kinds.push_back(c.primary.name());
  } else {
    // What ran before a restart is what comes back, and keeps its kinds.
    s.running_image = t.want.status.running_image;
    s.running_version = t.want.status.running_version;
    s.running_policy = t.want.status.running_policy;
    s.running_signer = t.want.status.running_signer;
    s.kinds = t.want.status.kinds;
  }
  add_steps(t, s);
  add_summary(t, p.runner->look(t.name), s);
  return s;
}

task<> plugin_controller::state::report(self_ptr self, tracked_ptr t) {
  if (t->want.generation == 0 || t->is_over) co_return;
  auto next = self->status_of(*t);
  const bool is_first = t->written.empty();
  const auto before = is_first ? t->want.status : t->told;
  keep_transitions(before, next, self->p.daemon.clock_source->wall_now());
  const auto body = status_body(t->name, next);
  const auto was = is_first ? status_body(t->name, before) : t->written;
  self->count(*t, next);
  t->told = next;
  if (body == was) {
    t->written = body;
    co_return;
  }
  if (!self->may_write() || !self->is_writer(*t)) co_return;
  const under_way_mark write(self->writes);
  const auto done = co_await self->daemon.apply(
      plugin_resource(), "", t->name, status_body(t->name, next, t->want.resource_version),
      {.field_manager = "oarlock", .force = true, .subresource = "status"});
  if (!done) {
    t->written.clear();
    if (done.error().code != kube::kube_error::conflict) {
      log_warn("the status of a Plugin could not be written",
               {{"plugin", t->name}, {"error", done.error().message}});
    }
    co_return;
  }
  t->written = body;
  t->want.status.running_runtime = next.running_runtime;
  note_version(t->want, done->body);
  self->tell(*t, before, next);
}

// A step that was reached, and whatever changes readiness or its reason.
void plugin_controller::state::tell(const tracked_plugin& t, const plugin_status& before,
                                    const plugin_status& now) {
  for (const char* type : {"Resolved", "Verified", "Granted", "Loaded", "Healthy", "Ready"}) {
    const auto* is = find(now, type);
    const auto* was = find(before, type);
    if (is == nullptr || is->status == "Unknown") continue;
    // Also another image: "by digest" says which.
    if (was != nullptr && was->status == is->status && was->reason == is->reason &&
        (type != std::string_view("Loaded") || was->message == is->message)) {
      continue;
    }
    const bool is_summary = type == std::string_view("Ready");
    const bool is_bad = is->status == "False" || (is_summary && t.failure);
    if (is_bad && !is_summary) continue;  // Ready says it
    p.events->record({.plugin = "oarlock",
                      .regarding_resource = plugin_resource(),
                      .regarding = {"", t.name},
                      .regarding_uid = t.want.uid,
                      .warning = is_bad && !t.is_leaving,
                      .reason = is->reason,
                      .action = type,
                      .note = is->message});
  }
}

void plugin_controller::state::count(const tracked_plugin& t, const plugin_status& now) {
  const auto* ready = find(now, "Ready");
  auto& metrics = *p.daemon.metrics;
  metrics
      .make_gauge("oarlock_plugin_object_ready", "1 for a Plugin whose condition Ready is True",
                  {{"plugin", t.name}})
      .set(ready != nullptr && ready->status == "True" ? 1 : 0);
  for (const char* mode : {"key", "keyless", "digest", "none"}) {
    metrics
        .make_gauge("oarlock_plugin_image_policy",
                    "1 for the mode of the rule that allowed the image of the plugin that runs",
                    {{"plugin", t.name}, {"mode", mode}})
        .set(now.running_policy == mode ? 1 : 0);
  }
}

}  // namespace oarlock::package
