#include "core/controller/events.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <rapidjson/document.h>

#include <deque>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/base/recent_map.hpp"
#include "core/base/token_bucket.hpp"
#include "core/controller/json_text.hpp"
#include "core/json/parse.hpp"

namespace oarlock::controller {

namespace {

using namespace std::chrono_literals;
using rapidjson::Value;
using allocator = rapidjson::Document::AllocatorType;

// The rules of client-go's tools/events: a series ends after 6 minutes of silence and is refreshed
// on the server at most every 30 s here.
constexpr duration series_end = 6min;
constexpr duration series_refresh = 30s;
// Of client-go's EventSourceObjectSpamFilter.
constexpr duration spam_refill = 5min;
// The API refuses longer notes.
constexpr std::size_t note_bytes_max = 1024;
constexpr std::size_t name_base_bytes_max = 230;

const kube::resource event_resource{"events.k8s.io", "v1", "Event", "events", true};

std::string micro_time(wall_time t) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch());
  const auto second = std::chrono::floor<std::chrono::seconds>(us);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(static_cast<std::time_t>(second.count())), (us - second).count());
}

// At most `bytes_max` bytes, cut between UTF-8 sequences.
std::string_view shorten(std::string_view s, std::size_t bytes_max) {
  if (s.size() <= bytes_max) return s;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(s[end]) & 0xC0U) == 0x80U)
    --end;
  return s.substr(0, end);
}

}  // namespace

struct event_recorder::state : std::enable_shared_from_this<event_recorder::state> {
  explicit state(parts p)
      : parts_(std::move(p)),
        sent(parts_.metrics->make_counter("oarlock_events_sent_total",
                                          "Events written to the API server", {})),
        dropped(parts_.metrics->make_counter("oarlock_events_dropped_total",
                                             "Events lost to a full queue or a failed write", {})),
        spam(parts_.metrics->make_counter("oarlock_events_discarded_total",
                                          "Events past the limit of their object", {})) {}

  struct series {
    std::string ns;
    std::string name;
    std::int64_t count = 1;
    steady_time last_seen;
    steady_time last_sent;
  };
  struct outgoing {
    bool is_patch = false;
    std::string ns;
    std::string name;
    std::string body;
  };

  void record(event_note note);
  void push(outgoing o);
  bool is_spam(const event_note& note);
  std::string event_body(const event_note& note, const series& s);
  std::string series_body(const series& s);
  static task<> send_all(std::shared_ptr<state> self);

  const parts parts_;
  counter& sent;
  counter& dropped;
  counter& spam;
  recent_map<series> known{series_max};
  recent_map<token_bucket> limited{series_max};  // by plugin, object and type
  std::deque<outgoing> queue;
  std::uint64_t serial = 0;
  bool sending = false;
  bool complained = false;
};

void event_recorder::state::record(event_note note) {
  const auto now = parts_.clock_source->now();
  const auto id = fmt::format("{}\n{}\n{}\n{}\n{}", note.plugin, note.regarding_uid, note.reason,
                              note.action, note.note);
  auto* const seen = known.find(id);
  if (seen != nullptr && now - seen->last_seen < series_end) {
    ++seen->count;
    seen->last_seen = now;
    if (now - seen->last_sent < series_refresh) return;
    seen->last_sent = now;
    push({true, seen->ns, seen->name, series_body(*seen)});
    return;
  }
  if (is_spam(note)) {
    spam.add();
    return;
  }
  const auto stamp = parts_.clock_source->wall_now().time_since_epoch().count();
  series s;
  s.ns = note.regarding.ns.empty() ? "default" : note.regarding.ns;
  s.name = fmt::format("{}.{:x}{:x}", shorten(note.regarding.name, name_base_bytes_max), stamp,
                       serial++ & 0xfffU);
  s.last_seen = s.last_sent = now;
  push({false, s.ns, s.name, event_body(note, s)});
  known.put(id, std::move(s));
}

bool event_recorder::state::is_spam(const event_note& note) {
  const auto key = fmt::format("{}\n{}\n{}", note.plugin, note.regarding_uid, note.warning);
  auto* limit = limited.find(key);
  if (limit == nullptr) limit = &limited.put(key, {spam_refill, burst});
  if (OARLOCK_MUTANT("events_without_limit")) return false;
  return !limit->take(parts_.clock_source->now(), duration::zero());
}

std::string event_recorder::state::event_body(const event_note& note, const series& s) {
  rapidjson::Document body(rapidjson::kObjectType);
  auto& memory = body.GetAllocator();
  Value metadata(rapidjson::kObjectType);
  metadata.AddMember("name", text(s.name, memory), memory);
  metadata.AddMember("namespace", text(s.ns, memory), memory);
  Value regarding(rapidjson::kObjectType);
  regarding.AddMember("apiVersion", text(note.regarding_resource.api_version(), memory), memory);
  regarding.AddMember("kind", text(note.regarding_resource.kind, memory), memory);
  regarding.AddMember("name", text(note.regarding.name, memory), memory);
  if (!note.regarding.ns.empty()) {
    regarding.AddMember("namespace", text(note.regarding.ns, memory), memory);
  }
  regarding.AddMember("uid", text(note.regarding_uid, memory), memory);
  body.AddMember("apiVersion", "events.k8s.io/v1", memory);
  body.AddMember("kind", "Event", memory);
  body.AddMember("metadata", metadata, memory);
  body.AddMember("eventTime", text(micro_time(parts_.clock_source->wall_now()), memory), memory);
  body.AddMember("reportingController", text("oarlock.dev/" + note.plugin, memory), memory);
  body.AddMember("reportingInstance", text(shorten(parts_.instance, 128), memory), memory);
  body.AddMember("action", text(shorten(note.action, 128), memory), memory);
  body.AddMember("reason", text(shorten(note.reason, 128), memory), memory);
  body.AddMember("note", text(shorten(note.note, note_bytes_max), memory), memory);
  body.AddMember("type", text(note.warning ? "Warning" : "Normal", memory), memory);
  body.AddMember("regarding", regarding, memory);
  return json::write(body);
}

std::string event_recorder::state::series_body(const series& s) {
  rapidjson::Document body(rapidjson::kObjectType);
  auto& memory = body.GetAllocator();
  Value value(rapidjson::kObjectType);
  value.AddMember("count", s.count, memory);
  value.AddMember("lastObservedTime", text(micro_time(parts_.clock_source->wall_now()), memory),
                  memory);
  body.AddMember("series", value, memory);
  return json::write(body);
}

void event_recorder::state::push(outgoing o) {
  if (queue.size() >= limits::event_queue_max) {
    dropped.add();
    return;
  }
  queue.push_back(std::move(o));
  if (sending) return;
  sending = true;
  spawn(parts_.loop, send_all(shared_from_this()));
}

task<> event_recorder::state::send_all(std::shared_ptr<state> self) {
  while (!self->queue.empty()) {
    auto next = std::move(self->queue.front());
    self->queue.pop_front();
    result<kube::write_answer> answer = kube::write_answer{};
    if (next.is_patch) {
      answer = co_await self->parts_.client->merge_patch(event_resource, next.ns, next.name,
                                                         std::move(next.body));
    } else {
      answer = co_await self->parts_.client->create(event_resource, next.ns, std::move(next.body));
    }
    if (answer) {
      self->sent.add();
      continue;
    }
    self->dropped.add();
    if (!std::exchange(self->complained, true)) {
      log_warn("an event could not be written; later ones are only counted",
               {{"error", answer.error().message}});
    }
  }
  self->sending = false;
}

event_recorder::event_recorder(parts p) : state_(std::make_shared<state>(std::move(p))) {}
event_recorder::~event_recorder() = default;

void event_recorder::record(event_note note) {
  if (state_->parts_.enabled) state_->record(std::move(note));
}

task<> event_recorder::flush(steady_time deadline) {
  const auto self = state_;
  while (self->sending && self->parts_.clock_source->now() < deadline) {
    (void)co_await self->parts_.timer_source->sleep_for(10ms, {});
  }
}

}  // namespace oarlock::controller
