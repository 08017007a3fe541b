#include "core/cache/standalone.hpp"

#include <utility>

#include "core/base/asio_timers.hpp"
#include "core/base/system_clock.hpp"
#include "core/base/system_random.hpp"
#include "core/cache/errors.hpp"
#include "core/kube/connect.hpp"

namespace oarlock::cache {

namespace {

constexpr duration poll = std::chrono::milliseconds(5);

error late(const informer& view, const std::string& wanted) {
  const auto why = view.trouble();
  return {kube::kube_error::unavailable, "expected " + wanted + " of " +
                                             view.what().resource.name() + " in time, found " +
                                             (why.empty() ? "none yet" : why)};
}

}  // namespace

// What everything lives on goes last.
struct standalone::state {
  system_clock clock_source;
  asio_timers timer_source;
  system_random random;
  std::unique_ptr<metric_registry> metrics = make_prometheus_registry();
  kube::connection api;
  std::unique_ptr<kube::client> client;
  std::unique_ptr<informer_cache> cache;
};

standalone::standalone(std::unique_ptr<state> s) : state_(std::move(s)) {}
standalone::~standalone() = default;

result<std::unique_ptr<standalone>> standalone::open(executor loop,
                                                     const kube::config_sources& from) {
  const auto config = kube::load_cluster_config(from);
  if (!config) return config.error();
  auto s = std::make_unique<state>();
  auto api = kube::connect(loop, s->clock_source, s->timer_source, *config);
  if (!api) return api.error();
  s->api = std::move(*api);
  s->client = std::make_unique<kube::client>(
      kube::client::parts{loop, s->api.transport.get(), s->api.identity.get(), &s->clock_source,
                          &s->timer_source, s->metrics.get(), nullptr});
  s->cache =
      std::make_unique<informer_cache>(informer_cache::parts{.loop = loop,
                                                             .client = s->client.get(),
                                                             .clock_source = &s->clock_source,
                                                             .timer_source = &s->timer_source,
                                                             .random = &s->random,
                                                             .metrics = s->metrics.get(),
                                                             .follow_schemas = true});
  return std::unique_ptr<standalone>(new standalone(std::move(s)));
}

kube::client& standalone::client() {
  return *state_->client;
}

informer_cache& standalone::cache() {
  return *state_->cache;
}

metric_registry& standalone::metrics() {
  return *state_->metrics;
}

task<result<>> standalone::synced(const informer& view, duration limit) {
  const auto end = state_->clock_source.now() + limit;
  while (!view.synced()) {
    if (state_->clock_source.now() >= end) co_return late(view, "the first list");
    co_await state_->timer_source.sleep_for(poll, {});
  }
  co_return result<>();
}

task<result<object_ptr>> standalone::shown(const informer& view, object_key key, duration limit) {
  const auto end = state_->clock_source.now() + limit;
  while (true) {
    if (auto found = view.get(key)) co_return found;
    if (state_->clock_source.now() >= end) co_return late(view, key.text());
    co_await state_->timer_source.sleep_for(poll, {});
  }
}

}  // namespace oarlock::cache
