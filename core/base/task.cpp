#include "core/base/task.hpp"

namespace oarlock {

void spawn(executor where, task<void> work) {
  boost::asio::co_spawn(std::move(where), std::move(work), [](std::exception_ptr e) {
    if (e) std::rethrow_exception(e);
  });
}

}  // namespace oarlock
