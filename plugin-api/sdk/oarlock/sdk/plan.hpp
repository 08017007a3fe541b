#pragma once
// What a plan sees and what it says, in C++.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "oarlock/plan.h"
#include "oarlock/sdk/json.hpp"
#include "oarlock/sdk/json_value.hpp"
#include "oarlock/sdk/notes.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

/// Thrown out of plan(), observe() or effect(): it failed and may work later. The host retries with
/// backoff.
class retry_error : public std::runtime_error {
 public:
  retry_error(std::string reason, const std::string& message)
      : std::runtime_error(message), reason_(std::move(reason)) {}
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  std::string reason_;
};

/// Thrown in the same places: it will fail again until the object changes. No retry.
class terminal_error : public retry_error {
 public:
  using retry_error::retry_error;
};

/// One API object of the input, parsed when it is first looked at. Valid during the plan, on the
/// thread of the plan. Reading an object that is not JSON throws json::parse_error.
class object {
 public:
  explicit object(const oarlock_object_view& lent) : lent_(&lent) {}

  /// "deployments.apps", as in plugin.yaml.
  [[nodiscard]] std::string_view resource() const { return to_text(lent_->resource); }
  /// As it was lent, in JSON.
  [[nodiscard]] std::string_view json_text() const { return to_text(lent_->bytes); }
  [[nodiscard]] json::node root() const {
    if (!document_) {
      if (lent_->encoding != OARLOCK_ENCODING_JSON) {
        throw json::parse_error("expected an object in JSON, found encoding " +
                                std::to_string(lent_->encoding));
      }
      document_ = std::make_unique<rapidjson::Document>(json::parse(to_text(lent_->bytes)));
    }
    return json::node{document_.get()};
  }
  [[nodiscard]] json::node operator[](std::string_view key) const { return root()[key]; }

  [[nodiscard]] json::node metadata() const { return root()["metadata"]; }
  [[nodiscard]] std::string_view name() const { return metadata()["name"].text(); }
  [[nodiscard]] std::string_view ns() const { return metadata()["namespace"].text(); }
  [[nodiscard]] std::string_view uid() const { return metadata()["uid"].text(); }
  [[nodiscard]] std::string_view resource_version() const {
    return metadata()["resourceVersion"].text();
  }
  [[nodiscard]] std::int64_t generation() const { return metadata()["generation"].integer(); }
  [[nodiscard]] std::string_view label(std::string_view key) const {
    return metadata()["labels"][key].text();
  }
  [[nodiscard]] bool deleting() const { return metadata()["deletionTimestamp"].exists(); }
  /// The entry of .status.conditions with this type, or nowhere.
  [[nodiscard]] json::node condition(std::string_view type) const {
    for (const json::node entry : root()["status"]["conditions"]) {
      if (entry["type"].text() == type) return entry;
    }
    return {};
  }

 private:
  const oarlock_object_view* lent_;
  mutable std::unique_ptr<rapidjson::Document> document_;
};

/// How the last attempt failed after its plan was made.
struct failure {
  std::string_view step;
  std::string_view reason;
  std::string_view message;
};

/// Everything that one plan may look at. Valid during the plan.
class plan_input {
 public:
  explicit plan_input(const oarlock_plan_view& view)
      : view_(&view),
        primary_(*view.primary),
        owned_(all<object>(view.owned, view.owned_count, view.object_stride)),
        watched_(all<object>(view.watched, view.watched_count, view.object_stride)),
        notes_(all<note>(view.notes, view.note_count, view.note_stride)) {}

  [[nodiscard]] std::string_view controller() const { return to_text(view_->controller); }
  [[nodiscard]] std::string_view ns() const { return to_text(view_->object_namespace); }
  [[nodiscard]] std::string_view name() const { return to_text(view_->object_name); }
  [[nodiscard]] const object& primary() const { return primary_; }
  /// Objects with an owner reference to the primary.
  [[nodiscard]] const std::vector<object>& owned() const { return owned_; }
  /// Objects that `watches` of the manifest maps to the primary.
  [[nodiscard]] const std::vector<object>& watched() const { return watched_; }
  /// The owned object of this resource ("deployments.apps") and name, or null.
  [[nodiscard]] const object* owned(std::string_view resource, std::string_view name) const {
    for (const auto& child : owned_) {
      if (child.resource() == resource && child.name() == name) return &child;
    }
    return nullptr;
  }
  /// The only clock that a plan may use.
  [[nodiscard]] std::int64_t now_unix_ms() const { return view_->now_unix_ms; }
  /// The primary is being deleted: undo what has to be undone, then say finished(). Only with
  /// `finalizer: true` in plugin.yaml.
  [[nodiscard]] bool deleting() const { return view_->deleting != 0; }
  /// What observe() answered; nowhere when it did not.
  [[nodiscard]] json::node observation() const {
    if (view_->observation.size == 0) return {};
    if (!observation_) {
      observation_ =
          std::make_unique<rapidjson::Document>(json::parse(to_text(view_->observation)));
    }
    return json::node{observation_.get()};
  }
  /// What requests of pods have left (inbound.hpp), by name: the last value of each.
  [[nodiscard]] const std::vector<note>& notes() const { return notes_; }
  /// The one of this name, or null.
  [[nodiscard]] const note* find_note(std::string_view name) const {
    for (const auto& one : notes_) {
      if (one.name() == name) return &one;
    }
    return nullptr;
  }
  /// How pods reach the daemon; nothing where they do not, or not yet.
  [[nodiscard]] std::optional<inbound_endpoint> inbound() const {
    const auto* there = view_->inbound;
    if (there == nullptr) return std::nullopt;
    return inbound_endpoint{to_text(there->url), to_text(there->ca_pem), to_text(there->audience)};
  }
  [[nodiscard]] std::optional<failure> last_failure() const {
    const auto* last = view_->last_failure;
    if (last == nullptr) return std::nullopt;
    return failure{to_text(last->step), to_text(last->reason), to_text(last->message)};
  }

 private:
  // They lie `stride` bytes apart: a newer host may have longer ones than these headers know.
  template <class Item, class View>
  static std::vector<Item> all(const View* first, std::uint64_t count, std::uint32_t stride) {
    std::vector<Item> items;
    items.reserve(count);
    const auto* at = reinterpret_cast<const unsigned char*>(first);
    for (std::uint64_t i = 0; i < count; ++i, at += stride)
      items.emplace_back(*reinterpret_cast<const View*>(at));
    return items;
  }

  const oarlock_plan_view* view_;
  object primary_;
  std::vector<object> owned_;
  std::vector<object> watched_;
  std::vector<note> notes_;
  mutable std::unique_ptr<rapidjson::Document> observation_;
};

enum class condition_status : oarlock_condition_status {
  no = OARLOCK_CONDITION_FALSE,
  yes = OARLOCK_CONDITION_TRUE,
  unknown = OARLOCK_CONDITION_UNKNOWN
};

/// An object that a step is about. Its texts must live until the call with it returns.
struct target {
  std::string_view resource;  ///< "pods", "deployments.apps"
  std::string_view name;
  std::string_view uid = {};  ///< empty only for kinds that are not cached
  std::string_view resource_version = {};
};
/// The object as the plan sees it. `exactly`: refused if it has changed since.
[[nodiscard]] inline target target_of(const object& o, bool exactly = false) {
  return {o.resource(), o.name(), o.uid(), exactly ? o.resource_version() : std::string_view{}};
}

enum class patch_kind : oarlock_patch_kind {
  merge = OARLOCK_PATCH_MERGE,
  apply = OARLOCK_PATCH_APPLY
};
enum class propagation : oarlock_propagation {
  background = OARLOCK_PROPAGATE_BACKGROUND,
  foreground = OARLOCK_PROPAGATE_FOREGROUND,
  orphan = OARLOCK_PROPAGATE_ORPHAN
};

/// Where a plan says what shall be. A call that the host refuses throws, which ends the plan.
class plan_output {
 public:
  explicit plan_output(const oarlock_plan_out& out) : out_(&out) {}

  /// A child that shall exist with these fields: apiVersion, kind, metadata.name and whatever the
  /// plugin cares about. Lower groups are applied first.
  void apply(const json::value& child, std::uint32_t group = 0) {
    const std::string text = child.text();
    check(out_->apply(out_->ctx, group, OARLOCK_ENCODING_JSON, to_bytes(text)), "apply");
  }
  /// A child that is made when it is missing, and left as it is when it is there.
  void create_once(const json::value& child) {
    const std::string text = child.text();
    check(out_->create_once(out_->ctx, OARLOCK_ENCODING_JSON, to_bytes(text)), "create_once");
  }
  /// Changes fields of an object that exists; never makes one.
  void patch_existing(const target& what, const json::value& patch,
                      patch_kind kind = patch_kind::merge) {
    const std::string text = patch.text();
    const auto view = view_of(what);
    check(out_->patch_existing(out_->ctx, &view, static_cast<oarlock_patch_kind>(kind),
                               OARLOCK_ENCODING_JSON, to_bytes(text)),
          "patch_existing");
  }
  /// Deletes an object. `grace` below 0: the kind's own.
  void remove(const target& what, std::chrono::seconds grace = std::chrono::seconds(-1),
              propagation how = propagation::background) {
    const auto view = view_of(what);
    check(out_->remove(out_->ctx, &view, grace.count(), static_cast<oarlock_propagation>(how)),
          "remove");
  }
  /// Writes these fields of .status now, if the primary still has this version.
  void swap_status(std::string_view resource_version, const json::value& fields) {
    const std::string text = fields.text();
    check(out_->swap_status(out_->ctx, to_view(resource_version), OARLOCK_ENCODING_JSON,
                            to_bytes(text)),
          "swap_status");
  }
  /// Something that effect() does outside of Kubernetes when its turn has come. It may happen
  /// unseen and is then planned again: record only what observe() has found still to be done.
  void effect(std::string_view name, const json::value& payload = {}) {
    const std::string text = payload.is_null() ? std::string{} : payload.text();
    check(out_->effect(out_->ctx, to_view(name), OARLOCK_ENCODING_JSON, to_bytes(text)), "effect");
  }
  /// The plugin's own fields of .status; conditions and observedGeneration come from the host.
  void status(const json::value& fields) {
    const std::string text = fields.text();
    check(out_->status(out_->ctx, OARLOCK_ENCODING_JSON, to_bytes(text)), "status");
  }
  void condition(std::string_view type, condition_status status, std::string_view reason,
                 std::string_view message) {
    const oarlock_condition_view view{sizeof(view), static_cast<std::int32_t>(status),
                                      to_view(type), to_view(reason), to_view(message)};
    check(out_->condition(out_->ctx, &view), "condition");
  }
  void normal_event(std::string_view reason, std::string_view message) {
    event(OARLOCK_EVENT_NORMAL, reason, message);
  }
  void warning_event(std::string_view reason, std::string_view message) {
    event(OARLOCK_EVENT_WARNING, reason, message);
  }
  /// Plan again after `delay` even if nothing changes; the smallest call wins.
  void requeue_after(std::chrono::milliseconds delay) {
    check(out_->requeue_after(out_->ctx, delay.count()), "requeue_after");
  }
  /// Of a deletion: nothing is left to be done once this plan is carried out. The finalizer goes.
  void finished() { check(out_->finished(out_->ctx), "finished"); }

  /// The host's table, for what is built above this class.
  [[nodiscard]] const oarlock_plan_out& table() const { return *out_; }
  /// Throws terminal_error when the host refused `call`.
  static void check(oarlock_status status, const char* call) {
    if (status == OARLOCK_OK) return;
    throw terminal_error("PlanRefused", std::string("the host refused ") + call + "(): status " +
                                            std::to_string(status));
  }

 private:
  static oarlock_target_view view_of(const target& t) {
    return {sizeof(oarlock_target_view), 0, to_view(t.resource), to_view(t.name), to_view(t.uid),
            to_view(t.resource_version)};
  }
  void event(oarlock_event_type type, std::string_view reason, std::string_view message) {
    check(out_->event(out_->ctx, type, to_view(reason), to_view(message)), "event");
  }

  const oarlock_plan_out* out_;
};

}  // namespace oarlock::sdk
