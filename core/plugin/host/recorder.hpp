#pragma once
// The plan table of a worker in the child: records the calls of a plan for the daemon, which checks
// them.
#include <atomic>
#include <string>
#include <thread>

#include "core/controller/reconciler.hpp"
#include "core/plugin/wire_abi.hpp"

namespace oarlock::plugin::host {

/// A plugin may wrongly keep the table: recorders live as long as the process.
class recorder {
 public:
  recorder();
  recorder(const recorder&) = delete;
  recorder& operator=(const recorder&) = delete;

  /// Starts recording the calling thread's plan.
  [[nodiscard]] const oarlock_plan_out* open();
  /// Ends it. The payload of the answer, with room for the head of its frame.
  [[nodiscard]] std::string& close(oarlock_status returned, bool threw, std::string_view what);
  /// Before close(): what the plan knew, kept when it recorded an effect.
  void observed(std::string_view observation);

  /// Before close(): observe() or the effect failed and did not say why.
  void unexplained();

  /// The same around an effect, during which only log records are taken.
  void open_for_logs();
  [[nodiscard]] std::string& close(const controller::effect_output& done);

  /// Between the calls of this thread's plan or effect; false: this thread has none.
  static bool log(oarlock_log_level level, oarlock_str_view message, const oarlock_pair_view* pairs,
                  std::uint64_t pair_count);

 private:
  template <std::size_t Index, class... Args>
  static oarlock_status record(oarlock_plan_ctx* ctx, Args... args) noexcept;
  template <std::size_t Index, class... Args>
  void fill(oarlock_status (*oarlock_plan_out::*slot)(oarlock_plan_ctx*, Args...)) {
    table_.*slot = &record<Index, Args...>;
  }
  template <std::size_t... I>
  void fill_all(std::index_sequence<I...>);
  [[nodiscard]] bool takes_calls() const;
  void clear();
  /// Room for one more call of `bytes`; false and the plan is marked as too long.
  bool make_room();

  oarlock_plan_out table_{};
  std::atomic<bool> is_open_{false};
  std::atomic<std::thread::id> thread_{};
  std::string calls_;
  std::string answer_;
  std::uint64_t count_ = 0;
  bool too_much_ = false;
  bool has_effect_ = false;
};

/// Sends a packet to the daemon. Thread: any.
void send_notice(const std::string& packet);
/// That the plugin called a slot where it may not: one of the plan's table, or a stray_slot behind
/// these. Thread: any.
void send_stray_call(std::size_t slot);

}  // namespace oarlock::plugin::host
