#pragma once
// task<T>: a coroutine of the core. It starts when it is awaited or spawned, and runs on the
// executor that it was spawned on. Parameters are taken by value: a reference may die before the
// coroutine resumes.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
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

/// Starts `work` on `where` and lets it go. An exception that escapes it is a bug and terminates.
inline void spawn(executor where, task<void> work) {
  boost::asio::co_spawn(std::move(where), std::move(work), [](std::exception_ptr e) {
    if (e) std::rethrow_exception(e);
  });
}

}  // namespace oarlock
