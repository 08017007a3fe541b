#pragma once
// What the event sources of one plugin have enqueued, until the stream loop takes it.
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/token_bucket.hpp"
#include "core/cache/object.hpp"
#include "oarlock/abi.h"

namespace oarlock::plugin {

/// Each key waits once, however often it comes. At most keys_max wait: when there are more, all
/// objects of the controller are to be planned instead, so nothing is lost. Thread: any.
class event_inbox {
 public:
  static constexpr std::size_t keys_max = 10000;
  /// So many keys of objects that do not exist cost as much of the quota as one that does.
  static constexpr int looks_per_key = 100;
  /// How often a controller is planned whole for a plugin that goes on and on.
  static constexpr duration whole_period = std::chrono::seconds(30);

  struct parts {
    std::string plugin;
    std::vector<std::string> controllers;  ///< of its manifest
    std::uint64_t per_second = 0;          ///< and as many at once; 0: no limit
    const clock* clock_source = nullptr;
    metric_registry* metrics = nullptr;  ///< both outlive this, and are there with a limit
  };
  struct entry {
    std::string controller;
    cache::object_key key;
    auto operator<=>(const entry&) const = default;
  };
  struct batch {
    std::vector<entry> keys;
    std::vector<std::string> whole;  ///< controllers of which too many keys came
    std::optional<duration> next;    ///< more waits, and is to be taken after this time
  };

  explicit event_inbox(parts p);
  event_inbox(const event_inbox&) = delete;
  event_inbox& operator=(const event_inbox&) = delete;

  /// Whether it may be the key of an object of one of `controllers`.
  [[nodiscard]] static bool takes(const std::vector<std::string>& controllers,
                                  std::string_view controller, std::string_view ns,
                                  std::string_view name);
  /// OARLOCK_INVALID: not a controller of the plugin, or not a name.
  [[nodiscard]] oarlock_status add(std::string_view controller, std::string_view ns,
                                   std::string_view name);
  /// `ready` is called when there is something to take and nobody was told yet, on the thread that
  /// added it; now, if something waits. Replaces the one before.
  void on_ready(std::function<void()> ready);
  /// `exists` tells which keys are of an object; the others are dropped. Empty: all are.
  [[nodiscard]] batch take(const std::function<bool(const entry&)>& exists = {});

 private:
  void keep(entry e);
  void take_keys(steady_time now, const std::function<bool(const entry&)>& exists, batch& out);
  void take_whole(steady_time now, batch& out);
  void warn(const batch& taken) const;

  const parts parts_;
  counter* over_ = nullptr;

  std::mutex mutex_;
  std::optional<token_bucket> bucket_;
  std::deque<entry> order_;
  std::set<entry> waiting_;
  std::set<std::string> missed_;                // controllers of which too many came
  std::map<std::string, steady_time> planned_;  // when they were last to be planned whole
  int looks_ = 0;
  bool is_told_ = false;
  bool is_over_ = false;  // since nothing waited
  std::function<void()> ready_;
};

}  // namespace oarlock::plugin
