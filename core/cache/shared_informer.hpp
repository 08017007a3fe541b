#pragma once
// One watch and everybody who reads it. Owned by the cache and by its own coroutine. Internal.
#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/guarded.hpp"
#include "core/cache/gate.hpp"
#include "core/cache/informer_cache.hpp"
#include "core/cache/reflector.hpp"
#include "core/cache/reflector_check.hpp"
#include "core/cache/schema_doubt.hpp"
#include "core/cache/store.hpp"

namespace oarlock::cache {

/// One reader's place in an informer. Loop-bound.
struct subscriber {
  change_handler handler;
  std::function<void()> moved;
  tenant_ptr whom;
  /// Changes up to this one were in the store when it joined.
  std::uint64_t joined = 0;
  /// What was in the store then and has not been handed out yet.
  sorted_objects owed;
  bool gone = false;
};

class shared_informer final : public informer,
                              public reflector_sink,
                              public std::enable_shared_from_this<shared_informer> {
 public:
  /// Loop-bound.
  struct hooks {
    /// Told of every few kilobytes.
    std::function<void(const shared_informer&)> grown;
    /// Told when this one is the first to see that history was rewound.
    std::function<void(const shared_informer&)> rewound;
  };
  shared_informer(scope what, const informer_cache::parts& p, std::shared_ptr<gate> running,
                  hooks h);
  ~shared_informer() override;
  shared_informer(const shared_informer&) = delete;
  shared_informer& operator=(const shared_informer&) = delete;

  // Thread: the stream loop.
  void start();
  void stop();
  /// stop(), and why, for trouble().
  void end(const std::string& why);
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] std::shared_ptr<subscriber> join(const index_set& lookups, change_handler handler,
                                                 tenant_ptr whom);
  /// True when nobody is left.
  bool leave(const std::shared_ptr<subscriber>& who);
  [[nodiscard]] reflector_state state() const { return reflector_.state(); }
  void wake() { reflector_.wake(); }
  void rewound_elsewhere() { reflector_.rewound_elsewhere(); }
  /// The kind is a CRD's whose schema may have changed just now: a watch that ends is not resumed.
  void doubt_schema();
  /// The CRD has changed: what was read with the old schema is read again.
  void schema_changed();
  /// Of all its readers; null when they read for different ones, or one for nobody.
  [[nodiscard]] tenant_ptr sole_tenant() const;
  /// What is in the store, or in the list that is to replace it.
  [[nodiscard]] std::size_t held_bytes() const { return held_; }

  // informer. Thread: any.
  [[nodiscard]] const scope& what() const override { return what_; }
  [[nodiscard]] object_ptr get(const object_key& key) const override { return store_.get(key); }
  [[nodiscard]] std::vector<object_ptr> list(std::string_view ns) const override {
    return store_.list(ns);
  }
  [[nodiscard]] std::vector<object_ptr> owned_by(std::string_view owner_uid) const override {
    return store_.owned_by(owner_uid);
  }
  [[nodiscard]] std::vector<object_ptr> labelled(std::string_view ns, std::string_view label,
                                                 std::string_view value) const override {
    return store_.labelled(ns, label, value);
  }
  [[nodiscard]] std::vector<object_ptr> with_value(std::string_view ns, std::string_view pointer,
                                                   std::string_view value) const override {
    return store_.with_value(ns, pointer, value);
  }
  [[nodiscard]] bool synced() const override { return synced_; }
  [[nodiscard]] std::string trouble() const override;
  [[nodiscard]] std::string seen_version() const override;
  [[nodiscard]] std::uint64_t epoch() const override { return epoch_; }
  [[nodiscard]] std::size_t object_count() const override { return store_.object_count(); }
  [[nodiscard]] std::size_t object_bytes() const override { return store_.object_bytes(); }

  // reflector_sink. Thread: the stream loop.
  void on_change(const change& c, std::uint64_t sequence) override;
  void on_position(const std::string& version) override;
  void on_listed() override;
  void on_reread(std::size_t redecoded) override;
  void on_growth(std::size_t staged_bytes) override;
  void on_rewound(bool is_news) override;
  void on_state(reflector_state state, const std::string& trouble) override;

 private:
  static task<> run(std::shared_ptr<shared_informer> self, std::shared_ptr<gate> running);
  static task<> catch_up(std::shared_ptr<shared_informer> self, std::shared_ptr<subscriber> who,
                         std::shared_ptr<gate> running);
  static task<> check(std::shared_ptr<shared_informer> self, std::shared_ptr<gate> running);
  static task<> relist_after(std::shared_ptr<shared_informer> self, std::shared_ptr<gate> running,
                             duration wait, std::stop_token stop);
  void plan_relist(duration wait);
  void deliver(subscriber& to, const change& c);
  void update_gauges(bool ended);

  const scope what_;
  const informer_cache::parts parts_;
  const std::shared_ptr<gate> running_;
  const hooks hooks_;
  store store_;
  reflector reflector_;
  reflector_check check_;
  schema_doubt schema_;
  std::stop_source planned_;  // the relist that waits for its time
  std::stop_source stop_;
  std::vector<std::shared_ptr<subscriber>> subscribers_;
  std::atomic<bool> synced_{false};
  std::atomic<std::uint64_t> epoch_{0};
  guarded<std::string> trouble_;
  guarded<std::string> seen_version_;
  gauge& objects_gauge_;
  gauge& bytes_gauge_;
  gauge& version_gauge_;
  double objects_counted_ = 0;
  double bytes_counted_ = 0;
  std::size_t held_ = 0;
  std::size_t told_ = 0;  // of held_
  bool ended_ = false;
};

}  // namespace oarlock::cache
