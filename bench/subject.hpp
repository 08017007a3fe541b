#pragma once
// What our subjects of the cache benchmarks share: the clock of the stub, and latencies told when
// standard input asks for them.
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/task.hpp"
#include "core/cache/object.hpp"

namespace oarlock::bench {

/// From the stamp that the stub puts into an object until take(). Thread: any.
class latencies {
 public:
  void take(const cache::object& o);
  /// Prints one line of JSON about those since the last report.
  void report();

 private:
  std::mutex mutex_;
  std::vector<std::int64_t> all_;
};

/// Calls `on_line` for each line of standard input until its end, on the caller's executor.
task<> for_each_line(std::function<void(std::string_view)> on_line);

}  // namespace oarlock::bench
