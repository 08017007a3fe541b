// oarlock-plugin-host: one plugin in a process of its own. Started by oarlockd only, which hands it
// the library's bytes and a channel; see core/plugin/README.md.
#include <dlfcn.h>
#include <malloc.h>
#include <unistd.h>

#include <exception>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "core/base/call_place.hpp"
#include "core/base/system_clock.hpp"
#include "core/plugin/descriptor.hpp"
#include "core/plugin/effect_call.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/event_inbox.hpp"
#include "core/plugin/frame_io.hpp"
#include "core/plugin/host/crash.hpp"
#include "core/plugin/host/metric_buffer.hpp"
#include "core/plugin/host/recorder.hpp"
#include "core/plugin/host/remote_reads.hpp"
#include "core/plugin/host/sandbox.hpp"
#include "core/plugin/inbound_frames.hpp"
#include "core/plugin/lease_page.hpp"
#include "core/plugin/lent_text.hpp"
#include "core/plugin/library.hpp"
#include "core/plugin/observation.hpp"
#include "core/plugin/plugin_call.hpp"
#include "core/plugin/read_call.hpp"
#include "core/plugin/review_frames.hpp"
#include "core/plugin/stray_call.hpp"
#include "core/plugin/thread_call.hpp"
#include "core/plugin/version.hpp"
#include "oarlock/ext/clock.h"
#include "oarlock/ext/event_source.h"
#include "oarlock/ext/leadership.h"

namespace oarlock::plugin::host {

namespace {

std::int32_t lowest_log_level = OARLOCK_LOG_INFO;
std::vector<std::string> controllers;
metric_buffer* metrics = nullptr;    // from before create() on
const lease_limit* lease = nullptr;  // null: nobody leads

std::string_view text_of(oarlock_str_view lent) {
  return lent.data == nullptr ? std::string_view{} : std::string_view(lent.data, lent.size);
}

// The daemon checks it again.
oarlock_status enqueue(oarlock_str_view controller, oarlock_str_view ns, oarlock_str_view name) {
  if (!event_inbox::takes(controllers, text_of(controller), text_of(ns), text_of(name))) {
    return OARLOCK_INVALID;
  }
  std::string packet;
  wire::writer w(packet);
  w.u32(static_cast<std::uint32_t>(wire::frame::enqueued));
  for (const auto& text : {controller, ns, name})
    w.text(text_of(text));
  send_notice(packet);
  return OARLOCK_OK;
}

template <class Work>
oarlock_status asked(oarlock_host_ctx* ctx, Work work) noexcept {
  if (ctx == nullptr) return OARLOCK_INVALID;
  try {
    return work();
  } catch (...) {
    return OARLOCK_LIMIT;  // out of memory
  }
}

extern "C" {

static std::int32_t log_enabled_here(oarlock_host_ctx*, oarlock_log_level level) {
  return level >= lowest_log_level ? 1 : 0;
}

static void log_write_here(oarlock_host_ctx* ctx, oarlock_log_level level, oarlock_str_view message,
                           const oarlock_pair_view* pairs, std::uint64_t pair_count) {
  if (ctx == nullptr || log_enabled_here(ctx, level) == 0) return;
  try {
    if (recorder::log(level, message, pairs, pair_count)) return;
    std::string packet;
    wire::writer w(packet);
    w.u32(static_cast<std::uint32_t>(wire::frame::logged));
    wire::put_log(w, level, message, pairs, pair_count);
    if (packet.size() <= wire::notice_bytes_max) send_notice(packet);
  } catch (...) {
    // Out of memory: a lost log record is no reason to fail.
  }
}

static oarlock_status enqueue_here(oarlock_host_ctx* ctx, oarlock_str_view controller,
                                   oarlock_str_view ns, oarlock_str_view name) {
  return asked(ctx, [&] { return enqueue(controller, ns, name); });
}

static oarlock_status declare_here(oarlock_host_ctx* ctx, const oarlock_metric_view* view,
                                   std::uint64_t* out) {
  return asked(ctx, [&] { return metrics->declare(view, out); });
}

static oarlock_status series_here(oarlock_host_ctx* ctx, std::uint64_t metric,
                                  const oarlock_str_view* values, std::uint64_t count,
                                  std::uint64_t* out) {
  return asked(ctx, [&] { return metrics->series(metric, values, count, out); });
}

static oarlock_status add_here(oarlock_host_ctx* ctx, std::uint64_t series, double amount) {
  return asked(ctx, [&] { return metrics->add(series, amount); });
}

static oarlock_status set_here(oarlock_host_ctx* ctx, std::uint64_t series, double value) {
  return asked(ctx, [&] { return metrics->set(series, value); });
}

static oarlock_status observe_here(oarlock_host_ctx* ctx, std::uint64_t series, double value) {
  return asked(ctx, [&] { return metrics->observe(series, value); });
}

static std::int64_t valid_until_here(oarlock_host_ctx* ctx) {
  if (ctx == nullptr || lease == nullptr) return std::numeric_limits<std::int64_t>::min();
  return lease->load();
}

static std::int64_t monotonic_ns_here(oarlock_host_ctx*) {
  const auto since = system_clock().now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

static std::int64_t unix_ms_here(oarlock_host_ctx*) {
  const auto since = system_clock().wall_now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

static const void* extension_here(oarlock_host_ctx*, oarlock_str_view id) {
  static constexpr oarlock_host_log log_table = {sizeof(oarlock_host_log), 0, &log_enabled_here,
                                                 &log_write_here};
  static constexpr oarlock_host_event_source event_table = {sizeof(oarlock_host_event_source), 0,
                                                            &enqueue_here};
  static constexpr oarlock_host_metrics metric_table = {sizeof(oarlock_host_metrics),
                                                        0,
                                                        &declare_here,
                                                        &series_here,
                                                        &add_here,
                                                        &set_here,
                                                        &observe_here};
  static constexpr oarlock_host_leadership lease_table = {sizeof(oarlock_host_leadership), 0,
                                                          &valid_until_here};
  static constexpr oarlock_host_clock clock_table = {sizeof(oarlock_host_clock), 0,
                                                     &monotonic_ns_here, &unix_ms_here};
  const auto name = text_of(id);
  if (name == OARLOCK_EXT_LOG) return &log_table;
  if (name == OARLOCK_EXT_EVENT_SOURCE) return &event_table;
  if (name == OARLOCK_EXT_READ) return read_table();
  if (name == OARLOCK_EXT_METRICS) return &metric_table;
  if (name == OARLOCK_EXT_CACHE) return &cursor_table();
  if (name == OARLOCK_EXT_LEADERSHIP) return &lease_table;
  if (name == OARLOCK_EXT_CLOCK) return &clock_table;
  if (name == OARLOCK_EXT_THREAD) return thread_table();
  return nullptr;
}

}  // extern "C"

// What a plugin says through oarlock_error_out during one call.
struct error_text {
  std::string text;
  oarlock_error_out table{};

  error_text() {
    table.struct_size = sizeof(table);
    table.ctx = reinterpret_cast<oarlock_host_ctx*>(this);
    table.set = [](oarlock_host_ctx* ctx, oarlock_str_view message) {
      if (ctx == nullptr || message.data == nullptr) return;
      reinterpret_cast<error_text*>(ctx)->text.assign(
          message.data, std::min<std::size_t>(message.size, wire::log_text_bytes_max));
    };
  }
  error_text(const error_text&) = delete;
  error_text& operator=(const error_text&) = delete;
};

class server {
 public:
  // Serves the daemon until it stops the plugin or is gone. Returns the exit code.
  int run() {
    wire::frame what{};
    std::string payload;
    while (wire::receive_frame(wire::call_fd, what, payload, wire::request_bytes_max) ==
           wire::io_status::ok) {
      wire::reader r(payload);
      reply(answer_to(what, r));
      if (what == wire::frame::stop) return 0;
    }
    return 1;
  }

 private:
  wire::answer answer_to(wire::frame what, wire::reader& r) {
    switch (what) {
      case wire::frame::load:
        return load(wire::take_load_request(r), r.ok());
      case wire::frame::start:
        return start();
      case wire::frame::drain:
        return call("drain", table_->drain);
      case wire::frame::stop:
        return stop();
      default:
        return {.error_code = static_cast<int>(plugin_error::not_started), .why = "a stray frame"};
    }
  }

  static void reply(const wire::answer& a) {
    std::string text;
    wire::begin_frame(text);
    wire::writer w(text);
    wire::put(w, a);
    (void)wire::send_frame(wire::call_fd, wire::frame::answered, text);
  }

  static wire::answer refuse(plugin_error code, std::string why) {
    return {.error_code = static_cast<int>(code), .why = std::move(why)};
  }

  wire::answer load(wire::load_request request, bool whole) {
    if (!whole || request.core_version != core_version()) {
      return refuse(plugin_error::no_host,
                    "expected an oarlock-plugin-host of the daemon's build, "
                    "found another one beside it; install both together");
    }
    if (!leave_parent(request.workers, request.parent)) ::_exit(1);
    lowest_log_level = request.log_level;
    controllers = request.controllers;
    metrics = new metric_buffer(request.plugin, request.metric_series_max);  // never freed
    // Without one another file of the daemon may have that number.
    if (request.has_lease) lease = map_lease_page(wire::lease_fd);
    ::close(wire::lease_fd);
    if (request.has_lease && lease == nullptr) ::_exit(1);
    workers_ = request.workers;
    std::string gaps = put_up_walls(request);
    if (!gaps.empty() && request.mode == wire::sandbox_mode::required) return no_wall(gaps);
    report_crashes();
    name_worker(-1);
    tell_stray_calls_to([](stray_slot slot) {
      send_stray_call(wire::plan_slot_count + static_cast<std::size_t>(slot));
    });
    const auto entry = map_library("/proc/self/fd/" + std::to_string(wire::library_fd));
    if (!entry) {
      return refuse(static_cast<plugin_error>(entry.error().code.value()), entry.error().message);
    }
    const auto more = close_files();
    if (!more.empty() && request.mode == wire::sandbox_mode::required) return no_wall(more);
    if (!more.empty()) gaps += (gaps.empty() ? "" : "; ") + more;
    table_ = (*entry)();
    candidate found;
    found.library_file = request.library_file;
    found.manifest_file = request.manifest_file;
    found.declared.emplace();
    found.declared->name = request.plugin;
    found.declared->version = request.version;
    if (auto ok = check_descriptor(found, table_); !ok) {
      return refuse(static_cast<plugin_error>(ok.error().code.value()), ok.error().message);
    }
    auto made = create(request.config_json);
    made.gaps = gaps;
    const auto code = code_around(reinterpret_cast<std::uint64_t>(*entry), {});
    made.image_begin = code.begin;
    made.image_end = code.end;
    return made;
  }

  static wire::answer no_wall(const std::string& gaps) {
    return refuse(plugin_error::no_sandbox,
                  "expected every wall of the sandbox, found these missing: " + gaps +
                      "; run on a kernel and in a container that allow them, or, for a plugin that "
                      "you trust, with --plugin-sandbox=bestEffort");
  }

  wire::answer create(const std::string& config_json) {
    host_.struct_size = sizeof(host_);
    host_.abi_major = OARLOCK_ABI_MAJOR;
    host_.abi_minor = OARLOCK_ABI_MINOR;
    host_.ctx = reinterpret_cast<oarlock_host_ctx*>(this);
    host_.version = {core_version().data(), core_version().size()};
    host_.extension = &extension_here;
    oarlock_create_view view{};
    view.struct_size = sizeof(view);
    view.config_encoding = OARLOCK_ENCODING_JSON;
    view.config = lend_bytes(config_json);
    auto done = guarded("create", [&](const oarlock_error_out* out) {
      return table_->create(&host_, &view, out, &self_);
    });
    if (done.status == OARLOCK_OK && self_ == nullptr) {
      done.status = OARLOCK_ERROR;
      done.why = "it returned OARLOCK_OK without an instance";
    }
    return done;
  }

  wire::answer start() {
    auto done =
        guarded("start", [&](const oarlock_error_out* out) { return table_->start(self_, out); });
    if (done.status != OARLOCK_OK) return done;
    for (std::uint32_t i = 0; i < workers_; ++i) {
      // Never freed: a plugin may keep a table, and the process ends without unwinding.
      auto* const answers = new recorder;
      std::thread([this, i, answers] { work(static_cast<std::int32_t>(i), *answers); }).detach();
    }
    return done;
  }

  wire::answer stop() {
    auto stopped = call("stop", table_->stop);
    const auto destroyed = call("destroy", table_->destroy);
    metrics->flush();
    return stopped.status != OARLOCK_OK ? stopped : destroyed;
  }

  // The process has one plugin: its name says nothing here.
  static plugin_call call_of(const char* slot) { return {"", "", slot}; }

  // A call that may fail with words.
  template <class Call>
  static wire::answer guarded(const char* slot, Call made) {
    const error_text said;
    const plugin_call what = call_of(slot);
    const plugin_call_scope mark(what);
    wire::answer out;
    try {
      out.status = made(&said.table);
      out.why = said.text;
    } catch (const std::exception& e) {
      out.status = OARLOCK_TERMINAL;
      out.why = std::string("it threw: ") + e.what();
    } catch (...) {
      out.status = OARLOCK_TERMINAL;
      out.why = "it threw: something that is not a std::exception";
    }
    return out;
  }

  wire::answer call(const char* name, void (*slot)(oarlock_instance*)) {
    return guarded(name, [&](const oarlock_error_out*) {
      slot(self_);
      return OARLOCK_OK;
    });
  }

  void work(std::int32_t index, recorder& answers) {
    name_worker(index);
    const int fd = wire::first_worker_fd + index;
    const worker_channel to_daemon(fd);
    remote_live_reads reads(to_daemon);
    wire::frame what{};
    std::string payload;
    while (wire::receive_frame(fd, what, payload, wire::request_bytes_max) == wire::io_status::ok) {
      wire::reader r(payload);
      auto done = wire::io_status::ok;
      if (what == wire::frame::plan) {
        done = wire::send_frame(fd, wire::frame::planned, plan(r, answers, reads, to_daemon));
      } else if (what == wire::frame::effect) {
        done = wire::send_frame(fd, wire::frame::acted, effect(r, answers, reads));
      } else if (what == wire::frame::inbound) {
        auto answer = inbound(r);
        done = wire::send_frame(fd, wire::frame::answered_pod, answer);
      } else if (what == wire::frame::review) {
        auto answer = review(r);
        done = wire::send_frame(fd, wire::frame::reviewed, answer);
      } else {
        ::_exit(1);
      }
      if (done != wire::io_status::ok) return;
    }
  }

  std::string& plan(wire::reader& r, recorder& answers, controller::live_reads& reads,
                    worker_channel to_daemon) {
    const wire::taken_input input(r);
    if (!r.ok()) ::_exit(1);
    const oarlock_plan_out* out = answers.open();
    remote_cursors cached(to_daemon);
    const cursor_scope scope(cached);
    const plugin_call what = call_of("plan");
    const plugin_call_scope mark(what);
    try {
      observed_outside seen;
      const auto status = observe_and_plan(*table_, self_, *input.view(), *out, seen, &reads);
      answers.observed(seen.json);
      if (seen.is_unexplained) answers.unexplained();
      return answers.close(status, false, {});
    } catch (const std::exception& e) {
      return answers.close(OARLOCK_TERMINAL, true, e.what());
    } catch (...) {
      return answers.close(OARLOCK_TERMINAL, true, "something that is not a std::exception");
    }
  }

  std::string& effect(wire::reader& r, recorder& answers, controller::live_reads& reads) {
    const wire::taken_effect input(r);
    if (!r.ok()) ::_exit(1);
    answers.open_for_logs();
    const plugin_call what = call_of("effect");
    const plugin_call_scope mark(what);
    const auto answer = call_effect(*table_, self_, input.view(),
                                    std::chrono::milliseconds(input.time_left_ms()), &reads);
    if (answer.is_unexplained) answers.unexplained();
    return answers.close(answer.came_to);
  }

  std::string inbound(wire::reader& r) {
    const auto request = wire::take_request(r);
    if (!r.ok()) ::_exit(1);
    const plugin_call what = call_of("inbound");
    const plugin_call_scope mark(what);
    std::string text;
    wire::begin_frame(text);
    wire::writer w(text);
    wire::put_answer(w, call_inbound(*table_, self_, request.view, request.time_left, controllers));
    return text;
  }

  std::string review(wire::reader& r) {
    const auto asked = wire::take_review(r);
    if (!r.ok()) ::_exit(1);
    const plugin_call what = call_of("review");
    const plugin_call_scope mark(what);
    std::string text;
    wire::begin_frame(text);
    wire::writer w(text);
    wire::put_reviewed(w, call_review(*table_, self_, asked.task, asked.view, asked.time_left));
    return text;
  }

  const oarlock_plugin* table_ = nullptr;
  oarlock_instance* self_ = nullptr;
  oarlock_host host_{};
  std::uint32_t workers_ = 0;
};

}  // namespace

}  // namespace oarlock::plugin::host

#ifdef OARLOCK_SANITIZED
// Its leak checker would trace the process, which the walls forbid.
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0";
}
#endif

int main() {
  // Two arenas for all threads: less memory for each child.
  mallopt(M_ARENA_MAX, 2);
  static oarlock::plugin::host::server server;
  // Without destructors: threads may still be in the plugin.
  ::_exit(server.run());
}
