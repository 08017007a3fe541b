#include "core/daemon/daemon.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <fstream>
#include <mutex>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/base/uuid.hpp"
#include "core/cache/informer_cache.hpp"
#include "core/daemon/api_monitor.hpp"
#include "core/daemon/config_reload.hpp"
#include "core/daemon/debug_dump.hpp"
#include "core/daemon/debug_socket.hpp"
#include "core/daemon/health.hpp"
#include "core/daemon/inbound_door.hpp"
#include "core/daemon/loop_thread.hpp"
#include "core/daemon/plugin_objects.hpp"
#include "core/election/elector.hpp"
#include "core/metrics/access.hpp"
#include "core/metrics/http_server.hpp"
#include "core/metrics/process_metrics.hpp"
#include "core/plugin/version.hpp"

namespace oarlock::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto readiness_timeout = 1s;
constexpr auto config_period = 10s;
constexpr auto reload_poll = 10ms;
constexpr auto events_grace = 3s;
constexpr auto caches_grace = 2s;
// Plans know how pods reach the daemon from the first one on, unless that takes longer.
constexpr auto inbound_grace = 3s;
constexpr auto shutdown_margin = 10s;
// client-go's tolerance of its leader liveness check.
constexpr auto renewal_tolerance = 20s;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

// The second signal: no more patience. Only async-signal-safe calls.
void exit_at_once(int number) {
  _exit(128 + number);
}

// Runs `question` on another loop and waits for its answer at most `limit`.
template <class T>
task<std::optional<T>> ask(executor there, std::function<T()> question, duration limit) {
  const auto here = co_await boost::asio::this_coro::executor;
  auto timer = std::make_shared<boost::asio::steady_timer>(here);
  auto answer = std::make_shared<std::optional<T>>();
  timer->expires_after(limit);
  boost::asio::post(there, [question = std::move(question), here, timer, answer] {
    boost::asio::post(here, [value = question(), timer, answer]() mutable {
      *answer = std::move(value);
      timer->cancel();
    });
  });
  co_await timer->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  co_return std::move(*answer);
}

}  // namespace

// Members are destroyed from the last to the first: the loops, which everything lives on, go last.
struct daemon::state {
  options o;
  parts p;
  loop_thread stream{"oarlock-stream"};  // watches, queues, writes
  loop_thread probe{
      "oarlock-probe"};  // lease, probes, metrics: must answer whatever the other does

  kube::connection stream_api;
  kube::connection probe_api;
  kube::connection plugin_api;  // of plugins that act as themselves
  election::write_window window;
  std::unique_ptr<kube::rate_limit> api_rate;  // null: no limit
  std::unique_ptr<kube::client> stream_client;
  std::unique_ptr<kube::client> probe_client;

  // Each is looked after by the other. When the probe loop stands, /healthz gives no answer at all.
  watchdog stream_watch;
  watchdog probe_watch;
  std::unique_ptr<api_monitor> api;
  std::unique_ptr<cache::informer_cache> informers;
  plugin_set plugins;
  std::unique_ptr<plugin_objects> objects;  // null: no Plugin objects are looked at
  std::unique_ptr<election::elector> elector;
  std::unique_ptr<metrics::access_check> access;
  std::unique_ptr<metrics::http_server> probes_server;
  std::unique_ptr<metrics::http_server> metrics_server;
  std::unique_ptr<debug_socket> debug;
  std::unique_ptr<boost::asio::signal_set> signals;
  std::unique_ptr<boost::asio::signal_set> hangup;
  std::unique_ptr<config_reload> reloads;
  std::unique_ptr<inbound_door> door;                           // null: pods reach no plugin
  std::shared_ptr<const controller::inbound_endpoint> reached;  // by pods; on the stream loop

  std::stop_source monitors_stop;
  std::stop_source election_stop;
  std::stop_source shutdown_done;
  std::future<void> election_ended;

  // The stream loop may look at `plugins`: main has filled it and does not take it down yet.
  bool plugins_shown = false;

  // Progress that main waits for.
  std::mutex mutex;
  std::condition_variable changed;
  bool api_answered = false;
  std::optional<options> wanted;  // what a reload has read
  bool move_wanted = false;
  std::deque<std::function<void()>> orders;  // of Plugin objects
  std::atomic<bool> moved{false};
  std::atomic<bool> stopping{false};
  std::atomic<bool> started{false};
  std::atomic<bool> leads{false};

  state(options given, parts chosen)
      : o(std::move(given)),
        p(std::move(chosen)),
        window(*p.clock_source, p.lease_limit),
        stream_watch("oarlock-stream", stream.get_executor(), *p.clock_source),
        probe_watch("oarlock-probe", probe.get_executor(), *p.clock_source),
        plugins(*p.metrics) {}

  int run();

  // Start, in this order.
  result<> connect();
  result<> make_door();
  result<> start_servers();
  void start_monitors();
  void load_plugins();
  bool await_api();
  void start_controllers();
  void start_election();
  void await_stop();
  void reload_plugins();
  plugin_set::reach reach();
  result<> prepare_objects();
  void begin_to_lead();
  void move_to_children();
  // Stop, in this order.
  void bound_shutdown();
  bool drain();
  void end_plugins();
  void end_election();
  void end_caches();
  void end_rest();

  void on_signal(int number);
  void on_hangup();
  task<> follow_config(std::stop_token stop);
  result<std::shared_ptr<metrics::server_tls>> make_tls();
  void add_probe_handlers(metrics::http_server& server);
  void add_metrics_handler(metrics::http_server& server);
  std::vector<check> live_checks() const;
  task<metrics::http_answer> readyz();
  task<std::string> dump();
  void set_leading(bool now_leads);
};

// ---------------------------------------------------------------- probes and metrics

std::vector<check> daemon::state::live_checks() const {
  check leader{.name = "leader-election"};
  if (elector) {
    const auto renewed = elector->renewed_at();
    const auto limit = o.leader_election_lease_duration + renewal_tolerance;
    if (renewed && p.clock_source->now() > *renewed + limit) {
      leader.trouble = "leading without having renewed the lease for too long";
    }
  }
  return {{.name = "ping"}, {.name = "stream-loop", .trouble = stream_watch.trouble()}, leader};
}

task<metrics::http_answer> daemon::state::readyz() {
  std::vector<check> checks;
  if (stopping) checks.push_back({.name = "shutdown", .trouble = "stopping"});
  checks.push_back({.name = "api-server", .trouble = api->trouble()});
  if (elector) {
    check leader{.name = "leader-election"};
    leader.note = elector->leading() ? "leading" : "standing by, holder " + elector->holder();
    if (!elector->leading()) leader.trouble = elector->trouble();
    checks.push_back(std::move(leader));
  }
  auto of_plugins = co_await ask<std::vector<check>>(
      stream.get_executor(),
      [this] {
        if (plugins_shown) {
          auto all = plugins.checks();
          if (objects) all.push_back(objects->health());
          return all;
        }
        return std::vector<check>{{.name = "plugins", .trouble = "not loaded"}};
      },
      readiness_timeout);
  if (of_plugins) {
    checks.insert(checks.end(), of_plugins->begin(), of_plugins->end());
  } else {
    checks.push_back({.name = "stream-loop", .trouble = "no answer within 1 s"});
  }
  if (door) checks.push_back(door->state());
  if (!started && !stopping) {
    checks.push_back({.name = "start", .trouble = "the controllers are not started yet"});
  }
  co_return answer_of("readyz", checks);
}

task<std::string> daemon::state::dump() {
  process_view process;
  process.server = probe_api.transport->host();
  process.server_trouble = api->trouble();
  process.started = started;
  process.stopping = stopping;
  if (elector) {
    process.lease = lease_view{o.leader_election_namespace + "/" + o.leader_election_id,
                               elector->leading(),
                               elector->holder(),
                               {},
                               elector->trouble()};
    const auto renewed = elector->renewed_at();
    if (renewed) process.lease->renewed_ago = p.clock_source->now() - *renewed;
  }
  auto work = co_await ask<work_view>(
      stream.get_executor(),
      [this] {
        if (!plugins_shown || !informers) return work_view{};
        return view_of(plugins.controllers(), informers->informers());
      },
      readiness_timeout);
  co_return dump_json(process, work);
}

void daemon::state::add_probe_handlers(metrics::http_server& server) {
  server.handle("/healthz",
                [this](metrics::http_question, std::stop_token) -> task<metrics::http_answer> {
                  co_return answer_of("healthz", live_checks());
                });
  server.handle("/readyz",
                [this](metrics::http_question, std::stop_token) -> task<metrics::http_answer> {
                  return readyz();
                });
}

void daemon::state::add_metrics_handler(metrics::http_server& server) {
  server.handle(
      "/metrics",
      [this](metrics::http_question q, std::stop_token stop) -> task<metrics::http_answer> {
        if (access) {
          auto refused = co_await access->check(q.authorization, q.path, stop);
          if (refused) co_return std::move(*refused);
        }
        co_return metrics::http_answer{.body = p.metrics->serialize(),
                                       .content_type = "text/plain; version=0.0.4; charset=utf-8"};
      });
}

result<std::shared_ptr<metrics::server_tls>> daemon::state::make_tls() {
  if (!o.metrics_secure) return std::shared_ptr<metrics::server_tls>();
  if (!o.metrics_cert_dir.empty()) {
    auto made = metrics::tls_from_files(o.metrics_cert_dir, *p.clock_source, *p.metrics);
    if (!made) return made.error();
    return std::shared_ptr<metrics::server_tls>(std::move(*made));
  }
  std::vector<std::string> names{p.host_name, "localhost", "127.0.0.1", "::1"};
  const auto& host = o.metrics->host;
  if (!host.empty() && host != "127.0.0.1" && host != "::1") names.push_back(host);
  auto made = metrics::tls_self_signed(std::move(names), *p.clock_source);
  if (!made) return made.error();
  if (!o.state_dir.empty()) {
    const auto file = std::filesystem::path(o.state_dir) / "metrics-ca.crt";
    std::error_code ec;
    std::filesystem::create_directories(o.state_dir, ec);
    std::ofstream out(file, std::ios::trunc);
    out << (*made)->certificate_pem();
    if (!out.flush())
      log_warn("could not write the metrics certificate", {{"file", file.string()}});
  }
  return std::shared_ptr<metrics::server_tls>(std::move(*made));
}

result<> daemon::state::start_servers() {
  const auto loop = probe.get_executor();
  if (!o.debug_socket.empty()) {
    debug = std::make_unique<debug_socket>(loop, o.debug_socket, [this] { return dump(); });
    if (auto listening = debug->start(); !listening) return listening;
  }
  if (o.probes) {
    metrics::http_server_config config;
    config.name = "probes";
    config.where = *o.probes;
    probes_server = std::make_unique<metrics::http_server>(loop, *p.metrics, std::move(config));
    add_probe_handlers(*probes_server);
    if (auto listening = probes_server->start(); !listening) return listening;
  }
  if (o.metrics) {
    metrics::http_server_config config;
    config.name = "metrics";
    config.where = *o.metrics;
    auto tls = make_tls();
    if (!tls) return tls.error();
    config.tls = std::move(*tls);
    if (o.metrics_secure) {
      access = std::make_unique<metrics::access_check>(*probe_client, *p.clock_source);
    }
    metrics_server = std::make_unique<metrics::http_server>(loop, *p.metrics, std::move(config));
    add_metrics_handler(*metrics_server);
    if (auto listening = metrics_server->start(); !listening) return listening;
  }
  return {};
}

// ---------------------------------------------------------------- start

result<> daemon::state::connect() {
  auto for_stream = p.connect(stream.get_executor());
  if (!for_stream) return for_stream.error();
  // A connection of its own: the lease must not queue behind a list of 100,000 objects.
  auto for_probe = p.connect(probe.get_executor());
  if (!for_probe) return for_probe.error();
  if (o.plugin_identity == identity_kind::service_account || o.plugin_objects) {
    auto for_plugins = p.connect_anonymous(stream.get_executor());
    if (!for_plugins) return for_plugins.error();
    plugin_api = std::move(*for_plugins);
  }
  stream_api = std::move(*for_stream);
  probe_api = std::move(*for_probe);
  if (o.kube_api_qps > 0) {
    api_rate = std::make_unique<kube::rate_limit>(kube::rate_limit::parts{
        stream.get_executor(), p.clock_source, p.timer_source, o.kube_api_qps, o.kube_api_burst});
  }
  stream_client = std::make_unique<kube::client>(kube::client::parts{
      stream.get_executor(), stream_api.transport.get(), stream_api.identity.get(), p.clock_source,
      p.timer_source, p.metrics, &window, nullptr, api_rate.get()});
  probe_client = std::make_unique<kube::client>(
      kube::client::parts{probe.get_executor(), probe_api.transport.get(), probe_api.identity.get(),
                          p.clock_source, p.timer_source, p.metrics, nullptr});
  return o.inbound ? make_door() : result<>();
}

result<> daemon::state::make_door() {
  door = std::make_unique<inbound_door>(
      o, inbound_door::parts{
             p.clock_source, p.timer_source, p.metrics, p.host_name, p.connect,
             [this] { return leads && !stopping; },
             [this](std::string plugin, plugin::inbound_request request, auto done) {
               boost::asio::post(stream.get_executor(), [this, plugin = std::move(plugin),
                                                         request = std::move(request),
                                                         done = std::move(done)]() mutable {
                 plugins.take_request(plugin, std::move(request), std::move(done));
               });
             },
             [this](inbound_door::endpoint found) {
               boost::asio::post(stream.get_executor(), [this, found = std::move(found)] {
                 reached = found;
                 if (started && !stopping) plugins.enqueue_all();
               });
             }});
  return door->connect();
}

void daemon::state::on_signal(int number) {
  log_info("stopping", {{"signal", number}});
  stopping = true;
  signals->clear();
  std::signal(SIGTERM, exit_at_once);
  std::signal(SIGINT, exit_at_once);
  const std::lock_guard lock(mutex);
  changed.notify_all();
}

void daemon::state::on_hangup() {
  hangup->async_wait([this](boost::system::error_code ec, int) {
    if (ec) return;
    reloads->reload();
    on_hangup();
  });
}

task<> daemon::state::follow_config(std::stop_token stop) {
  while (co_await p.timer_source->sleep_for(config_period, stop))
    reloads->reload_if_changed();
}

void daemon::state::start_monitors() {
  reloads = std::make_unique<config_reload>(o, p.reread, *p.metrics, [this](const options& next) {
    const std::lock_guard lock(mutex);
    wanted = next;
    changed.notify_all();
  });
  hangup = std::make_unique<boost::asio::signal_set>(probe.get_executor(), SIGHUP);
  on_hangup();
  spawn(probe.get_executor(), follow_config(monitors_stop.get_token()));
  signals = std::make_unique<boost::asio::signal_set>(probe.get_executor(), SIGTERM, SIGINT);
  signals->async_wait([this](boost::system::error_code ec, int number) {
    if (!ec) on_signal(number);
  });
  const auto stop = monitors_stop.get_token();
  spawn(probe.get_executor(), stream_watch.run(*p.timer_source, stop));
  spawn(stream.get_executor(), probe_watch.run(*p.timer_source, stop));
  api = std::make_unique<api_monitor>(api_monitor::parts{
      probe_api.transport.get(), probe_api.identity.get(), p.clock_source, p.timer_source,
      [this] {
        const std::lock_guard lock(mutex);
        api_answered = true;
        changed.notify_all();
      },
      [this] {
        boost::asio::post(stream.get_executor(), [this] {
          if (informers) informers->wake();
        });
      }});
  spawn(probe.get_executor(), api->run(stop));
}

void daemon::state::load_plugins() {
  if (o.plugins.empty() && !o.plugin_objects)
    log_warn("no plugin is configured: nothing to do; see --plugin");
  plugins.load(o, p.load_plugin);
  stream.call([this] { plugins_shown = true; });
}

// False: stopped before the server answered. It may take for ever; the process stays and says why.
bool daemon::state::await_api() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return api_answered || stopping; });
  return !stopping;
}

void daemon::state::await_stop() {
  for (;;) {
    std::function<void()> next_work;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return stopping || move_wanted || wanted || !orders.empty(); });
      if (stopping) return;
      if (std::exchange(move_wanted, false)) {
        next_work = [this] { move_to_children(); };
      } else if (const auto next = std::exchange(wanted, std::nullopt)) {
        o.plugins = next->plugins;
        o.plugin_quotas = next->plugin_quotas;
        o.plugin_configs = next->plugin_configs;
        next_work = [this] { reload_plugins(); };
      } else {
        next_work = std::move(orders.front());
        orders.pop_front();
      }
    }
    next_work();
  }
}

plugin_set::reach daemon::state::reach() {
  plugin_set::reach to;
  to.on_loop = [this](const std::function<void()>& work) { stream.call(work); };
  to.begin = [this](task<> work) { return stream.begin(std::move(work)); };
  to.pause = [this] {
    std::unique_lock lock(mutex);
    return !changed.wait_for(lock, reload_poll, [this] { return stopping.load(); });
  };
  to.clock_source = p.clock_source;
  return to;
}

result<> daemon::state::prepare_objects() {
  if (!o.plugin_objects) return {};
  objects = std::make_unique<plugin_objects>(
      o, plugin_objects::parts{.loop = stream.get_executor(),
                               .plugins = &plugins,
                               .on_main =
                                   [this](std::function<void()> work) {
                                     const std::lock_guard lock(mutex);
                                     orders.push_back(std::move(work));
                                     changed.notify_all();
                                   },
                               .reach = reach(),
                               .load_image = p.load_image,
                               .take_quotas = p.take_quotas});
  return objects->prepare(p.host_name);
}

void daemon::state::reload_plugins() {
  if (objects) objects->take_config(o);
  if (p.take_quotas) p.take_quotas(objects ? objects->quotas() : o.plugin_quotas);
  if (p.take_configs) p.take_configs(o.plugin_configs);
  plugins.reload(o, p.load_plugin, reach());
}

// A leader that did not give up its lease may have died of a plugin, and of an object that comes to
// us now: then it is a child that dies of it. Where the reason is known, that plugin is in a child
// already.
void daemon::state::begin_to_lead() {
  const auto left_by = elector->left_by();
  const bool known = p.crash_explained && left_by.starts_with(p.host_name + "_");
  if (left_by.empty() || known || moved) return set_leading(true);
  log_warn("the last leader did not give up its lease: plugins of the core move to children first",
           {{"holder", left_by}});
  const std::lock_guard lock(mutex);
  move_wanted = true;
  changed.notify_all();
}

void daemon::state::move_to_children() {
  plugins.move_to_children(p.load_in_child,
                           [this](const std::function<void()>& what) { stream.call(what); });
  moved = true;
  set_leading(true);
}

void daemon::state::start_controllers() {
  stream.call([this] {
    informers = std::make_unique<cache::informer_cache>(
        cache::informer_cache::parts{.loop = stream.get_executor(),
                                     .client = stream_client.get(),
                                     .clock_source = p.clock_source,
                                     .timer_source = p.timer_source,
                                     .random = p.random,
                                     .metrics = p.metrics,
                                     .follow_schemas = true});
    controller::controller::parts shared{};
    shared.loop = stream.get_executor();
    shared.cache = informers.get();
    shared.clock_source = p.clock_source;
    shared.timer_source = p.timer_source;
    shared.metrics = p.metrics;
    shared.random = p.random;
    if (door) shared.inbound = &reached;
    const plugin_access::parts with{
        {stream.get_executor(), stream_api.transport.get(), stream_api.identity.get(),
         p.clock_source, p.timer_source, p.metrics, &window, nullptr, api_rate.get()},
        plugin_api.transport.get(),
        p.host_name};
    plugins.start_controllers(o, shared, with);
    if (objects) objects->start(shared, with);
  });
  started = true;
}

void daemon::state::set_leading(bool now_leads) {
  boost::asio::post(stream.get_executor(), [this, now_leads] {
    if (stopping) return;                                     // drain() has taken over
    if (now_leads && elector && !elector->leading()) return;  // it was lost meanwhile
    leads = now_leads;
    if (now_leads) {
      plugins.lead();
      if (objects) objects->lead();
    } else {
      plugins.follow();
      if (objects) objects->follow();
    }
  });
}

void daemon::state::start_election() {
  if (!o.leader_elect) {
    window.open_forever();
    set_leading(true);
    return;
  }
  election::elector_config config;
  config.lease_name = o.leader_election_id;
  config.lease_namespace = o.leader_election_namespace;
  config.lease_duration = o.leader_election_lease_duration;
  config.renew_deadline = o.leader_election_renew_deadline;
  config.retry_period = o.leader_election_retry_period;
  // Two processes on one host are two candidates.
  config.identity = p.host_name + "_" + uuid(*p.random).text();
  probe.call([&] {
    elector = std::make_unique<election::elector>(
        std::move(config),
        election::elector::parts{probe_client.get(), p.clock_source, p.timer_source, p.random,
                                 p.metrics, &window, [this] { begin_to_lead(); },
                                 [this] { set_leading(false); }});
    election_ended = probe.begin(elector->run(election_stop.get_token()));
  });
}

// ---------------------------------------------------------------- stop

// A plugin may hang in drain() or stop(), where nothing else bounds it: then the process ends
// without it, and without giving up the lease.
void daemon::state::bound_shutdown() {
  const auto guard = [](state* self, std::stop_token done) -> task<> {
    const auto patience = limits::shutdown_grace + shutdown_margin;
    const bool elapsed = co_await self->p.timer_source->sleep_for(patience, std::move(done));
    if (!elapsed) co_return;
    self->window.close();
    log_error("a plugin did not stop in time: stopping without it");
    _exit(exit_failed);
  };
  spawn(probe.get_executor(), guard(this, shutdown_done.get_token()));
}

// True: no reconcile is under way any more. The lease is renewed meanwhile, so that the last writes
// may go out.
bool daemon::state::drain() {
  const auto until = p.clock_source->now() + limits::shutdown_grace;
  plugins.announce_drain();
  auto drained = stream.call([this] {
    std::vector<std::future<void>> all;
    for (auto* one : plugins.controllers())
      all.push_back(stream.begin(one->drain()));
    if (objects) all.push_back(stream.begin(objects->drain()));
    return all;
  });
  for (auto& one : drained) {
    if (one.wait_until(until) != std::future_status::ready) {
      log_error("a reconcile did not end in time: stopping without it");
      return false;
    }
  }
  const auto flush_until = std::min<steady_time>(until, p.clock_source->now() + events_grace);
  stream.begin(plugins.flush_events(flush_until)).wait_until(until);
  return true;
}

// With their threads ends the last that may act outside of Kubernetes because we lead.
void daemon::state::end_plugins() {
  stream.call([this] {
    plugins_shown = false;
    if (objects) objects->stop();
    plugins.destroy_controllers();
  });
  plugins.stop();
}

void daemon::state::end_election() {
  if (!elector) return;
  election_stop.request_stop();
  const auto limit = o.leader_election_renew_deadline;
  if (election_ended.wait_for(limit) != std::future_status::ready) return;
  probe.begin(elector->release()).wait_for(limit);
}

void daemon::state::end_caches() {
  if (informers) stream.begin(informers->stop()).wait_for(caches_grace);
  log_info("the caches have ended");
}

void daemon::state::end_rest() {
  monitors_stop.request_stop();
  shutdown_done.request_stop();
  if (door) door->stop();
  probe.call([this] {
    if (probes_server) probes_server->stop();
    if (metrics_server) metrics_server->stop();
    if (debug) debug->stop();
  });
  stream.call([this] { informers.reset(); });
  stream.stop();
  probe.stop();
}

int daemon::state::run() {
  log_info("starting oarlockd", {{"version", plugin::core_version()},
                                 {"runtime", o.runtime_name},
                                 {"pid", static_cast<std::int64_t>(getpid())}});
  metrics::add_process_metrics(*p.metrics, std::string(plugin::core_version()));
  if (auto connected = connect(); !connected) {
    log_error("cannot connect", {{"error", connected.error().message}});
    return exit_usage;
  }
  start_monitors();
  if (auto listening = start_servers(); !listening) {
    log_error("cannot start", {{"error", listening.error().message}});
    return exit_failed;  // no thread runs yet
  }
  if (auto prepared = prepare_objects(); !prepared) {
    log_error("cannot start", {{"error", prepared.error().message}});
    return exit_failed;
  }
  bool may_work = false;
  try {
    probe.start();
    stream.start();
    load_plugins();
    may_work = await_api();
    if (may_work && door) {
      door->start();
      door->await_open(inbound_grace);
    }
    if (may_work) start_controllers();
  } catch (const std::runtime_error& e) {
    // A thread that the system does not give. Some of them run, so nothing is destroyed; nothing
    // was written yet.
    log_error("cannot start", {{"error", e.what()}, {"expected", "more threads or memory"}});
    _exit(exit_failed);
  }
  if (may_work) {
    start_election();
    await_stop();
  }
  bound_shutdown();
  if (!drain()) {
    // Somebody's thread still runs, so nothing may be destroyed and the lease may not be given up:
    // another process takes over when it expires. The window keeps late writes in.
    window.close();
    log_info("stopped, not all work ended");
    _exit(exit_failed);
  }
  end_plugins();
  end_election();  // whoever stands by goes on from here
  end_caches();
  end_rest();
  log_info("stopped");
  return 0;
}

daemon::daemon(options o, parts p) : state_(std::make_unique<state>(std::move(o), std::move(p))) {}
daemon::~daemon() = default;
int daemon::run() {
  return state_->run();
}

}  // namespace oarlock::daemon
