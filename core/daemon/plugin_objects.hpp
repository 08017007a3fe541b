#pragma once
// Plugin objects in this daemon: their controller on the stream loop, and the main thread, which
// loads, replaces and ends plugins, as its other end.
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/daemon/lane_pool.hpp"
#include "core/daemon/options.hpp"
#include "core/daemon/plugin_access.hpp"
#include "core/daemon/plugin_set.hpp"
#include "core/package/plugin_controller.hpp"

namespace oarlock::daemon {

class plugin_objects final : public package::plugin_runner {
 public:
  struct parts {
    executor loop;
    plugin_set* plugins;
    /// Queues work for the main thread. Thread: any.
    std::function<void(std::function<void()>)> on_main;
    plugin_set::reach reach;
    /// Of a verified image: its home, and the fingerprint of its bytes.
    std::function<plugin_set::loader(bool in_core, const std::string& fingerprint)> load_image;
    /// For what is loaded from now on.
    std::function<void(const plugin::quota_table&)> take_quotas;
  };
  plugin_objects(const options& o, parts p);
  ~plugin_objects() override;

  /// Makes the folders of --plugin-store. Thread: main, before start().
  [[nodiscard]] result<> prepare(const std::string& host_name);
  /// `shared` and `api` are what the plugins get too. Thread: the stream loop, like the next five.
  void start(const controller::controller::parts& shared, const plugin_access::parts& api);
  void lead();
  void follow();
  void stop();
  [[nodiscard]] task<> drain();
  [[nodiscard]] check health() const;

  /// What the configuration and all Plugin objects say; by name the configuration wins.
  /// Thread: main, like the next.
  [[nodiscard]] plugin::quota_table quotas() const;
  void take_config(const options& o) { o_.plugin_quotas = o.plugin_quotas; }

  [[nodiscard]] task<result<>> run(package::plugin_order order) override;
  [[nodiscard]] task<bool> end(std::string name) override;
  [[nodiscard]] package::plugin_health look(const std::string& name) const override;
  [[nodiscard]] std::vector<package::kind_claim> claims() const override;

 private:
  [[nodiscard]] result<> install(const package::plugin_order& order);
  [[nodiscard]] task<result<>> on_main(std::function<result<>()> work);

  options o_;  // of the main thread
  const parts p_;
  std::map<std::string, std::vector<std::string>> quotas_;  // of Plugin objects; main thread
  bool is_stopped_ = false;  // the main thread takes the plugins down; on the loop
  std::filesystem::path store_;
  std::filesystem::path work_;
  lane_pool worker_{1};
  std::unique_ptr<controller::event_recorder> events_;
  std::unique_ptr<kube::client> client_;
  std::unique_ptr<package::plugin_controller> controller_;
};

}  // namespace oarlock::daemon
