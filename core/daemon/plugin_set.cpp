#include "core/daemon/plugin_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "core/base/log.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/library.hpp"

namespace oarlock::daemon {

namespace {

constexpr std::size_t lane_threads_max = 4;
constexpr const char* loaded_name = "oarlock_plugin_loaded";
constexpr const char* loaded_help = "1 for a plugin that runs, 0 for one that was refused";
constexpr const char* info_name = "oarlock_plugin_info";
constexpr const char* info_help = "1 for the version of the plugin that runs, 0 for earlier ones";

metric_labels info_labels(const plugin::manifest& declared) {
  return {{"plugin", declared.name}, {"version", declared.version}};
}

// "myapp" of build/plugins/myapp, build/plugins/myapp/ and build/plugins/myapp/libmyapp.so: what a
// plugin that could not be read is called.
std::string name_of_path(const std::string& path) {
  auto stem = std::filesystem::path(path).lexically_normal();
  if (!stem.has_filename()) stem = stem.parent_path();
  auto name = stem.filename().string();
  if (name.ends_with(".so")) {
    name.resize(name.size() - 3);
    if (name.starts_with("lib")) name.erase(0, 3);
  }
  return name.empty() ? path : name;
}

}  // namespace

std::size_t plugin_set::lane_threads(std::size_t max_concurrent, unsigned processors) {
  const auto wanted = std::clamp<std::size_t>(processors, 2, lane_threads_max);
  return std::clamp<std::size_t>(max_concurrent, 2, wanted);
}

plugin_set::plugin_set(metric_registry& metrics,
                       std::function<std::string(const std::string&)> fingerprint)
    : metrics_(metrics), fingerprint_(std::move(fingerprint)) {
  auto& mapped = metrics.make_gauge("oarlock_plugin_libraries_mapped",
                                    "Libraries of plugins in this process, of all versions", {});
  auto& unused = metrics.make_gauge(
      "oarlock_plugin_libraries_unused",
      "Libraries of plugins that stayed mapped although no instance is left in them", {});
  metrics.before_scrape([&mapped, &unused] {
    const auto now = plugin::count_libraries();
    mapped.set(static_cast<double>(now.mapped));
    unused.set(static_cast<double>(now.unused));
  });
}

plugin_set::~plugin_set() {
  stop();
}

bool plugin_set::is_taken(const std::string& name) const {
  return std::any_of(running_.begin(), running_.end(),
                     [&](const auto& one) { return one->code->declared().name == name; });
}

result<> plugin_set::admit(const std::string& path, const plugin::loaded_plugin& loaded) const {
  const auto& name = loaded.declared().name;
  if (!is_taken(name)) return {};
  return error{plugin::plugin_error::bad_manifest,
               fmt::format("{}: expected each plugin once, found a second one named {}; remove "
                           "one --plugin",
                           path, name)};
}

result<plugin_set::running_ptr> plugin_set::load_one(const std::string& path,
                                                     const loader& load_it) const {
  auto one = std::make_unique<running>();
  one->path = one->said = path;
  auto loaded = load_it(path, one->config);
  if (!loaded) return loaded.error();
  if (auto ok = admit(path, **loaded); !ok) return ok.error();
  if (auto started = (*loaded)->start(); !started) return started.error();
  one->code = std::move(*loaded);
  return one;
}

void plugin_set::note_loaded(const running& one) {
  const auto& declared = one.code->declared();
  log_info("plugin loaded",
           {{"plugin", declared.name}, {"version", declared.version}, {"path", one.said}});
  metrics_.make_gauge(loaded_name, loaded_help, {{"plugin", declared.name}}).set(1);
  metrics_.make_gauge(info_name, info_help, info_labels(declared)).set(1);
}

void plugin_set::note_gone(const plugin::manifest& declared, bool is_replaced) {
  metrics_.make_gauge(info_name, info_help, info_labels(declared)).set(0);
  if (!is_replaced)
    metrics_.make_gauge(loaded_name, loaded_help, {{"plugin", declared.name}}).set(0);
}

void plugin_set::note_failure(const std::string& path, const error& why) {
  const auto name = name_of_path(path);
  log_error("plugin not loaded; the others go on",
            {{"plugin", name}, {"path", path}, {"error", why.message}});
  failed_.push_back({path, name, why.message});
  metrics_.make_gauge(loaded_name, loaded_help, {{"plugin", name}}).set(0);
  metrics_
      .make_counter("oarlock_plugin_load_failures_total", "Plugins refused, by reason",
                    {{"reason", why.code.message()}})
      .add();
}

void plugin_set::load(const options& o, const loader& load_it) {
  for (const auto& path : o.plugins) {
    auto loaded = load_one(path, load_it);
    if (!loaded) {
      note_failure(path, loaded.error());
      continue;
    }
    note_loaded(**loaded);
    (*loaded)->in_service = true;
    running_.push_back(std::move(*loaded));
  }
}

void plugin_set::start_controllers(const options& o, const controller::controller::parts& shared,
                                   const plugin_access::parts& api) {
  shared_ = shared;
  api_ = api;
  for (auto& one : running_)
    start_one(*one, o);
}

void plugin_set::start_one(running& one, const options& o) {
  accesses_.push_back(std::make_unique<plugin_access>(one.code->declared(), o, one.said, api_));
  one.access = accesses_.back().get();
  auto specs = one.code->declared().controllers;
  std::size_t most = 1;
  for (auto& spec : specs) {
    spec.ns = o.ns;
    if (o.max_concurrent_reconciles) spec.max_concurrent_reconciles = *o.max_concurrent_reconciles;
    most = std::max(most, spec.max_concurrent_reconciles);
  }
  one.lane = std::make_unique<lane_pool>(lane_threads(most, std::thread::hardware_concurrency()));
  const auto of_plugin = parts_of(one, o);
  for (auto& spec : specs) {
    auto parts = of_plugin;
    auto& plan = one.plans[spec.name];
    plan = std::make_unique<switchable_reconciler>(one.code->reconciler_for(spec.name));
    parts.plan = plan.get();
    one.controllers.push_back(
        std::make_unique<controller::controller>(std::move(spec), std::move(parts)));
    one.controllers.back()->start();
  }
  open_feed(one);
  spawn(shared_.loop,
        one.access->watch(one.reviews.get_token(), [this, &one] { follow_access(one); }));
}

void plugin_set::open_feed(running& one) const {
  if (one.feed) one.feed->close();
  one.feed.reset();
  auto inbox = one.code->enqueued();
  if (!inbox) return;
  key_feed::targets to;
  for (const auto& c : one.controllers)
    to.emplace(c->spec().name, c.get());
  one.feed = key_feed::open(std::move(inbox), std::move(to), shared_.loop, *shared_.timer_source);
}

// What the controllers of one plugin share, its quotas with it.
controller::controller::parts plugin_set::parts_of(running& one, const options& o) {
  const auto& name = one.code->declared().name;
  const auto quota = one.quota = o.plugin_quotas.of(name);
  auto& held_back =
      plugin::over_quota_counter(metrics_, name, plugin::quota_name::concurrent_reconciles);
  auto parts = shared_;
  parts.lane = one.lane->get_executor();
  parts.client = &one.access->client();
  parts.events = &one.access->events();
  parts.gate = api_.daemon.gate;
  parts.budget = std::make_shared<controller::reconcile_budget>(quota.concurrent_reconciles,
                                                                [&held_back] { held_back.add(); });
  const auto most = static_cast<std::size_t>(quota.cache_bytes);
  one.tenant = std::make_shared<cache::tenant>(cache::tenant{
      most, [this, &one, most](std::size_t bytes) { end_over_quota(one, bytes, most); }});
  parts.tenant = one.tenant;
  return parts;
}

void plugin_set::end_over_quota(running& one, std::size_t bytes, std::size_t most) {
  const auto& name = one.code->declared().name;
  constexpr auto* quota = plugin::quota_name::cache_bytes;
  one.over_quota = fmt::format(
      "expected plugin {} to stay below its quota {}={}, found {} bytes of objects that nobody "
      "else reads: stopped; raise --plugin-quota={}:{} or declare less, and reload (SIGHUP)",
      name, quota, most, bytes, name, quota);
  plugin::over_quota_counter(metrics_, name, quota).add();
  log_error("plugin is over its quota and stopped; the others go on",
            {{"plugin", name}, {"quota", quota}, {"limit", most}, {"found", bytes}});
  for (const auto& c : one.controllers)
    spawn(shared_.loop, c->drain());
}

void plugin_set::follow_access(const running& one) {
  // Its watches may be parked on a 403: the daemon was reviewed too, and may list by now.
  if (one.parked().empty()) shared_.cache->wake();
  if (one.in_service) direct(one);
}

// A plugin that lost its grants stops; one that has them works if this process leads.
void plugin_set::direct(const running& one) const {
  for (const auto& c : one.controllers) {
    if (!one.parked().empty()) {
      c->follow();
    } else if (leads_) {
      c->lead();
    }
  }
}

void plugin_set::lead() {
  leads_ = true;
  for (const auto& one : running_) {
    if (one->in_service) direct(*one);
  }
}

void plugin_set::follow() {
  leads_ = false;
  for (auto* one : controllers())
    one->follow();
}

task<> plugin_set::flush_events(steady_time deadline) {
  for (const auto& one : accesses_)
    co_await one->events().flush(deadline);
}

std::vector<controller::controller*> plugin_set::controllers() {
  std::vector<controller::controller*> out;
  for (const auto* one : all()) {
    for (const auto& c : one->controllers)
      out.push_back(c.get());
  }
  return out;
}

check plugin_set::check_of(const running& one) const {
  check c{.name = "plugin/" + one.code->declared().name, .note = one.code->note()};
  if (!one.refused.empty()) c.note += (c.note.empty() ? "" : "; ") + one.refused;
  if (one.controllers.empty() && !one.code->declared().controllers.empty()) {
    c.trouble = "waiting for the API server";
  }
  for (const auto& made : one.controllers) {
    auto why = made->trouble();
    if (why.empty() && !made->synced()) why = "the caches are not filled yet";
    if (const auto hung = made->hung_plans(); !hung.empty()) {
      c.note += (c.note.empty() ? "" : "; ") + hung;
    }
    if (!why.empty()) c.trouble += (c.trouble.empty() ? "" : "; ") + why;
  }
  if (auto why = one.parked(); !why.empty()) c.trouble = std::move(why);
  return c;
}

std::optional<check> plugin_set::check_of(const std::string& name) const {
  for (const auto& one : running_) {
    if (one->code->declared().name == name) return check_of(*one);
  }
  return std::nullopt;
}

std::vector<const plugin::manifest*> plugin_set::manifests() const {
  std::vector<const plugin::manifest*> out;
  for (const auto& one : running_)
    out.push_back(&one->code->declared());
  return out;
}

std::vector<check> plugin_set::checks() const {
  std::vector<check> out;
  // A plugin that waits for its grants takes nothing out of service, unless there is no other.
  const bool all_parked = std::all_of(running_.begin(), running_.end(),
                                      [](const auto& one) { return !one->parked().empty(); });
  for (const auto& one : running_) {
    auto c = check_of(*one);
    // What people install while it runs takes nothing out of service.
    if (one->of_image) c.gates = false;
    if (!one->parked().empty()) c.gates = c.gates && all_parked;
    out.push_back(std::move(c));
  }
  // A refused plugin takes nothing out of service, unless there is no other.
  for (const auto& one : failed_) {
    out.push_back({.name = "plugin/" + one.name, .trouble = one.why, .gates = running_.empty()});
  }
  return out;
}

std::vector<plugin_set::running*> plugin_set::all() const {
  std::vector<running*> out;
  for (const auto* list : {&running_, &stuck_}) {
    for (const auto& one : *list)
      out.push_back(one.get());
  }
  return out;
}

void plugin_set::destroy_controllers() {
  leads_ = false;  // requests of pods do not look at what stop() takes down
  for (auto* one : all()) {
    one->reviews.request_stop();
    if (one->feed) one->feed->close();
    one->controllers.clear();
  }
}

void plugin_set::move_to_children(
    const loader& load_child, const std::function<void(const std::function<void()>&)>& on_loop) {
  for (const auto& one : running_) {
    if (!one->code->in_core()) continue;
    const auto& load_it = one->load_in_child ? one->load_in_child : load_child;
    auto next = load_it(one->path, one->config);
    auto started = next ? (*next)->start() : result<>(next.error());
    if (!started) {
      log_error("plugin stays in the core: it could not be moved to a child",
                {{"plugin", one->code->declared().name}, {"error", started.error().message}});
      continue;
    }
    on_loop([&] {
      for (auto& [controller, plan] : one->plans)
        plan->switch_to((*next)->reconciler_for(controller));
      one->left = std::exchange(one->code, std::move(*next));
      open_feed(*one);
    });
    // Stopped with the rest: a plan() of it may still run.
    one->left->drain();
    log_warn("plugin was moved to a child", {{"plugin", one->code->declared().name}});
  }
}

void plugin_set::announce_drain() {
  for (auto* one : all())
    one->code->drain();
}

void plugin_set::stop() {
  for (auto* one : all()) {
    if (one->lane) one->lane->join();
    one->code->stop();
    if (one->left) one->left->stop();
  }
  running_.clear();
  stuck_.clear();
}

}  // namespace oarlock::daemon
