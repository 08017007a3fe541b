#pragma once
// The receiving end of oarlock_plan_out: checks every call of a plugin and keeps what it records.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/guarded.hpp"
#include "core/controller/reconciler.hpp"
#include "oarlock/plan.h"

namespace oarlock::plugin {

/// What a plan may record. An object in etcd has at most 1.5 MiB; a note of an event 1 KiB
/// (events.k8s.io/v1).
namespace plan_limits {
inline constexpr std::size_t object_bytes_max = 1536U << 10U;
inline constexpr std::size_t total_bytes_max = 16U << 20U;
inline constexpr std::size_t conditions_max = 64;
inline constexpr std::size_t events_max = 64;
inline constexpr std::size_t steps_max = 256;
inline constexpr std::size_t id_bytes_max = 253;
inline constexpr std::size_t effect_name_bytes_max = 63;
inline constexpr std::size_t condition_type_bytes_max = 316;
inline constexpr std::size_t condition_reason_bytes_max = 1024;
inline constexpr std::size_t event_reason_bytes_max = 128;
inline constexpr std::size_t event_message_bytes_max = 1024;
inline constexpr std::int64_t requeue_ms_min = 100;
inline constexpr std::int64_t requeue_ms_max = 24LL * 60 * 60 * 1000;
}  // namespace plan_limits

/// Used for one plan after another. A plugin may wrongly keep the table and call it between plans,
/// so a sink is never freed: such calls are refused and logged.
class plan_sink {
 public:
  explicit plan_sink(std::string plugin);
  plan_sink(const plan_sink&) = delete;
  plan_sink& operator=(const plan_sink&) = delete;

  /// Starts recording the calling thread's plan. `input` must outlive the recording.
  [[nodiscard]] const oarlock_plan_out* open(const controller::plan_input& input);
  /// Ends it: what the plan came to, given what it returned.
  [[nodiscard]] controller::plan_output close(oarlock_status returned);
  /// Whether the plan that ended last failed and did not say why.
  [[nodiscard]] bool is_unexplained() const { return is_unexplained_; }
  /// Ends it when the plan never returned.
  [[nodiscard]] controller::plan_output close_after_throw(std::string_view what);
  /// Ends it when what the plan recorded cannot be used; a call that was refused says why first.
  [[nodiscard]] controller::plan_output close_refused(const std::string& why);

 private:
  // Why a call is refused; status OARLOCK_OK: it is not.
  struct answer {
    oarlock_status status = OARLOCK_OK;
    std::string why;
  };
  struct slots;

  answer apply(std::uint32_t group, oarlock_encoding encoding, oarlock_bytes_view object);
  answer set_status(oarlock_encoding encoding, oarlock_bytes_view status);
  answer add_condition(const oarlock_condition_view* view);
  answer add_event(oarlock_event_type type, oarlock_str_view reason, oarlock_str_view message);
  answer requeue_after(std::int64_t delay_ms);
  answer create_once(oarlock_encoding encoding, oarlock_bytes_view object);
  answer patch_existing(const oarlock_target_view* target, oarlock_patch_kind kind,
                        oarlock_encoding encoding, oarlock_bytes_view patch);
  answer remove(const oarlock_target_view* target, std::int64_t grace_seconds,
                oarlock_propagation propagation);
  answer swap_status(oarlock_str_view resource_version, oarlock_encoding encoding,
                     oarlock_bytes_view status);
  answer effect(oarlock_str_view name, oarlock_encoding encoding, oarlock_bytes_view payload);
  answer set_finished();
  answer set_failure(oarlock_str_view reason, oarlock_str_view message);

  answer take_bytes(oarlock_encoding encoding, oarlock_bytes_view lent, std::string& out);
  [[nodiscard]] answer check_child(const std::string& json);
  [[nodiscard]] answer check_room() const;
  enum class use { patch, remove };
  answer take_target(const oarlock_target_view* view, use what, controller::step_target& out);
  static answer take_status(const std::string& json);
  [[nodiscard]] bool takes_calls() const;
  void refuse(const char* call, const answer& a);
  controller::plan_output take(controller::plan_verdict verdict, std::string reason,
                               std::string message);

  const std::string plugin_;
  oarlock_plan_out table_{};
  std::atomic<bool> is_open_{false};
  std::atomic<std::thread::id> thread_{};
  const controller::plan_input* input_ = nullptr;
  controller::plan_output output_;
  std::set<std::string> named_;  // "deployments.apps web": what a step is about
  std::size_t bytes_ = 0;
  std::string refused_;  // the first refused call and why
  bool is_unexplained_ = false;
  bool told_of_haste_ = false;
};

/// The sinks of one plugin, as many as it had plans at the same time. Thread: any.
class plan_sinks {
 public:
  explicit plan_sinks(std::string plugin) : plugin_(std::move(plugin)) {}
  /// Keeps the sinks for good: the plugin may still hold their tables.
  ~plan_sinks();
  plan_sinks(const plan_sinks&) = delete;
  plan_sinks& operator=(const plan_sinks&) = delete;

  [[nodiscard]] plan_sink& borrow();
  void give_back(plan_sink& sink);

 private:
  struct pool {
    std::vector<std::unique_ptr<plan_sink>> all;
    std::vector<plan_sink*> idle;
  };
  const std::string plugin_;
  guarded<pool> pool_;
};

}  // namespace oarlock::plugin
