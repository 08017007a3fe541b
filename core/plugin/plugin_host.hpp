#pragma once
// Plugins in the core: found, checked, mapped, created, started, stopped.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/controller/reconciler.hpp"
#include "core/controller/spec.hpp"
#include "core/plugin/checks.hpp"
#include "core/plugin/config.hpp"
#include "core/plugin/event_inbox.hpp"
#include "core/plugin/inbound_call.hpp"
#include "core/plugin/lease_page.hpp"
#include "core/plugin/log_limit.hpp"
#include "core/plugin/manifest.hpp"
#include "core/plugin/quota.hpp"
#include "core/plugin/registry_metrics.hpp"
#include "core/plugin/review_call.hpp"

namespace oarlock::plugin {

/// One loaded plugin with one instance. Life-cycle calls come from one thread at a time.
class loaded_plugin {
 public:
  virtual ~loaded_plugin() = default;
  [[nodiscard]] virtual const manifest& declared() const = 0;
  /// Of the manifest and the library that it was made of; see fingerprint_of().
  [[nodiscard]] virtual const std::string& fingerprint() const = 0;
  /// What the file of config_table held that it was configured with; empty: there was none.
  [[nodiscard]] virtual std::string config_text() const { return {}; }
  /// The reconciler of one of its controllers; owned by the plugin.
  [[nodiscard]] virtual controller::reconciler& reconciler_for(const std::string& controller) = 0;
  /// Has the plugin take a request of a pod; 503 unless it is started and not stopped. Blocks for
  /// as long as the plugin wants. Thread: those of the plugin's lane, several at once.
  [[nodiscard]] virtual inbound_answer inbound(const inbound_request& /*request*/) {
    return core_answer(404, "this plugin takes no requests");
  }
  /// Has the plugin validate, mutate or convert an object; whatever goes wrong has failed, and
  /// allows nothing. As inbound(), but in the core one that is late only shows once it is back.
  [[nodiscard]] virtual review_answer review(const review_request& /*request*/) {
    return failed_review("this plugin reviews nothing");
  }
  [[nodiscard]] virtual result<> start() = 0;
  virtual void drain() = 0;
  /// After the last plan() has returned. Destroys the instance; the library stays mapped
  /// (unloading C++ code is not safe: see docs/decisions).
  virtual void stop() = 0;
  /// False: its code runs in a process of its own.
  [[nodiscard]] virtual bool in_core() const { return true; }
  /// What its event sources enqueue; null: it has none.
  [[nodiscard]] virtual std::shared_ptr<event_inbox> enqueued() const { return nullptr; }
  /// What people should know about how it runs, for /readyz; usually empty.
  [[nodiscard]] virtual std::string note() const { return {}; }
};

/// What the host table needs; without it nothing is limited. All of it outlives the plugin.
struct host_services {
  const quota_table* quotas = nullptr;
  const clock* clock_source = nullptr;
  metric_registry* metrics = nullptr;
  const lease_limit* lease = nullptr;  ///< null: nobody leads
  std::string fingerprint = {};  ///< other bytes than these are refused; empty: whatever is there
  const config_table* configs = nullptr;  ///< what files configure, before what load is given
  export_rule exports = export_rule::refuse;

  [[nodiscard]] log_limit::parts log_limits(const std::string& plugin) const;
  [[nodiscard]] event_inbox::parts inbox_of(const std::string& plugin,
                                            std::vector<std::string> controllers) const;
  [[nodiscard]] registry_metrics::parts metrics_of(const std::string& plugin) const;
};

/// Loads a plugin folder, or a file beside its plugin.yaml. Checks in this order, before any code
/// of the plugin runs: the file is there, the manifest is valid, the library is an ELF shared
/// object of this architecture that exports the entry symbol, the ABI range fits, nothing else is
/// exported. The error names the file, what was expected and found, and the remedy. `config` is
/// checked against the schema of the manifest and goes to create() with its defaults filled in.
/// What is mapped are the bytes that were checked: the files may change at any time.
[[nodiscard]] result<std::unique_ptr<loaded_plugin>> load_plugin(const std::filesystem::path& path,
                                                                 const given_config& config,
                                                                 const host_services& host = {});

/// Another text whenever plugin.yaml or the library of the plugin at `path` are others; empty when
/// they cannot be read. Blocks.
[[nodiscard]] std::string fingerprint_of(const std::filesystem::path& path);

}  // namespace oarlock::plugin
