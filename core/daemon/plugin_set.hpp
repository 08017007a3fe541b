#pragma once
// The plugins of one daemon: loaded, given a lane and their controllers, drained, stopped. One bad
// plugin never keeps the others from running.
#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/metric_registry.hpp"
#include "core/base/token_bucket.hpp"
#include "core/controller/controller.hpp"
#include "core/daemon/health.hpp"
#include "core/daemon/key_feed.hpp"
#include "core/daemon/lane_pool.hpp"
#include "core/daemon/options.hpp"
#include "core/daemon/plugin_access.hpp"
#include "core/plugin/plugin_host.hpp"

namespace oarlock::daemon {

/// A reconciler that can be exchanged while others use it. What it was must live on until every
/// plan() that began before has returned. Thread: any.
class switchable_reconciler final : public controller::reconciler {
 public:
  explicit switchable_reconciler(controller::reconciler& to) : to_(&to) {}
  [[nodiscard]] controller::plan_output plan(const controller::plan_input& input) override {
    return to_.load()->plan(input);
  }
  [[nodiscard]] controller::effect_output effect(const controller::effect_input& input) override {
    return to_.load()->effect(input);
  }
  [[nodiscard]] code_range code() const override { return to_.load()->code(); }
  void switch_to(controller::reconciler& to) { to_ = &to; }

 private:
  std::atomic<controller::reconciler*> to_;
};

class plugin_set {
 public:
  using loader = std::function<result<std::unique_ptr<plugin::loaded_plugin>>(
      const std::filesystem::path&, const std::string& config_json)>;

  /// How a reload reaches the rest of the daemon. Called on the thread of reload().
  struct reach {
    /// Runs it on the stream loop and waits.
    std::function<void(const std::function<void()>&)> on_loop;
    /// Starts it on the stream loop.
    std::function<std::future<void>(task<>)> begin;
    /// Waits a little; false: the daemon stops.
    std::function<bool()> pause;
    const clock* clock_source = nullptr;
  };

  /// `fingerprint` is plugin::fingerprint_of, unless a test has no files.
  explicit plugin_set(
      metric_registry& metrics,
      std::function<std::string(const std::string&)> fingerprint = &plugin::fingerprint_of);
  ~plugin_set();
  plugin_set(const plugin_set&) = delete;
  plugin_set& operator=(const plugin_set&) = delete;

  /// Loads and starts each plugin of `o`; failures are logged, counted and kept for checks().
  /// Thread: main.
  void load(const options& o, const loader& load_one);

  /// Takes over what changed since: a plugin with other files, quota or configuration, or that
  /// its quota has stopped, is loaded beside the one that runs, which is drained, replaced and
  /// stopped; one that `o` names no more is stopped; a new one is started. What cannot be loaded or
  /// does not get its caches changes nothing: the version that runs goes on, and checks() says so.
  /// Returns early when the daemon stops. Blocks. Thread: main, after start_controllers().
  void reload(const options& o, const loader& load_one, const reach& to);

  /// A plugin of a Plugin object, which `load_it` makes of its verified image.
  struct image_plugin {
    std::string name;
    std::string image;  ///< by digest: what people are told
    std::filesystem::path folder;
    std::string config;  ///< JSON, for create()
    loader load_it;
    loader load_in_child;
  };
  /// Runs it beside the others; another version of it is replaced as in reload(), and goes on after
  /// an error. Blocks. Thread: main, after start_controllers().
  [[nodiscard]] result<> install(const options& o, const image_plugin& wanted, const reach& to);
  /// Ends it, if it was installed. False: cut short, the daemon stops. Blocks. Thread: main.
  bool uninstall(const std::string& name, const reach& to);

  /// Makes and starts every controller; `shared` is completed with the plugin's lane, reconciler,
  /// client and events. Thread: the stream loop, like the next seven.
  void start_controllers(const options& o, const controller::controller::parts& shared,
                         const plugin_access::parts& api);
  void lead();
  void follow();
  [[nodiscard]] std::vector<check> checks() const;
  /// Of the plugin of this name; nullopt: it does not run.
  [[nodiscard]] std::optional<check> check_of(const std::string& name) const;
  /// What all that runs declares.
  [[nodiscard]] std::vector<const plugin::manifest*> manifests() const;
  [[nodiscard]] std::vector<controller::controller*> controllers();
  /// Has the plugin of this name take a request of a pod on its lane, and keeps what that leaves
  /// for plans. `done` comes once, unless the daemon stops.
  void take_request(const std::string& plugin, plugin::inbound_request request,
                    std::function<void(plugin::inbound_answer)> done);
  /// Plans all objects again, if this process leads.
  void enqueue_all();
  /// Waits until the events of all plugins are sent, at most until `deadline`.
  task<> flush_events(steady_time deadline);
  /// After every drain() has returned. Thread: the stream loop.
  void destroy_controllers();

  /// Loads each plugin of the core once more, by `load_child`, which takes over with its next plan;
  /// one that cannot be loaded so stays where it is. `on_loop` runs something on the stream loop
  /// and waits. Blocks. Thread: main, after start_controllers().
  void move_to_children(const loader& load_child,
                        const std::function<void(const std::function<void()>&)>& on_loop);
  /// Tells every plugin that its end is near. Thread: main.
  void announce_drain();
  /// After the controllers are gone: ends the lanes and the plugins. Thread: main.
  void stop();

  /// How many threads a lane has: `plan` only computes, so more than there are processors do not
  /// help; at least two, so that one long plan does not hold up all other keys.
  [[nodiscard]] static std::size_t lane_threads(std::size_t max_concurrent, unsigned processors);

 private:
  struct running {
    std::string path;  // of --plugin, or of the files of an image
    std::string said;  // what people know it by: the path, or the image
    std::string config = "{}";
    bool of_image = false;  // a Plugin object's: reload() leaves it alone
    loader load_in_child;   // of an image
    std::unique_ptr<plugin::loaded_plugin> code;
    std::unique_ptr<lane_pool> lane;
    std::vector<std::unique_ptr<controller::controller>> controllers;
    std::string refused;  // why a newer version was not taken over; empty: there is none
    plugin_access* access = nullptr;
    std::map<std::string, std::unique_ptr<switchable_reconciler>> plans;  // by controller
    std::unique_ptr<plugin::loaded_plugin> left;  // where it was before it moved
    std::shared_ptr<key_feed> feed;               // of its event sources; may be null
    std::stop_source reviews;
    cache::tenant_ptr tenant;
    bool in_service = false;     // false: it is loaded beside another version, or drained
    plugin::plugin_quota quota;  // that it was started with
    std::string over_quota;      // why it was stopped; empty: it was not
    // Requests of pods on its lane.
    std::shared_ptr<std::size_t> requests = std::make_shared<std::size_t>(0);
    token_bucket request_warnings{std::chrono::seconds(1), 5};
    /// Why it may not work; empty: it may.
    [[nodiscard]] std::string parked() const {
      if (!over_quota.empty()) return over_quota;
      return access == nullptr ? std::string() : access->trouble();
    }
  };
  using running_ptr = std::unique_ptr<running>;
  struct failed {
    std::string path;
    std::string name;
    std::string why;
  };

  [[nodiscard]] result<running_ptr> load_one(const std::string& path, const loader& load_it) const;
  [[nodiscard]] result<> admit(const std::string& path, const plugin::loaded_plugin& loaded) const;
  [[nodiscard]] check check_of(const running& one) const;
  [[nodiscard]] std::vector<running*> all() const;
  [[nodiscard]] bool is_taken(const std::string& name) const;
  void note_loaded(const running& one);
  void note_gone(const plugin::manifest& declared, bool is_replaced);
  void follow_access(const running& one);
  void direct(const running& one) const;
  [[nodiscard]] controller::controller::parts parts_of(running& one, const options& o);
  void end_over_quota(running& one, std::size_t bytes, std::size_t most);
  void note_failure(const std::string& path, const error& why);
  void start_one(running& one, const options& o);
  void open_feed(running& one) const;
  [[nodiscard]] running* in_service(const std::string& plugin) const;
  [[nodiscard]] plugin::inbound_answer keep_notes(const std::string& plugin,
                                                  const plugin::inbound_request& request,
                                                  plugin::inbound_answer answer) const;

  // Steps of reload().
  void add(const options& o, const std::string& path, const loader& load_it, const reach& to);
  void put_in_service(const options& o, running_ptr one);
  [[nodiscard]] bool is_changed(const options& o, const running& one, const reach& to) const;
  void upgrade(const options& o, running_ptr& old, const loader& load_it, const reach& to);
  [[nodiscard]] result<> replace(const options& o, running_ptr& old, running_ptr fresh,
                                 const loader& load_it, const reach& to);
  [[nodiscard]] bool remove(std::size_t index, const reach& to);
  /// Fills `fresh`, which says where it is.
  [[nodiscard]] result<> start_beside(const options& o, const running& old, running_ptr& fresh,
                                      const loader& load_it, const reach& to);
  [[nodiscard]] result<> await_caches(const running& one, const reach& to) const;
  enum class drained { wholly, stuck, cut_short };  // a plan() that hangs; the daemon stops
  [[nodiscard]] drained drain(running& one, const reach& to);
  void put_away(running_ptr one, drained how, const reach& to);
  void dispose(running_ptr one, const reach& to);
  void refuse(running& old, const std::string& why, const reach& to);
  void count_upgrade(const std::string& plugin, const char* outcome);

  metric_registry& metrics_;
  const std::function<std::string(const std::string&)> fingerprint_;
  // Changed by main, on the stream loop once checks() may look at them there.
  std::vector<running_ptr> running_;
  std::vector<failed> failed_;
  // Versions whose plan() does not return: they cannot be stopped.
  std::vector<running_ptr> stuck_;
  // Kept to the end: events may still be on their way.
  std::vector<std::unique_ptr<plugin_access>> accesses_;
  controller::controller::parts shared_{};
  plugin_access::parts api_{};
  bool leads_ = false;  // on the stream loop
};

}  // namespace oarlock::daemon
