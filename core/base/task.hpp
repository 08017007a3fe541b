#pragma once
// task<T>: a coroutine of the core. It starts when it is awaited or spawned, and runs on the
// executor that it was spawned on. Parameters are taken by value: a reference may die before the
// coroutine resumes.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace oarlock {

using executor = boost::asio::any_io_executor;

template <class T = void>
using task = boost::asio::awaitable<T, executor>;

/// Runs `work` on `where` and resumes the caller on the caller's own executor with its value.
template <class T>
task<T> run_on(executor where, task<T> work) {
  if constexpr (std::is_void_v<T>) {
    co_await boost::asio::co_spawn(where, std::move(work), boost::asio::use_awaitable);
  } else {
    co_return co_await boost::asio::co_spawn(where, std::move(work), boost::asio::use_awaitable);
  }
}

/// Calls `work`, a function that awaits nothing, on `where`, and resumes the caller on the caller's
/// own executor with what it returned or threw. One hop there and one back: a coroutine that never
/// waits is posted once more on `where` before it comes back.
template <class F>
task<std::invoke_result_t<F&>> call_on(executor where, F work) {
  namespace asio = boost::asio;
  std::optional<std::invoke_result_t<F&>> made;
  const auto start = [&](auto resume) {
    auto back = asio::make_work_guard(resume);
    // The handler owns this coroutine's frame: what it refers to lives until it has been called.
    asio::post(where, [&, back = std::move(back), resume = std::move(resume)]() mutable {
      std::exception_ptr failure;
      try {
        made.emplace(work());
      } catch (...) {
        failure = std::current_exception();
      }
      asio::dispatch(back.get_executor(), [resume = std::move(resume), failure]() mutable {
        std::move(resume)(failure);
      });
    });
  };
  asio::use_awaitable_t<executor> token;
  co_await asio::async_initiate<asio::use_awaitable_t<executor>, void(std::exception_ptr)>(start,
                                                                                           token);
  co_return std::move(*made);
}

/// Starts `work` on `where` and lets it go. An exception that escapes it is a bug and terminates.
void spawn(executor where, task<void> work);

}  // namespace oarlock
