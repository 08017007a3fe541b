#pragma once
// oarlock.leadership/1: until when this process leads, as one number in memory that plugins of both
// homes read at any time, on any thread.
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/base/result.hpp"
#include "core/plugin/frame_io.hpp"

namespace oarlock::plugin {

using lease_limit = std::atomic<std::int64_t>;  ///< nanoseconds of the steady clock
static_assert(lease_limit::is_always_lock_free, "it is shared between processes");

/// A memory file that only this object can change: children get its descriptor and read.
class lease_page {
 public:
  /// The number says that nobody leads. Errors: not_mapped.
  [[nodiscard]] static result<std::unique_ptr<lease_page>> make();
  ~lease_page();
  lease_page(const lease_page&) = delete;
  lease_page& operator=(const lease_page&) = delete;

  [[nodiscard]] lease_limit& limit() const { return *limit_; }
  [[nodiscard]] int fd() const { return file_.get(); }

 private:
  lease_page(wire::descriptor file, lease_limit* limit) : file_(std::move(file)), limit_(limit) {}

  wire::descriptor file_;
  lease_limit* limit_;
};

/// The number of another process's page, for good; null: `fd` is none.
[[nodiscard]] const lease_limit* map_lease_page(int fd);

}  // namespace oarlock::plugin
