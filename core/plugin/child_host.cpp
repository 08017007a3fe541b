#include "core/plugin/child_host.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <map>
#include <utility>

#include "core/base/assert.hpp"
#include "core/base/log.hpp"
#include "core/plugin/bridge.hpp"
#include "core/plugin/checks.hpp"
#include "core/plugin/child_home.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/programs.hpp"
#include "core/plugin/sealed_file.hpp"
#include "core/plugin/version.hpp"

namespace oarlock::plugin {

namespace {

class child_bridge final : public controller::reconciler {
 public:
  child_bridge(child_home& home, const std::atomic<bool>& is_running, std::string controller)
      : home_(&home), is_running_(&is_running), controller_(std::move(controller)) {}

  [[nodiscard]] controller::plan_output plan(const controller::plan_input& input) override {
    if (!*is_running_)
      return failed_plan(controller::plan_verdict::retry, "PluginNotRunning",
                         "expected the plugin to be started and not stopped");
    OARLOCK_ASSERT(input.spec != nullptr && input.primary != nullptr,
                   "a plan has a controller and a primary object");
    try {
      return home_->plan(controller_, input);
    } catch (const std::exception& e) {
      return failed_plan(controller::plan_verdict::retry, "PlanFailed", e.what());  // out of memory
    }
  }
  [[nodiscard]] controller::effect_output effect(const controller::effect_input& input) override {
    using controller::plan_verdict;
    if (!*is_running_) {
      return {plan_verdict::retry,
              "PluginNotRunning",
              "expected the plugin to be started and not stopped",
              {}};
    }
    try {
      return home_->effect(controller_, input);
    } catch (const std::exception& e) {
      return {plan_verdict::retry, "EffectFailed", e.what(), {}};  // out of memory
    }
  }

 private:
  child_home* home_;
  const std::atomic<bool>* is_running_;
  std::string controller_;
};

class child_plugin final : public loaded_plugin {
 public:
  child_plugin(manifest declared, std::string fingerprint, std::string config_text,
               std::unique_ptr<child_home> home, std::string note)
      : declared_(std::move(declared)),
        fingerprint_(std::move(fingerprint)),
        config_text_(std::move(config_text)),
        home_(std::move(home)),
        note_(std::move(note)) {
    for (const auto& c : declared_.controllers)
      bridges_.try_emplace(c.name, *home_, is_running_, c.name);
  }
  ~child_plugin() override { stop(); }

  [[nodiscard]] const manifest& declared() const override { return declared_; }
  [[nodiscard]] const std::string& fingerprint() const override { return fingerprint_; }
  [[nodiscard]] std::string config_text() const override { return config_text_; }
  [[nodiscard]] bool in_core() const override { return false; }
  [[nodiscard]] std::shared_ptr<event_inbox> enqueued() const override { return home_->enqueued(); }
  [[nodiscard]] std::string note() const override {
    const auto held = home_->held_back();
    return note_.empty() || held.empty() ? note_ + held : note_ + "; " + held;
  }

  [[nodiscard]] controller::reconciler& reconciler_for(const std::string& controller) override {
    const auto found = bridges_.find(controller);
    OARLOCK_ASSERT(found != bridges_.end(),
                   "a reconciler is asked for by a controller of the manifest");
    return found->second;
  }

  [[nodiscard]] inbound_answer inbound(const inbound_request& request) override {
    if (!is_running_) return core_answer(503, "the plugin does not run");
    try {
      return home_->inbound(request);
    } catch (const std::exception& e) {
      return core_answer(503, "the plugin cannot take it now", e.what());  // out of memory
    }
  }

  [[nodiscard]] review_answer review(const review_request& request) override {
    if (!is_running_) return failed_review("the plugin does not run");
    try {
      return home_->review(request);
    } catch (const std::exception& e) {
      return failed_review(e.what());  // out of memory
    }
  }

  [[nodiscard]] result<> start() override {
    auto done = home_->start();
    is_running_ = done.has_value();
    return done;
  }

  void drain() override {
    if (is_running_ && !std::exchange(is_drained_, true)) home_->drain();
  }

  void stop() override {
    drain();
    is_running_ = false;
    home_->stop();
  }

 private:
  const manifest declared_;
  const std::string fingerprint_;
  const std::string config_text_;
  std::unique_ptr<child_home> home_;
  const std::string note_;
  std::atomic<bool> is_running_{false};
  bool is_drained_ = false;
  std::map<std::string, child_bridge> bridges_;
};

// The lowest level that the log of this process keeps.
std::int32_t lowest_log_level() {
  for (const auto& [level, name] : {std::pair{log_level::debug, OARLOCK_LOG_DEBUG},
                                    std::pair{log_level::info, OARLOCK_LOG_INFO},
                                    std::pair{log_level::warn, OARLOCK_LOG_WARN}}) {
    if (log_enabled(level)) return name;
  }
  return OARLOCK_LOG_ERROR;
}

}  // namespace

result<std::unique_ptr<loaded_plugin>> load_plugin_in_child(const std::filesystem::path& path,
                                                            const given_config& config,
                                                            const child_settings& settings,
                                                            const clock& clock_source,
                                                            metric_registry& metrics) {
  candidate found;
  if (auto ok = check_plugin(path, found); !ok) return ok.error();
  if (auto ok = check_fingerprint(found, settings.fingerprint); !ok) return ok.error();
  if (auto ok = check_exports(found, settings.exports); !ok) return ok.error();
  std::string config_text;
  const auto checked = config_for(found, config, settings.configs, config_text);
  if (!checked) return checked.error();
  auto library = sealed_file(found.library_file.filename().string(), found.library_bytes);
  if (!library) return library.error().within(found.library_file.string());
  auto chosen = settings;
  if (chosen.program.empty()) {
    auto beside = own_program("oarlock-plugin-host");
    if (!beside) return beside.error();
    chosen.program = *beside;
  }
  const bool is_root = ::geteuid() == 0;
  // A child that is the same user must not look into this process through /proc.
  if (!is_root) ::prctl(PR_SET_DUMPABLE, 0);
  wire::load_request request;
  request.core_version = core_version();
  request.parent = ::getpid();
  request.mode = chosen.sandbox;
  request.child_user = is_root ? chosen.user : 0;
  request.workers = chosen.workers;
  request.log_level = lowest_log_level();
  if (chosen.quotas != nullptr) {
    const auto quota = chosen.quotas->of(found.declared->name);
    request.metric_series_max = quota.metric_series;
    chosen.memory_bytes_max = quota.child_memory_bytes;
  }
  request.memory_bytes_max = chosen.memory_bytes_max;
  request.has_lease = chosen.lease != nullptr;
  request.plugin = found.declared->name;
  request.version = found.declared->version;
  request.library_file = found.library_file.string();
  request.manifest_file = found.manifest_file.string();
  request.config_json = *checked;
  request.controllers = controllers_of(*found.declared);
  request.connect_ports = found.declared->connect_ports;
  auto home = std::make_unique<child_home>(std::move(request), std::move(*library),
                                           std::move(chosen), clock_source, metrics);
  if (auto ok = home->load(); !ok) return ok.error();
  return std::unique_ptr<loaded_plugin>(
      std::make_unique<child_plugin>(std::move(*found.declared), found.fingerprint(),
                                     std::move(config_text), std::move(home), settings.note));
}

}  // namespace oarlock::plugin
