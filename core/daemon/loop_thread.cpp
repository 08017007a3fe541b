#include "core/daemon/loop_thread.hpp"

#include <pthread.h>

#include "core/daemon/crash_record.hpp"

namespace oarlock::daemon {

void loop_thread::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), name_.c_str());
    end_without_memory();
    record_overflow_here();
    loop_.run();
  });
}

void loop_thread::stop() {
  if (!thread_.joinable()) return;
  loop_.stop();
  thread_.join();
}

}  // namespace oarlock::daemon
