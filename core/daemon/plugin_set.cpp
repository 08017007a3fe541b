#include "core/daemon/plugin_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "core/base/log.hpp"
#include "core/plugin/errors.hpp"

namespace oarlock::daemon {

namespace {

constexpr std::size_t lane_threads_max = 4;

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

plugin_set::~plugin_set() {
  stop();
}

result<std::unique_ptr<plugin::loaded_plugin>> plugin_set::load_one(const std::string& path,
                                                                    const loader& load_it) const {
  auto loaded = load_it(path, "{}");
  if (!loaded) return loaded.error();
  const auto& name = (*loaded)->declared().name;
  const bool taken = std::any_of(running_.begin(), running_.end(),
                                 [&](const running& r) { return r.code->declared().name == name; });
  if (taken) {
    return error{plugin::plugin_error::bad_manifest,
                 fmt::format("{}: expected each plugin once, found a second one named {}; remove "
                             "one --plugin",
                             path, name)};
  }
  if (auto started = (*loaded)->start(); !started) return started.error();
  return loaded;
}

void plugin_set::note_failure(const std::string& path, const error& why) {
  const auto name = name_of_path(path);
  log_error("plugin not loaded; the others go on",
            {{"plugin", name}, {"path", path}, {"error", why.message}});
  failed_.push_back({name, why.message});
  metrics_
      .make_gauge("oarlock_plugin_loaded", "1 for a plugin that runs, 0 for one that was refused",
                  {{"plugin", name}})
      .set(0);
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
    const auto& declared = (*loaded)->declared();
    log_info("plugin loaded",
             {{"plugin", declared.name}, {"version", declared.version}, {"path", path}});
    metrics_
        .make_gauge("oarlock_plugin_loaded", "1 for a plugin that runs, 0 for one that was refused",
                    {{"plugin", declared.name}})
        .set(1);
    metrics_
        .make_gauge("oarlock_plugin_info", "Always 1; the labels name the plugin's version",
                    {{"plugin", declared.name}, {"version", declared.version}})
        .set(1);
    running_.push_back({std::move(*loaded), nullptr, {}});
  }
}

void plugin_set::start_controllers(const options& o, const controller::controller::parts& shared) {
  for (auto& one : running_) {
    auto specs = one.code->declared().controllers;
    std::size_t most = 1;
    for (auto& spec : specs) {
      spec.ns = o.ns;
      if (o.max_concurrent_reconciles)
        spec.max_concurrent_reconciles = *o.max_concurrent_reconciles;
      most = std::max(most, spec.max_concurrent_reconciles);
    }
    one.lane = std::make_unique<boost::asio::thread_pool>(
        lane_threads(most, std::thread::hardware_concurrency()));
    for (auto& spec : specs) {
      auto parts = shared;
      parts.lane = one.lane->get_executor();
      parts.plan = &one.code->reconciler_for(spec.name);
      one.controllers.push_back(
          std::make_unique<controller::controller>(std::move(spec), std::move(parts)));
      one.controllers.back()->start();
    }
  }
}

void plugin_set::lead() {
  for (auto* one : controllers())
    one->lead();
}

void plugin_set::follow() {
  for (auto* one : controllers())
    one->follow();
}

std::vector<controller::controller*> plugin_set::controllers() {
  std::vector<controller::controller*> all;
  for (auto& one : running_) {
    for (auto& c : one.controllers)
      all.push_back(c.get());
  }
  return all;
}

std::vector<check> plugin_set::checks() const {
  std::vector<check> out;
  for (const auto& one : running_) {
    check c{.name = "plugin/" + one.code->declared().name};
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
    out.push_back(std::move(c));
  }
  // A refused plugin takes nothing out of service, unless there is no other.
  for (const auto& one : failed_) {
    out.push_back({.name = "plugin/" + one.name, .trouble = one.why, .gates = running_.empty()});
  }
  return out;
}

void plugin_set::destroy_controllers() {
  for (auto& one : running_)
    one.controllers.clear();
}

void plugin_set::announce_drain() {
  for (auto& one : running_)
    one.code->drain();
}

void plugin_set::stop() {
  for (auto& one : running_) {
    if (one.lane) one.lane->join();
    one.code->stop();
  }
  running_.clear();
}

}  // namespace oarlock::daemon
