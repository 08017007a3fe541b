#include "plan.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include "progress.hpp"
#include "queue.hpp"
#include "run.hpp"

namespace ml {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t history_max = 10;
// Reports of pods are entered so often at most: each is a write of the status.
constexpr std::int64_t reports_interval_ms = 2000;

// Something that is not there and that somebody else has to make.
struct missing_thing {
  std::string reason, message;
};

class pipeline_plan {
 public:
  pipeline_plan(const input& in, output& out)
      : in_(in),
        out_(out),
        spec_(*in.primary().spec),
        pods_(in.watched<core::pod>()),
        status_(*in.primary().status) {
    status_.conditions.clear();
    status_.observed_generation.reset();
    before_ = status_.phase;
  }

  void go() {
    keep_claim();
    begin_if_new();
    try {
      if (!is_final(status_.phase)) drive();
    } catch (const user_mistake& mistake) {
      fail_run(status_, mistake.reason, "User", mistake.what());
    }
    rest();
    tell();
  }

 private:
  [[nodiscard]] sdk::timestamp now() const { return sdk::timestamp::of_unix_ms(in_.now_unix_ms()); }
  [[nodiscard]] std::string name() const { return std::string(in_.name()); }

  // The volume is never pruned, whatever becomes of the run.
  void keep_claim() {
    const std::string claim = own_claim_name(in_.name());
    const auto* there = in_.owned<core::persistent_volume_claim>(claim);
    if (there == nullptr && spec_.storage->claim_name) return;
    const auto size = there == nullptr ? quantity_of(spec_.storage->size, "1Gi")
                                       : there->spec->resources->requests.at("storage");
    out_.create_once(claim_for(claim, size, spec_.storage->class_name));
  }

  // Another hash of the same generation is not the user's: a new version of the plugin or its CRD
  // knows more fields, and must not train everything anew.
  [[nodiscard]] bool has_changed() const {
    return status_.spec_hash != spec_hash_of(spec_) &&
           status_.spec_generation != in_.primary().metadata->generation;
  }

  void begin_if_new() {
    const bool has_run = status_.run.value_or(0) > 0;
    if (has_run && !is_final(status_.phase)) return;
    if (has_run && (!has_changed() || spec_.suspend)) return;
    record fresh;
    fresh.run = status_.run.value_or(0) + 1;
    fresh.history = status_.history;
    if (has_run) remember(fresh);
    const std::string uid = in_.primary().metadata->uid.value_or("");
    fresh.run_id =
        (uid.empty() ? hash_of(name()) : uid).substr(0, 8) + "-" + std::to_string(*fresh.run);
    fresh.phase = phase::pending;
    status_ = std::move(fresh);
  }

  void remember(record& fresh) const {
    auto& past = fresh.history.items();
    auto& made = *past.emplace(past.begin());
    made.run = status_.run;
    made.run_id = status_.run_id;
    made.phase = std::string(status_.phase.text());
    made.spec_hash = status_.spec_hash;
    made.finished_at = status_.finished_at;
    made.best = status_.best->text;
    made.model = status_.model->text;
    made.reason = status_.reason;
    if (past.size() > history_max) past.resize(history_max);
  }

  [[nodiscard]] const algorithm_template* find_template() const {
    for (const auto* one : in_.watched<algorithm_template>()) {
      if (one->metadata->name == spec_.algorithm->template_ref) return one;
    }
    return nullptr;
  }

  [[nodiscard]] std::optional<missing_thing> missing() const {
    const auto& wanted = spec_.algorithm->template_ref;
    if (wanted && find_template() == nullptr) {
      return missing_thing{"TemplateNotFound", "expected the AlgorithmTemplate " + *wanted +
                                                   ", found none: make it, or correct "
                                                   "spec.algorithm.templateRef"};
    }
    const auto& claim = spec_.storage->claim_name;
    if (claim && find_claim(*claim) == nullptr) {
      return missing_thing{"ClaimNotFound", "expected the PersistentVolumeClaim " + *claim +
                                                ", found none: make it, or give "
                                                "spec.storage.size instead"};
    }
    if (spec_.publish && *spec_.publish->enabled &&
        find_model(in_, spec_.publish->model) == nullptr) {
      return missing_thing{"ModelNotFound", "expected the Model " +
                                                spec_.publish->model.value_or("") +
                                                ", found none: make it, or correct "
                                                "spec.publish.model"};
    }
    return std::nullopt;
  }

  [[nodiscard]] const core::persistent_volume_claim* find_claim(const std::string& claim) const {
    for (const auto* one : in_.watched<core::persistent_volume_claim>()) {
      if (one->metadata->name == claim) return one;
    }
    return in_.owned<core::persistent_volume_claim>(claim);
  }
  [[nodiscard]] bool is_of_one_node(const std::string& claim) const {
    const auto* there = find_claim(claim);
    return there == nullptr ||
           std::ranges::none_of(there->spec->access_modes, [](const std::string& mode) {
             return mode == "ReadWriteMany" || mode == "ReadOnlyMany";
           });
  }

  void drive() {
    if (!load_run()) return;
    unit_desk desk = make_desk();
    if (spec_.suspend) {
      status_.phase = phase::suspended;
      status_.admitted_at = {};
      hold(desk);
    } else if (may_go()) {
      if (!status_.started_at) status_.started_at = now();
      stages(desk).go();
    } else {
      hold(desk);
    }
    if (is_under_way() && !is_final(status_.phase)) keep_trusted();
    for (const auto& entry : status_.units)
      keep_ended_jobs(desk, entry);
    show_progress(desk);
  }

  // The units that have begun wait where they are.
  static void hold(unit_desk& desk) {
    for (auto& entry : desk.status.units) {
      if (!is_final(entry)) suspend(desk, entry);
    }
  }

  [[nodiscard]] bool is_under_way() const { return status_.started_at || !status_.units.empty(); }

  // What the run was started with, or would be. False: the status says what is missing.
  bool load_run() {
    const auto* there = in_.owned<core::config_map>(config_name(in_.name(), *status_.run));
    if (there != nullptr && is_under_way()) {
      run_ = from_config_map(*there);
      if (run_) return true;
    }
    if (is_under_way() && has_changed()) {
      fail_run(status_, "RunConfigLost", "Infrastructure",
               "expected the ConfigMap " + config_name(in_.name(), *status_.run) +
                   " of this run, found none that can be read, and the spec has changed since");
      return false;
    }
    if (!is_under_way()) status_.spec_hash = spec_hash_of(spec_);
    if (const auto thing = missing(); thing && !is_under_way()) {
      status_.phase = phase::pending;
      status_.reason = thing->reason;
      status_.message = thing->message;
      return false;
    }
    run_ = freeze(spec_, *status_.run_id, find_template());
    return true;
  }

  unit_desk make_desk() {
    job_frame frame;
    frame.pipeline = name();
    frame.run = *status_.run;
    frame.claim = run_->spec.storage->claim_name.value_or(own_claim_name(in_.name()));
    frame.claim_is_of_one_node = is_of_one_node(frame.claim);
    if (const auto reached = in_.inbound()) {
      frame.report_url = std::string(reached->url) + "/" + std::string(in_.ns()) + "/" +
                         frame.pipeline + "/progress";
      frame.audience = reached->audience;
    }
    if (run_->spec.publish && *run_->spec.publish->enabled) {
      if (const model* m = find_model(in_, run_->spec.publish->model)) {
        frame.model_claim = claim_of(*m);
        frame.model_name = *m->metadata->name;
        frame.versions_kept = versions_of(*m);
        if (*run_->spec.evaluation->champion->compare) {
          frame.champion = aliased(*m, *run_->spec.publish->alias);
        }
      }
    }
    return {in_, out_, *run_, status_, pods_, std::move(frame), reports_wait_ms()};
  }

  [[nodiscard]] std::int64_t reports_wait_ms() const {
    const auto wait =
        ms_of(status_.progress->last_heartbeat) + reports_interval_ms - in_.now_unix_ms();
    return wait < 0 || wait > reports_interval_ms ? 0 : wait;  // clocks are set back, too
  }

  // Through the queue: a place is claimed in one plan and held in the next one, which sees the
  // claims of the others. Two that claimed at once both go back, and the first of them comes first.
  bool may_go() {
    const queue_view others = queue_of(in_);
    const std::int64_t limit = *spec_.queue->max_concurrent;
    const bool waits = status_.phase == phase::pending || status_.phase == phase::queued ||
                       status_.phase == phase::suspended;
    if (!waits) return keep_config();
    if (!status_.queued_at) status_.queued_at = now();
    if (status_.phase == phase::queued && status_.admitted_at) {
      if (others.running < limit) {
        status_.phase = phase::preparing;
        return keep_config();
      }
      status_.admitted_at = {};
    }
    const bool was_queued = status_.phase == phase::queued;
    status_.phase = phase::queued;
    status_.reason = "Queued";
    status_.message = std::to_string(others.running) + " of queue " + *spec_.queue->name +
                      " are under way (at most " + std::to_string(limit) + "), " +
                      std::to_string(others.ahead) + " come first";
    // The first plan only takes a number: those that came before it must see it.
    if (was_queued && others.running + others.ahead < limit) status_.admitted_at = now();
    const bool is_near = others.ahead <= 2 * limit;
    out_.requeue_after(status_.admitted_at || !was_queued ? milliseconds(100)
                                                          : milliseconds(is_near ? 1000 : 10'000));
    return false;
  }

  // Before any Job: the Jobs mount it.
  bool keep_config() {
    out_.create_once(to_config_map(*run_, config_name(in_.name(), *status_.run)));
    config_is_named_ = true;
    return true;
  }

  // What pods trust changes while they run; it goes with the plan that ends the run. A daemon that
  // cannot be reached, or not yet, leaves it.
  void keep_trusted() {
    core::config_map made;
    made.metadata->name = trust_name(in_.name());
    if (const auto reached = in_.inbound()) {
      made.data["ca.crt"] = std::string(reached->ca_pem);
      out_.apply(made);
    } else if (const auto* there = in_.owned<core::config_map>(*made.metadata->name)) {
      out_.create_once(plain_copy(*there));
    }
  }

  // Of a run that has ended: its Jobs stay for their logs, for a time.
  void rest() {
    const auto* there = in_.owned<core::config_map>(config_name(in_.name(), *status_.run));
    if (there != nullptr && !config_is_named_) out_.create_once(plain_copy(*there));
    if (!is_final(status_.phase)) return;
    if (!status_.finished_at) status_.finished_at = now();
    const std::int64_t left = ms_of(status_.finished_at) +
                              std::int64_t{*spec_.ttl_seconds_after_finished} * 1000 -
                              in_.now_unix_ms();
    if (left <= 0 || there == nullptr) return;
    out_.requeue_after(milliseconds(left));
    if (run_) return;  // drive() has kept them
    run_ = from_config_map(*there);
    if (!run_) return;
    unit_desk desk = make_desk();
    for (const auto& entry : status_.units)
      keep_ended_jobs(desk, entry);
  }

  static core::config_map plain_copy(const core::config_map& there) {
    core::config_map made;
    made.metadata->name = there.metadata->name;
    made.immutable = there.immutable;
    made.data = there.data;
    return made;
  }

  void tell() {
    if (const auto failed = in_.last_failure(); failed && !is_final(status_.phase)) {
      status_.reason = std::string(failed->reason);
      status_.message = std::string(failed->step).append(": ").append(failed->message);
      out_.not_ready(*status_.reason, *status_.message);
    } else {
      tell_conditions();
    }
    if (status_.phase != before_) tell_turn();
    if (status_.spec_hash == spec_hash_of(spec_)) {
      status_.spec_generation = in_.primary().metadata->generation;
    }
    out_.status(status_);
  }

  void tell_conditions() {
    const std::string phase_name(status_.phase.text());
    const bool is_under_way_now = !is_final(status_.phase) && status_.phase != phase::pending &&
                                  status_.phase != phase::queued;
    if (is_under_way_now) {
      status_.reason = phase_name;
      status_.message = progress_message(status_);
      if (has_changed()) {
        *status_.message += "; the spec has changed since, which is for the next run";
      }
    }
    const std::string reason = status_.reason.value_or(phase_name);
    const std::string message = status_.message.value_or("");
    if (status_.phase == phase::succeeded) return out_.ready(reason, message);
    if (is_final(status_.phase) || status_.phase == phase::pending) {
      return out_.stalled(reason, message);
    }
    if (const unit* held = what_holds()) {
      return out_.stalled(*held->waits_for, progress_message(status_));
    }
    if (status_.phase == phase::suspended) {
      out_.condition("Ready", false, reason, message);
      out_.condition("Reconciling", false, reason, message);
      return out_.condition("Stalled", false, reason, message);
    }
    out_.reconciling(reason, message);
  }

  // The unit that waits for what may need a hand, where none goes on; else null.
  [[nodiscard]] const unit* what_holds() const {
    const unit* held = nullptr;
    for (const auto& entry : status_.units) {
      if (entry.state != unit_state::running) continue;
      if (!entry.waits_for) return nullptr;
      if (held == nullptr) held = &entry;
    }
    return held;
  }

  // Only turns are told; they show against the status that was written last.
  void tell_turn() {
    const std::string message = status_.message.value_or("");
    if (status_.phase == phase::failed) {
      out_.warning_event(status_.reason.value_or("Failed"), message);
    } else if (status_.phase == phase::pending) {
      out_.warning_event(status_.reason.value_or("Pending"), message);
    } else if (status_.phase != phase::rejected) {
      out_.normal_event(std::string(status_.phase.text()), message);
    }
  }

  const input& in_;
  output& out_;
  const types::spec& spec_;
  std::vector<const core::pod*> pods_;
  record status_;
  sdk::open_enum<phase> before_;
  std::optional<run_config> run_;
  bool config_is_named_ = false;
};

}  // namespace

void plan(const input& in, output& out) {
  pipeline_plan(in, out).go();
}

}  // namespace ml
