#pragma once
// What a plan of typed objects sees and what it says: input<my_app> and output<my_app>.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oarlock/sdk/log.hpp"
#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/typed/kind.hpp"
#include "oarlock/sdk/typed/merge_patch.hpp"

namespace oarlock::sdk {

namespace detail {

/// The primary, of what `source` becomes and has to outlive.
template <kubernetes_kind Primary>
Primary read_primary(const object& from, schema::source& source) {
  try {
    source = {from.root().raw(), true};
    Primary made{};
    schema::read_struct(Primary::schema(), &made, *source.root, {nullptr, {}, 0, false, &source});
    if constexpr (requires { made.spec.lent(); }) {
      // The intent is checked whole and at once; what is recorded, when it is looked at.
      if (const auto* spec = made.spec.lent(); spec != nullptr) {
        const schema::place root, at = root.field("spec");
        schema::check_required(std::remove_cvref_t<decltype(*made.spec)>::schema(), *spec, at);
        schema::read_struct(std::remove_cvref_t<decltype(*made.spec)>::schema(),
                            &made.spec.emplace(), *spec, at);
      }
    }
    return made;
  } catch (const json::parse_error& e) {
    throw terminal_error("InvalidSpec", e.what());
  }
}

inline std::string_view text_or_none(const std::optional<std::string>& field) {
  return field ? std::string_view(*field) : std::string_view{};
}

template <kubernetes_kind Kind>
target target_of(const Kind& there, bool exactly) {
  const object_meta& meta = *there.metadata;
  return {Kind::resource, text_or_none(meta.name), text_or_none(meta.uid),
          exactly ? text_or_none(meta.resource_version) : std::string_view{}};
}

}  // namespace detail

/// What a plan may look at. The primary's spec is what its schema says; in other objects, and in
/// the primary's status, a field of another type than declared counts as unset. Valid during the
/// plan, on its thread; what is copied out of it stays.
template <kubernetes_kind Primary>
class input {
 public:
  /// Throws terminal_error InvalidSpec when .spec is not what its schema says, which an API server
  /// with that schema does not let through.
  explicit input(const plan_input& untyped, const logger& log = {})
      : untyped_(&untyped),
        log_(log),
        owned_(untyped.owned().size()),
        watched_(untyped.watched().size()),
        primary_(detail::read_primary<Primary>(untyped.primary(), source_)) {}
  input(const input&) = delete;
  input& operator=(const input&) = delete;

  [[nodiscard]] const Primary& primary() const { return primary_; }
  [[nodiscard]] std::string_view name() const { return untyped_->name(); }
  [[nodiscard]] std::string_view ns() const { return untyped_->ns(); }

  /// The owned object of this kind and name, or null.
  template <kubernetes_kind Kind>
  [[nodiscard]] const Kind* owned(std::string_view name) const {
    const auto& all = untyped_->owned();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].resource() == Kind::resource && all[i].name() == name) {
        return &detail::typed<Kind>(all[i], owned_[i]);
      }
    }
    return nullptr;
  }
  /// All owned objects of this kind.
  template <kubernetes_kind Kind>
  [[nodiscard]] std::vector<const Kind*> owned() const {
    return of_kind<Kind>(untyped_->owned(), owned_);
  }
  /// Objects of this kind that `watches` of plugin.yaml maps to the primary.
  template <kubernetes_kind Kind>
  [[nodiscard]] std::vector<const Kind*> watched() const {
    return of_kind<Kind>(untyped_->watched(), watched_);
  }

  /// The only clock that a plan may use.
  [[nodiscard]] std::int64_t now_unix_ms() const { return untyped_->now_unix_ms(); }
  /// The primary is being deleted: undo what has to be undone, then say finished(). Only with
  /// `finalizer: true` in plugin.yaml.
  [[nodiscard]] bool deleting() const { return untyped_->deleting(); }
  /// What observe() answered; nowhere when it did not.
  [[nodiscard]] json::node observation() const { return untyped_->observation(); }
  /// What requests of pods have left: see outside.hpp. By name, the last value of each.
  [[nodiscard]] const std::vector<note>& notes() const { return untyped_->notes(); }
  [[nodiscard]] const note* find_note(std::string_view name) const {
    return untyped_->find_note(name);
  }
  /// How pods reach the daemon; nothing where they do not, or not yet.
  [[nodiscard]] std::optional<inbound_endpoint> inbound() const { return untyped_->inbound(); }
  [[nodiscard]] std::optional<failure> last_failure() const { return untyped_->last_failure(); }
  /// For what people may want to know; changes no answer. Records say which object it is about.
  [[nodiscard]] const logger& log() const { return log_; }
  /// The same without types.
  [[nodiscard]] const plan_input& untyped() const { return *untyped_; }

 private:
  using slots = std::vector<std::unique_ptr<detail::any_typed>>;

  template <kubernetes_kind Kind>
  static std::vector<const Kind*> of_kind(const std::vector<object>& all, slots& typed) {
    std::vector<const Kind*> found;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].resource() == Kind::resource) {
        found.push_back(&detail::typed<Kind>(all[i], typed[i]));
      }
    }
    return found;
  }

  const plan_input* untyped_;
  logger log_;
  schema::source source_;
  mutable slots owned_, watched_;
  Primary primary_;
};

/// Where a plan says what shall be. A call that the host refuses throws, which ends the plan.
template <kubernetes_kind Primary>
class output {
 public:
  explicit output(plan_output& untyped) : untyped_(&untyped) {}

  /// A child that shall exist with the fields that are set in it. Lower groups are applied first.
  template <kubernetes_kind Kind>
  void apply(const Kind& child, std::uint32_t group = 0) {
    const auto& out = untyped_->table();
    const std::string text = to_json(child);
    plan_output::check(out.apply(out.ctx, group, OARLOCK_ENCODING_JSON, to_bytes(text)), "apply");
  }
  /// A child that is made when it is missing, and left as it is when it is there.
  template <kubernetes_kind Kind>
  void create_once(const Kind& child) {
    const auto& out = untyped_->table();
    const std::string text = to_json(child);
    plan_output::check(out.create_once(out.ctx, OARLOCK_ENCODING_JSON, to_bytes(text)),
                       "create_once");
  }
  /// Deletes an object of the input. `exactly`: refused if it has changed since.
  template <kubernetes_kind Kind>
  void remove(const Kind& there, bool exactly = false,
              std::chrono::seconds grace = std::chrono::seconds(-1),
              propagation how = propagation::background) {
    untyped_->remove(detail::target_of(there, exactly), grace, how);
  }
  /// Makes an object of the input into `changed`, a copy of it that the plan has changed: fields
  /// that differ are sent, lists as a whole, and nothing else is touched. No step where none does.
  template <kubernetes_kind Kind>
  void patch_existing(const Kind& there, const Kind& changed, bool exactly = false) {
    const auto before = json::parse(to_json(there)), after = json::parse(to_json(changed));
    rapidjson::Document memory;
    const auto patch = schema::merge_patch(before, after, memory.GetAllocator());
    if (patch.ObjectEmpty()) return;
    untyped_->patch_existing(detail::target_of(there, exactly), json::copy(json::node(&patch)));
  }
  /// Writes these fields of .status now, if the primary is still as `seen`, that of the input: what
  /// must be on record before the steps behind it. status() says all fields, these too.
  template <has_status Kind = Primary>
  void swap_status(const Primary& seen, const typename Kind::status_type& fields) {
    const auto& out = untyped_->table();
    const std::string text = to_json(fields);
    const auto version = detail::text_or_none(seen.metadata->resource_version);
    plan_output::check(
        out.swap_status(out.ctx, to_view(version), OARLOCK_ENCODING_JSON, to_bytes(text)),
        "swap_status");
  }
  /// Something that is done outside of Kubernetes when its turn has come: see outside.hpp. It may
  /// happen unseen and is then planned again: record only what was observed to be still undone.
  template <described Payload>
  void effect(std::string_view name, const Payload& payload) {
    const auto& out = untyped_->table();
    const std::string text = to_json(payload);
    plan_output::check(out.effect(out.ctx, to_view(name), OARLOCK_ENCODING_JSON, to_bytes(text)),
                       "effect");
  }
  void effect(std::string_view name, const json::value& payload = {}) {
    untyped_->effect(name, payload);
  }
  /// The plugin's own fields of .status; conditions and observedGeneration come from the host.
  template <has_status Kind = Primary>
  void status(const typename Kind::status_type& fields) {
    const auto& out = untyped_->table();
    const std::string text = to_json(fields);
    plan_output::check(out.status(out.ctx, OARLOCK_ENCODING_JSON, to_bytes(text)), "status");
  }

  void condition(std::string_view type, bool is_true, std::string_view reason,
                 std::string_view message) {
    condition(type, is_true ? condition_status::yes : condition_status::no, reason, message);
  }
  void condition(std::string_view type, condition_status status, std::string_view reason,
                 std::string_view message) {
    untyped_->condition(type, status, reason, message);
  }
  // The three conditions by which kubectl, Helm and GitOps tools know how far it is (kstatus).
  /// All is as wanted.
  void ready(std::string_view reason, std::string_view message) {
    conditions(true, false, false, reason, message);
  }
  /// It is not yet, and work goes on.
  void reconciling(std::string_view reason, std::string_view message) {
    conditions(false, true, false, reason, message);
  }
  /// It does not go on by itself.
  void stalled(std::string_view reason, std::string_view message) {
    conditions(false, false, true, reason, message);
  }
  /// It is not, and the host says whether it goes on: after a step that failed.
  void not_ready(std::string_view reason, std::string_view message) {
    condition("Ready", false, reason, message);
  }

  void normal_event(std::string_view reason, std::string_view message) {
    untyped_->normal_event(reason, message);
  }
  void warning_event(std::string_view reason, std::string_view message) {
    untyped_->warning_event(reason, message);
  }
  /// Plan again after `delay` even if nothing changes; the smallest call wins.
  void requeue_after(std::chrono::milliseconds delay) { untyped_->requeue_after(delay); }
  /// Of a deletion: nothing is left to be done once this plan is carried out. The finalizer goes.
  void finished() { untyped_->finished(); }
  /// The same without types.
  [[nodiscard]] plan_output& untyped() { return *untyped_; }

 private:
  void conditions(bool is_ready, bool is_reconciling, bool is_stalled, std::string_view reason,
                  std::string_view message) {
    condition("Ready", is_ready, reason, message);
    condition("Reconciling", is_reconciling, reason, message);
    condition("Stalled", is_stalled, reason, message);
  }

  plan_output* untyped_;
};

}  // namespace oarlock::sdk
