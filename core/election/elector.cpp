#include "core/election/elector.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/assert.hpp"
#include "core/base/guarded.hpp"
#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/base/rfc3339.hpp"
#include "core/cache/object.hpp"
#include "core/election/errors.hpp"
#include "core/election/lease.hpp"
#include "core/election/lease_watch.hpp"
#include "core/json/parse.hpp"

namespace oarlock::election {

namespace {

using namespace std::chrono_literals;

// client-go's JitterFactor: candidates must not ask in step.
constexpr double acquire_jitter = 1.2;
constexpr auto trouble_repeat = 60s;
constexpr auto release_pause = 200ms;
// A foreign record may hold any number; above this it would overflow a time.
constexpr std::int64_t term_max = 365 * 86400;
// More writes of unknown outcome than fit into one term are not told apart any more.
constexpr std::size_t unconfirmed_max = 64;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::min();

enum class outcome {
  held,   ///< the lease is ours as of the request that was just answered
  other,  ///< somebody else holds it
  failed  ///< not known: the API server refused or did not answer
};

// The stop token of one request: fires when the caller stops or when its time is over.
class request_limit {
 public:
  request_limit(timers* timer_source, executor where, duration limit, std::stop_token outer)
      : limit_(limit),
        outer_(outer),
        link_(std::move(outer), [source = source_]() mutable { source.request_stop(); }) {
    spawn(std::move(where), watch(timer_source, limit, source_, done_.get_token()));
  }
  ~request_limit() { done_.request_stop(); }
  request_limit(const request_limit&) = delete;
  request_limit& operator=(const request_limit&) = delete;
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  /// Says "no answer in time" where the request only knows that it was cancelled.
  [[nodiscard]] error explain(const error& e) const {
    if (e.code != kube::kube_error::cancelled || outer_.stop_requested()) return e;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit_).count();
    return {kube::kube_error::unavailable,
            fmt::format("no good answer from the API server within {} ms", ms)};
  }

 private:
  static task<> watch(timers* timer_source, duration limit, std::stop_source source,
                      std::stop_token done) {
    const bool elapsed = co_await timer_source->sleep_for(limit, done);
    if (elapsed) source.request_stop();
  }

  duration limit_;
  std::stop_token outer_;
  std::stop_source source_;
  std::stop_source done_;
  std::stop_callback<std::function<void()>> link_;
};

std::string version_of(const lease& l) {
  const auto doc = json::parse(l.json);
  return doc ? std::string(json::string_at(*doc, "/metadata/resourceVersion")) : std::string();
}

}  // namespace

struct elector::state {
  elector_config config;
  parts p;
  gauge* master = nullptr;
  counter* slowpath = nullptr;

  // The record as last seen, and when it was last seen to change: expiry is judged by that alone.
  std::optional<lease> observed;
  steady_time observed_at;
  // When the last request that got us the lease was sent.
  steady_time renewed;
  // What we wrote and no answer since has ruled out. A record with our name that is not among them
  // is another process with the same identity.
  std::vector<lease_record> written;
  steady_time trouble_logged;

  // While standing by: the newest state that the watch told and the loop has not looked at.
  std::optional<lease> news;
  bool heard = false;  // `observed` was told by the watch just now
  std::stop_source rest_over;
  std::stop_source watch_stop;
  bool watching = false;

  std::atomic<bool> leads{false};
  std::atomic<std::int64_t> renewed_ns{never};
  guarded<std::string> holder_seen;
  guarded<std::string> left_by;
  guarded<std::string> trouble_text;

  state(elector_config c, parts given) : config(std::move(c)), p(std::move(given)) {}

  static task<> run(std::shared_ptr<state> self, std::stop_token stop);
  static task<> release(std::shared_ptr<state> self);
  static task<outcome> attempt(std::shared_ptr<state> self, std::stop_token stop);
  static task<outcome> create(std::shared_ptr<state> self, std::stop_token stop);
  static task<outcome> take(std::shared_ptr<state> self, std::stop_token stop);
  static task<> stand_by(std::shared_ptr<state> self, std::stop_token stop);
  static task<> watch(std::shared_ptr<state> self, std::stop_token stop);
  static task<> rest(std::shared_ptr<state> self, duration how_long, std::stop_token stop);
  static task<> end_watch(std::shared_ptr<state> self);

  [[nodiscard]] steady_time now() const { return p.clock_source->now(); }
  [[nodiscard]] steady_time deadline() const { return renewed + config.renew_deadline; }
  [[nodiscard]] bool out_of_time() const { return leads && now() >= deadline(); }
  [[nodiscard]] duration request_time() const;
  [[nodiscard]] bool is_ours(const lease_record& r) const;
  [[nodiscard]] steady_time expiry() const;
  [[nodiscard]] bool held_by_other() const;
  [[nodiscard]] lease_record next_record() const;
  [[nodiscard]] lease_record write_next();
  bool take_news();
  void observe(lease found);
  outcome won(steady_time sent, const kube::write_answer& answer);
  void note_trouble(const std::string& what, const error& why);
  void clear_trouble();
  void start_leading();
  void stop_leading(const char* why);
};

// Half the renew deadline (controller-runtime's choice), so that one lost answer leaves time for a
// second try; less when a leader's deadline is nearer.
duration elector::state::request_time() const {
  const duration half = config.renew_deadline / 2;
  if (!leads) return half;
  return std::clamp<duration>(deadline() - now(), 1ms, half);
}

bool elector::state::is_ours(const lease_record& r) const {
  if (OARLOCK_MUTANT("own_name_is_own_lease")) return r.holder == config.identity;
  return r.holder == config.identity &&
         std::find(written.begin(), written.end(), r) != written.end();
}

// By local observation only: renewTime is another machine's clock (client-go does the same).
steady_time elector::state::expiry() const {
  const auto seconds = std::clamp<std::int64_t>(observed->record.duration_seconds, 0, term_max);
  if (OARLOCK_MUTANT("expiry_by_renew_time")) {
    const auto renewed_at = parse_rfc3339(observed->record.renew_time).value_or(wall_time{});
    return now() + (renewed_at + std::chrono::seconds(seconds) - p.clock_source->wall_now());
  }
  return observed_at + std::chrono::seconds(seconds);
}

bool elector::state::held_by_other() const {
  if (!observed || observed->record.holder.empty() || is_ours(observed->record)) return false;
  return now() < expiry();
}

lease_record elector::state::next_record() const {
  const auto now_text = micro_time(p.clock_source->wall_now());
  lease_record next{
      .holder = config.identity,
      .duration_seconds = std::chrono::ceil<std::chrono::seconds>(config.lease_duration).count(),
      .acquire_time = now_text,
      .renew_time = now_text,
      .transitions = 0};
  if (!observed) return next;
  const auto& old = observed->record;
  const bool ours = is_ours(old);
  next.transitions = old.transitions + (ours ? 0 : 1);
  if (ours && !old.acquire_time.empty()) next.acquire_time = old.acquire_time;
  return next;
}

lease_record elector::state::write_next() {
  auto next = next_record();
  if (written.size() == unconfirmed_max) written.erase(written.begin());
  written.push_back(next);
  return next;
}

// True: there were news. Those from before what is known are not: a watch may lag behind a read.
bool elector::state::take_news() {
  auto told = std::exchange(news, std::nullopt);
  if (!told) return false;
  if (observed) {
    const auto order = cache::compare_versions(version_of(*told), version_of(*observed));
    if (order && *order <= 0 && !OARLOCK_MUTANT("old_news_taken")) return false;
  }
  observe(std::move(*told));
  heard = true;
  return true;
}

void elector::state::observe(lease found) {
  if (!observed || observed->record != found.record) observed_at = now();
  // A new state that is not ours: what we wrote named a version that is gone and cannot land now.
  const bool changed = !observed || version_of(*observed) != version_of(found);
  if (changed && !is_ours(found.record)) written.clear();
  holder_seen.with([&](std::string& seen) {
    if (seen == found.record.holder) return;
    seen = found.record.holder;
    log_info("the lease has a new holder", {{"lease", config.lease_name}, {"holder", seen}});
  });
  observed = std::move(found);
}

// `sent` is the time before the request went out, not when its answer came: a rival counts from the
// moment the server stored the record, which may be any time after sending. A window that starts
// with the answer could outlive the lease by as long as the answer took.
outcome elector::state::won(steady_time sent, const kube::write_answer& answer) {
  auto stored = parse_lease(answer.body);
  if (!stored) {
    note_trouble("read the answer to a lease update", stored.error());
    return outcome::failed;
  }
  written.assign(1, stored->record);
  observe(std::move(*stored));
  const bool late = now() >= sent + config.renew_deadline;
  if (late && !OARLOCK_MUTANT("late_answer_trusted")) return outcome::failed;
  if (OARLOCK_MUTANT("window_from_the_answer")) sent = now();
  renewed = sent;
  renewed_ns = std::chrono::duration_cast<duration>(sent.time_since_epoch()).count();
  const duration margin = OARLOCK_MUTANT("gate_closed_late")
                              ? duration(0)
                              : duration(config.renew_deadline / write_margin_divisor);
  p.window->open_until(sent + config.renew_deadline - margin);
  clear_trouble();
  return outcome::held;
}

void elector::state::note_trouble(const std::string& what, const error& why) {
  if (why.code == kube::kube_error::cancelled) return;  // we are stopping
  std::string text = what + ": " + why.message;
  const bool is_new = trouble_text.with([&](std::string& seen) {
    const bool differs = seen != text;
    seen = text;
    return differs;
  });
  if (!is_new && now() < trouble_logged + trouble_repeat) return;
  trouble_logged = now();
  log_warn("leader election: " + what + " failed, trying again",
           {{"lease", config.lease_namespace + "/" + config.lease_name}, {"error", why.message}});
}

void elector::state::clear_trouble() {
  trouble_text.with([](std::string& seen) { seen.clear(); });
}

void elector::state::start_leading() {
  leads = true;
  master->set(1);
  log_info("leading", {{"lease", config.lease_name}, {"identity", config.identity}});
  p.on_started_leading();
}

void elector::state::stop_leading(const char* why) {
  if (!OARLOCK_MUTANT("window_open_at_step_down")) p.window->close();
  leads = false;
  renewed_ns = never;
  master->set(0);
  log_info("no longer leading", {{"lease", config.lease_name}, {"reason", why}});
  p.on_stopped_leading();
}

task<outcome> elector::state::create(std::shared_ptr<state> self, std::stop_token stop) {
  const auto& c = self->config;
  const auto where = co_await boost::asio::this_coro::executor;
  request_limit limit(self->p.timer_source, where, self->request_time(), stop);
  const auto sent = self->now();
  self->observed.reset();
  self->left_by.with([](std::string& left) { left.clear(); });
  auto made = co_await self->p.client->create(
      lease_resource(), c.lease_namespace,
      new_lease_json(c.lease_namespace, c.lease_name, self->write_next()), limit.token());
  if (made) co_return self->won(sent, *made);
  const auto why = limit.explain(made.error());
  if (why.code == kube::kube_error::already_exists) co_return outcome::other;
  if (why.code == kube::kube_error::not_found) {
    // A POST to a collection is 404 only when the namespace is missing.
    self->note_trouble(
        "create the lease",
        {why.code, fmt::format("{}: expected the namespace {} to exist; create it (kubectl create "
                               "namespace {}) or set --leader-election-namespace",
                               why.message, c.lease_namespace, c.lease_namespace)});
  } else {
    self->note_trouble("create the lease", why);
  }
  co_return outcome::failed;
}

// Writes our name over the observed record, at the resourceVersion it was read.
task<outcome> elector::state::take(std::shared_ptr<state> self, std::stop_token stop) {
  const auto& c = self->config;
  auto body = with_record(*self->observed, self->write_next());
  if (!body) {
    self->note_trouble("write the lease", body.error());
    co_return outcome::failed;
  }
  const auto where = co_await boost::asio::this_coro::executor;
  request_limit limit(self->p.timer_source, where, self->request_time(), stop);
  const auto sent = self->now();
  const auto& before = self->observed->record.holder;
  if (!self->leads) {
    self->left_by.with([&](std::string& left) { left = before == c.identity ? "" : before; });
  }
  auto stored = co_await self->p.client->update(lease_resource(), c.lease_namespace, c.lease_name,
                                                std::move(*body), limit.token());
  if (stored) co_return self->won(sent, *stored);
  // A conflict is the ordinary way to lose a race: the next look tells who won.
  if (stored.error().code != kube::kube_error::conflict) {
    self->note_trouble("update the lease", limit.explain(stored.error()));
  }
  co_return outcome::failed;
}

task<outcome> elector::state::attempt(std::shared_ptr<state> self, std::stop_token stop) {
  const auto& c = self->config;
  const bool heard = std::exchange(self->heard, false);
  if (self->observed && (self->leads || (heard && !self->held_by_other()))) {
    const auto fast = co_await take(self, stop);
    if (fast == outcome::held || stop.stop_requested()) co_return fast;
    self->slowpath->add();
    if (self->out_of_time()) co_return outcome::failed;
  }
  const auto where = co_await boost::asio::this_coro::executor;
  result<std::string> body = std::string();
  {
    request_limit limit(self->p.timer_source, where, self->request_time(), stop);
    body = co_await self->p.client->get(lease_resource(), c.lease_namespace, c.lease_name,
                                        limit.token());
    if (!body) body = limit.explain(body.error());
  }
  if (!body && body.error().code == kube::kube_error::not_found) {
    // Stricter than client-go: deleting the lease does not shorten the term of a holder we know of,
    // who may still be writing.
    if (self->held_by_other() && !OARLOCK_MUTANT("deleted_lease_is_free")) {
      co_return outcome::other;
    }
    co_return co_await create(self, stop);
  }
  if (!body) {
    self->note_trouble("read the lease", body.error());
    co_return outcome::failed;
  }
  auto found = parse_lease(*body);
  if (!found) {
    self->note_trouble("read the lease", found.error());
    co_return outcome::failed;
  }
  self->observe(std::move(*found));
  if (self->held_by_other()) {
    self->clear_trouble();
    co_return outcome::other;
  }
  if (self->out_of_time()) co_return outcome::failed;
  co_return co_await take(self, stop);
}

task<> elector::state::watch(std::shared_ptr<state> self, std::stop_token stop) {
  const auto& c = self->config;
  auto watched = std::make_shared<lease_watch::parts>(lease_watch::parts{
      self->p.client, self->p.clock_source, self->p.timer_source, self->p.random, c.lease_name,
      c.lease_namespace, c.lease_duration, c.retry_period, [raw = self.get()](lease told) {
        raw->news = std::move(told);
        raw->rest_over.request_stop();
      }});
  co_await lease_watch::run(std::move(watched), std::move(stop));
  self->watching = false;
  self->rest_over.request_stop();
}

// Sleeps until the time is over, the watch has told something or ended, or `stop`.
task<> elector::state::rest(std::shared_ptr<state> self, duration how_long, std::stop_token stop) {
  self->rest_over = std::stop_source();
  if (self->news) co_return;
  const std::stop_callback link(stop, [over = self->rest_over]() mutable { over.request_stop(); });
  co_await self->p.timer_source->sleep_for(how_long, self->rest_over.get_token());
}

task<> elector::state::end_watch(std::shared_ptr<state> self) {
  self->watch_stop.request_stop();
  while (self->watching) {
    self->news.reset();
    co_await rest(self, self->config.retry_period, {});
  }
  self->news.reset();
}

// Returns when it is time to try: the lease is free as far as we know, or nothing was heard of it
// for a while. A holder that renews is heard of each time, and costs no request.
task<> elector::state::stand_by(std::shared_ptr<state> self, std::stop_token stop) {
  const auto where = co_await boost::asio::this_coro::executor;
  if (!self->watching) {
    self->watching = true;
    self->watch_stop = std::stop_source();
    spawn(where, watch(self, self->watch_stop.get_token()));
  }
  for (;;) {
    duration pause = self->p.random->jitter(self->config.retry_period, acquire_jitter);
    if (self->held_by_other() && !OARLOCK_MUTANT("expiry_waits_for_a_poll"))
      pause = std::min<duration>(pause, self->expiry() - self->now());
    co_await rest(self, pause, stop);
    if (stop.stop_requested() || !self->news) co_return;
    if (self->take_news() && !self->held_by_other()) co_return;
  }
}

task<> elector::state::run(std::shared_ptr<state> self, std::stop_token stop) {
  const auto& c = self->config;
  while (!stop.stop_requested()) {
    const auto got = co_await attempt(self, stop);
    if (stop.stop_requested()) break;
    if (got == outcome::held && !self->leads) self->start_leading();
    if (self->leads && got == outcome::other) self->stop_leading("another process took the lease");
    if (self->leads) {
      self->watch_stop.request_stop();
      const auto left = self->deadline() - self->now();
      co_await self->p.timer_source->sleep_for(std::clamp<duration>(left, 0ns, c.retry_period),
                                               stop);
    } else {
      co_await stand_by(self, stop);
    }
    // Also true after the whole process was suspended: step down before anything is sent.
    if (self->out_of_time() && !OARLOCK_MUTANT("renews_past_the_deadline")) {
      self->stop_leading("the lease was not renewed within the renew deadline");
    }
  }
  if (self->leads) self->stop_leading("stopping");
  co_await end_watch(self);
}

task<> elector::state::release(std::shared_ptr<state> self) {
  const auto& c = self->config;
  auto* client = self->p.client;
  const auto where = co_await boost::asio::this_coro::executor;
  OARLOCK_ASSERT(!self->leads, "release() comes after run() has returned");
  request_limit limit(self->p.timer_source, where, c.renew_deadline / 2, {});
  while (!self->written.empty() && !limit.token().stop_requested()) {
    auto body =
        co_await client->get(lease_resource(), c.lease_namespace, c.lease_name, limit.token());
    if (!body && body.error().code == kube::kube_error::not_found) co_return;
    auto found = body ? parse_lease(*body) : result<lease>(body.error());
    if (found) {
      self->observe(*found);
      const bool ours = self->is_ours(found->record);
      if (!ours && !OARLOCK_MUTANT("releases_anyones_lease")) co_return;
      auto record = self->next_record();
      record.holder.clear();
      // One second and not nothing, so that older clients take the field as valid (client-go).
      record.duration_seconds = 1;
      auto changed = with_record(*found, record);
      if (!changed) co_return;
      auto stored = co_await client->update(lease_resource(), c.lease_namespace, c.lease_name,
                                            std::move(*changed), limit.token());
      if (stored) {
        self->written.clear();
        log_info("released the lease", {{"lease", c.lease_name}});
        co_return;
      }
    }
    co_await self->p.timer_source->sleep_for(release_pause, limit.token());
  }
  if (!self->written.empty()) {
    log_warn("could not release the lease: another process takes it over when it expires",
             {{"lease", c.lease_name}});
  }
}

elector::elector(elector_config config, parts p)
    : state_(std::make_shared<state>(std::move(config), std::move(p))) {
  const auto& c = state_->config;
  OARLOCK_ASSERT(!c.identity.empty() && !c.lease_name.empty() && !c.lease_namespace.empty(),
                 "an elector has a lease and an identity");
  OARLOCK_ASSERT(c.lease_duration > c.renew_deadline && c.lease_duration >= 1s,
                 "a leader gives up before its lease ends for others");
  OARLOCK_ASSERT(static_cast<double>(c.renew_deadline.count()) >
                     static_cast<double>(c.retry_period.count()) * acquire_jitter,
                 "a leader has time for more than one try");
  const metric_labels labels{{"name", c.lease_name}};
  state_->master = &state_->p.metrics->make_gauge(
      "leader_election_master_status", "1 while this process holds the lease, else 0", labels);
  state_->master->set(0);
  state_->slowpath = &state_->p.metrics->make_counter(
      "leader_election_slowpath_total", "Renewals that fell back to reading the lease", labels);
}

elector::~elector() = default;

task<> elector::run(std::stop_token stop) {
  return state::run(state_, std::move(stop));
}
task<> elector::release() {
  return state::release(state_);
}
bool elector::leading() const {
  return state_->leads;
}
std::string elector::left_by() const {
  return state_->left_by.with([](const std::string& left) { return left; });
}

std::string elector::holder() const {
  return state_->holder_seen.with([](const std::string& seen) { return seen; });
}
std::optional<steady_time> elector::renewed_at() const {
  const auto ns = state_->renewed_ns.load();
  if (ns == never) return std::nullopt;
  return steady_time(std::chrono::duration_cast<steady_time::duration>(duration(ns)));
}
std::string elector::trouble() const {
  return state_->trouble_text.with([](const std::string& seen) { return seen; });
}

}  // namespace oarlock::election
