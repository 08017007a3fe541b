// The half of child_home that runs on the threads of the plugin's lane.
#include <fmt/format.h>

#include "core/base/log.hpp"
#include "core/plugin/bridge.hpp"
#include "core/plugin/child_home.hpp"
#include "core/plugin/lent_input.hpp"

namespace oarlock::plugin {

using controller::plan_input;
using controller::plan_output;
using controller::plan_verdict;

namespace {

// How often a plan is made again because of another key's crash.
constexpr int children_max = 5;
// Beyond it a crash of one more key is not counted: its object may be long gone.
constexpr std::size_t crashed_keys_max = 10000;
constexpr const char* crashed_reason = "PluginCrashed";

// What has to change for a key to be planned again. Own writes of status leave the generation.
std::string version_of(const cache::object_meta& meta) {
  return meta.uid + "/" +
         (meta.generation > 0 ? std::to_string(meta.generation) : meta.resource_version);
}

}  // namespace

plan_output child_home::plan(const std::string& controller, const plan_input& input) {
  const std::string id = controller + " " + input.key.text();
  if (auto refused = quarantined(id, version_of(input.primary->meta()))) return *refused;
  std::string why = "its child ended again and again";
  for (int i = 0; i < children_max; ++i) {
    const auto on = take_worker();
    if (!on) break;
    std::optional<plan_output> made;
    try {
      made = plan_once(*on, controller, input);
    } catch (...) {
      // Out of memory here: where the frames of this worker stand is not known any more.
      on->in->run.kill_for(std::nullopt, "the daemon ran out of memory", "protocol");
      throw;
    }
    if (made) {
      give_back(*on);
      note_success(id);
      return std::move(*made);
    }
    const auto [death, is_blamed] = await_death(*on);
    if (is_blamed) return note_crash(id, input, death);
  }
  {
    const std::lock_guard lock(mutex_);
    if (!why_down_.empty()) why = why_down_;
  }
  return failed_plan(
      plan_verdict::retry, "PluginNotRunning",
      fmt::format("expected plugin {} to run in its child, found: {}", request_.plugin, why));
}

std::optional<child_home::lease> child_home::take_worker() {
  std::unique_lock lock(mutex_);
  std::optional<lease> taken;
  // Longer than the longest backoff, the start of a child and another plan.
  const auto most = settings_.backoff_max + settings_.call_limit + settings_.plan_limit;
  changed_.wait_for(lock, most, [&] {
    if (is_stopping_ || !is_started_) return true;
    if (current_ == nullptr) return false;
    for (std::size_t i = 0; i < current_->workers.size(); ++i) {
      if (current_->workers[i].busy) continue;
      current_->workers[i].busy = true;
      taken = lease{current_, i};
      return true;
    }
    return false;
  });
  return taken;
}

void child_home::give_back(const lease& used) {
  {
    const std::lock_guard lock(mutex_);
    used.in->workers[used.index].busy = false;
  }
  changed_.notify_all();
}

// nullopt: the child is ending.
std::optional<plan_output> child_home::plan_once(const lease& on, const std::string& controller,
                                                 const plan_input& input) {
  auto& mine = on.in->workers[on.index];
  const int fd = on.in->run.worker_fd(on.index);
  wire::begin_frame(mine.request);
  wire::writer w(mine.request);
  wire::put_input(w, *lent_input(input, controller).view());
  if (mine.request.size() > wire::request_bytes_max) {
    return failed_plan(plan_verdict::terminal, "InputTooLarge",
                       fmt::format("expected inputs of at most {} bytes, found {}; watch less, or "
                                   "run the plugin in the core",
                                   wire::request_bytes_max, mine.request.size()));
  }
  const wire::deadline until{clock_, clock_->now() + settings_.plan_limit};
  auto done = wire::send_frame(fd, wire::frame::plan, mine.request, until);
  wire::frame what{};
  if (done == wire::io_status::ok) {
    done = wire::receive_frame(fd, what, mine.reply, wire::reply_bytes_max, until);
  }
  if (done == wire::io_status::ok && what == wire::frame::planned) {
    plan_sink& sink = sinks_.borrow();
    auto made = replay_answer(mine.reply, input, sink, host_);
    sinks_.give_back(sink);
    if (made) return made;
  }
  if (done == wire::io_status::late) {
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(settings_.plan_limit);
    on.in->run.kill_for(on.index, fmt::format("no plan within {} ms", limit.count()), "deadline");
  } else if (done != wire::io_status::closed) {
    on.in->run.kill_for(on.index, "an answer that cannot be read", "protocol");
  }
  return std::nullopt;
}

std::pair<child_death, bool> child_home::await_death(const lease& on) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return on.in->death.has_value(); });
  const auto& blamed = on.in->blamed;
  return {*on.in->death, std::find(blamed.begin(), blamed.end(), on.index) != blamed.end()};
}

std::optional<plan_output> child_home::quarantined(const std::string& id,
                                                   const std::string& version) {
  if (crashed_keys_ == 0) return std::nullopt;
  const auto known = crashes_.with([&](auto& all) -> std::optional<crash_count> {
    const auto found = all.find(id);
    if (found == all.end() || found->second.crashes < settings_.crashes_per_key)
      return std::nullopt;
    if (found->second.version == version) return found->second;
    all.erase(found);
    crashed_keys_ = all.size();
    quarantined_keys_.add(-1);
    return std::nullopt;
  });
  if (!known) return std::nullopt;
  return failed_plan(plan_verdict::terminal, crashed_reason,
                     fmt::format("plans for this object ended the plugin's process {} times in a "
                                 "row ({}): it is left alone until it changes",
                                 known->crashes, known->how));
}

plan_output child_home::note_crash(const std::string& id, const plan_input& input,
                                   const child_death& death) {
  const auto version = version_of(input.primary->meta());
  const int crashes = crashes_.with([&](auto& all) {
    if (all.size() >= crashed_keys_max && !all.contains(id)) return 1;
    auto& count = all[id];
    if (count.version != version) count = {0, version, {}};
    count.how = death.how;
    crashed_keys_ = all.size();
    return ++count.crashes;
  });
  log_error("plugin's child ended during a plan",
            {{"plugin", request_.plugin}, {"how", death.how}, {"in_a_row", crashes}});
  if (crashes == settings_.crashes_per_key) quarantined_keys_.add(1);
  if (auto refused = quarantined(id, version)) return *refused;
  return failed_plan(plan_verdict::retry, crashed_reason,
                     fmt::format("a plan for this object ended the plugin's process ({}), {} of {} "
                                 "times before it is left alone",
                                 death.how, crashes, settings_.crashes_per_key));
}

void child_home::note_success(const std::string& id) {
  if (crashed_keys_ == 0) return;
  crashes_.with([&](auto& all) {
    all.erase(id);
    crashed_keys_ = all.size();
  });
}

}  // namespace oarlock::plugin
