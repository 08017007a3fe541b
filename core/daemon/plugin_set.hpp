#pragma once
// The plugins of one daemon: loaded, given a lane and their controllers, drained, stopped. One bad
// plugin never keeps the others from running.
#include <boost/asio/thread_pool.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/metric_registry.hpp"
#include "core/controller/controller.hpp"
#include "core/daemon/health.hpp"
#include "core/daemon/options.hpp"
#include "core/plugin/plugin_host.hpp"

namespace oarlock::daemon {

class plugin_set {
 public:
  using loader = std::function<result<std::unique_ptr<plugin::loaded_plugin>>(
      const std::filesystem::path&, const std::string& config_json)>;

  explicit plugin_set(metric_registry& metrics) : metrics_(metrics) {}
  ~plugin_set();
  plugin_set(const plugin_set&) = delete;
  plugin_set& operator=(const plugin_set&) = delete;

  /// Loads and starts each plugin of `o`; failures are logged, counted and kept for checks().
  /// Thread: main.
  void load(const options& o, const loader& load_one);

  /// Makes and starts every controller; `shared` is completed with the plugin's lane and
  /// reconciler. Thread: the stream loop, like the next four.
  void start_controllers(const options& o, const controller::controller::parts& shared);
  void lead();
  void follow();
  [[nodiscard]] std::vector<check> checks() const;
  [[nodiscard]] std::vector<controller::controller*> controllers();
  /// After every drain() has returned. Thread: the stream loop.
  void destroy_controllers();

  /// Tells every plugin that its end is near. Thread: main.
  void announce_drain();
  /// After the controllers are gone: ends the lanes and the plugins. Thread: main.
  void stop();

  /// How many threads a lane has: `plan` only computes, so more than there are processors do not
  /// help; at least two, so that one long plan does not hold up all other keys.
  [[nodiscard]] static std::size_t lane_threads(std::size_t max_concurrent, unsigned processors);

 private:
  struct running {
    std::unique_ptr<plugin::loaded_plugin> code;
    std::unique_ptr<boost::asio::thread_pool> lane;
    std::vector<std::unique_ptr<controller::controller>> controllers;
  };
  struct failed {
    std::string name;
    std::string why;
  };

  [[nodiscard]] result<std::unique_ptr<plugin::loaded_plugin>> load_one(
      const std::string& path, const loader& load_it) const;
  void note_failure(const std::string& path, const error& why);

  metric_registry& metrics_;
  std::vector<running> running_;
  std::vector<failed> failed_;
};

}  // namespace oarlock::daemon
