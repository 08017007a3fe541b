#pragma once
// A user who changes MyApps all the time.
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "core/cache/standalone.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {

/// Changes app-0, app-1, ... in turn, so many times a second, until it is told to stop. The apps
/// are there already.
class changes {
 public:
  /// What the spec is merged with, given a number.
  using edit = std::function<std::string(int)>;
  static std::string replicas(int number) { return fmt::format(R"({{"replicas":{}}})", number); }
  static std::string image(int number) { return fmt::format(R"({{"image":"app:{}"}})", number); }

  /// Each of the writers has apps of its own, and waits for its answers.
  changes(std::string ns, int apps, int per_second, int writers = 20, edit spec = &replicas)
      : ns_(std::move(ns)),
        apps_(apps),
        per_second_(per_second),
        writers_(writers),
        spec_(std::move(spec)) {
    kube::config_sources from;
    from.flag_path = (shared_cluster().dir() / "admin.kubeconfig").string();
    auto opened = cache::standalone::open(io_.get_executor(), from);
    if (!opened) throw std::runtime_error(opened.error().message);
    api_ = std::move(*opened);
    for (int i = 0; i < writers_; ++i)
      boost::asio::co_spawn(io_, write(i), [this](const std::exception_ptr&) {
        // The connections that are left idle would keep the loop for a minute.
        if (++ended_ == writers_) io_.stop();
      });
    began_ = std::chrono::steady_clock::now();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~changes() { stop(); }
  changes(const changes&) = delete;
  changes& operator=(const changes&) = delete;

  void stop() {
    over_ = true;
    if (!thread_.joinable()) return;
    thread_.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
    std::printf("%d changes, %.0f per second\n", made_.load(), made_ / took.count());
  }
  /// False: there was none for a minute. How fast they come is the machine's.
  [[nodiscard]] bool wait_for_more(int number) const {
    for (const int until = made_ + number; made_ < until;) {
      const int before = made_;
      if (!eventually([&] { return made_ != before; }, std::chrono::seconds(60))) return false;
    }
    return true;
  }
  [[nodiscard]] int made() const { return made_; }
  /// After stop(): the number of each app's last change.
  [[nodiscard]] const std::map<std::string, int>& last() const { return last_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  task<> write(int number) {
    const kube::resource myapps{"example.com", "v1alpha1", "MyApp", "myapps", true};
    boost::asio::steady_timer pace(io_);
    auto due = std::chrono::steady_clock::now();
    for (int i = number; !over_; i += writers_) {
      const auto name = "app-" + std::to_string(i % apps_);
      const int changed_to = 1 + i % 9999;
      auto done = co_await api_->client().merge_patch(
          myapps, ns_, name, fmt::format(R"({{"spec":{}}})", spec_(changed_to)));
      if (!done) {
        failure_ = done.error().message;
        co_return;
      }
      last_[name] = changed_to;
      ++made_;
      due += std::chrono::microseconds(1'000'000) * writers_ / per_second_;
      pace.expires_at(due);
      co_await pace.async_wait(boost::asio::use_awaitable_t<executor>());
    }
  }

  const std::string ns_;
  const int apps_;
  const int per_second_;
  const int writers_;
  const edit spec_;
  boost::asio::io_context io_{1};
  std::unique_ptr<cache::standalone> api_;
  std::map<std::string, int> last_;
  std::string failure_;
  std::atomic<int> made_{0};
  int ended_ = 0;
  std::atomic<bool> over_{false};
  std::chrono::steady_clock::time_point began_;
  std::thread thread_;
};

}  // namespace oarlock::testing
