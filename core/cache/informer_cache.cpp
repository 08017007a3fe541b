#include "core/cache/informer_cache.hpp"

#include <boost/asio/post.hpp>
#include <map>
#include <utility>

#include "core/base/mutant.hpp"
#include "core/cache/shared_informer.hpp"

namespace oarlock::cache {

// Shared with the subscriptions, which may outlive the cache.
struct informer_cache::state : std::enable_shared_from_this<informer_cache::state> {
  explicit state(parts p) : with(std::move(p)) {}

  void account(const shared_informer& grown);
  void spread_rewind(const shared_informer& from);
  void end_all_of(const tenant_ptr& whom);

  const parts with;
  std::map<scope, std::shared_ptr<shared_informer>> informers;
  std::shared_ptr<gate> running = std::make_shared<gate>();
  bool stopped = false;
};

namespace {

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

informer_cache::informer_cache(parts p) : state_(std::make_shared<state>(std::move(p))) {}

informer_cache::~informer_cache() {
  for (const auto& [what, one] : state_->informers)
    one->stop();
}

std::unique_ptr<subscription> informer_cache::acquire(scope what, const index_set& lookups,
                                                      change_handler handler, tenant_ptr whom) {
  if (what.metadata_only) {
    scope whole = what;
    whole.metadata_only = false;
    if (state_->informers.contains(whole)) what = std::move(whole);
  }
  auto& slot = state_->informers[what];
  const bool fresh = slot == nullptr || slot->ended();
  if (fresh) {
    const std::weak_ptr<state> weak = state_;
    shared_informer::hooks hooks{[weak](const shared_informer& grown) {
                                   if (const auto owner = weak.lock()) owner->account(grown);
                                 },
                                 [weak](const shared_informer& from) {
                                   if (const auto owner = weak.lock()) owner->spread_rewind(from);
                                 }};
    slot = std::make_shared<shared_informer>(what, state_->with, state_->running, std::move(hooks));
  }
  auto one = slot;
  auto who = one->join(lookups, std::move(handler), std::move(whom));
  if (fresh && !state_->stopped) one->start();
  auto when_unused = [owner = state_](const shared_informer* unused) {
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
  for (const auto& [what, one] : state_->informers)
    one->stop();
  const auto running = state_->running;
  co_await running->wait_empty();
}

}  // namespace oarlock::cache
