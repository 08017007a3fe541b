#include "core/cache/informer_cache.hpp"

#include <boost/asio/post.hpp>
#include <map>
#include <utility>

#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/cache/shared_informer.hpp"

namespace oarlock::cache {

// Shared with the subscriptions, which may outlive the cache.
struct informer_cache::state : std::enable_shared_from_this<informer_cache::state> {
  explicit state(parts p) : with(std::move(p)) {}

  std::unique_ptr<subscription> acquire(scope what, const index_set& lookups,
                                        change_handler handler, tenant_ptr whom);
  void follow_schema_of(shared_informer& fresh);
  static task<> join_schemas(std::shared_ptr<state> self, std::shared_ptr<gate> running);
  void crd_changed(const change& c);
  void end_schemas();
  void account(const shared_informer& grown);
  void spread_rewind(const shared_informer& from);
  void end_all_of(const tenant_ptr& whom);

  const parts with;
  std::map<scope, std::shared_ptr<shared_informer>> informers;
  std::shared_ptr<gate> running = std::make_shared<gate>();
  std::unique_ptr<subscription> schemas;  // the CRDs, once they can be listed
  std::stop_source schemas_stop;
  bool schemas_wanted = false;
  bool stopped = false;
};

namespace {

using namespace std::chrono_literals;

// Who may not list CRDs asks again after this.
constexpr duration schemas_retry = 10min;

// Ends its share of the informer, and the informer when it was the last share.
class share final : public subscription {
 public:
  share(std::shared_ptr<shared_informer> of, std::shared_ptr<subscriber> who,
        std::function<void(const shared_informer*)> when_unused)
      : of_(std::move(of)), who_(std::move(who)), when_unused_(std::move(when_unused)) {}
  ~share() override {
    if (of_->leave(who_)) when_unused_(of_.get());
  }
  share(const share&) = delete;
  share& operator=(const share&) = delete;

  [[nodiscard]] informer& view() const override { return *of_; }
  void when_moved(std::function<void()> then) override { who_->moved = std::move(then); }

 private:
  std::shared_ptr<shared_informer> of_;
  std::shared_ptr<subscriber> who_;
  std::function<void(const shared_informer*)> when_unused_;
};

}  // namespace

void informer_cache::state::account(const shared_informer& grown) {
  const auto whom = grown.sole_tenant();
  if (!whom || whom->bytes_max == 0 || whom->is_over) return;
  std::size_t held = 0;
  for (const auto& [what, one] : informers) {
    if (one->sole_tenant() == whom) held += one->held_bytes();
  }
  if (held <= whom->bytes_max || OARLOCK_MUTANT("cache_quota_ignored")) return;
  whom->is_over = true;
  // Not from inside the reflector that is to end.
  boost::asio::post(with.loop, [owner = shared_from_this(), whom, held] {
    owner->end_all_of(whom);
    if (whom->over) whom->over(held);
  });
}

// All kinds are of one server, and mostly of one etcd.
void informer_cache::state::spread_rewind(const shared_informer& from) {
  boost::asio::post(with.loop, [owner = shared_from_this(), first = from.what()] {
    for (const auto& [what, one] : owner->informers) {
      if (what != first) one->rewound_elsewhere();
    }
  });
}

void informer_cache::state::end_all_of(const tenant_ptr& whom) {
  for (const auto& [what, one] : informers) {
    if (one->sole_tenant() == whom) one->end("the quota of its only reader is used up");
  }
}

// The group of a CRD has a dot; those of the oldest kinds have none.
void informer_cache::state::follow_schema_of(shared_informer& fresh) {
  const auto& r = fresh.what().resource;
  if (!with.follow_schemas || r.group == kube::crds.group) return;
  if (schemas && schemas->view().get({{}, r.name()})) fresh.doubt_schema();
  if (schemas_wanted || r.group.find('.') == std::string::npos) return;
  schemas_wanted = true;
  running->enter();
  spawn(with.loop, join_schemas(shared_from_this(), running));
}

// A watch that is forbidden would be tried for ever, twice a minute: one request asks first.
task<> informer_cache::state::join_schemas(std::shared_ptr<state> self,
                                           std::shared_ptr<gate> running) {
  const auto stop = self->schemas_stop.get_token();
  kube::list_options one;
  one.metadata_only = true;
  one.limit = 1;
  for (bool told = false; !stop.stop_requested();) {
    const auto listed = co_await self->with.client->list_page(kube::crds, one, stop);
    if (stop.stop_requested()) break;
    if (listed) {
      self->schemas = self->acquire({kube::crds, {}, {}, {}, true}, {},
                                    [weak = std::weak_ptr(self)](const change& c) {
                                      if (const auto owner = weak.lock()) owner->crd_changed(c);
                                    },
                                    {});
      break;
    }
    if (!std::exchange(told, true)) {
      log_warn(
          "CRDs cannot be listed: an object that is written while its CRD changes may be seen "
          "without its new fields until it changes again",
          {{"error", listed.error().message}});
    }
    (void)co_await self->with.timer_source->sleep_for(self->with.random->jitter(schemas_retry, 0.5),
                                                      stop);
  }
  self.reset();
  running->leave();
}

void informer_cache::state::crd_changed(const change& c) {
  if (!c.after) return;  // its objects go, and then its kind: the watches notice
  const auto& meta = c.after->meta();
  const bool other_schema = c.before && c.before->meta().generation != meta.generation &&
                            !OARLOCK_MUTANT("schema_change_ignored");
  for (const auto& [what, one] : informers) {
    if (what.resource.name() != meta.key.name) continue;
    if (other_schema) one->schema_changed();
    if (!c.before) one->doubt_schema();
    one->wake();  // a kind that was missing may be served by now
  }
}

// They hold each other: somebody must let go.
void informer_cache::state::end_schemas() {
  schemas_stop.request_stop();
  schemas.reset();
}

informer_cache::informer_cache(parts p) : state_(std::make_shared<state>(std::move(p))) {}

informer_cache::~informer_cache() {
  state_->end_schemas();
  for (const auto& [what, one] : state_->informers)
    one->stop();
}

std::unique_ptr<subscription> informer_cache::acquire(scope what, const index_set& lookups,
                                                      change_handler handler, tenant_ptr whom) {
  return state_->acquire(std::move(what), lookups, std::move(handler), std::move(whom));
}

std::unique_ptr<subscription> informer_cache::state::acquire(scope what, const index_set& lookups,
                                                             change_handler handler,
                                                             tenant_ptr whom) {
  if (what.metadata_only) {
    scope whole = what;
    whole.metadata_only = false;
    if (informers.contains(whole)) what = std::move(whole);
  }
  auto& slot = informers[what];
  const bool fresh = slot == nullptr || slot->ended();
  if (fresh) {
    const std::weak_ptr<state> weak = weak_from_this();
    shared_informer::hooks hooks{[weak](const shared_informer& grown) {
                                   if (const auto owner = weak.lock()) owner->account(grown);
                                 },
                                 [weak](const shared_informer& from) {
                                   if (const auto owner = weak.lock()) owner->spread_rewind(from);
                                 }};
    slot = std::make_shared<shared_informer>(what, with, running, std::move(hooks));
  }
  auto one = slot;
  auto who = one->join(lookups, std::move(handler), std::move(whom));
  if (fresh && !stopped) {
    one->start();
    follow_schema_of(*one);
  }
  auto when_unused = [owner = shared_from_this()](const shared_informer* unused) {
    const auto found = owner->informers.find(unused->what());
    if (found == owner->informers.end() || found->second.get() != unused) return;
    found->second->stop();
    owner->informers.erase(found);
  };
  return std::make_unique<share>(std::move(one), std::move(who), std::move(when_unused));
}

std::vector<const informer*> informer_cache::informers() const {
  std::vector<const informer*> out;
  for (const auto& [what, one] : state_->informers)
    out.push_back(one.get());
  return out;
}

void informer_cache::wake() {
  for (const auto& [what, one] : state_->informers)
    one->wake();
}

task<> informer_cache::stop() {
  state_->stopped = true;
  state_->end_schemas();
  for (const auto& [what, one] : state_->informers)
    one->stop();
  const auto running = state_->running;
  co_await running->wait_empty();
}

}  // namespace oarlock::cache
