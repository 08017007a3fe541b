#pragma once
// More of the controller's cached objects than a plan's inputs hold (extension oarlock.cache/1):
//
//   for (auto pods = cache_.find({.resource = "pods", .labels = "app=web"}); pods.next();)
//     count += pods.object()["status"]["phase"].text() == "Running";
#include <optional>
#include <string>
#include <string_view>

#include "oarlock/ext/cache.h"
#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

struct query {
  std::string_view resource;        ///< "pods": the primary, or under `owns` or `watches`
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

 private:
  oarlock_host_ctx* ctx_ = nullptr;
  const oarlock_host_cache* table_ = nullptr;
};

}  // namespace oarlock::sdk
