#include "core/cache/shared_informer.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/log.hpp"
#include "core/base/mutant.hpp"

namespace oarlock::cache {

namespace {

reflector::parts reflector_parts(const informer_cache::parts& p, store* target,
                                 reflector_sink* sink) {
  return {p.client, p.clock_source, p.timer_source, p.random, p.metrics, target, sink};
}

}  // namespace

shared_informer::shared_informer(scope what, const informer_cache::parts& p,
                                 std::shared_ptr<gate> running, hooks h)
    : what_(std::move(what)),
      parts_(p),
      running_(std::move(running)),
      hooks_(std::move(h)),
      reflector_(what_, reflector_parts(p, &store_, this)),
      check_(what_, {p.client, p.clock_source, p.timer_source, p.random, p.metrics, &store_,
                     &reflector_, p.self_check_period}),
      objects_gauge_(p.metrics->make_gauge("oarlock_cache_objects", "Objects in the cache.",
                                           {{"resource", what_.resource.name()}})),
      bytes_gauge_(p.metrics->make_gauge("oarlock_cache_bytes",
                                         "Bytes of the objects in the cache.",
                                         {{"resource", what_.resource.name()}})),
      version_gauge_(p.metrics->make_gauge("informer_store_resource_version",
                                           "Version up to which the cache has seen everything.",
                                           {{"group", what_.resource.group},
                                            {"version", what_.resource.version},
                                            {"resource", what_.resource.plural}})) {}

shared_informer::~shared_informer() = default;

void shared_informer::start() {
  running_->enter();
  spawn(parts_.loop, run(shared_from_this(), running_));
  if (parts_.self_check_period <= duration::zero()) return;
  running_->enter();
  spawn(parts_.loop, check(shared_from_this(), running_));
}

void shared_informer::stop() {
  stop_.request_stop();
  planned_.request_stop();
}

void shared_informer::end(const std::string& why) {
  ended_ = true;
  trouble_.with([&why](std::string& t) { t = why; });
  stop();
}

tenant_ptr shared_informer::sole_tenant() const {
  if (subscribers_.empty()) return nullptr;
  const auto& first = subscribers_.front()->whom;
  for (const auto& one : subscribers_) {
    if (one->whom != first && !OARLOCK_MUTANT("charged_for_what_others_read")) return nullptr;
  }
  return first;
}

void shared_informer::on_rewound(bool is_news) {
  ++epoch_;
  if (is_news) hooks_.rewound(*this);
}

void shared_informer::doubt_schema() {
  reflector_.doubt_until(parts_.clock_source->now() + schema_limits::doubt);
}

void shared_informer::schema_changed() {
  if (what_.metadata_only || stop_.stop_requested()) return;  // no schema says what metadata is
  doubt_schema();
  plan_relist(schema_.changed(parts_.clock_source->now()));
}

void shared_informer::on_reread(std::size_t redecoded) {
  if (redecoded > 0) {
    log_info("objects read again: the API server has another schema for them",
             {{"resource", what_.resource.name()}, {"objects", redecoded}});
  }
  const auto wait = schema_.listed(parts_.clock_source->now(), redecoded);
  if (wait) plan_relist(*wait);
}

void shared_informer::plan_relist(duration wait) {
  planned_.request_stop();
  planned_ = std::stop_source();
  running_->enter();
  spawn(parts_.loop, relist_after(shared_from_this(), running_, parts_.random->jitter(wait, 0.5),
                                  planned_.get_token()));
}

task<> shared_informer::relist_after(std::shared_ptr<shared_informer> self,
                                     std::shared_ptr<gate> running, duration wait,
                                     std::stop_token stop) {
  if (co_await self->parts_.timer_source->sleep_for(wait, stop)) self->reflector_.relist();
  self.reset();
  running->leave();
}

void shared_informer::on_growth(std::size_t staged_bytes) {
  constexpr std::size_t step = 16U << 10U;
  held_ = std::max(store_.object_bytes(), staged_bytes);
  told_ = std::min(told_, held_);
  if (held_ - told_ < step) return;
  told_ = held_;
  hooks_.grown(*this);
}

task<> shared_informer::run(std::shared_ptr<shared_informer> self, std::shared_ptr<gate> running) {
  co_await self->reflector_.run(self->stop_.get_token());
  self->update_gauges(true);
  self.reset();
  running->leave();
}

task<> shared_informer::check(std::shared_ptr<shared_informer> self,
                              std::shared_ptr<gate> running) {
  co_await self->check_.run(self->stop_.get_token());
  self.reset();
  running->leave();
}

std::shared_ptr<subscriber> shared_informer::join(const index_set& lookups, change_handler handler,
                                                  tenant_ptr whom) {
  store_.add_indexes(lookups);
  auto who = std::make_shared<subscriber>();
  who->handler = std::move(handler);
  who->whom = std::move(whom);
  who->joined = store_.sequence();
  for (auto& o :
       OARLOCK_MUTANT("late_reader_misses_the_list") ? std::vector<object_ptr>() : store_.list())
    who->owed.insert(who->owed.end(), std::move(o));
  subscribers_.push_back(who);
  if (!who->owed.empty()) {
    running_->enter();
    spawn(parts_.loop, catch_up(shared_from_this(), who, running_));
  }
  return who;
}

bool shared_informer::leave(const std::shared_ptr<subscriber>& who) {
  who->gone = true;
  who->owed.clear();
  std::erase(subscribers_, who);
  return subscribers_.empty() || OARLOCK_MUTANT("watch_ends_with_a_reader");
}

// Hands a late reader what was there before it, a slice at a time. An object that changes before
// its turn has come is handed out by that change instead (see deliver).
task<> shared_informer::catch_up(std::shared_ptr<shared_informer> self,
                                 std::shared_ptr<subscriber> who, std::shared_ptr<gate> running) {
  const clock& now = *self->parts_.clock_source;
  const executor loop = self->parts_.loop;
  steady_time began = now.now();
  while (!who->gone && !who->owed.empty()) {
    const auto node = who->owed.extract(who->owed.begin());
    who->handler({nullptr, node.value(), true});
    if (now.now() - began < reflector_limits::slice) continue;
    co_await boost::asio::post(loop, boost::asio::use_awaitable);
    began = now.now();
  }
  self.reset();
  running->leave();
}

void shared_informer::deliver(subscriber& to, const change& c) {
  const object_key& key = (c.after ? c.after : c.before)->meta().key;
  const auto owed = to.owed.find(key);
  if (owed == to.owed.end()) {
    to.handler(c);
    return;
  }
  if (!OARLOCK_MUTANT("late_reader_told_twice")) to.owed.erase(owed);
  if (c.after) to.handler({nullptr, c.after, true});
}

void shared_informer::on_change(const change& c, std::uint64_t sequence) {
  check_.changed((c.after ? c.after : c.before)->meta().key);
  update_gauges(false);
  on_growth(0);
  // A handler may acquire and release: readers are copied, and asked again whether they are there.
  const auto readers = subscribers_;
  for (const auto& reader : readers) {
    if (!reader->gone && reader->joined < sequence) deliver(*reader, c);
  }
}

void shared_informer::on_position(const std::string& version) {
  seen_version_.with([&version](std::string& v) { v = version; });
  check_.at_position(version);
  std::uint64_t number = 0;
  const auto* end = version.data() + version.size();
  const auto [stop, bad] = std::from_chars(version.data(), end, number);
  if (bad == std::errc() && stop == end) version_gauge_.set(static_cast<double>(number));
  const auto readers = subscribers_;
  for (const auto& reader : readers) {
    if (!reader->gone && reader->moved) reader->moved();
  }
}

void shared_informer::on_listed() {
  synced_ = true;
  check_.listed();
  update_gauges(false);
}

void shared_informer::on_state(reflector_state, const std::string& trouble) {
  if (ended_) return;
  trouble_.with([&trouble](std::string& t) { t = trouble; });
}

std::string shared_informer::trouble() const {
  return trouble_.with([](const std::string& t) { return t; });
}

std::string shared_informer::seen_version() const {
  return seen_version_.with([](const std::string& v) { return v; });
}

// Informers of one resource but other scopes share the gauges: each adds its difference.
void shared_informer::update_gauges(bool ended) {
  const double objects = ended ? 0 : static_cast<double>(store_.object_count());
  const double bytes = ended ? 0 : static_cast<double>(store_.object_bytes());
  if (objects != objects_counted_) objects_gauge_.add(objects - objects_counted_);
  if (bytes != bytes_counted_) bytes_gauge_.add(bytes - bytes_counted_);
  objects_counted_ = objects;
  bytes_counted_ = bytes;
}

}  // namespace oarlock::cache
