#pragma once
// What a child says, none of which is believed: parsed within its bounds and put through the checks
// of the core home.
#include <optional>
#include <string>
#include <string_view>

#include "core/controller/reconciler.hpp"
#include "core/plugin/host_table.hpp"
#include "core/plugin/plan_sink.hpp"
#include "core/plugin/wire_abi.hpp"

namespace oarlock::plugin {

/// Repeats in `sink` the calls that a child's plan recorded, and logs its records. nullopt: the
/// payload is not what oarlock-plugin-host sends. Thread: any, one at a time for a sink.
[[nodiscard]] std::optional<controller::plan_output> replay_answer(
    std::string_view payload, const controller::plan_input& input, plan_sink& sink,
    const host_table& host);

/// What an effect in a child came to; logs its records. nullopt: the payload is not what
/// oarlock-plugin-host sends.
[[nodiscard]] std::optional<controller::effect_output> take_effect_answer(std::string_view payload,
                                                                          const host_table& host);

/// What a packet on the notice channel is about; nullopt: not what oarlock-plugin-host sends.
struct notice {
  wire::frame what{};
  std::optional<wire::crash_record> crash = {};
  std::int32_t worker = -1;                 ///< of exiting
  const char* slot = "";                    ///< of stray_call
  std::optional<wire::taken_log> log = {};  ///< views of the packet
  std::string_view controller = {};         ///< of enqueued, as are the next two
  std::string_view ns = {};
  std::string_view name = {};
  std::string_view metrics = {};  ///< of measured: for a metric_replay
};
[[nodiscard]] std::optional<notice> take_notice(std::string_view packet);

/// Writes a record in the plugin's name.
void write_log(const wire::taken_log& record, const host_table& host);

}  // namespace oarlock::plugin
