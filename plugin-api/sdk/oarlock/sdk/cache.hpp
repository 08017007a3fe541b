#pragma once
// More of the controller's cached objects than a plan's inputs hold (extension oarlock.cache/1):
//
//   for (const pod& one : cache_.find<pod>({.labels = "app=web"}))
//     count += one.status->phase == "Running";
//   for (auto pods = cache_.find({.resource = "pods", .labels = "app=web"}); pods.next();)
//     count += pods.object()["status"]["phase"].text() == "Running";
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "oarlock/ext/cache.h"
#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/text.hpp"
#include "oarlock/sdk/typed/kind.hpp"

namespace oarlock::sdk {

struct query {
  std::string_view resource = {};   ///< "pods": the primary, or under `owns` or `watches`
  std::string_view ns = {};         ///< empty: all
  std::string_view labels = {};     ///< "app=web,tier!=db,canary,!old"
  std::string_view owner_uid = {};  ///< of an owner reference
};

/// Objects of one moment, one after the other. Lives within one call of observe() or plan().
class cursor {
 public:
  cursor(oarlock_host_ctx* ctx, const oarlock_host_cache* table, std::uint64_t id)
      : ctx_(ctx), table_(table), id_(id) {}
  ~cursor() {
    if (table_ != nullptr) (void)table_->close(ctx_, id_);
  }
  cursor(cursor&& other) noexcept : ctx_(other.ctx_), table_(other.table_), id_(other.id_) {
    other.table_ = nullptr;
  }
  cursor& operator=(cursor&&) = delete;

  /// False: there is no more.
  [[nodiscard]] bool next() {
    view_ = {};
    view_.struct_size = sizeof(view_);
    object_.reset();
    if (table_->next(ctx_, id_, &view_) != OARLOCK_OK) {
      throw terminal_error("CursorRefused", "expected a cursor that this call has opened");
    }
    if (view_.bytes.size == 0) return false;
    object_.emplace(view_);
    return true;
  }
  /// After next() was true, until it is called again.
  [[nodiscard]] const sdk::object& object() const { return *object_; }

 private:
  oarlock_host_ctx* ctx_;
  const oarlock_host_cache* table_;
  std::uint64_t id_;
  oarlock_object_view view_{};
  std::optional<sdk::object> object_;
};

/// The same as structs, for a loop. What an object has that is not as the struct says counts as
/// unset. Each is valid until the next one is looked at; a copy stays.
template <kubernetes_kind Kind>
class typed_cursor {
 public:
  explicit typed_cursor(cursor from) : from_(std::move(from)) {}

  class iterator {
   public:
    using value_type = Kind;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    explicit iterator(typed_cursor* over) : over_(over) {}
    const Kind& operator*() const { return over_->value(); }
    const Kind* operator->() const { return &over_->value(); }
    iterator& operator++() {
      over_->advance();
      return *this;
    }
    void operator++(int) { over_->advance(); }
    bool operator==(std::default_sentinel_t) const { return !over_->is_there_; }

   private:
    typed_cursor* over_ = nullptr;
  };

  /// Once: a cursor does not go back. Throws terminal_error InvalidObject as it goes on, for an
  /// object of another version.
  [[nodiscard]] iterator begin() {
    advance();
    return iterator(this);
  }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  void advance() {
    typed_.reset();
    is_there_ = from_.next();
  }
  const Kind& value() { return detail::typed<Kind>(from_.object(), typed_); }

  cursor from_;
  std::unique_ptr<detail::any_typed> typed_;
  bool is_there_ = false;
};

/// Thread: that of the call of observe() or plan().
class cache {
 public:
  cache() = default;
  explicit cache(const oarlock_host& host)
      : ctx_(host.ctx),
        table_(static_cast<const oarlock_host_cache*>(
            host.extension(host.ctx, to_view(OARLOCK_EXT_CACHE)))) {}

  [[nodiscard]] cursor find(const query& q) const {
    const oarlock_query_view view{sizeof(view),        0,
                                  to_view(q.resource), to_view(q.ns),
                                  to_view(q.labels),   to_view(q.owner_uid)};
    std::uint64_t id = 0;
    if (table_ == nullptr || table_->open(ctx_, &view, &id) != OARLOCK_OK) {
      throw terminal_error("QueryRefused",
                           "expected a host with oarlock.cache/1, a cached kind of the controller "
                           "and a label selector, within observe() or plan(); found " +
                               std::string(q.resource) + " " + std::string(q.labels));
    }
    return {ctx_, table_, id};
  }
  /// Objects of this kind, as structs; the query needs no resource.
  template <kubernetes_kind Kind>
  [[nodiscard]] typed_cursor<Kind> find(query q = {}) const {
    q.resource = Kind::resource;
    return typed_cursor<Kind>(find(q));
  }

 private:
  oarlock_host_ctx* ctx_ = nullptr;
  const oarlock_host_cache* table_ = nullptr;
};

}  // namespace oarlock::sdk
