#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/assert.hpp"
#include "core/base/guarded.hpp"
#include "core/base/log.hpp"
#include "core/plugin/bridge.hpp"
#include "core/plugin/checks.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/host_table.hpp"
#include "core/plugin/lent_text.hpp"
#include "core/plugin/library.hpp"
#include "core/plugin/plugin_call.hpp"
#include "core/plugin/plugin_host.hpp"
#include "core/plugin/process_state.hpp"

namespace oarlock::plugin {

namespace {

// Collects what a plugin says through oarlock_error_out.
class error_detail {
 public:
  error_detail() : lent_(new lent) {
    static auto& all = *new guarded<std::vector<lent*>>;  // so that leak checkers see them
    all.with([&](auto& list) { list.push_back(lent_); });
    lent_->thread = std::this_thread::get_id();
    lent_->table.struct_size = sizeof(lent_->table);
    lent_->table.ctx = reinterpret_cast<oarlock_host_ctx*>(lent_);
    lent_->table.set = [](oarlock_host_ctx* ctx, oarlock_str_view message) {
      if (ctx != nullptr && message.data != nullptr) reinterpret_cast<lent*>(ctx)->take(message);
    };
  }
  ~error_detail() { lent_->is_open = false; }
  error_detail(const error_detail&) = delete;
  error_detail& operator=(const error_detail&) = delete;

  [[nodiscard]] const oarlock_error_out* table() const { return &lent_->table; }
  // Why it failed; that it does not say is counted.
  [[nodiscard]] std::string text(const host_table& host) const {
    if (!lent_->text.empty()) return lent_->text;
    host.count_unexplained();
    return "it did not say why";
  }

 private:
  // What the plugin points at. Never freed: it may keep the table.
  struct lent {
    std::atomic<bool> is_open{true};
    std::thread::id thread;
    std::string text;
    oarlock_error_out table{};

    void take(oarlock_str_view message) {
      if (!is_open || thread != std::this_thread::get_id()) {
        log_warn("plugin tells an error outside of the call that failed");
        return;
      }
      constexpr std::uint64_t bytes_max = 4096;
      text.assign(message.data, static_cast<std::size_t>(std::min(message.size, bytes_max)));
    }
  };

  lent* lent_;
};

// Calls into a plugin that must not throw, and says what it did when it does.
template <class Call>
oarlock_status guarded_call(error_detail& detail, Call call) {
  std::string thrown;
  try {
    return call(detail.table());
  } catch (const std::exception& e) {
    thrown = e.what();
  } catch (...) {
    thrown = "something that is not a std::exception";
  }
  thrown.insert(0, "it threw: ");
  detail.table()->set(detail.table()->ctx, {thrown.data(), thrown.size()});
  return OARLOCK_TERMINAL;
}

// A plugin that changes what all share is undone, and told.
void check_manners(const process_state& before, const std::string& plugin, const char* call) {
  const auto changed = before.put_back();
  if (changed.empty()) return;
  log_warn("plugin changes what the whole process shares; it was put back, but the environment",
           {{"plugin", plugin}, {"call", call}, {"changed", changed}});
}

class mapped_plugin final : public loaded_plugin {
 public:
  mapped_plugin(manifest declared, std::string fingerprint, std::string config_text,
                library_use library, const oarlock_plugin* table, const host_services& host)
      : library_(std::move(library)),
        declared_(std::move(declared)),
        fingerprint_(std::move(fingerprint)),
        config_text_(std::move(config_text)),
        host_(declared_.name, controllers_of(declared_), host),
        clock_(host.clock_source),
        sinks_(declared_.name),
        controllers_(controllers_of(declared_)) {
    parts_.plugin = declared_.name;
    parts_.version = declared_.version;
    parts_.table = table;
    parts_.sinks = &sinks_;
    parts_.host = &host_;
    parts_.code = code_around(reinterpret_cast<std::uint64_t>(library_.entry()),
                              std::filesystem::path(declared_.library).filename().string());
    for (const auto& c : declared_.controllers)
      bridges_.try_emplace(c.name, parts_, c.name);
  }
  ~mapped_plugin() override {
    drain();
    stop();
  }

  result<> create(const std::string& config_json) {
    error_detail detail;
    oarlock_create_view view{};
    view.struct_size = sizeof(view);
    view.config_encoding = OARLOCK_ENCODING_JSON;
    view.config = lend_bytes(config_json);
    oarlock_instance* made = nullptr;
    const auto call = call_of("create");
    const plugin_call_scope mark(call);
    const auto status = guarded_call(detail, [&](const oarlock_error_out* out) {
      return parts_.table->create(host_.table(), &view, out, &made);
    });
    if (status != OARLOCK_OK || made == nullptr) {
      const auto why =
          status == OARLOCK_OK ? "it returned OARLOCK_OK without an instance" : detail.text(host_);
      return error{
          plugin_error::not_created,
          fmt::format("plugin {}: create() failed (status {}): {}", declared_.name, status, why)};
    }
    parts_.self = made;
    state_ = state::created;
    return {};
  }

  [[nodiscard]] const manifest& declared() const override { return declared_; }
  [[nodiscard]] const std::string& fingerprint() const override { return fingerprint_; }
  [[nodiscard]] std::string config_text() const override { return config_text_; }

  [[nodiscard]] controller::reconciler& reconciler_for(const std::string& controller) override {
    const auto found = bridges_.find(controller);
    OARLOCK_ASSERT(found != bridges_.end(),
                   "a reconciler is asked for by a controller of the manifest");
    return found->second;
  }

  [[nodiscard]] std::shared_ptr<event_inbox> enqueued() const override { return host_.inbox(); }

  [[nodiscard]] inbound_answer inbound(const inbound_request& request) override {
    if (!parts_.is_running) return core_answer(503, "the plugin does not run");
    const plugin_call what{parts_.plugin.c_str(), parts_.version.c_str(), "inbound",
                           request.ns.c_str(), request.name.c_str()};
    const plugin_call_scope mark(what);
    return call_inbound(*parts_.table, parts_.self, lent_request(request), inbound_limits::time,
                        controllers_);
  }

  [[nodiscard]] review_answer review(const review_request& request) override {
    if (!parts_.is_running) return failed_review("the plugin does not run");
    const auto call = call_of("review");
    const plugin_call_scope mark(call);
    const auto begin = clock_ == nullptr ? steady_time() : clock_->now();
    auto said = judged(request, call_review(*parts_.table, parts_.self, request.task,
                                            lent_review(request), review_limits::time));
    const bool late = clock_ != nullptr && clock_->now() - begin > review_limits::time;
    return late ? failed_review("it took longer than it may") : said;
  }

  [[nodiscard]] result<> start() override {
    OARLOCK_ASSERT(state_ == state::created, "a plugin is started once");
    error_detail detail;
    const process_state before;
    const auto call = call_of("start");
    const plugin_call_scope mark(call);
    const auto status = guarded_call(detail, [&](const oarlock_error_out* out) {
      return parts_.table->start(parts_.self, out);
    });
    check_manners(before, declared_.name, "start");
    if (status != OARLOCK_OK) {
      return error{plugin_error::not_started,
                   fmt::format("plugin {}: start() failed (status {}): {}", declared_.name, status,
                               detail.text(host_))};
    }
    state_ = state::started;
    parts_.is_running = true;
    return {};
  }

  void drain() override {
    if (state_ != state::started) return;
    call("drain", parts_.table->drain);
    state_ = state::drained;
  }

  void stop() override {
    drain();
    parts_.is_running = false;
    if (state_ == state::drained) call("stop", parts_.table->stop);
    if (state_ == state::created || state_ == state::drained)
      call("destroy", parts_.table->destroy);
    state_ = state::gone;
    parts_.self = nullptr;
  }

 private:
  enum class state { empty, created, started, drained, gone };

  [[nodiscard]] plugin_call call_of(const char* slot) const {
    return {parts_.plugin.c_str(), parts_.version.c_str(), slot};
  }
  void call(const char* name, void (*slot)(oarlock_instance*)) {
    const auto what = call_of(name);
    const plugin_call_scope mark(what);
    try {
      slot(parts_.self);
    } catch (...) {
      log_error("an exception left the plugin, which no plugin may let happen",
                {{"plugin", declared_.name}, {"call", name}});
    }
  }

  const library_use library_;
  const manifest declared_;
  const std::string fingerprint_;
  const std::string config_text_;
  host_table host_;
  const clock* const clock_;
  plan_sinks sinks_;
  const std::vector<std::string> controllers_;
  instance_parts parts_;
  std::map<std::string, bridge> bridges_;
  state state_ = state::empty;
};

}  // namespace

log_limit::parts host_services::log_limits(const std::string& plugin) const {
  if (quotas == nullptr) return {};
  return {quotas->of(plugin).log_lines_per_second, clock_source, metrics};
}

event_inbox::parts host_services::inbox_of(const std::string& plugin,
                                           std::vector<std::string> controllers) const {
  const auto rate = quotas == nullptr ? 0 : quotas->of(plugin).enqueues_per_second;
  return {plugin, std::move(controllers), rate, clock_source, metrics};
}

registry_metrics::parts host_services::metrics_of(const std::string& plugin) const {
  return {plugin, quotas == nullptr ? 0 : quotas->of(plugin).metric_series, metrics};
}

result<std::unique_ptr<loaded_plugin>> load_plugin(const std::filesystem::path& path,
                                                   const given_config& config,
                                                   const host_services& host) {
  candidate found;
  if (auto ok = check_plugin(path, found); !ok) return ok.error();
  if (auto ok = check_fingerprint(found, host.fingerprint); !ok) return ok.error();
  if (auto ok = check_exports(found, host.exports); !ok) return ok.error();
  if (auto ok = check_core_home(found); !ok) return ok.error();
  std::string config_text;
  const auto checked = config_for(found, config, host.configs, config_text);
  if (!checked) return checked.error();
  const process_state before;
  const auto name = found.declared->name;
  auto library = map_bytes(found.library_file, found.library_bytes, found.sha256);
  if (!library) return library.error();
  const oarlock_plugin* table = library->entry()();
  if (auto ok = check_descriptor(found, table); !ok) return ok.error();
  auto made =
      std::make_unique<mapped_plugin>(std::move(*found.declared), found.fingerprint(),
                                      std::move(config_text), std::move(*library), table, host);
  const auto created = made->create(*checked);
  check_manners(before, name, "create");
  if (!created) {
    return created.error().within(found.library_file.string());
  }
  return std::unique_ptr<loaded_plugin>(std::move(made));
}

}  // namespace oarlock::plugin
