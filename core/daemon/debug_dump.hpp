#pragma once
// What the debug socket shows: JSON for people, with a limit on every list.
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/cache/informer_cache.hpp"
#include "core/controller/controller.hpp"

namespace oarlock::daemon {

struct lease_view {
  std::string name;
  bool leading = false;
  std::string holder;
  std::optional<duration> renewed_ago;
  std::string trouble;
};

/// What the probe loop knows.
struct process_view {
  std::string server;
  std::string server_trouble;
  bool started = false;
  bool stopping = false;
  std::optional<lease_view> lease;  ///< nullopt without election
};

/// What the stream loop knows.
struct work_view {
  struct controller_view {
    std::string plugin;
    std::string name;
    bool leading = false;
    bool synced = false;
    std::string trouble;
    controller::queue_snapshot queue;
  };
  struct informer_view {
    std::string resource;
    std::string ns;
    bool metadata_only = false;
    bool synced = false;
    std::string trouble;
    std::string resource_version;
    std::uint64_t epoch = 0;
    std::size_t objects = 0;
    std::size_t bytes = 0;
  };
  std::vector<controller_view> controllers;
  std::vector<informer_view> informers;
};

/// Thread: the stream loop.
[[nodiscard]] work_view view_of(const std::vector<controller::controller*>& controllers,
                                const std::vector<const cache::informer*>& informers);

/// `work` is missing when the stream loop did not answer.
[[nodiscard]] std::string dump_json(const process_view& process,
                                    const std::optional<work_view>& work);

}  // namespace oarlock::daemon
