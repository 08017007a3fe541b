#include "core/plugin/child_home.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/log.hpp"
#include "core/plugin/errors.hpp"

namespace oarlock::plugin {

namespace {

constexpr const char* restarts_name = "oarlock_plugin_child_restarts_total";
constexpr const char* crashes_name = "oarlock_plugin_child_crashes_total";
// Beyond the limit of a call: for the supervising thread to take it up and to answer.
constexpr duration answer_grace = std::chrono::seconds(5);

metric_labels of(const std::string& plugin) {
  return {{"plugin", plugin}};
}

}  // namespace

child_home::child_home(wire::load_request request, wire::descriptor library,
                       child_settings settings, const clock& clock_source, metric_registry& metrics)
    : settings_(std::move(settings)),
      clock_(&clock_source),
      metrics_(&metrics),
      request_(std::move(request)),
      library_(std::move(library)),
      host_(request_.plugin, request_.controllers,
            host_services{settings_.quotas, &clock_source, &metrics}),
      sinks_(request_.plugin),
      up_(metrics.make_gauge("oarlock_plugin_child_up", "Children of the plugin that run",
                             of(request_.plugin))),
      quarantined_keys_(metrics.make_gauge(
          "oarlock_plugin_quarantined_keys",
          "Keys that ended too many children, left alone until their object changes",
          of(request_.plugin))),
      restarts_(metrics.make_counter(
          restarts_name, "Children of the plugin that were started again", of(request_.plugin))),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

child_home::~child_home() {
  stop();
  // Another version of the plugin may be counted beside this one.
  crashes_.with([&](const auto& all) {
    for (const auto& [key, count] : all) {
      if (count.crashes >= settings_.crashes_per_key) quarantined_keys_.add(-1);
    }
  });
}

void child_home::wake() const {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof(one));
}

// --- the supervising thread ---

result<> child_home::load() {
  supervisor_ = std::thread([this] {
    ::prctl(PR_SET_NAME, "oarlock-child");
    supervise();
  });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return first_.has_value(); });
  return *first_;
}

void child_home::supervise() {
  token_bucket turns(settings_.restart_interval, settings_.restarts_at_once);
  for (bool is_first = true;; is_first = false) {
    const auto one = std::make_shared<life>(
        child_run::parts{&settings_, clock_, &host_, library_.get()}, request_.workers);
    const auto came_up = bring_up(one);
    const bool is_up = came_up.has_value();
    if (is_up) {
      serve(one);
    } else {
      one->run.kill_for(std::nullopt, "it did not come up", "start");
    }
    const auto how = bury(one, is_up);
    if (!is_up) {
      const std::lock_guard lock(mutex_);
      auto why = came_up.error();
      if (why.code == plugin_error::crashed) why.message += ": " + how;
      why_down_ = why.message;
      if (is_first) first_ = why;
    }
    changed_.notify_all();
    if (is_first && !is_up) return;
    if (!await_turn(turns, how)) return;
    restarts_.add();
  }
}

result<> child_home::bring_up(const std::shared_ptr<life>& one) {
  if (auto ok = one->run.begin(request_); !ok) return ok.error();
  bool is_started = false;
  {
    const std::lock_guard lock(mutex_);
    is_started = is_started_;
  }
  if (is_started) {
    if (auto ok = one->run.call(wire::frame::start, plugin_error::not_started, "start"); !ok) {
      return ok.error();
    }
  }
  if (!one->run.gaps().empty()) {
    log_warn("plugin runs in a child without all walls, as it was configured",
             {{"plugin", request_.plugin}, {"missing", one->run.gaps()}});
  }
  log_info("plugin's child runs", {{"plugin", request_.plugin}, {"pid", one->run.pid()}});
  up_.add(1);
  const std::lock_guard lock(mutex_);
  current_ = one;
  if (!first_) first_.emplace();
  changed_.notify_all();
  return {};
}

void child_home::serve(const std::shared_ptr<life>& one) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (is_stopping_) break;
    }
    std::uint64_t ignored = 0;
    (void)!::read(wake_.get(), &ignored, sizeof(ignored));
    run_command(one->run);
    if (!one->run.watch(wake_.get(), settings_.watch_period)) return;
  }
  one->run.kill_for(std::nullopt, "it was stopped", "stop");
}

void child_home::run_command(child_run& run) {
  std::unique_lock lock(mutex_);
  if (!command_ || command_->done) return;
  const command asked = *command_;
  lock.unlock();
  auto done = run.call(asked.what, asked.code, asked.name);
  lock.lock();
  // The child is about to end by itself, and is not to be started again.
  if (asked.what == wire::frame::stop) is_stopping_ = true;
  command_->done = std::move(done);
  changed_.notify_all();
}

std::string child_home::bury(const std::shared_ptr<life>& one, bool was_up) {
  auto death = one->run.end();
  host_.metrics().clear();  // the next one begins anew
  if (was_up) up_.add(-1);
  bool is_stopping = false;
  {
    const std::lock_guard lock(mutex_);
    is_stopping = is_stopping_;
    current_.reset();
    if (!death.from_outside) {
      for (std::size_t i = 0; i < one->workers.size(); ++i) {
        // Unless one is known to have done it, all that ran are suspects.
        if (one->workers[i].busy && death.worker.value_or(i) == i) one->blamed.push_back(i);
      }
    }
    one->death = death;
    why_down_ = "its child ended: " + death.how;
    if (command_ && !command_->done) {
      command_->done = error{plugin_error::crashed,
                             "plugin " + request_.plugin + ": its child ended: " + death.how};
    }
  }
  changed_.notify_all();
  if (is_stopping || !was_up) return death.how;
  metrics_
      ->make_counter(crashes_name, "Children of the plugin that ended, by reason",
                     {{"plugin", request_.plugin}, {"reason", death.reason}})
      .add();
  log_error("plugin's child ended; it is started again, other plugins go on",
            {{"plugin", request_.plugin}, {"how", death.how}});
  return death.how;
}

bool child_home::await_turn(token_bucket& turns, const std::string& how) {
  const auto rest = *turns.take(clock_->now(), duration::max());
  if (rest > duration::zero()) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(rest).count();
    log_error("plugin's child ends too often: it waits to be started again",
              {{"plugin", request_.plugin}, {"how", how}, {"wait_ms", ms}});
    const std::lock_guard lock(mutex_);
    held_back_ = "its child ends too often and waits to be started again, the last time: " + how;
  }
  const bool goes_on = wait_out(rest);
  const std::lock_guard lock(mutex_);
  held_back_.clear();
  return goes_on;
}

std::string child_home::held_back() const {
  const std::lock_guard lock(mutex_);
  return held_back_;
}

bool child_home::wait_out(duration rest) {
  std::unique_lock lock(mutex_);
  const auto until = clock_->now() + rest;
  while (!is_stopping_) {
    const auto left = until - clock_->now();
    if (left <= duration::zero()) return true;
    changed_.wait_for(lock, left);
    if (command_ && !command_->done) {
      // Without a child nothing has to be drained or stopped.
      command_->done.emplace();
      if (command_->what == wire::frame::start) {
        *command_->done =
            error{plugin_error::crashed, "plugin " + request_.plugin + ": " + why_down_};
      }
      changed_.notify_all();
    }
  }
  return false;
}

// --- life cycle, called by the daemon's main thread ---

result<> child_home::ask(wire::frame what, plugin_error code, const char* name) {
  std::unique_lock lock(mutex_);
  command_ = command{what, code, name, std::nullopt};
  changed_.notify_all();
  wake();
  changed_.wait_for(lock, settings_.call_limit + answer_grace,
                    [&] { return command_->done.has_value(); });
  auto done = command_->done.value_or(error{code, std::string(name) + "() did not end in time"});
  command_.reset();
  return done;
}

result<> child_home::start() {
  auto done = ask(wire::frame::start, plugin_error::not_started, "start");
  const std::lock_guard lock(mutex_);
  is_started_ = done.has_value();
  return done;
}

void child_home::drain() {
  const auto done = ask(wire::frame::drain, plugin_error::not_started, "drain");
  if (!done) {
    log_error("plugin could not be told to drain",
              {{"plugin", request_.plugin}, {"call", "drain"}, {"error", done.error().message}});
  }
}

void child_home::stop() {
  if (!supervisor_.joinable()) return;
  bool is_started = false;
  {
    const std::lock_guard lock(mutex_);
    is_started = std::exchange(is_started_, false) && current_ != nullptr;
  }
  changed_.notify_all();
  if (is_started) {
    const auto done = ask(wire::frame::stop, plugin_error::not_started, "stop");
    if (!done) {
      log_error("plugin did not stop as it should",
                {{"plugin", request_.plugin}, {"call", "stop"}, {"error", done.error().message}});
    }
  }
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  wake();
  supervisor_.join();
}

}  // namespace oarlock::plugin
