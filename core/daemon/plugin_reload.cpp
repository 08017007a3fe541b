// The half of plugin_set that changes the plugins of a daemon that runs.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/base/log.hpp"
#include "core/daemon/plugin_set.hpp"
#include "core/plugin/errors.hpp"

namespace oarlock::daemon {

namespace {

using namespace std::chrono_literals;

// For a new version to get its first lists; the old one works meanwhile.
constexpr auto caches_limit = 30s;
// Beyond the deadline of a reconcile, which ends all but a plan() that does not return.
constexpr auto drain_margin = 10s;

}  // namespace

void plugin_set::reload(const options& o, const loader& load_it, const reach& to) {
  const auto is_wanted = [&](const std::string& path) {
    return std::find(o.plugins.begin(), o.plugins.end(), path) != o.plugins.end();
  };
  for (std::size_t i = 0; i < running_.size();) {
    if (!running_[i]->of_image && !is_wanted(running_[i]->path) && remove(i, to)) continue;
    if (!to.pause()) return;
    ++i;
  }
  to.on_loop([&] { failed_.clear(); });
  for (const auto& path : o.plugins) {
    const auto found = std::find_if(running_.begin(), running_.end(), [&](const auto& one) {
      return !one->of_image && one->path == path;
    });
    if (found == running_.end()) {
      add(o, path, load_it, to);
    } else if (is_changed(o, **found, to)) {
      upgrade(o, *found, load_it, to);
    } else {
      to.on_loop([&] { (*found)->refused.clear(); });
    }
    if (!to.pause()) return;
  }
}

// A quota that has stopped a plugin may be met by now: its objects may be fewer.
bool plugin_set::is_changed(const options& o, const running& one, const reach& to) const {
  bool is_stopped = false;
  to.on_loop([&] { is_stopped = !one.over_quota.empty(); });
  return is_stopped || fingerprint_(one.path) != one.code->fingerprint() ||
         o.plugin_quotas.of(one.code->declared().name) != one.quota ||
         o.plugin_configs.text_of(one.code->declared().name) != one.code->config_text();
}

void plugin_set::add(const options& o, const std::string& path, const loader& load_it,
                     const reach& to) {
  auto loaded = load_one(path, load_it);
  to.on_loop([&] {
    if (!loaded) {
      note_failure(path, loaded.error());
      return;
    }
    put_in_service(o, std::move(*loaded));
  });
}

// On the stream loop.
void plugin_set::put_in_service(const options& o, running_ptr one) {
  start_one(*one, o);
  one->in_service = true;
  direct(*one);
  note_loaded(*one);
  running_.push_back(std::move(one));
}

result<> plugin_set::install(const options& o, const image_plugin& wanted, const reach& to) {
  auto one = std::make_unique<running>();
  one->path = wanted.folder.string();
  one->said = wanted.image;
  one->config = wanted.config;
  one->of_image = true;
  one->load_in_child = wanted.load_in_child;
  const auto found = std::find_if(running_.begin(), running_.end(), [&](const auto& other) {
    return other->of_image && other->code->declared().name == wanted.name;
  });
  if (found != running_.end()) {
    auto done = replace(o, *found, std::move(one), wanted.load_it, to);
    if (!done) refuse(**found, done.error().message, to);
    return done;
  }
  auto loaded = wanted.load_it(wanted.folder, wanted.config);
  if (!loaded) return loaded.error();
  if (auto ok = admit(wanted.image, **loaded); !ok) return ok;
  if (auto started = (*loaded)->start(); !started) return started;
  one->code = std::move(*loaded);
  to.on_loop([&] { put_in_service(o, std::move(one)); });
  return {};
}

bool plugin_set::uninstall(const std::string& name, const reach& to) {
  for (std::size_t i = 0; i < running_.size(); ++i) {
    if (!running_[i]->of_image || running_[i]->code->declared().name != name) continue;
    return remove(i, to);
  }
  return true;
}

// False: the daemon stops.
bool plugin_set::remove(std::size_t index, const reach& to) {
  const auto declared = running_[index]->code->declared();
  const auto how = drain(*running_[index], to);
  if (how == drained::cut_short) return false;
  running_ptr gone;
  to.on_loop([&] {
    gone = std::move(running_[index]);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  });
  note_gone(declared, false);
  log_info("plugin unloaded", {{"plugin", declared.name}, {"version", declared.version}});
  put_away(std::move(gone), how, to);
  return true;
}

void plugin_set::upgrade(const options& o, running_ptr& old, const loader& load_it,
                         const reach& to) {
  auto fresh = std::make_unique<running>();
  fresh->path = fresh->said = old->path;
  if (auto done = replace(o, old, std::move(fresh), load_it, to); !done) {
    refuse(*old, done.error().message, to);
  }
}

result<> plugin_set::replace(const options& o, running_ptr& old, running_ptr fresh,
                             const loader& load_it, const reach& to) {
  if (auto started = start_beside(o, *old, fresh, load_it, to); !started) return started;
  // From here on there is no way back: what drains takes no keys any more.
  const auto how = drain(*old, to);
  if (how == drained::cut_short) {
    dispose(std::move(fresh), to);
    return {};
  }
  const auto before = old->code->declared();
  to.on_loop([&] {
    std::swap(old, fresh);
    old->in_service = true;
    // All keys are planned again, so that nothing is lost between the two.
    direct(*old);
  });
  note_gone(before, true);
  note_loaded(*old);
  log_info(
      "plugin upgraded",
      {{"plugin", before.name}, {"from", before.version}, {"to", old->code->declared().version}});
  count_upgrade(before.name, "switched");
  put_away(std::move(fresh), how, to);
  return {};
}

void plugin_set::put_away(running_ptr one, drained how, const reach& to) {
  if (how == drained::wholly) return dispose(std::move(one), to);
  log_error("a call of a version that was taken away does not return: it stays until the end",
            {{"plugin", one->code->declared().name}, {"version", one->code->declared().version}});
  to.on_loop([&] { stuck_.push_back(std::move(one)); });
}

// The new version, started and with its caches filled; it takes no keys yet.
result<> plugin_set::start_beside(const options& o, const running& old, running_ptr& fresh,
                                  const loader& load_it, const reach& to) {
  auto loaded = load_it(fresh->path, fresh->config);
  if (!loaded) return loaded.error();
  const auto& name = old.code->declared().name;
  if ((*loaded)->declared().name != name) {
    return error{plugin::plugin_error::bad_manifest,
                 fmt::format("{}: expected another version of plugin {}, found plugin {}; give it "
                             "a --plugin of its own",
                             old.path, name, (*loaded)->declared().name)};
  }
  if (auto started = (*loaded)->start(); !started) return started;
  fresh->code = std::move(*loaded);
  to.on_loop([&] { start_one(*fresh, o); });
  if (auto filled = await_caches(*fresh, to); !filled) {
    dispose(std::move(fresh), to);
    return filled;
  }
  return {};
}

result<> plugin_set::await_caches(const running& one, const reach& to) const {
  const auto until = to.clock_source->now() + caches_limit;
  for (;;) {
    std::string trouble;
    bool are_filled = true;
    to.on_loop([&] {
      for (const auto& c : one.controllers) {
        are_filled = are_filled && c->synced();
        if (trouble.empty()) trouble = c->trouble();
      }
    });
    if (are_filled) return {};
    const bool goes_on = to.pause();
    if (goes_on && to.clock_source->now() < until) continue;
    return error{plugin::plugin_error::not_started,
                 fmt::format("{}: expected the caches of version {} to fill within {} s, found: {}",
                             one.path, one.code->declared().version, caches_limit.count(),
                             !goes_on          ? "the daemon stops"
                             : trouble.empty() ? "no first list yet"
                                               : trouble)};
  }
}

plugin_set::drained plugin_set::drain(running& one, const reach& to) {
  one.code->drain();
  std::vector<std::future<void>> all;
  duration longest{};
  to.on_loop([&] {
    one.in_service = false;
    for (const auto& c : one.controllers) {
      longest = std::max<duration>(longest, c->spec().reconcile_timeout);
      all.push_back(to.begin(c->drain()));
    }
  });
  const auto until = to.clock_source->now() + longest + drain_margin;
  const auto is_ready = [](const auto& f) { return f.wait_for(0s) == std::future_status::ready; };
  const auto answers_pods = [&] {
    bool some = false;
    to.on_loop([&] { some = *one.requests > 0; });
    return some;
  };
  while (!std::all_of(all.begin(), all.end(), is_ready) || answers_pods()) {
    if (!to.pause()) return drained::cut_short;
    if (to.clock_source->now() >= until) return drained::stuck;
  }
  return drained::wholly;
}

// Of what is drained, or has never taken a key.
void plugin_set::dispose(running_ptr one, const reach& to) {
  one->code->drain();
  to.on_loop([&] {
    one->reviews.request_stop();
    if (one->feed) one->feed->close();
    if (one->tenant) one->tenant->over = {};
    one->controllers.clear();
  });
  if (one->lane) one->lane->join();
  one->code->stop();
  if (one->left) one->left->stop();
}

void plugin_set::refuse(running& old, const std::string& why, const reach& to) {
  const auto& declared = old.code->declared();
  log_error("plugin not upgraded; the version that runs goes on",
            {{"plugin", declared.name}, {"version", declared.version}, {"error", why}});
  count_upgrade(declared.name, "refused");
  to.on_loop(
      [&] { old.refused = "version " + declared.version + " goes on, not upgraded: " + why; });
}

void plugin_set::count_upgrade(const std::string& plugin, const char* outcome) {
  metrics_
      .make_counter("oarlock_plugin_upgrades_total",
                    "New versions of a plugin, switched to or refused",
                    {{"plugin", plugin}, {"result", outcome}})
      .add();
}

}  // namespace oarlock::daemon
