#pragma once
// What receives the calls of a plugin during one call of one of its slots. A plugin may wrongly
// keep the table that it was given, so receivers are used again and never freed.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/guarded.hpp"
#include "core/plugin/plugin_call.hpp"
#include "core/plugin/stray_call.hpp"

namespace oarlock::plugin {

/// Takes calls of the thread that opened it, while it is open.
class receiver {
 public:
  receiver() = default;
  receiver(const receiver&) = delete;
  receiver& operator=(const receiver&) = delete;

 protected:
  ~receiver() = default;
  class opening {
   public:
    explicit opening(receiver& of) : of_(of) {
      const auto* const call = current_plugin_call();
      of_.plugin_.with([&](auto& plugin) { plugin = call == nullptr ? "" : call->plugin; });
      of_.thread_ = std::this_thread::get_id();
      of_.is_open_ = true;
    }
    ~opening() { of_.is_open_ = false; }
    opening(const opening&) = delete;
    opening& operator=(const opening&) = delete;

   private:
    receiver& of_;
  };
  /// Whether `slot` may be called now, here. If not, whose call it lent itself to last is named.
  [[nodiscard]] bool takes_call(stray_slot slot) const {
    if (is_open_ && thread_ == std::this_thread::get_id()) return true;
    tell_stray_call(slot, plugin_.with([](const auto& plugin) { return plugin; }));
    return false;
  }

 private:
  guarded<std::string> plugin_;  // in a child, which has one, empty
  std::atomic<bool> is_open_{false};
  std::atomic<std::thread::id> thread_{};
};

/// An idle one of all `T`s for its life. Thread: any.
template <class T>
class borrowed {
 public:
  borrowed() {
    idle().with([&](auto& list) {
      if (list.empty()) return;
      one_ = std::move(list.back());
      list.pop_back();
    });
    if (one_ == nullptr) one_ = std::make_unique<T>();
  }
  ~borrowed() {
    idle().with([&](auto& list) { list.push_back(std::move(one_)); });
  }
  borrowed(const borrowed&) = delete;
  borrowed& operator=(const borrowed&) = delete;
  T* operator->() const { return one_.get(); }

 private:
  using idle_list = guarded<std::vector<std::unique_ptr<T>>>;
  static idle_list& idle() {
    static auto& list = *new idle_list;
    return list;
  }
  std::unique_ptr<T> one_;
};

}  // namespace oarlock::plugin
