#include "core/plugin/plugin_writes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/base/token_bucket.hpp"
#include "core/kube/errors.hpp"
#include "core/plugin/grants.hpp"

namespace oarlock::plugin {

namespace {

using kube::kube_error;

// "patch deployments.apps in default"
std::string in_words(const kube::write_intent& w) {
  const auto slash = w.resource.find('/');
  auto text = w.verb + " " + w.resource.substr(0, slash);
  if (!w.group.empty()) text += "." + w.group;
  if (slash != std::string::npos) text += w.resource.substr(slash);
  return w.ns.empty() ? text : text + " in namespace " + w.ns;
}

std::string outside(const std::string& plugin, const kube::write_intent& w, const char* of) {
  return fmt::format("expected plugin {} to write what {}, found {}: refused before it was sent",
                     plugin, of, in_words(w));
}

}  // namespace

struct plugin_writes::state {
  state(const manifest& declared, parts p);

  [[nodiscard]] result<> allowed(const kube::write_intent& w) const;
  error over_quota(const kube::write_intent& w, const char* quota) const;
  static task<bool> find_room(std::shared_ptr<state> self, steady_time deadline,
                              std::stop_token stop);
  static task<result<std::shared_ptr<void>>> admit(std::shared_ptr<state> self,
                                                   kube::write_intent what, steady_time deadline,
                                                   std::stop_token stop);
  void leave();

  const std::string plugin;
  const std::vector<grant> grants;
  const parts with;
  counter& refused;
  counter& over;
  counter& waited_seconds;
  gauge& under_way;
  counter& over_rate;
  counter& over_in_flight;
  token_bucket bucket;
  std::size_t in_flight = 0;
  // In the order of their coming; stopping one lets it go on.
  std::deque<std::shared_ptr<std::stop_source>> waiting;
};

plugin_writes::state::state(const manifest& declared, parts p)
    : plugin(declared.name),
      grants(plugin_grants(declared)),
      with(std::move(p)),
      refused(with.metrics->make_counter("oarlock_plugin_writes_refused_total",
                                         "Writes of a plugin that were not sent, by reason",
                                         {{"plugin", plugin}, {"reason", "not_declared"}})),
      over(with.metrics->make_counter("oarlock_plugin_writes_refused_total",
                                      "Writes of a plugin that were not sent, by reason",
                                      {{"plugin", plugin}, {"reason", "over_quota"}})),
      waited_seconds(with.metrics->make_counter("oarlock_plugin_write_wait_seconds_total",
                                                "Time that writes of a plugin waited for its quota",
                                                {{"plugin", plugin}})),
      under_way(with.metrics->make_gauge("oarlock_plugin_writes_in_flight",
                                         "Writes of a plugin that are under way",
                                         {{"plugin", plugin}})),
      over_rate(over_quota_counter(*with.metrics, plugin, quota_name::writes_per_second)),
      over_in_flight(over_quota_counter(*with.metrics, plugin, quota_name::writes_in_flight)),
      bucket(static_cast<double>(std::max<std::uint64_t>(with.quota.per_second, 1)),
             static_cast<double>(std::max<std::uint64_t>(with.quota.burst, 1))) {}

result<> plugin_writes::state::allowed(const kube::write_intent& w) const {
  const auto found = std::find_if(grants.begin(), grants.end(), [&](const grant& g) {
    return g.group == w.group && g.resource == w.resource;
  });
  const bool declared = found != grants.end() && std::find(found->verbs.begin(), found->verbs.end(),
                                                           w.verb) != found->verbs.end();
  if (!declared && !OARLOCK_MUTANT("manifest_not_asked")) {
    return error{kube_error::not_declared, outside(plugin, w, "its manifest declares")};
  }
  const bool elsewhere = !with.scope_ns.empty() && !w.ns.empty() && w.ns != with.scope_ns &&
                         !OARLOCK_MUTANT("scope_not_asked");
  // An event about an object without a namespace is in the namespace `default`.
  const bool is_cluster_event = declared && !found->namespaced && w.resource == "events";
  if (elsewhere && !is_cluster_event) {
    const auto of = "the daemon's --namespace " + with.scope_ns + " holds";
    return error{kube_error::not_declared, outside(plugin, w, of.c_str())};
  }
  return {};
}

error plugin_writes::state::over_quota(const kube::write_intent& w, const char* quota) const {
  over.add();
  log_error("plugin is over its quota: a write is refused",
            {{"plugin", plugin}, {"quota", quota}, {"write", in_words(w)}, {"name", w.name}});
  return {kube_error::over_quota,
          fmt::format("expected plugin {} to stay below its quota {}, found {} still waiting at "
                      "its deadline: raise the quota, or write less",
                      plugin, quota, in_words(w))};
}

// False: the deadline or `stop` came first. Who comes while others wait queues up behind them.
task<bool> plugin_writes::state::find_room(std::shared_ptr<state> self, steady_time deadline,
                                           std::stop_token stop) {
  const auto limit = self->with.quota.in_flight;
  if (limit == 0 || (self->in_flight < limit && self->waiting.empty())) {
    ++self->in_flight;
    co_return true;
  }
  self->over_in_flight.add();
  const auto turn = std::make_shared<std::stop_source>();
  self->waiting.push_back(turn);
  const std::stop_callback given_up(stop, [turn] { turn->request_stop(); });
  (void)co_await self->with.timer_source->sleep_for(deadline - self->with.clock_source->now(),
                                                    turn->get_token());
  const auto still = std::find(self->waiting.begin(), self->waiting.end(), turn);
  // leave() took it out of the queue and left it its room.
  if (still == self->waiting.end()) co_return true;
  self->waiting.erase(still);
  co_return false;
}

void plugin_writes::state::leave() {
  if (waiting.empty()) {
    --in_flight;
  } else {
    const auto next = std::move(waiting.front());
    waiting.pop_front();
    next->request_stop();
  }
  under_way.set(static_cast<double>(in_flight));
}

task<result<std::shared_ptr<void>>> plugin_writes::state::admit(std::shared_ptr<state> self,
                                                                kube::write_intent what,
                                                                steady_time deadline,
                                                                std::stop_token stop) {
  if (auto ok = self->allowed(what); !ok) {
    self->refused.add();
    log_error("write refused", {{"plugin", self->plugin},
                                {"write", in_words(what)},
                                {"name", what.name},
                                {"error", ok.error().message}});
    co_return ok.error();
  }
  const auto& with = self->with;
  const auto came = with.clock_source->now();
  const error cancelled{kube_error::cancelled, "cancelled while it waited for its quota"};
  if (with.quota.per_second > 0) {
    const auto wait = self->bucket.take(came, deadline - came);
    if (!wait) co_return self->over_quota(what, quota_name::writes_per_second);
    if (*wait > duration::zero()) self->over_rate.add();
    if (*wait > duration::zero() && !co_await with.timer_source->sleep_for(*wait, stop)) {
      co_return cancelled;
    }
  }
  const bool room = co_await find_room(self, deadline, stop);
  self->waited_seconds.add(std::chrono::duration<double>(with.clock_source->now() - came).count());
  if (!room && stop.stop_requested()) co_return cancelled;
  if (!room) co_return self->over_quota(what, quota_name::writes_in_flight);
  self->under_way.set(static_cast<double>(self->in_flight));
  co_return std::shared_ptr<void>(static_cast<void*>(self.get()), [self](void*) { self->leave(); });
}

plugin_writes::plugin_writes(const manifest& declared, parts p)
    : state_(std::make_shared<state>(declared, std::move(p))) {}
plugin_writes::~plugin_writes() = default;

task<result<std::shared_ptr<void>>> plugin_writes::admit(kube::write_intent what,
                                                         steady_time deadline,
                                                         std::stop_token stop) {
  return state::admit(state_, std::move(what), deadline, std::move(stop));
}

}  // namespace oarlock::plugin
