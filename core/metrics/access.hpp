#pragma once
// Who may read /metrics: the bearer's token is reviewed by the API server (TokenReview), then the
// user's right to GET the path (SubjectAccessReview), as controller-runtime's filter does it.
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "core/base/clock.hpp"
#include "core/base/task.hpp"
#include "core/kube/client.hpp"
#include "core/metrics/http_server.hpp"

namespace oarlock::metrics {

/// Answers that are remembered for a while, a bounded number of them: the one that ends first goes.
template <class Value>
class expiring_cache {
 public:
  explicit expiring_cache(std::size_t entries_max) : entries_max_(entries_max) {}

  [[nodiscard]] std::optional<Value> find(const std::string& key, steady_time now) {
    const auto at = entries_.find(key);
    if (at == entries_.end()) return std::nullopt;
    if (at->second.until > now) return at->second.value;
    entries_.erase(at);
    return std::nullopt;
  }
  void put(const std::string& key, Value value, steady_time until) {
    if (entries_.size() >= entries_max_ && !entries_.contains(key)) {
      auto first = entries_.begin();
      for (auto at = entries_.begin(); at != entries_.end(); ++at) {
        if (at->second.until < first->second.until) first = at;
      }
      entries_.erase(first);
    }
    entries_.insert_or_assign(key, entry{std::move(value), until});
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct entry {
    Value value;
    steady_time until;
  };
  std::size_t entries_max_;
  std::map<std::string, entry> entries_;
};

/// The token of "Bearer <token>" (RFC 6750; the scheme is compared without case); empty: none.
[[nodiscard]] std::string bearer_of(const std::string& authorization);
/// A TokenReview to be created. An empty `audience` is the API server's own.
[[nodiscard]] std::string token_review(const std::string& token, const std::string& audience = {});
extern const kube::resource token_reviews;
/// Why a review of this kind could not be asked for, as a caller without a proven identity may know
/// it: the kind of trouble, not the cluster's own words.
[[nodiscard]] std::string words_for_strangers(const kube::resource& reviews, const error& e);

/// One review that is on its way: a flood of made-up tokens must not become one on the API server.
class review_slot {
 public:
  explicit review_slot(std::size_t& taken) : taken_(taken) { ++taken_; }
  ~review_slot() { --taken_; }
  review_slot(const review_slot&) = delete;
  review_slot& operator=(const review_slot&) = delete;

 private:
  std::size_t& taken_;
};

/// Thread: the loop of its client.
class access_check {
 public:
  static constexpr std::size_t entries_max = 256;
  static constexpr std::size_t reviews_at_once_max = 8;
  static constexpr auto token_time = std::chrono::seconds(60);
  static constexpr auto bad_token_time = std::chrono::seconds(10);
  static constexpr auto allow_time = std::chrono::seconds(300);
  static constexpr auto deny_time = std::chrono::seconds(30);

  /// Both outlive this object.
  access_check(kube::client& client, const clock& clock_source);
  ~access_check();

  /// nullopt: the bearer may GET `path`. Else the refusal: 401 without a valid token, 403 without
  /// the right, 503 when the API server could not be asked.
  task<std::optional<http_answer>> check(std::string authorization, std::string path,
                                         std::stop_token stop);

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oarlock::metrics
