#pragma once
// A client and a cache as in a program of their own, on a thread of their own, against a fault
// gate.
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/base/asio_timers.hpp"
#include "core/base/system_clock.hpp"
#include "core/cache/informer_cache.hpp"
#include "core/kube/client.hpp"
#include "core/kube/connect.hpp"
#include "tests/support/cluster.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/fault_gate.hpp"

namespace oarlock::testing {

inline const kube::resource config_maps{"", "v1", "ConfigMap", "configmaps", true};

/// No jitter: waits are as short as the code allows. Thread: the test's.
class fault_subject {
 public:
  explicit fault_subject(const std::filesystem::path& kubeconfig,
                         duration self_check = duration::zero());
  ~fault_subject();
  fault_subject(const fault_subject&) = delete;
  fault_subject& operator=(const fault_subject&) = delete;

  [[nodiscard]] kube::client& client() { return *client_; }
  /// Runs one call on the loop to its end.
  template <class T>
  T call(task<T> work) {
    auto done = std::make_shared<std::promise<T>>();
    boost::asio::co_spawn(loop_, std::move(work), [done](std::exception_ptr e, T value) {
      if (e) return done->set_exception(e);
      done->set_value(std::move(value));
    });
    return got(done->get_future());
  }
  /// GET of a path; what came, or "!" and why not.
  std::string get(const std::string& path);
  /// The same without retries, with a deadline for all of it.
  std::string fetch(const std::string& path, std::chrono::milliseconds limit);

  /// Watches one kind in a namespace until the end of the subject.
  const cache::informer& watch(const std::string& ns, const kube::resource& r = config_maps);
  /// Watches, and waits for the first list.
  const cache::informer& follow(const std::string& ns, const kube::resource& r = config_maps);
  /// Ends the waits of who is parked, as the daemon does when it sees the API server again.
  void wake() {
    on_loop([this] { cache_->wake(); });
  }
  /// What the watches showed, each as "+name", "~name" or "-name".
  [[nodiscard]] std::vector<std::string> story() const;
  /// A metric of the cache's; 0 when there is none yet.
  [[nodiscard]] double counted(const std::string& name, const std::string& label = {}) const;
  [[nodiscard]] double failures(const std::string& reason) const;

 private:
  template <class T>
  static T got(std::future<T> of) {
    if (of.wait_for(std::chrono::seconds(90)) != std::future_status::ready) {
      throw std::runtime_error("the call does not end");
    }
    return of.get();
  }
  void on_loop(std::function<void()> what);
  task<std::string> fetch_once(std::string path, duration limit);

  boost::asio::io_context loop_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      loop_.get_executor()};
  system_clock clock_;
  asio_timers timers_;
  test::fixed_random random_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  kube::connection api_;
  std::unique_ptr<kube::client> client_;
  std::unique_ptr<cache::informer_cache> cache_;
  std::vector<std::unique_ptr<cache::subscription>> subscriptions_;
  mutable std::mutex mutex_;
  std::vector<std::string> story_;
  std::thread thread_;
};

/// A value of one key in the cache; "-" when the object is not there.
std::string data_in(const cache::informer& view, const std::string& ns, const std::string& name,
                    const std::string& key = "v");

/// JSON as the API server would send it, for answers of the gate.
std::string config_map_json(const std::string& ns, const std::string& name,
                            const std::string& version, const std::string& value = "x");
std::string list_json(const std::string& version, const std::vector<std::string>& items,
                      const std::string& continue_token = {});
std::string event_json(const std::string& type, const std::string& object);
/// Ends the initial events of a streaming list.
std::string end_of_list_json(const std::string& version);

/// Makes or changes a ConfigMap with one value, as the administrator.
void put_config_map(const std::string& ns, const std::string& name, const std::string& value);

/// Where the ConfigMaps of a namespace are.
std::string maps_path(const std::string& ns);
/// A rule for each way to ask for them: live watches, streaming lists, lists by pages.
gate_rule on_watch(const std::string& path, gate_fault what, int times = 1);
gate_rule on_streaming(const std::string& path, gate_fault what, int times = 1);
gate_rule on_list(const std::string& path, gate_fault what, int times = 1);
/// Streaming lists are refused as by an old server, so that lists come by pages.
gate_rule no_streaming(const std::string& path);

/// The administrator's kubeconfig of the shared cluster.
std::filesystem::path admin_kubeconfig();

}  // namespace oarlock::testing
