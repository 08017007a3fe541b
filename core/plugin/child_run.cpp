#include "core/plugin/child_run.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <limits>
#include <span>

#include "core/base/log.hpp"
#include "core/plugin/errors.hpp"

namespace oarlock::plugin {

namespace {

// Log records outside of plans in one watch period; more are dropped and told.
constexpr std::uint64_t records_max = 1000;

// Notices that are taken at once. When there are more the child waits a little before the next.
constexpr std::size_t notices_max = 256;
constexpr std::size_t all_notices = std::numeric_limits<std::size_t>::max();
constexpr duration notice_rest = std::chrono::milliseconds(10);

// Waits for `fd` or `also` to be readable.
bool readable(int fd, int also, const wire::deadline& until) {
  std::array<pollfd, 2> p = {pollfd{fd, POLLIN, 0}, pollfd{also, POLLIN, 0}};
  (void)::poll(p.data(), p.size(), until.milliseconds_left());
  return (p[0].revents & (POLLIN | POLLHUP)) != 0;
}

}  // namespace

result<> child_run::begin(wire::load_request request) {
  code_.library = std::filesystem::path(request.library_file).filename().string();
  plugin_ = request.plugin;
  const auto* const lease = parts_.settings->lease;
  auto made = child_process::start(parts_.settings->program, parts_.library,
                                   lease == nullptr ? -1 : lease->fd(), request.workers);
  if (!made) return made.error();
  process_ = std::move(*made);
  checked_ = parts_.clock_source->now();
  std::string text;
  wire::begin_frame(text);
  wire::writer w(text);
  wire::put(w, request);
  auto answer = exchange(wire::frame::load, text, "create");
  if (!answer) return answer.error();
  gaps_ = answer->gaps;
  code_.begin = answer->image_begin;
  code_.end = answer->image_end;
  if (answer->error_code != 0) {
    return error{static_cast<plugin_error>(answer->error_code), answer->why};
  }
  if (answer->status == OARLOCK_OK) return {};
  return error{plugin_error::not_created,
               fmt::format("{}: plugin {}: create() failed (status {}): {}", request.library_file,
                           plugin_, answer->status, why(*answer))};
}

result<> child_run::call(wire::frame what, plugin_error code, const std::string& name) {
  std::string text;
  wire::begin_frame(text);
  const auto answer = exchange(what, text, name);
  if (!answer) return answer.error();
  if (answer->status == OARLOCK_OK && answer->error_code == 0) return {};
  return error{code, fmt::format("plugin {}: {}() failed (status {}): {}", plugin_, name,
                                 answer->status, why(*answer))};
}

std::string child_run::why(const wire::answer& failed) const {
  if (!failed.why.empty()) return failed.why;
  parts_.host->count_unexplained();
  return "it did not say why";
}

result<wire::answer> child_run::exchange(wire::frame what, std::string& frame_text,
                                         const std::string& name) {
  const auto until = in(parts_.settings->call_limit);
  auto done = wire::send_frame(process_->call_fd(), what, frame_text, until);
  // Notices are taken on the way: a child that waits to send one would never answer.
  bool is_there = true;
  while (done == wire::io_status::ok && is_there &&
         !readable(process_->call_fd(), process_->notice_fd(), until)) {
    is_there = take_notices(notices_max);
    if (until.milliseconds_left() == 0) done = wire::io_status::late;
  }
  std::string payload;
  wire::frame answered{};
  if (done == wire::io_status::ok) {
    done =
        wire::receive_frame(process_->call_fd(), answered, payload, wire::notice_bytes_max, until);
  }
  (void)take_notices(notices_max);
  wire::reader r(payload);
  auto answer = wire::take_answer(r);
  if (done == wire::io_status::ok && answered == wire::frame::answered && r.ok()) return answer;
  if (done == wire::io_status::late) {
    kill_for(std::nullopt, fmt::format("no answer to {}() in time", name), "deadline");
  }
  return error{
      plugin_error::crashed,
      fmt::format("plugin {}: expected {}() to return, found that its child ended", plugin_, name)};
}

bool child_run::take_notices(std::size_t most) {
  std::array<char, wire::notice_bytes_max> packet{};
  for (std::size_t i = 0; i < most; ++i) {
    const auto got = ::recv(process_->notice_fd(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    if (got == 0) return false;
    note({packet.data(), static_cast<std::size_t>(got)});
  }
  rests_ = true;
  return true;
}

void child_run::note(std::string_view packet) {
  const auto said = take_notice(packet);
  if (!said) {
    kill_for(std::nullopt, "a notice that cannot be read", "protocol");
    return;
  }
  if (said->crash && !crash_) crash_ = said->crash;
  if (said->what == wire::frame::exiting) exit_worker_ = said->worker;
  if (said->what == wire::frame::crashed || said->what == wire::frame::exiting) return;
  if (said->what == wire::frame::enqueued) {
    (void)parts_.host->enqueue(said->controller, said->ns, said->name);
    return;
  }
  if (said->what == wire::frame::measured) {
    wire::reader r(said->metrics);
    if (!metrics_.take(r, parts_.host->metrics())) {
      kill_for(std::nullopt, "metrics that cannot be read", "protocol");
    }
    return;
  }
  if (++records_ > records_max) return;
  if (said->log) return write_log(*said->log, *parts_.host);
  log_warn("plugin calls a slot outside of its call or on another thread",
           {{"plugin", plugin_}, {"call", said->slot}});
}

bool child_run::watch(int wake, duration wait) {
  const bool rests = std::exchange(rests_, false);
  const auto until = in(rests ? notice_rest : wait);
  const auto awaited = static_cast<short>(rests ? 0 : POLLIN);  // its end shows all the same
  std::array<pollfd, 2> p = {pollfd{process_->notice_fd(), awaited, 0}, pollfd{wake, POLLIN, 0}};
  (void)::poll(p.data(), p.size(), until.milliseconds_left());
  const bool is_there = take_notices(notices_max);
  if (is_there) check_usage();
  return is_there;
}

void child_run::check_usage() {
  const auto now = parts_.clock_source->now();
  if (now - checked_ < parts_.settings->watch_period) return;
  checked_ = now;
  if (records_ > records_max) {
    log_warn("plugin floods the log: records are dropped",
             {{"plugin", plugin_}, {"dropped", records_ - records_max}});
  }
  records_ = 0;
  const auto used = usage_of(process_->pid());
  if (!used) return;
  const auto memory_max = parts_.settings->memory_bytes_max;
  if (memory_max > 0 && used->private_bytes > memory_max) {
    kill_for(std::nullopt,
             fmt::format("{} MiB of private memory, {} are allowed", used->private_bytes >> 20U,
                         memory_max >> 20U),
             "memory");
  } else if (used->threads > parts_.settings->threads_max) {
    kill_for(std::nullopt,
             fmt::format("{} threads, {} are allowed", used->threads, parts_.settings->threads_max),
             "threads");
  }
}

void child_run::kill_for(std::optional<std::size_t> worker, const std::string& how,
                         const char* reason) {
  if (process_ == nullptr) return;
  killed_.with([&](auto& killed) {
    if (killed) return;
    killed = child_death{how, reason, worker, false};
    if (worker && std::string_view(reason) == "deadline") process_->ask_where(*worker);
    process_->kill();
  });
}

std::string child_run::places(const wire::crash_record& record) const {
  return places_in(code_, std::span(record.addresses).first(record.count));
}

std::string child_run::crash_text(const wire::crash_record& record) const {
  std::string out = signal_name(record.signal);
  if (record.sender != 0) return out + fmt::format(" sent by process {}", record.sender);
  out += places(record);
  if (record.kept_view != 0) out += "; it kept a view, which is gone when its call returns";
  return out;
}

child_death child_run::end() {
  if (process_ == nullptr) return {"it never ran", "start", std::nullopt, false};
  auto killed = killed_.with([](auto& k) {
    auto out = k;
    k.emplace();  // no kill_for() after this: the process id may soon be another's
    return out;
  });
  (void)take_notices(all_notices);
  const std::string status = process_->reap();
  (void)take_notices(all_notices);
  // It was asked where it is, and said so.
  const bool was_asked = killed && crash_ && crash_->signal == wire::where_signal;
  if (was_asked) killed->how += places(*crash_);
  const bool own_end = (crash_ && !was_asked) || exit_worker_;
  if (killed && !own_end) return *killed;
  const auto index = [&](std::int32_t worker) {
    const bool is_one =
        worker >= 0 && static_cast<std::uint32_t>(worker) < parts_.settings->workers;
    return is_one ? std::optional<std::size_t>(static_cast<std::size_t>(worker)) : std::nullopt;
  };
  if (crash_) return {crash_text(*crash_), "signal", index(crash_->worker), crash_->sender != 0};
  if (exit_worker_) return {"exit() called, " + status, "exit", index(*exit_worker_), false};
  return {status, status.starts_with("SIG") ? "signal" : "exit", std::nullopt, false};
}

}  // namespace oarlock::plugin
