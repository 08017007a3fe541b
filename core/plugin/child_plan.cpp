// The half of child_home that runs on the threads of the plugin's lane.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.hpp"
#include "core/plugin/bridge.hpp"
#include "core/plugin/child_home.hpp"
#include "core/plugin/effect_call.hpp"
#include "core/plugin/inbound_frames.hpp"
#include "core/plugin/lent_input.hpp"
#include "core/plugin/review_frames.hpp"

namespace oarlock::plugin {

using controller::effect_input;
using controller::effect_output;
using controller::plan_input;
using controller::plan_output;
using controller::plan_verdict;

namespace {

// How often a plan is made again because of another key's crash.
constexpr int children_max = 5;
// Beyond it a crash of one more key is not counted: its object may be long gone.
constexpr std::size_t crashed_keys_max = 10000;
constexpr const char* crashed_reason = "PluginCrashed";
// Beyond the time that an effect was told to have: for its answer to come.
constexpr duration effect_grace = std::chrono::seconds(1);
// How long a request of a pod, or a review, may wait for a worker that is free.
constexpr duration request_patience = std::chrono::seconds(2);

// What has to change for a key to be called for again. Own writes of status leave the generation.
std::string version_of(const cache::object_meta& meta) {
  return meta.uid + "/" +
         (meta.generation > 0 ? std::to_string(meta.generation) : meta.resource_version);
}

// For how the child ended.
const char* name_of(wire::frame ask) {
  switch (ask) {
    case wire::frame::plan:
      return "plan";
    case wire::frame::effect:
      return "effect";
    case wire::frame::review:
      return "answer to a review";
    default:
      return "answer to a pod";
  }
}

plan_output as_plan(effect_output failed) {
  return failed_plan(failed.verdict, failed.reason.c_str(), std::move(failed.message));
}

}  // namespace

template <class Call>
auto child_home::finish_call(const lease& on, const std::string& id, Call call)
    -> decltype(call()) {
  decltype(call()) made;
  try {
    made = call();
  } catch (...) {
    // Out of memory here: where the frames of this worker stand is not known any more.
    on.in->run.kill_for(std::nullopt, "the daemon ran out of memory", "protocol");
    throw;
  }
  if (made) {
    give_back(on);
    note_success(id);
  }
  return made;
}

plan_output child_home::plan(const std::string& controller, const plan_input& input) {
  const std::string id = controller + " " + input.key.text();
  const auto version = version_of(input.primary->meta());
  if (auto refused = quarantined(id, version, "a plan")) return as_plan(std::move(*refused));
  // Longer than a child waits for its turn, its start and another plan.
  const auto most = settings_.restart_interval + settings_.call_limit + settings_.plan_limit;
  for (int i = 0; i < children_max; ++i) {
    const auto on = take_worker(most);
    if (!on) break;
    if (auto made = finish_call(*on, id, [&] { return plan_once(*on, controller, input); })) {
      return std::move(*made);
    }
    const auto [death, is_blamed] = await_death(*on);
    if (is_blamed) return as_plan(note_crash(id, version, "a plan", death));
  }
  return failed_plan(plan_verdict::retry, "PluginNotRunning", why_down());
}

effect_output child_home::effect(const std::string& controller, const effect_input& input) {
  const std::string id = controller + " " + input.key.text() + " effect";
  const auto version = version_of(input.primary->meta());
  if (auto refused = quarantined(id, version, "an effect")) return std::move(*refused);
  const auto until = clock_->now() + input.time_left;
  const auto on = take_worker(input.time_left);
  if (!on) return {plan_verdict::retry, "PluginNotRunning", why_down(), {}};
  auto now = input;
  now.time_left = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock_->now());
  // It may have waited for a worker: leadership and time are looked at again.
  const auto open = input.gate == nullptr ? result<>() : input.gate->check();
  if (!open || now.time_left.count() <= 0) {
    give_back(*on);
    if (!open) return {plan_verdict::retry, {}, {}, open.error()};
    return {plan_verdict::retry, "EffectTimeout", "no worker was free in time: not started", {}};
  }
  if (auto made = finish_call(*on, id, [&] { return effect_once(*on, controller, now); })) {
    return std::move(*made);
  }
  const auto [death, is_blamed] = await_death(*on);
  if (is_blamed) return note_crash(id, version, "an effect", death);
  return {
      plan_verdict::retry,
      crashed_reason,
      fmt::format("the plugin's process ended during this effect ({}), whose outcome is unknown",
                  death.how),
      {}};
}

std::string child_home::why_down() {
  std::string why = "its child ended again and again";
  {
    const std::lock_guard lock(mutex_);
    if (!why_down_.empty()) why = why_down_;
  }
  return fmt::format("expected plugin {} to run in its child, found: {}", request_.plugin, why);
}

std::optional<child_home::lease> child_home::take_worker(duration most) {
  std::unique_lock lock(mutex_);
  std::optional<lease> taken;
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

bool child_home::answer_ask(worker& mine, int fd, const wire::call_reads& reads,
                            const wire::deadline& until) {
  wire::begin_frame(mine.request);
  wire::writer w(mine.request);
  const auto how = wire::answer_question(mine.reply, reads, w);
  if (how == wire::told::stray) return false;
  const auto sent = wire::send_frame(fd, wire::frame::told, mine.request, until);
  if (how == wire::told::may_be_secret) std::fill(mine.request.begin(), mine.request.end(), '\0');
  return sent != wire::io_status::refused;
}

bool child_home::exchange(const lease& on, wire::frame ask, wire::frame answer, duration limit,
                          const wire::call_reads& reads) {
  auto& mine = on.in->workers[on.index];
  const int fd = on.in->run.worker_fd(on.index);
  const wire::deadline until{clock_, clock_->now() + limit};
  auto done = wire::send_frame(fd, ask, mine.request, until);
  wire::frame what{};
  if (done == wire::io_status::ok) {
    done = wire::receive_frame(fd, what, mine.reply, wire::reply_bytes_max, until);
  }
  while (done == wire::io_status::ok && what == wire::frame::ask &&
         answer_ask(mine, fd, reads, until)) {
    done = wire::receive_frame(fd, what, mine.reply, wire::reply_bytes_max, until);
  }
  if (done == wire::io_status::ok && what == answer) return true;
  if (done == wire::io_status::late) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    on.in->run.kill_for(on.index, fmt::format("no {} within {} ms", name_of(ask), ms), "deadline");
  } else if (done != wire::io_status::closed) {
    on.in->run.kill_for(on.index, "an answer that cannot be read", "protocol");
  }
  return false;
}

// nullopt: the child is ending.
std::optional<plan_output> child_home::plan_once(const lease& on, const std::string& controller,
                                                 const plan_input& input) {
  auto& mine = on.in->workers[on.index];
  wire::begin_frame(mine.request);
  wire::writer w(mine.request);
  wire::put_input(w, *lent_input(input, controller).view());
  if (mine.request.size() > wire::request_bytes_max) {
    return failed_plan(plan_verdict::terminal, "InputTooLarge",
                       fmt::format("expected inputs of at most {} bytes, found {}; watch less, or "
                                   "run the plugin in the core",
                                   wire::request_bytes_max, mine.request.size()));
  }
  cursors cached(input.cache);
  if (!exchange(on, wire::frame::plan, wire::frame::planned, settings_.plan_limit,
                {cached, input.reads})) {
    return std::nullopt;
  }
  plan_sink& sink = sinks_.borrow();
  auto made = replay_answer(mine.reply, input, sink, host_);
  sinks_.give_back(sink);
  if (!made) on.in->run.kill_for(on.index, "an answer that cannot be read", "protocol");
  return made;
}

// nullopt: the child is ending.
std::optional<effect_output> child_home::effect_once(const lease& on, const std::string& controller,
                                                     const effect_input& input) {
  auto& mine = on.in->workers[on.index];
  wire::begin_frame(mine.request);
  wire::writer w(mine.request);
  wire::put_effect(w, lent_effect(input, controller).view(), input.time_left.count());
  cursors none(nullptr);
  if (!exchange(on, wire::frame::effect, wire::frame::acted, input.time_left + effect_grace,
                {none, input.reads})) {
    return std::nullopt;
  }
  auto made = take_effect_answer(mine.reply, host_);
  if (!made) on.in->run.kill_for(on.index, "an answer that cannot be read", "protocol");
  return made;
}

inbound_answer child_home::inbound(const inbound_request& request) {
  const auto on = take_worker(request_patience);
  if (!on) return core_answer(503, "the plugin cannot take it now", why_down());
  if (auto made = finish_call(*on, "inbound", [&] { return inbound_once(*on, request); })) {
    return std::move(*made);
  }
  const auto [death, is_blamed] = await_death(*on);
  return core_answer(500, "the plugin failed on this request",
                     "its process ended meanwhile: " + death.how);
}

// nullopt: the child is ending.
std::optional<inbound_answer> child_home::inbound_once(const lease& on,
                                                       const inbound_request& request) {
  auto& mine = on.in->workers[on.index];
  wire::begin_frame(mine.request);
  wire::writer w(mine.request);
  wire::put_request(w, lent_request(request), inbound_limits::time);
  cursors none(nullptr);
  if (!exchange(on, wire::frame::inbound, wire::frame::answered_pod,
                inbound_limits::time + effect_grace, {none, nullptr})) {
    return std::nullopt;
  }
  wire::reader r(mine.reply);
  auto made = wire::take_inbound_answer(r);
  if (made && is_sound(*made, request_.controllers)) return made;
  on.in->run.kill_for(on.index, "an answer that cannot be read", "protocol");
  return std::nullopt;
}

review_answer child_home::review(const review_request& request) {
  const auto on = take_worker(request_patience);
  if (!on) return failed_review(why_down());
  if (auto made = finish_call(*on, "review", [&] { return review_once(*on, request); })) {
    return judged(request, std::move(*made));
  }
  const auto [death, is_blamed] = await_death(*on);
  return failed_review("its process ended meanwhile: " + death.how);
}

// nullopt: the child is ending.
std::optional<review_answer> child_home::review_once(const lease& on,
                                                     const review_request& request) {
  auto& mine = on.in->workers[on.index];
  wire::begin_frame(mine.request);
  wire::writer w(mine.request);
  wire::put_review(w, request.task, lent_review(request), review_limits::time);
  cursors none(nullptr);
  if (!exchange(on, wire::frame::review, wire::frame::reviewed, review_limits::time + effect_grace,
                {none, nullptr})) {
    return std::nullopt;
  }
  wire::reader r(mine.reply);
  auto made = wire::take_reviewed(r);
  if (!made) on.in->run.kill_for(on.index, "an answer that cannot be read", "protocol");
  return made;
}

std::pair<child_death, bool> child_home::await_death(const lease& on) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return on.in->death.has_value(); });
  const auto& blamed = on.in->blamed;
  return {*on.in->death, std::find(blamed.begin(), blamed.end(), on.index) != blamed.end()};
}

std::optional<effect_output> child_home::quarantined(const std::string& id,
                                                     const std::string& version, const char* what) {
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
  return effect_output{
      plan_verdict::terminal,
      crashed_reason,
      fmt::format(
          "{} for this object ended the plugin's process, {} times in a row ({}): it is left "
          "alone until it changes",
          what, known->crashes, known->how),
      {}};
}

effect_output child_home::note_crash(const std::string& id, const std::string& version,
                                     const char* what, const child_death& death) {
  const int crashes = crashes_.with([&](auto& all) {
    if (all.size() >= crashed_keys_max && !all.contains(id)) return 1;
    auto& count = all[id];
    if (count.version != version) count = {0, version, {}};
    count.how = death.how;
    crashed_keys_ = all.size();
    return ++count.crashes;
  });
  log_error(
      "plugin's child ended during a call",
      {{"plugin", request_.plugin}, {"call", what}, {"how", death.how}, {"in_a_row", crashes}});
  if (crashes == settings_.crashes_per_key) quarantined_keys_.add(1);
  if (auto refused = quarantined(id, version, what)) return std::move(*refused);
  return {
      plan_verdict::retry,
      crashed_reason,
      fmt::format("{} for this object ended the plugin's process ({}), {} of {} times before it "
                  "is left alone",
                  what, death.how, crashes, settings_.crashes_per_key),
      {}};
}

void child_home::note_success(const std::string& id) {
  if (crashed_keys_ == 0) return;
  crashes_.with([&](auto& all) {
    all.erase(id);
    crashed_keys_ = all.size();
  });
}

}  // namespace oarlock::plugin
