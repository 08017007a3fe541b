#include "core/plugin/host_table.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "core/base/guarded.hpp"
#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/base/system_clock.hpp"
#include "core/plugin/cursor_calls.hpp"
#include "core/plugin/read_call.hpp"
#include "core/plugin/thread_call.hpp"
#include "core/plugin/version.hpp"
#include "oarlock/ext/clock.h"
#include "oarlock/ext/event_source.h"
#include "oarlock/ext/leadership.h"
#include "oarlock/ext/log.h"
#include "oarlock/ext/metrics.h"

namespace oarlock::plugin {

// What the plugin points at.
struct host_table::lent {
  std::shared_mutex mutex;
  const host_table* owner = nullptr;  // null: the instance is gone
  std::string plugin;
  oarlock_host table{};
};

namespace {

constexpr std::size_t pairs_max = 12;
constexpr std::size_t key_bytes_max = 64;

std::string_view short_view(oarlock_str_view lent) {
  if (lent.data == nullptr) return {};
  return {lent.data, std::min<std::size_t>(lent.size, limits::log_field_bytes_max)};
}

// The log writes keys as they are, so a foreign one is made harmless first.
std::string key_of(oarlock_str_view lent) {
  static constexpr std::array<std::string_view, 11> taken = {
      "plugin",    "controller", "controllerGroup", "controllerKind",
      "namespace", "name",       "reconcileID",     "level",
      "msg",       "time",       "dropped_pairs"};
  std::string key(short_view(lent).substr(0, key_bytes_max));
  for (char& c : key) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
    if (!is_plain) c = '_';
  }
  if (key.empty()) return "_";
  if (std::find(taken.begin(), taken.end(), key) != taken.end()) key.insert(0, "plugin_");
  return key;
}

log_level level_of(oarlock_log_level level) {
  switch (level) {
    case OARLOCK_LOG_DEBUG:
      return log_level::debug;
    case OARLOCK_LOG_INFO:
      return log_level::info;
    case OARLOCK_LOG_WARN:
      return log_level::warn;
    default:
      return log_level::error;
  }
}

void write_record(const host_table& host, log_level level, std::string_view message,
                  const oarlock_pair_view* pairs, std::uint64_t pair_count) {
  const std::size_t kept =
      pairs == nullptr ? 0
                       : static_cast<std::size_t>(std::min<std::uint64_t>(pair_count, pairs_max));
  std::vector<std::string> keys;
  keys.reserve(kept);  // fields hold views of these
  std::vector<log_field> fields;
  fields.emplace_back("plugin", host.plugin());
  for (std::size_t i = 0; i < kept; ++i) {
    keys.push_back(key_of(pairs[i].key));
    fields.emplace_back(keys.back(), short_view(pairs[i].value));
  }
  if (pair_count > kept) fields.emplace_back("dropped_pairs", pair_count - kept);
  log(level, message, std::span<const log_field>(fields));
}

// What the host answers to a call of a plugin.
template <class Work>
oarlock_status asked(oarlock_host_ctx* ctx, const char* name, Work work) noexcept {
  if (ctx == nullptr) return OARLOCK_INVALID;
  oarlock_status done = OARLOCK_INVALID;
  try {
    host_table::during_call(ctx, name, [&](const host_table& host) { done = work(host); });
  } catch (...) {
    return OARLOCK_LIMIT;  // out of memory
  }
  return done;
}

std::int64_t monotonic_ns_of(const clock& c) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(c.now().time_since_epoch()).count();
}
std::int64_t unix_ms_of(const clock& c) {
  const auto since = c.wall_now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}
// Of a host that was given none.
const clock& machine_clock() {
  static const system_clock one;
  return one;
}

extern "C" {

static std::int32_t host_log_enabled(oarlock_host_ctx*, oarlock_log_level level) {
  return log_enabled(level_of(level)) ? 1 : 0;
}

static void host_log_write(oarlock_host_ctx* ctx, oarlock_log_level level, oarlock_str_view message,
                           const oarlock_pair_view* pairs, std::uint64_t pair_count) {
  if (ctx == nullptr || !log_enabled(level_of(level))) return;
  try {
    host_table::during_call(ctx, "oarlock.log/1 write", [&](const host_table& host) {
      if (!host.log_quota().admit()) return;
      write_record(host, level_of(level), short_view(message), pairs, pair_count);
    });
  } catch (...) {
    // Out of memory: a lost log record is no reason to fail the plan.
  }
}

static oarlock_status host_enqueue(oarlock_host_ctx* ctx, oarlock_str_view controller,
                                   oarlock_str_view ns, oarlock_str_view name) {
  return asked(ctx, "oarlock.event_source/1 enqueue", [&](const host_table& host) {
    return host.enqueue(short_view(controller), short_view(ns), short_view(name));
  });
}

static oarlock_status host_declare(oarlock_host_ctx* ctx, const oarlock_metric_view* view,
                                   std::uint64_t* out) {
  return asked(ctx, "oarlock.metrics/1 declare",
               [&](const host_table& host) { return host.metrics().declare(view, out); });
}

static oarlock_status host_series(oarlock_host_ctx* ctx, std::uint64_t metric,
                                  const oarlock_str_view* values, std::uint64_t count,
                                  std::uint64_t* out) {
  return asked(ctx, "oarlock.metrics/1 series", [&](const host_table& host) {
    return host.metrics().series(metric, values, count, out);
  });
}

static oarlock_status host_add(oarlock_host_ctx* ctx, std::uint64_t series, double amount) {
  return asked(ctx, "oarlock.metrics/1 add",
               [&](const host_table& host) { return host.metrics().add(series, amount); });
}

static oarlock_status host_set(oarlock_host_ctx* ctx, std::uint64_t series, double value) {
  return asked(ctx, "oarlock.metrics/1 set",
               [&](const host_table& host) { return host.metrics().set(series, value); });
}

static oarlock_status host_observe(oarlock_host_ctx* ctx, std::uint64_t series, double value) {
  return asked(ctx, "oarlock.metrics/1 observe",
               [&](const host_table& host) { return host.metrics().observe(series, value); });
}

static std::int64_t host_valid_until(oarlock_host_ctx* ctx) {
  std::int64_t out = std::numeric_limits<std::int64_t>::min();
  (void)asked(ctx, "oarlock.leadership/1 valid_until", [&](const host_table& host) {
    out = host.lease_valid_until_ns();
    return OARLOCK_OK;
  });
  return out;
}

static std::int64_t host_monotonic_ns(oarlock_host_ctx* ctx) {
  std::int64_t out = 0;
  (void)asked(ctx, "oarlock.clock/1 monotonic_ns", [&](const host_table& host) {
    out = monotonic_ns_of(host.clock_source());
    return OARLOCK_OK;
  });
  return out;
}

static std::int64_t host_unix_ms(oarlock_host_ctx* ctx) {
  std::int64_t out = 0;
  (void)asked(ctx, "oarlock.clock/1 unix_ms", [&](const host_table& host) {
    out = unix_ms_of(host.clock_source());
    return OARLOCK_OK;
  });
  return out;
}

static const void* host_extension(oarlock_host_ctx*, oarlock_str_view id) {
  static constexpr oarlock_host_log log_table = {sizeof(oarlock_host_log), 0, &host_log_enabled,
                                                 &host_log_write};
  static constexpr oarlock_host_event_source event_table = {sizeof(oarlock_host_event_source), 0,
                                                            &host_enqueue};
  static constexpr oarlock_host_metrics metric_table = {sizeof(oarlock_host_metrics),
                                                        0,
                                                        &host_declare,
                                                        &host_series,
                                                        &host_add,
                                                        &host_set,
                                                        &host_observe};
  static constexpr oarlock_host_leadership lease_table = {sizeof(oarlock_host_leadership), 0,
                                                          &host_valid_until};
  static constexpr oarlock_host_clock clock_table = {sizeof(oarlock_host_clock), 0,
                                                     &host_monotonic_ns, &host_unix_ms};
  if (short_view(id) == OARLOCK_EXT_LOG) return &log_table;
  if (short_view(id) == OARLOCK_EXT_EVENT_SOURCE) return &event_table;
  if (short_view(id) == OARLOCK_EXT_READ) return read_table();
  if (short_view(id) == OARLOCK_EXT_METRICS) return &metric_table;
  if (short_view(id) == OARLOCK_EXT_CACHE) return &cursor_table();
  if (short_view(id) == OARLOCK_EXT_LEADERSHIP) return &lease_table;
  if (short_view(id) == OARLOCK_EXT_CLOCK) return &clock_table;
  if (short_view(id) == OARLOCK_EXT_THREAD) return thread_table();
  return nullptr;
}

}  // extern "C"

}  // namespace

host_table::host_table(std::string plugin, std::vector<std::string> controllers,
                       const host_services& services)
    : plugin_(std::move(plugin)),
      log_limit_(plugin_, services.log_limits(plugin_)),
      inbox_(std::make_shared<event_inbox>(services.inbox_of(plugin_, std::move(controllers)))),
      metrics_(services.metrics_of(plugin_)),
      lease_(services.lease),
      clock_(services.clock_source == nullptr ? machine_clock() : *services.clock_source),
      lent_(new lent) {
  static auto& all = *new guarded<std::vector<lent*>>;  // so that leak checkers see them
  all.with([&](auto& list) { list.push_back(lent_); });
  if (services.metrics != nullptr) {
    unexplained_ = &services.metrics->make_counter("oarlock_plugin_unexplained_failures_total",
                                                   "Calls of the plugin that failed and did not "
                                                   "say why",
                                                   {{"plugin", plugin_}});
  }
  const std::string_view version = core_version();
  lent_->owner = this;
  lent_->plugin = plugin_;
  auto& table = lent_->table;
  table.struct_size = sizeof(table);
  table.abi_major = OARLOCK_ABI_MAJOR;
  table.abi_minor = OARLOCK_ABI_MINOR;
  table.ctx = reinterpret_cast<oarlock_host_ctx*>(lent_);
  table.version = {version.data(), version.size()};
  table.extension = &host_extension;
}

host_table::~host_table() {
  const std::unique_lock lock(lent_->mutex);
  lent_->owner = nullptr;
}

const oarlock_host* host_table::table() const {
  return &lent_->table;
}

std::int64_t host_table::lease_valid_until_ns() const {
  return lease_ == nullptr ? std::numeric_limits<std::int64_t>::min() : lease_->load();
}

oarlock_status host_table::enqueue(std::string_view controller, std::string_view ns,
                                   std::string_view name) const {
  const auto done = inbox_->add(controller, ns, name);
  if (done != OARLOCK_OK && log_limit_.admit()) {
    log_warn("plugin enqueues what cannot be one of its objects",
             {{"plugin", plugin_}, {"controller", controller}, {"namespace", ns}, {"name", name}});
  }
  return done;
}

void host_table::during_call(oarlock_host_ctx* ctx, const char* name,
                             const std::function<void(const host_table&)>& work) {
  auto& lent_to = *reinterpret_cast<lent*>(ctx);
  const std::shared_lock lock(lent_to.mutex);
  if (lent_to.owner != nullptr) return work(*lent_to.owner);
  log_warn("plugin calls its host after destroy()", {{"plugin", lent_to.plugin}, {"call", name}});
}

std::string_view host_table::lent_to(const oarlock_host_ctx* ctx) {
  return reinterpret_cast<const lent*>(ctx)->plugin;
}

const std::vector<std::string_view>& host_table::extensions() {
  static const std::vector<std::string_view> ids = {
      OARLOCK_EXT_LOG,   OARLOCK_EXT_EVENT_SOURCE, OARLOCK_EXT_READ,  OARLOCK_EXT_METRICS,
      OARLOCK_EXT_CACHE, OARLOCK_EXT_LEADERSHIP,   OARLOCK_EXT_CLOCK, OARLOCK_EXT_THREAD};
  return ids;
}

}  // namespace oarlock::plugin
