#pragma once
// A node without a kubelet: runs the pods of MySQL clusters as processes on loopback, in the root
// file system of the image (build/mysql/root), with bubblewrap. No root is needed. Of a pod it
// honours command, environment, volumes, probe, preStop, grace period and restarts; the pod's
// address is one of 127.0.0.0/8.
#include <rapidjson/document.h>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "tests/support/cluster.hpp"

namespace mysql_cluster::testing {

/// Why no server can run here; empty when it can.
[[nodiscard]] std::string why_no_servers();

/// Thread: any. At its end all servers are killed and their data is gone.
class loopback_node {
 public:
  /// Takes every pod in `ns` that has the label of a MySQLCluster.
  loopback_node(const oarlock::testing::kubectl_user& kube, std::string ns);
  ~loopback_node();
  loopback_node(const loopback_node&) = delete;
  loopback_node& operator=(const loopback_node&) = delete;

  /// SIGKILL to the server of a pod; the container starts again, unless the pod is held.
  void kill_server(const std::string& pod);
  /// SIGTERM to process 1 of a pod, and nothing else of what a kubelet does.
  void stop_server(const std::string& pod);
  /// Containers of a held pod are not started, as with a node that has lost its disk for a while.
  void hold(const std::string& pod, bool on);
  /// SIGSTOP or SIGCONT to the server of a pod.
  void freeze(const std::string& pod, bool on);
  /// What ConfigMaps and Secrets have now gets into the pods, as a kubelet does it every minute.
  void project_secrets();
  /// Of the pod with this role; nothing when there is none or several.
  [[nodiscard]] std::optional<std::string> address_of(const std::string& role);
  /// What the containers of a pod have printed.
  [[nodiscard]] std::string log(const std::string& pod);

 private:
  struct running_pod;
  void loop();
  void take(const std::string& pods_json);
  void step(running_pod& p);
  void prepare(running_pod& p);
  void mount(running_pod& p, const std::string& volume, const std::string& path, bool read_only);
  void project(const rapidjson::Value& volume, const std::filesystem::path& folder);
  void serve(running_pod& p);
  void leave(running_pod& p);
  void tell(running_pod& p);
  running_pod* find(const std::string& pod);

  const oarlock::testing::kubectl_user& kube_;
  const std::string ns_;
  oarlock::testing::scratch_dir dir_;
  std::string network_;  // the first three numbers of all addresses
  std::mutex mutex_;     // of the following; the loop holds it while it works
  bool stops_ = false;
  std::set<std::string> held_;
  std::map<std::string, std::unique_ptr<running_pod>> pods_;  // by name
  std::mutex roles_mutex_;
  std::multimap<std::string, std::string> addresses_;  // by role
  std::thread thread_;
};

}  // namespace mysql_cluster::testing
