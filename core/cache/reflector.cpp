#include "core/cache/reflector.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/cache/errors.hpp"
#include "core/cache/line_splitter.hpp"
#include "core/json/parse.hpp"

namespace oarlock::cache {

using kube::kube_error;

namespace {

template <class F>
std::size_t count_if(const reflector::change_parts& changes, const F& is_one) {
  std::ptrdiff_t n = 0;
  for (const auto& part : changes)
    n += std::count_if(part.begin(), part.end(), is_one);
  return static_cast<std::size_t>(n);
}

}  // namespace

// One watch connection. `staged` is there until the initial events have ended.
struct reflector::stream {
  std::unique_ptr<net::http_exchange> exchange;
  std::unique_ptr<store::staging> staged;
  line_splitter lines{limits::watch_line_bytes_max};
  steady_time opened;
  steady_time last_byte;
  steady_time ends;
  bool had_events = false;

  [[nodiscard]] steady_time deadline(bool expects_bookmarks) const {
    if (staged && !OARLOCK_MUTANT("streaming_list_without_deadline")) {
      return opened + reflector_limits::streaming_list;
    }
    return expects_bookmarks ? std::min(ends, last_byte + reflector_limits::silence) : ends;
  }
};

reflector::reflector(scope what, parts p)
    : what_(std::move(what)),
      parts_(p),
      decoder_(what_.resource, true),
      metrics_(*p.metrics, what_.resource) {}
reflector::~reflector() = default;

void reflector::set_state(reflector_state s) {
  if (s == reflector_state::listed || s == reflector_state::watching) trouble_.clear();
  state_ = s;
  parts_.sink->on_state(s, trouble_);
}

void reflector::begin_slice() {
  slice_began_ = parts_.clock_source->now();
}

bool reflector::slice_over() const {
  return parts_.clock_source->now() - slice_began_ >= reflector_limits::slice;
}

task<> reflector::yield() {
  auto loop = co_await boost::asio::this_coro::executor;
  co_await boost::asio::post(loop, boost::asio::use_awaitable);
  begin_slice();
}

void reflector::report_bad_object(const error& why) {
  metrics_.failure("bad_object");
  log_warn("object skipped: it cannot be cached",
           {{"resource", what_.resource.name()}, {"error", why.message}});
}

task<> reflector::run(std::stop_token stop) {
  stop_ = std::move(stop);
  while (!stop_.stop_requested()) {
    const bool asked = std::exchange(relist_wanted_, false);
    if (told_ || asked) {
      needs_list_ = true;
      ladder_.ask_for_recent();
    }
    const bool by_page =
        needs_list_ && (page_next_ || streaming_refused_ || ladder_.needs_quorum_list());
    if (by_page) {
      co_await page_through();
    } else {
      co_await follow(needs_list_);
    }
  }
  set_state(reflector_state::stopped);
}

// Opens a watch and reads it to its end. `initial`: one that begins with the present objects.
task<> reflector::follow(bool initial) {
  const auto span = reflector_limits::watch_max - reflector_limits::watch_min;
  const auto extra = static_cast<double>(span.count()) * parts_.random->unit();
  kube::watch_options options;
  options.ns = what_.ns;
  options.label_selector = what_.label_selector;
  options.field_selector = what_.field_selector;
  options.metadata_only = what_.metadata_only;
  options.resource_version = initial ? ladder_.for_streaming() : ladder_.position();
  options.timeout = reflector_limits::watch_min + std::chrono::seconds(static_cast<long>(extra));
  options.send_initial_events = initial;
  if (initial) set_state(reflector_state::streaming_list);
  metrics_.watch();
  interrupt_ = std::stop_source();
  const std::stop_callback chain(stop_, [this] { interrupt_.request_stop(); });
  auto opened = co_await parts_.client->watch(what_.resource, options, interrupt_.get_token());
  const auto phase = initial ? reflector_phase::streaming : reflector_phase::watching;
  if (!opened) {
    co_await recover(phase, opened.error());
    co_return;
  }
  stream s;
  s.exchange = std::move(*opened);
  s.opened = s.last_byte = parts_.clock_source->now();
  s.ends = s.opened + options.timeout + reflector_limits::watch_margin;
  if (initial) s.staged = parts_.target->begin_staging();
  if (!initial) set_state(reflector_state::watching);
  if (!initial && relist_wanted_) co_return;
  const auto outcome = co_await consume(s);
  s.exchange.reset();  // what follows may wait: no connection is kept for it
  if (interrupt_.stop_requested()) co_return;
  std::optional<error> why;
  if (!outcome) why = outcome.error();
  if (OARLOCK_MUTANT("cut_list_committed") && s.staged) {
    co_await commit(std::move(s.staged), "1", false);
    co_return;
  }
  if (needs_list_ && s.staged) {
    error early{cache_error::broken_stream,
                "expected the end of the initial events, found the end "
                "of the answer"};
    co_await recover(reflector_phase::streaming, why.value_or(early));
    co_return;
  }
  co_await end_of_watch(s.opened, s.had_events, std::move(why));
}

// A watch that was live has ended. The usual ends resume at once; what ends at once waits.
task<> reflector::end_of_watch(steady_time opened, bool had_events, std::optional<error> why) {
  const steady_time now = parts_.clock_source->now();
  // The server ends the watches that decode by the old schema, and nobody tells a cut from that.
  if (now < doubt_ends_ && !OARLOCK_MUTANT("resumed_in_doubt")) relist_wanted_ = true;
  const bool is_short = now - opened < reflector_limits::short_watch;
  const bool too_short =
      is_short && (!had_events || last_was_short_) && !OARLOCK_MUTANT("short_watch_spins");
  last_was_short_ = is_short;
  // Silent from its start where bookmarks come: to recover() that is a repetition.
  const bool stalled =
      why && why->code == cache_error::silent_watch && !had_events && bookmarks_seen_;
  if (stalled) last_failure_ = why->code;
  const bool resumes =
      !why || react(reflector_phase::watching, why->code, stalled ? 1 : 0) == reaction::resume;
  if (!resumes) {
    co_await recover(reflector_phase::watching, std::move(*why));
    co_return;
  }
  if (why) {
    metrics_.failure(reason_of(why->code));
    log_info("watch broke off, resuming",
             {{"resource", what_.resource.name()}, {"error", why->message}});
  }
  if (too_short) {
    error e{cache_error::short_watch, "expected a watch to last, found it ended within a second" +
                                          (why ? ": " + why->message : std::string())};
    co_await recover(reflector_phase::watching, std::move(e));
  }
}

task<result<>> reflector::consume(stream& s) {
  while (true) {
    const steady_time deadline = s.deadline(bookmarks_seen_);
    auto chunk = co_await s.exchange->read_some(deadline);
    if (interrupt_.stop_requested()) co_return result<>();
    const steady_time now = parts_.clock_source->now();
    if (!chunk && now >= deadline && s.staged) {
      co_return error{cache_error::list_deadline, "expected the initial events to end within 30 s"};
    }
    if (!chunk && now >= deadline) {
      co_return error{cache_error::silent_watch, "expected events or a bookmark, found silence"};
    }
    if (!chunk) co_return error{cache_error::broken_stream, chunk.error().message};
    if (!chunk->has_value()) {
      if (!s.lines.in_line() || OARLOCK_MUTANT("cut_line_ignored")) co_return result<>();
      co_return error{cache_error::broken_stream,
                      "expected a whole line, found the end inside one"};
    }
    s.last_byte = now;
    begin_slice();
    s.lines.push(std::move(**chunk));
    while (auto line = s.lines.next()) {
      auto taken = co_await take_line(s, std::move(*line));
      if (!taken) co_return taken;
      if (slice_over()) co_await yield();
      if (interrupt_.stop_requested()) co_return result<>();
    }
    if (s.lines.overflown()) {
      co_return error{cache_error::bad_line, "expected a watch line of at most " +
                                                 std::to_string(limits::watch_line_bytes_max) +
                                                 " bytes, found more"};
    }
  }
}

task<result<>> reflector::take_line(stream& s, std::string line) {
  auto event = decoder_.decode_watch_line(std::move(line));
  if (!event) {
    if (event.error().code != json::json_error::wrong_shape) {
      co_return error{cache_error::bad_line, event.error().message};
    }
    report_bad_object(event.error());
    co_return result<>();
  }
  metrics_.event(event->type);
  if (event->type == watch_event_type::error) {
    if (OARLOCK_MUTANT("error_event_ignored")) co_return result<>();
    auto said = kube::decode_status(event->status_code, event->status, {});
    if (said.code == kube_error::unavailable) said.code = cache_error::error_event;
    co_return said;
  }
  if (event->type == watch_event_type::unknown) {
    log_warn("watch event of unknown type ignored", {{"resource", what_.resource.name()}});
    co_return result<>();
  }
  s.had_events = true;
  last_failure_.clear();
  if (!s.staged) co_return take_event(std::move(*event));
  // Initial events come unordered: nothing but the bookmark at their end says how far we are.
  if (OARLOCK_MUTANT("position_from_initial_events")) ladder_.advance(event->resource_version);
  if (event->type == watch_event_type::deleted) {
    s.staged->erase(event->object->meta().key);
  } else if (event->object) {
    s.staged->put(std::move(event->object), !ladder_.recent_only());
    parts_.sink->on_growth(s.staged->bytes());
  } else if (event->initial_events_end) {
    auto trusted = trust(*s.staged, event->resource_version);
    if (!trusted) co_return trusted;
    co_await commit(std::move(s.staged), std::move(event->resource_version), false);
    if (!stop_.stop_requested()) set_state(reflector_state::watching);
    if (relist_wanted_) interrupt_.request_stop();
  }
  co_return result<>();
}

// An event of a live watch. One that is older than the position was replayed or reordered, or the
// server is not the one we knew: the store takes it only when it is news of an object it has.
result<> reflector::take_event(watch_event event) {
  const bool behind = ladder_.is_behind(event.resource_version);
  if (behind) metrics_.failure("out_of_order");
  store& target = *parts_.target;
  const bool bookmark = event.type == watch_event_type::bookmark;
  const bool gone = event.type == watch_event_type::deleted;
  if (behind && !gone && (bookmark || !target.get(event.object->meta().key))) {
    return error{cache_error::replayed_event,
                 "expected events after " + ladder_.position() + ", found " +
                     (bookmark ? "a bookmark" : event.object->meta().key.text()) + " at " +
                     event.resource_version};
  }
  if (bookmark) {
    bookmarks_seen_ = true;
    if (OARLOCK_MUTANT("bookmark_not_advancing")) return {};
    if (ladder_.advance(event.resource_version)) parts_.sink->on_position(ladder_.position());
    return {};
  }
  const auto outcome = gone ? target.remove(event.object) : target.apply(event.object);
  if (outcome.what == store::verdict::older) metrics_.failure("older_version");
  if (!behind && ladder_.advance(event.resource_version)) {
    parts_.sink->on_position(ladder_.position());
  }
  const std::uint64_t sequence = target.sequence();
  for (const auto& c : outcome.changes)
    parts_.sink->on_change(c, sequence);
  return {};
}

task<> reflector::page_through() {
  set_state(reflector_state::paging);
  page_next_ = false;
  const bool told = told_;
  auto staged = parts_.target->begin_staging();
  auto version = co_await read_pages(staged.get(), ladder_.for_list());
  if (!version && version.error().code == kube_error::gone) {
    // The continue token expired on the way, or the version did: once more from the start.
    staged = parts_.target->begin_staging();
    version = co_await read_pages(staged.get(), ladder_.for_list());
  }
  if (stop_.stop_requested()) co_return;
  if (version) {
    if (auto trusted = trust(*staged, *version); !trusted) version = trusted.error();
  }
  if (!version) {
    co_await recover(reflector_phase::paging, version.error());
    co_return;
  }
  if (told) told_ = false;
  co_await commit(std::move(staged), std::move(*version), told);
}

// The version of the first page: what later pages have beyond it, the watch brings again.
task<result<std::string>> reflector::read_pages(store::staging* staged, std::string version) {
  kube::list_options options;
  options.ns = what_.ns;
  options.label_selector = what_.label_selector;
  options.field_selector = what_.field_selector;
  options.metadata_only = what_.metadata_only;
  options.resource_version = std::move(version);
  // With a page size, an unset match would mean exactly this version.
  if (!options.resource_version.empty()) options.resource_version_match = "NotOlderThan";
  options.limit = limits::list_page_objects;
  std::string first_version;
  for (int n = 0; n < reflector_limits::pages_max; ++n) {
    auto body = co_await parts_.client->list_page(what_.resource, options, stop_);
    if (!body) co_return body.error();
    list_decoder page(decoder_, std::move(*body));
    auto decoded = co_await decode_page(page, staged);
    if (!decoded) co_return decoded.error();
    if (n == 0) first_version = page.resource_version();
    if (page.continue_token().empty()) co_return first_version;
    options.continue_token = page.continue_token();
    options.resource_version.clear();
    options.resource_version_match.clear();
  }
  co_return error{cache_error::bad_list, "expected a list to end, found ever more pages"};
}

task<result<>> reflector::decode_page(list_decoder& page, store::staging* staged) {
  begin_slice();
  while (true) {
    auto item = page.next();
    if (!item) co_return error{cache_error::bad_list, item.error().message};
    if (!item->has_value()) co_return result<>();
    if ((*item)->object) {
      staged->put(std::move((*item)->object), !ladder_.recent_only());
      parts_.sink->on_growth(staged->bytes());
    } else {
      report_bad_object((*item)->bad);
    }
    if (slice_over()) co_await yield();
    if (stop_.stop_requested()) co_return error{kube_error::cancelled, "cancelled by the caller"};
  }
}

// May a list become the store? One that is behind, or whose objects are older than we had them, is
// from a cache that lags or from another history: a quorum list will tell.
result<> reflector::trust(const store::staging& staged, const std::string& version) const {
  if (ladder_.recent_only()) return {};
  if (ladder_.is_behind(version)) {
    return error{cache_error::stale_list,
                 "expected a list at " + ladder_.position() + " or later, found " + version};
  }
  if (staged.older() > 0 && !OARLOCK_MUTANT("older_objects_in_a_list_overlooked")) {
    return error{cache_error::stale_list, "expected no object older than it was, found " +
                                              std::to_string(staged.older()) + " in a list at " +
                                              version};
  }
  return {};
}

// A quorum list that is older than what was seen: a new epoch (see history_was_rewound).
void reflector::note_rewind(const change_parts& changes, const std::string& version, bool told) {
  const auto no_newer = [](std::string_view a, std::string_view b) {
    const auto order = compare_versions(a, b);
    return order && *order <= 0;
  };
  const auto grew_younger = [&](const change& c) {
    if (!c.before || !c.after || is_redecoded(c)) return false;
    const auto& before = c.before->meta().resource_version;
    return no_newer(c.after->meta().resource_version, before) && no_newer(before, version);
  };
  const bool older_objects = count_if(changes, grew_younger) > 0;
  const bool seen =
      history_was_rewound(ladder_.needs_quorum_list(), ladder_.is_behind(version), older_objects);
  if (seen || told) parts_.sink->on_rewound(!told);
  if (!seen) return;
  metrics_.rewind();
  log_warn(
      "history rewound: the API server's data is older than what was seen before, as after a "
      "restored backup; the cache starts over",
      {{"resource", what_.resource.name()},
       {"seen_version", ladder_.position()},
       {"version", version}});
}

task<> reflector::commit(std::unique_ptr<store::staging> staged, std::string version, bool told) {
  change_parts changes;
  for (std::size_t n = 0; n < store::shard_count; ++n) {
    parts_.target->diff(*staged, n, changes[n]);
    if (slice_over()) co_await yield();
  }
  parts_.target->commit(*staged);
  note_rewind(changes, version, told);
  const std::uint64_t sequence = parts_.target->sequence();
  metrics_.list();
  const bool quorum = ladder_.needs_quorum_list();
  ladder_.listed(std::move(version));
  needs_list_ = false;
  last_failure_.clear();
  parts_.sink->on_position(ladder_.position());
  parts_.sink->on_listed();
  if (quorum) parts_.sink->on_reread(count_if(changes, is_redecoded));
  set_state(reflector_state::listed);
  for (std::size_t n = 0; n < store::shard_count; ++n) {
    for (const auto& c : std::exchange(changes[n], {})) {
      if (stop_.stop_requested()) co_return;
      parts_.sink->on_change(c, sequence);
      if (slice_over()) co_await yield();
    }
    staged->drop(n);
    if (slice_over()) co_await yield();
  }
}

task<> reflector::recover(reflector_phase phase, error why) {
  if (stop_.stop_requested()) co_return;
  const bool repeated = std::exchange(last_failure_, why.code) == why.code;
  repeats_ = repeated ? repeats_ + 1 : 0;
  const reaction r = react(phase, why.code, repeats_);
  if (r == reaction::stop) co_return;
  metrics_.failure(reason_of(why.code));
  trouble_ = std::string(reason_of(why.code)) + ": " + why.message;
  switch (r) {
    case reaction::page_always:
      streaming_refused_ = true;
      [[fallthrough]];
    case reaction::page:
      page_next_ = true;
      break;
    case reaction::relist_recent:
      ladder_.ask_for_recent();
      [[fallthrough]];
    case reaction::relist:
    case reaction::park_relist:
      needs_list_ = true;
      break;
    default:
      break;
  }
  if (r == reaction::page || r == reaction::page_always) {
    log_info("streaming list failed, listing by pages",
             {{"resource", what_.resource.name()}, {"error", why.message}});
    co_return;
  }
  if (r == reaction::park || r == reaction::park_relist) {
    const bool was_served = !repeated && !ladder_.position().empty();
    const auto base = was_served ? reflector_limits::parked_first : reflector_limits::parked;
    co_await wait(reflector_state::parked, parts_.random->jitter(base, 0.5), why);
    co_return;
  }
  auto& pace = r == reaction::relist ? relist_backoff_ : backoff_;
  const duration delay = pace.next(parts_.clock_source->now(), why.retry_after, *parts_.random);
  co_await wait(reflector_state::backing_off, delay, why);
}

task<> reflector::wait(reflector_state state, duration how_long, const error& why) {
  set_state(state);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(how_long).count();
  log_warn("reflector waits", {{"resource", what_.resource.name()},
                               {"state", name_of(state)},
                               {"error", why.message},
                               {"wait_ms", ms}});
  interrupt_ = std::stop_source();
  const std::stop_callback chain(stop_, [this] { interrupt_.request_stop(); });
  co_await parts_.timer_source->sleep_for(how_long, interrupt_.get_token());
}

void reflector::wake() {
  if (state_ == reflector_state::parked || state_ == reflector_state::backing_off) {
    interrupt_.request_stop();
  }
}

void reflector::relist() {
  relist_wanted_ = true;
  if (state_ == reflector_state::watching) interrupt_.request_stop();
}

void reflector::rewound_elsewhere() {
  if (ladder_.position().empty() || OARLOCK_MUTANT("rewind_told_to_nobody")) return;
  told_ = true;
  interrupt_.request_stop();
}

}  // namespace oarlock::cache
