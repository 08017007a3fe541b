#pragma once
// oarlock.read/1 in both homes: which live reads the call of this thread has.
#include "core/controller/reconciler.hpp"
#include "oarlock/ext/read.h"

namespace oarlock::plugin {

/// While it lives, get() on this thread reads through `reads`; null: it is refused.
class reading_scope {
 public:
  explicit reading_scope(controller::live_reads* reads);
  ~reading_scope();
  reading_scope(const reading_scope&) = delete;
  reading_scope& operator=(const reading_scope&) = delete;

 private:
  controller::live_reads* outer_;
};

/// The table of the extension.
[[nodiscard]] const oarlock_host_read* read_table();

}  // namespace oarlock::plugin
