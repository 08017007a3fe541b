#pragma once
// The extensions of a bench_host: what a test puts there is what a plugin finds.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "oarlock/oarlock.h"
#include "oarlock/sdk/json.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk::testing {

struct given_object {
  std::string resource;  ///< "deployments.apps"
  std::string json;
};

/// Filled in and changed between calls. Thread: one; of a plugin with threads of its own it is
/// looked at while these rest.
struct bench_world {
  /// What live reads find, "secrets/web-root" -> JSON. Manifests are not asked: all may be read.
  std::map<std::string, std::string> live;
  std::vector<given_object> cached;  ///< what cursors walk over, in this order
  std::int64_t monotonic_ns = 1'000'000'000;
  std::int64_t unix_ms = 1'772'366'400'000;  ///< 2026-03-01T12:00:00Z
  /// min(): this process does not lead; max(): for ever.
  std::int64_t lease_valid_until_ns = std::numeric_limits<std::int64_t>::max();

  std::vector<std::string> log;           ///< "warn: no answer server=a tries=3"
  std::vector<std::string> enqueued;      ///< "myapp shop/web"
  std::map<std::string, double> metrics;  ///< "queries_total{ok}" -> sum, last value or count
};

namespace detail {

// Labels in a query: "app=web,tier!=db,canary,!old".
inline bool has_labels(json::node labels, std::string_view selector) {
  while (!selector.empty()) {
    const auto comma = std::min(selector.find(','), selector.size());
    const auto one = selector.substr(0, comma);
    selector.remove_prefix(std::min(comma + 1, selector.size()));
    const auto equals = one.find('=');
    if (equals == std::string_view::npos) {
      const bool is_absent = one.starts_with('!');
      if (labels[one.substr(is_absent ? 1 : 0)].exists() == is_absent) return false;
      continue;
    }
    const bool differs = equals > 0 && one[equals - 1] == '!';
    const auto key = one.substr(0, differs ? equals - 1 : equals);
    auto value = one.substr(equals + 1);
    if (value.starts_with('=')) value.remove_prefix(1);
    const bool is_equal = labels[key].exists() && labels[key].text() == value;
    if (is_equal == differs) return false;
  }
  return true;
}

inline bool is_asked_for(const given_object& object, const oarlock_query_view& query) {
  if (object.resource != to_text(query.resource)) return false;
  const auto document = json::parse(object.json);
  const json::node meta = json::node(&document)["metadata"];
  const auto ns = to_text(query.object_namespace);
  if (!ns.empty() && meta["namespace"].text() != ns) return false;
  const auto owner = to_text(query.owner_uid);
  bool is_owned = owner.empty();
  for (const json::node one : meta["ownerReferences"])
    is_owned = is_owned || one["uid"].text() == owner;
  return is_owned && has_labels(meta["labels"], to_text(query.label_selector));
}

// The world, and what the plugin has open in it.
struct bench_state {
  bench_world world;
  struct cursor {
    std::vector<given_object> left;  // the next one last
    given_object shown;
  };
  std::map<std::uint64_t, cursor> cursors;
  std::uint64_t last_cursor = 0;
  std::vector<std::string> names;  // of metrics and of their series, by id from 1 on
  bool is_call_under_way = false;  // observe() or effect(): live reads
  std::mutex mutex;                // of what the plugin's own threads may reach
};

inline bench_state& state_of(oarlock_host_ctx* ctx) {
  return *reinterpret_cast<bench_state*>(ctx);
}

inline const oarlock_host_log& bench_log() {
  static constexpr oarlock_host_log table = {
      sizeof(table), 0, [](oarlock_host_ctx*, oarlock_log_level) -> std::int32_t { return 1; },
      [](oarlock_host_ctx* ctx, oarlock_log_level level, oarlock_str_view message,
         const oarlock_pair_view* pairs, std::uint64_t count) {
        static constexpr const char* words[] = {"debug", "info", "warn", "error"};
        std::string line = std::string(words[level]) + ": " + std::string(to_text(message));
        for (std::uint64_t i = 0; i < count; ++i) {
          line.append(" ").append(to_text(pairs[i].key)).append("=");
          line.append(to_text(pairs[i].value));
        }
        const std::lock_guard lock(state_of(ctx).mutex);
        state_of(ctx).world.log.push_back(std::move(line));
      }};
  return table;
}

inline const oarlock_host_event_source& bench_events() {
  static constexpr oarlock_host_event_source table = {
      sizeof(table), 0,
      [](oarlock_host_ctx* ctx, oarlock_str_view controller, oarlock_str_view ns,
         oarlock_str_view name) -> oarlock_status {
        std::string key(to_text(controller));
        key.append(" ").append(to_text(ns)).append("/").append(to_text(name));
        const std::lock_guard lock(state_of(ctx).mutex);
        state_of(ctx).world.enqueued.push_back(std::move(key));
        return OARLOCK_OK;
      }};
  return table;
}

inline const oarlock_host_read& bench_reads() {
  static constexpr oarlock_host_read table = {
      sizeof(table), 0,
      [](oarlock_host_ctx* ctx, oarlock_str_view resource, oarlock_str_view name,
         const oarlock_read_out* out) -> oarlock_status {
        if (!state_of(ctx).is_call_under_way) return OARLOCK_INVALID;
        const auto& live = state_of(ctx).world.live;
        const auto found =
            live.find(std::string(to_text(resource)).append("/").append(to_text(name)));
        if (found == live.end()) return OARLOCK_OK;
        const oarlock_object_view view{sizeof(view), OARLOCK_ENCODING_JSON, resource,
                                       to_bytes(found->second)};
        out->object(out->ctx, &view);
        return OARLOCK_OK;
      }};
  return table;
}

inline const oarlock_host_cache& bench_cache() {
  static constexpr oarlock_host_cache table = {
      sizeof(table), 0,
      [](oarlock_host_ctx* ctx, const oarlock_query_view* query,
         std::uint64_t* out) -> oarlock_status {
        auto& state = state_of(ctx);
        auto& cursor = state.cursors[*out = ++state.last_cursor];
        for (const auto& one : state.world.cached) {
          if (is_asked_for(one, *query)) cursor.left.insert(cursor.left.begin(), one);
        }
        return OARLOCK_OK;
      },
      [](oarlock_host_ctx* ctx, std::uint64_t id, oarlock_object_view* out) -> oarlock_status {
        const auto found = state_of(ctx).cursors.find(id);
        if (found == state_of(ctx).cursors.end()) return OARLOCK_INVALID;
        auto& [left, shown] = found->second;
        if (left.empty()) return OARLOCK_OK;
        shown = std::move(left.back());
        left.pop_back();
        *out = {sizeof(*out), OARLOCK_ENCODING_JSON, to_view(shown.resource), to_bytes(shown.json)};
        return OARLOCK_OK;
      },
      [](oarlock_host_ctx* ctx, std::uint64_t id) -> oarlock_status {
        return state_of(ctx).cursors.erase(id) == 1 ? OARLOCK_OK : OARLOCK_INVALID;
      }};
  return table;
}

// Does `change` to the series of this id.
template <class Change>
oarlock_status change_series(oarlock_host_ctx* ctx, std::uint64_t id, Change change) {
  auto& state = state_of(ctx);
  const std::lock_guard lock(state.mutex);
  change(state.world.metrics[state.names.at(id - 1)]);
  return OARLOCK_OK;
}
// Metrics and series have the place of their names as ids, from 1 on.
inline std::uint64_t id_of(bench_state& state, std::string name) {
  state.names.push_back(std::move(name));
  return state.names.size();
}

inline const oarlock_host_metrics& bench_metrics() {
  static constexpr oarlock_host_metrics table = {
      sizeof(table),
      0,
      [](oarlock_host_ctx* ctx, const oarlock_metric_view* metric,
         std::uint64_t* out) -> oarlock_status {
        const std::lock_guard lock(state_of(ctx).mutex);
        *out = id_of(state_of(ctx), std::string(to_text(metric->name)));
        return OARLOCK_OK;
      },
      [](oarlock_host_ctx* ctx, std::uint64_t metric, const oarlock_str_view* values,
         std::uint64_t count, std::uint64_t* out) -> oarlock_status {
        const std::lock_guard lock(state_of(ctx).mutex);
        std::string name = state_of(ctx).names.at(metric - 1);
        for (std::uint64_t i = 0; i < count; ++i)
          name.append(i == 0 ? "{" : ",").append(to_text(values[i]));
        if (count > 0) name += "}";
        *out = id_of(state_of(ctx), std::move(name));
        return OARLOCK_OK;
      },
      [](oarlock_host_ctx* ctx, std::uint64_t id, oarlock_f64 amount) -> oarlock_status {
        return change_series(ctx, id, [&](double& sum) { sum += amount; });
      },
      [](oarlock_host_ctx* ctx, std::uint64_t id, oarlock_f64 value) -> oarlock_status {
        return change_series(ctx, id, [&](double& last) { last = value; });
      },
      [](oarlock_host_ctx* ctx, std::uint64_t id, oarlock_f64) -> oarlock_status {
        return change_series(ctx, id, [](double& count) { count += 1; });
      }};
  return table;
}

inline const oarlock_host_leadership& bench_leadership() {
  static constexpr oarlock_host_leadership table = {
      sizeof(table), 0,
      [](oarlock_host_ctx* ctx) { return state_of(ctx).world.lease_valid_until_ns; }};
  return table;
}
inline const oarlock_host_clock& bench_clock() {
  static constexpr oarlock_host_clock table = {
      sizeof(table), 0, [](oarlock_host_ctx* ctx) { return state_of(ctx).world.monotonic_ns; },
      [](oarlock_host_ctx* ctx) { return state_of(ctx).world.unix_ms; }};
  return table;
}

inline const void* bench_extension(oarlock_host_ctx*, oarlock_str_view id) {
  const auto name = to_text(id);
  if (name == OARLOCK_EXT_LOG) return &bench_log();
  if (name == OARLOCK_EXT_EVENT_SOURCE) return &bench_events();
  if (name == OARLOCK_EXT_READ) return &bench_reads();
  if (name == OARLOCK_EXT_CACHE) return &bench_cache();
  if (name == OARLOCK_EXT_METRICS) return &bench_metrics();
  if (name == OARLOCK_EXT_LEADERSHIP) return &bench_leadership();
  return name == OARLOCK_EXT_CLOCK ? &bench_clock() : nullptr;
}

}  // namespace detail
}  // namespace oarlock::sdk::testing
