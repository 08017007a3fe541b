#include "core/daemon/lane_pool.hpp"

#include "core/daemon/crash_record.hpp"

namespace oarlock::daemon {

lane_pool::lane_pool(std::size_t threads) {
  threads_.reserve(threads);
  try {
    while (threads_.size() < threads)
      threads_.emplace_back([this] {
        record_overflow_here();
        loop_.run();
      });
  } catch (...) {
    join();
    throw;
  }
}

void lane_pool::join() {
  work_.reset();
  for (auto& one : threads_)
    one.join();
  threads_.clear();
}

}  // namespace oarlock::daemon
