#include "core/plugin/plan_sink.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/json/parse.hpp"
#include "core/plugin/lent_text.hpp"
#include "core/plugin/stray_call.hpp"
#include "oarlock/abi.h"

namespace oarlock::plugin {

using controller::plan_output;
using controller::plan_verdict;

// The C side: each slot finds its sink, and turns what it says, or throws, into a status.
struct plan_sink::slots {
  template <class Work>
  static oarlock_status call(oarlock_plan_ctx* ctx, const char* name, Work work) noexcept {
    if (ctx == nullptr) return OARLOCK_INVALID;
    auto& sink = *reinterpret_cast<plan_sink*>(ctx);
    try {
      if (!sink.takes_calls()) {
        if (is_stray_call_told(name, sink.plugin_)) {
          log_warn("plugin calls a slot outside of its call or on another thread",
                   {{"plugin", sink.plugin_}, {"call", name}});
        }
        return OARLOCK_INVALID;
      }
      const answer a = work(sink);
      if (a.status != OARLOCK_OK) sink.refuse(name, a);
      return a.status;
    } catch (...) {
      return OARLOCK_LIMIT;  // out of memory
    }
  }

  static oarlock_status apply(oarlock_plan_ctx* ctx, std::uint32_t group, oarlock_encoding encoding,
                              oarlock_bytes_view object) noexcept {
    return call(ctx, "apply", [&](plan_sink& s) { return s.apply(group, encoding, object); });
  }
  static oarlock_status status(oarlock_plan_ctx* ctx, oarlock_encoding encoding,
                               oarlock_bytes_view status) noexcept {
    return call(ctx, "status", [&](plan_sink& s) { return s.set_status(encoding, status); });
  }
  static oarlock_status condition(oarlock_plan_ctx* ctx,
                                  const oarlock_condition_view* view) noexcept {
    return call(ctx, "condition", [&](plan_sink& s) { return s.add_condition(view); });
  }
  static oarlock_status event(oarlock_plan_ctx* ctx, oarlock_event_type type,
                              oarlock_str_view reason, oarlock_str_view message) noexcept {
    return call(ctx, "event", [&](plan_sink& s) { return s.add_event(type, reason, message); });
  }
  static oarlock_status requeue_after(oarlock_plan_ctx* ctx, std::int64_t delay_ms) noexcept {
    return call(ctx, "requeue_after", [&](plan_sink& s) { return s.requeue_after(delay_ms); });
  }
  static oarlock_status fail(oarlock_plan_ctx* ctx, oarlock_str_view reason,
                             oarlock_str_view message) noexcept {
    return call(ctx, "fail", [&](plan_sink& s) { return s.set_failure(reason, message); });
  }
  static oarlock_status finished(oarlock_plan_ctx* ctx) noexcept {
    return call(ctx, "finished", [&](plan_sink& s) { return s.set_finished(); });
  }
  static oarlock_status create_once(oarlock_plan_ctx* ctx, oarlock_encoding encoding,
                                    oarlock_bytes_view object) noexcept {
    return call(ctx, "create_once", [&](plan_sink& s) { return s.create_once(encoding, object); });
  }
  static oarlock_status patch_existing(oarlock_plan_ctx* ctx, const oarlock_target_view* target,
                                       oarlock_patch_kind kind, oarlock_encoding encoding,
                                       oarlock_bytes_view patch) noexcept {
    return call(ctx, "patch_existing",
                [&](plan_sink& s) { return s.patch_existing(target, kind, encoding, patch); });
  }
  static oarlock_status remove(oarlock_plan_ctx* ctx, const oarlock_target_view* target,
                               std::int64_t grace_seconds,
                               oarlock_propagation propagation) noexcept {
    return call(ctx, "remove",
                [&](plan_sink& s) { return s.remove(target, grace_seconds, propagation); });
  }
  static oarlock_status swap_status(oarlock_plan_ctx* ctx, oarlock_str_view version,
                                    oarlock_encoding encoding, oarlock_bytes_view status) noexcept {
    return call(ctx, "swap_status",
                [&](plan_sink& s) { return s.swap_status(version, encoding, status); });
  }
  static oarlock_status effect(oarlock_plan_ctx* ctx, oarlock_str_view name,
                               oarlock_encoding encoding, oarlock_bytes_view payload) noexcept {
    return call(ctx, "effect", [&](plan_sink& s) { return s.effect(name, encoding, payload); });
  }
};

plan_sink::plan_sink(std::string plugin) : plugin_(std::move(plugin)) {
  table_ = {sizeof(table_),
            0,
            reinterpret_cast<oarlock_plan_ctx*>(this),
            &slots::apply,
            &slots::status,
            &slots::condition,
            &slots::event,
            &slots::requeue_after,
            &slots::fail,
            &slots::finished,
            &slots::create_once,
            &slots::patch_existing,
            &slots::remove,
            &slots::swap_status,
            &slots::effect};
}

const oarlock_plan_out* plan_sink::open(const controller::plan_input& input) {
  input_ = &input;
  output_ = {};
  named_.clear();
  bytes_ = 0;
  refused_.clear();
  is_unexplained_ = false;
  thread_ = std::this_thread::get_id();
  is_open_ = true;
  return &table_;
}

bool plan_sink::takes_calls() const {
  return is_open_ && thread_ == std::this_thread::get_id();
}

void plan_sink::refuse(const char* call, const answer& a) {
  if (!refused_.empty()) return;
  refused_ = fmt::format("{}(): {}", call, a.why);
  log_warn("plugin breaks the contract of plan",
           {{"plugin", plugin_}, {"call", call}, {"error", a.why}});
}

plan_output plan_sink::take(plan_verdict verdict, std::string reason, std::string message) {
  is_open_ = false;
  plan_output out;
  if (verdict == plan_verdict::done) out = std::move(output_);
  // Without a call of apply() what is left to be pruned comes last.
  if (out.apply_set.empty()) out.steps_before_apply_set = out.steps.size();
  out.verdict = verdict;
  out.fail_reason = std::move(reason);
  out.fail_message = std::move(message);
  output_ = {};
  return out;
}

plan_output plan_sink::close_refused(const std::string& why) {
  return take(plan_verdict::terminal, "PlanRefused",
              "the plugin's plan is refused: " + (refused_.empty() ? why : refused_));
}

plan_output plan_sink::close(oarlock_status returned) {
  // What was refused is refused again for the same inputs: trying again does not help.
  if (!refused_.empty()) return close_refused(refused_);
  const bool gave_reason = !output_.fail_reason.empty();
  if (returned == OARLOCK_OK && !gave_reason) return take(plan_verdict::done, {}, {});
  const auto verdict = returned == OARLOCK_TERMINAL ? plan_verdict::terminal : plan_verdict::retry;
  if (gave_reason) {
    return take(verdict, std::move(output_.fail_reason), std::move(output_.fail_message));
  }
  is_unexplained_ = true;
  return take(verdict, "PlanFailed",
              fmt::format("the plugin's plan returned status {} and did not say why", returned));
}

plan_output plan_sink::close_after_throw(std::string_view what) {
  return take(
      plan_verdict::terminal, "PluginThrew",
      fmt::format("an exception left the plugin, which no plugin may let happen: {}", what));
}

plan_sink::answer plan_sink::take_bytes(oarlock_encoding encoding, oarlock_bytes_view lent,
                                        std::string& out) {
  if (encoding != OARLOCK_ENCODING_JSON) {
    return {OARLOCK_INVALID, fmt::format("expected encoding {} (JSON), found {}",
                                         static_cast<int>(OARLOCK_ENCODING_JSON), encoding)};
  }
  if (lent.data == nullptr || lent.size == 0) {
    return {OARLOCK_INVALID,
            fmt::format("expected JSON, found {}", lent.data == nullptr ? "NULL" : "no bytes")};
  }
  if (lent.size > plan_limits::object_bytes_max) {
    return {OARLOCK_LIMIT, fmt::format("expected at most {} bytes, found {}",
                                       plan_limits::object_bytes_max, lent.size)};
  }
  if (bytes_ + lent.size > plan_limits::total_bytes_max) {
    return {OARLOCK_LIMIT, fmt::format("expected at most {} bytes in one plan, found more",
                                       plan_limits::total_bytes_max)};
  }
  bytes_ += lent.size;
  out.assign(reinterpret_cast<const char*>(lent.data), lent.size);
  return {};
}

// A child must be of a kind that plugin.yaml declares under `owns`, in the primary's namespace.
plan_sink::answer plan_sink::check_child(const std::string& json) {
  const auto parsed = json::parse(json);
  if (!parsed) return {OARLOCK_INVALID, parsed.error().message};
  if (!parsed->IsObject()) return {OARLOCK_INVALID, "expected a JSON object, found another value"};
  const auto api_version = json::string_at(*parsed, "/apiVersion");
  const auto kind = json::string_at(*parsed, "/kind");
  const auto name = json::string_at(*parsed, "/metadata/name");
  if (api_version.empty() || kind.empty() || name.empty()) {
    return {OARLOCK_INVALID,
            fmt::format("expected apiVersion, kind and metadata.name, found \"{}\", \"{}\", \"{}\"",
                        api_version, kind, name)};
  }
  const kube::resource* declared = nullptr;
  for (const auto* list : {&input_->spec->owns, &input_->spec->owns_uncached}) {
    const auto found = std::find_if(list->begin(), list->end(), [&](const kube::resource& r) {
      return r.kind == kind && r.api_version() == api_version;
    });
    if (found != list->end()) declared = &*found;
  }
  if (declared == nullptr) {
    return {OARLOCK_INVALID, fmt::format("expected a kind that plugin.yaml lists under owns, found "
                                         "{} {}; add it there",
                                         api_version, kind)};
  }
  const auto ns = json::string_at(*parsed, "/metadata/namespace");
  if (!ns.empty() && ns != input_->key.ns) {
    return {OARLOCK_INVALID, fmt::format("expected {} {} in the namespace of its owner, \"{}\", "
                                         "found \"{}\"",
                                         kind, name, input_->key.ns, ns)};
  }
  if (!named_.insert(fmt::format("{} {}", declared->name(), name)).second) {
    return {OARLOCK_INVALID,
            fmt::format("expected each child once, found {} {} twice", kind, name)};
  }
  return {};
}

plan_sink::answer plan_sink::apply(std::uint32_t group, oarlock_encoding encoding,
                                   oarlock_bytes_view object) {
  if (output_.apply_set.size() >= limits::apply_intents_max) {
    return {OARLOCK_LIMIT,
            fmt::format("expected at most {} children, found more", limits::apply_intents_max)};
  }
  std::string json;
  if (auto a = take_bytes(encoding, object, json); a.status != OARLOCK_OK) return a;
  if (auto a = check_child(json); a.status != OARLOCK_OK) return a;
  if (output_.apply_set.empty()) output_.steps_before_apply_set = output_.steps.size();
  output_.apply_set.push_back({group, std::move(json)});
  return {};
}

// Fields of .status: an object without those that the host keeps.
plan_sink::answer plan_sink::take_status(const std::string& json) {
  const auto parsed = json::parse(json);
  if (!parsed) return {OARLOCK_INVALID, parsed.error().message};
  if (!parsed->IsObject()) return {OARLOCK_INVALID, "expected a JSON object, found another value"};
  for (const char* kept : {"conditions", "observedGeneration"}) {
    if (parsed->HasMember(kept)) {
      return {OARLOCK_INVALID,
              fmt::format("expected no field \"{}\", which the host keeps, found it", kept)};
    }
  }
  return {};
}

plan_sink::answer plan_sink::check_room() const {
  if (output_.steps.size() < plan_limits::steps_max) return {};
  return {OARLOCK_LIMIT,
          fmt::format("expected at most {} steps, found more", plan_limits::steps_max)};
}

plan_sink::answer plan_sink::create_once(oarlock_encoding encoding, oarlock_bytes_view object) {
  if (auto a = check_room(); a.status != OARLOCK_OK) return a;
  std::string json;
  if (auto a = take_bytes(encoding, object, json); a.status != OARLOCK_OK) return a;
  if (auto a = check_child(json); a.status != OARLOCK_OK) return a;
  output_.steps.emplace_back(controller::create_once{std::move(json)});
  return {};
}

// The kind must be one that plugin.yaml lets plans change.
plan_sink::answer plan_sink::take_target(const oarlock_target_view* view, use what,
                                         controller::step_target& out) {
  if (view == nullptr) return {OARLOCK_INVALID, "expected a target, found NULL"};
  if (!OARLOCK_HAS_FIELD(view, oarlock_target_view, resource_version)) {
    return {OARLOCK_INVALID, fmt::format("expected struct_size >= {}, found {}",
                                         sizeof(oarlock_target_view), view->struct_size)};
  }
  for (const auto& trouble :
       {trouble_of_text(view->resource, "resource", plan_limits::id_bytes_max),
        trouble_of_text(view->name, "name", plan_limits::id_bytes_max),
        trouble_of_text(view->uid, "uid", plan_limits::id_bytes_max),
        trouble_of_text(view->resource_version, "resource_version", plan_limits::id_bytes_max)}) {
    if (!trouble.empty()) return {OARLOCK_INVALID, trouble};
  }
  const auto resource = text_of(view->resource);
  const auto& spec = *input_->spec;
  const kube::resource* found = nullptr;
  bool uncached = false;
  for (const auto& r : spec.owns)
    if (r.name() == resource) found = &r;
  for (const auto& r : spec.owns_uncached) {
    if (r.name() != resource) continue;
    found = &r;
    uncached = true;
  }
  for (const auto& w : spec.watches) {
    const bool may = what == use::patch ? w.may_patch : w.may_delete;
    if (may && w.resource.name() == resource) found = &w.resource;
  }
  if (found == nullptr) {
    return {OARLOCK_INVALID,
            fmt::format("expected a kind that plugin.yaml lists under owns, or under watches with "
                        "writes: [{}], found \"{}\"",
                        what == use::patch ? "patch" : "delete", resource)};
  }
  out = {*found, text_of(view->name), text_of(view->uid), text_of(view->resource_version)};
  const bool needs_uid = !uncached || what == use::patch;
  if (out.name.empty() || (needs_uid && out.uid.empty())) {
    return {OARLOCK_INVALID, fmt::format("expected name and uid of a {}, found \"{}\" and \"{}\"",
                                         found->kind, out.name, out.uid)};
  }
  if (!named_.insert(fmt::format("{} {}", resource, out.name)).second) {
    return {OARLOCK_INVALID, fmt::format("expected one step for each object, found a second for "
                                         "{} {}",
                                         found->kind, out.name)};
  }
  return {};
}

plan_sink::answer plan_sink::patch_existing(const oarlock_target_view* target,
                                            oarlock_patch_kind kind, oarlock_encoding encoding,
                                            oarlock_bytes_view patch) {
  if (auto a = check_room(); a.status != OARLOCK_OK) return a;
  if (kind != OARLOCK_PATCH_MERGE && kind != OARLOCK_PATCH_APPLY) {
    return {OARLOCK_INVALID, fmt::format("expected a kind of patch, 1 or 2, found {}", kind)};
  }
  controller::patch_existing made;
  made.merge = kind == OARLOCK_PATCH_MERGE;
  if (auto a = take_bytes(encoding, patch, made.json); a.status != OARLOCK_OK) return a;
  const auto parsed = json::parse(made.json);
  if (!parsed) return {OARLOCK_INVALID, parsed.error().message};
  if (!parsed->IsObject()) return {OARLOCK_INVALID, "expected a JSON object, found another value"};
  if (auto a = take_target(target, use::patch, made.target); a.status != OARLOCK_OK) return a;
  output_.steps.emplace_back(std::move(made));
  return {};
}

plan_sink::answer plan_sink::remove(const oarlock_target_view* target, std::int64_t grace_seconds,
                                    oarlock_propagation propagation) {
  if (auto a = check_room(); a.status != OARLOCK_OK) return a;
  controller::delete_object made;
  if (auto a = take_target(target, use::remove, made.target); a.status != OARLOCK_OK) return a;
  if (grace_seconds >= 0) made.grace_seconds = grace_seconds;
  // A value that this core does not know: the default of nearly every kind.
  if (propagation == OARLOCK_PROPAGATE_FOREGROUND) made.propagation = "Foreground";
  if (propagation == OARLOCK_PROPAGATE_ORPHAN) made.propagation = "Orphan";
  output_.steps.emplace_back(std::move(made));
  return {};
}

plan_sink::answer plan_sink::swap_status(oarlock_str_view resource_version,
                                         oarlock_encoding encoding, oarlock_bytes_view status) {
  if (auto a = check_room(); a.status != OARLOCK_OK) return a;
  const auto trouble =
      trouble_of_text(resource_version, "resource_version", plan_limits::id_bytes_max);
  if (!trouble.empty()) return {OARLOCK_INVALID, trouble};
  if (resource_version.size == 0) {
    return {OARLOCK_INVALID, "expected the primary's resource version, found none"};
  }
  controller::status_swap made{{}, text_of(resource_version)};
  if (auto a = take_bytes(encoding, status, made.json); a.status != OARLOCK_OK) return a;
  if (auto a = take_status(made.json); a.status != OARLOCK_OK) return a;
  output_.steps.emplace_back(std::move(made));
  return {};
}

plan_sink::answer plan_sink::effect(oarlock_str_view name, oarlock_encoding encoding,
                                    oarlock_bytes_view payload) {
  if (auto a = check_room(); a.status != OARLOCK_OK) return a;
  const auto trouble = trouble_of_text(name, "name", plan_limits::effect_name_bytes_max);
  if (!trouble.empty()) return {OARLOCK_INVALID, trouble};
  controller::plugin_effect made{text_of(name), {}};
  if (!is_effect_name(made.name)) {
    return {OARLOCK_INVALID,
            fmt::format("expected a name of letters, digits and -_., found \"{}\"", made.name)};
  }
  if (payload.size > 0) {
    if (auto a = take_bytes(encoding, payload, made.payload); a.status != OARLOCK_OK) return a;
    const auto parsed = json::parse(made.payload);
    if (!parsed) return {OARLOCK_INVALID, parsed.error().message};
  }
  output_.steps.emplace_back(std::move(made));
  return {};
}

plan_sink::answer plan_sink::set_status(oarlock_encoding encoding, oarlock_bytes_view status) {
  if (output_.status_json) return {OARLOCK_INVALID, "expected one call at most, found a second"};
  std::string json;
  if (auto a = take_bytes(encoding, status, json); a.status != OARLOCK_OK) return a;
  if (auto a = take_status(json); a.status != OARLOCK_OK) return a;
  output_.status_json = std::move(json);
  return {};
}

plan_sink::answer plan_sink::add_condition(const oarlock_condition_view* view) {
  if (view == nullptr) return {OARLOCK_INVALID, "expected a condition, found NULL"};
  if (!OARLOCK_HAS_FIELD(view, oarlock_condition_view, message)) {
    return {OARLOCK_INVALID, fmt::format("expected struct_size >= {}, found {}",
                                         sizeof(oarlock_condition_view), view->struct_size)};
  }
  for (const auto& trouble :
       {trouble_of_text(view->type, "type", plan_limits::condition_type_bytes_max),
        trouble_of_text(view->reason, "reason", plan_limits::condition_reason_bytes_max),
        trouble_of_text(view->message, "message", limits::condition_message_bytes_max)}) {
    if (!trouble.empty()) return {OARLOCK_INVALID, trouble};
  }
  controller::condition made{text_of(view->type), controller::condition_status::unknown,
                             text_of(view->reason), text_of(view->message)};
  if (!is_condition_type(made.type)) {
    return {OARLOCK_INVALID, fmt::format("expected a type such as Ready, found \"{}\"", made.type)};
  }
  if (!is_reason(made.reason)) {
    return {OARLOCK_INVALID, fmt::format("expected a CamelCase reason for {}, found \"{}\"",
                                         made.type, made.reason)};
  }
  switch (view->status) {
    case OARLOCK_CONDITION_FALSE:
      made.status = controller::condition_status::no;
      break;
    case OARLOCK_CONDITION_TRUE:
      made.status = controller::condition_status::yes;
      break;
    default:
      break;  // a value that this core does not know: unknown
  }
  auto& all = output_.conditions;
  const auto there =
      std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.type == made.type; });
  if (there != all.end()) {
    *there = std::move(made);
    return {};
  }
  if (all.size() >= plan_limits::conditions_max) {
    return {OARLOCK_LIMIT,
            fmt::format("expected at most {} conditions, found more", plan_limits::conditions_max)};
  }
  all.push_back(std::move(made));
  return {};
}

plan_sink::answer plan_sink::add_event(oarlock_event_type type, oarlock_str_view reason,
                                       oarlock_str_view message) {
  if (output_.events.size() >= plan_limits::events_max) {
    return {OARLOCK_LIMIT,
            fmt::format("expected at most {} events, found more", plan_limits::events_max)};
  }
  for (const auto& trouble :
       {trouble_of_text(reason, "reason", plan_limits::event_reason_bytes_max),
        trouble_of_text(message, "message", limits::condition_message_bytes_max)}) {
    if (!trouble.empty()) return {OARLOCK_INVALID, trouble};
  }
  if (!is_reason(text_of(reason))) {
    return {OARLOCK_INVALID,
            fmt::format("expected a CamelCase reason, found \"{}\"", text_of(reason))};
  }
  // A type that this core does not know is worth a look: a warning.
  output_.events.push_back({type != OARLOCK_EVENT_NORMAL, text_of(reason),
                            shortened(text_of(message), plan_limits::event_message_bytes_max)});
  return {};
}

plan_sink::answer plan_sink::requeue_after(std::int64_t delay_ms) {
  if (delay_ms < 0) {
    return {OARLOCK_INVALID, fmt::format("expected a delay >= 0, found {}", delay_ms)};
  }
  if (delay_ms < plan_limits::requeue_ms_min && !std::exchange(told_of_haste_, true)) {
    log_warn(
        "plugin asks to plan again at once; it waits a little each time",
        {{"plugin", plugin_}, {"asked_ms", delay_ms}, {"waits_ms", plan_limits::requeue_ms_min}});
  }
  const std::chrono::milliseconds delay(
      std::clamp(delay_ms, plan_limits::requeue_ms_min, plan_limits::requeue_ms_max));
  output_.requeue_after = std::min(output_.requeue_after.value_or(delay), delay);
  return {};
}

plan_sink::answer plan_sink::set_finished() {
  if (!input_->deleting) {
    return {OARLOCK_INVALID, "expected an object that is being deleted, found one that is not"};
  }
  output_.finished = true;
  return {};
}

plan_sink::answer plan_sink::set_failure(oarlock_str_view reason, oarlock_str_view message) {
  for (const auto& trouble :
       {trouble_of_text(reason, "reason", plan_limits::condition_reason_bytes_max),
        trouble_of_text(message, "message", limits::condition_message_bytes_max)}) {
    if (!trouble.empty()) return {OARLOCK_INVALID, trouble};
  }
  if (!is_reason(text_of(reason))) {
    return {OARLOCK_INVALID,
            fmt::format("expected a CamelCase reason, found \"{}\"", text_of(reason))};
  }
  output_.fail_reason = text_of(reason);
  output_.fail_message = text_of(message);
  return {};
}

plan_sinks::~plan_sinks() {
  static auto& kept = *new guarded<std::vector<std::unique_ptr<plan_sink>>>;
  pool_.with([](pool& p) {
    kept.with([&](auto& all) { std::move(p.all.begin(), p.all.end(), std::back_inserter(all)); });
  });
}

plan_sink& plan_sinks::borrow() {
  return *pool_.with([&](pool& p) {
    if (p.idle.empty()) {
      p.all.push_back(std::make_unique<plan_sink>(plugin_));
      // Reserved here, so that giving back cannot fail.
      p.idle.reserve(p.all.size());
      return p.all.back().get();
    }
    plan_sink* sink = p.idle.back();
    p.idle.pop_back();
    return sink;
  });
}

void plan_sinks::give_back(plan_sink& sink) {
  pool_.with([&](pool& p) { p.idle.push_back(&sink); });
}

}  // namespace oarlock::plugin
