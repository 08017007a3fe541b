#pragma once
// A real API server for a test program, and oarlockd processes against it.
#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/process.hpp"

namespace oarlock::testing {

/// Where the build under test is: the preset's own daemon and plugins.
std::filesystem::path built(const std::string& relative);
/// The plugins that are built for tests only.
std::filesystem::path test_plugin(const std::string& name);
/// The top of the checkout.
std::filesystem::path source_dir();
/// The devcluster tool, which is built once for all presets; or OARLOCK_DEVCLUSTER.
std::filesystem::path devcluster_tool();

/// kubectl with the rights of one kubeconfig.
class kubectl_user {
 public:
  explicit kubectl_user(std::filesystem::path file) : kubeconfig_(std::move(file)) {}
  finished kubectl(std::vector<std::string> args, const std::string& input = {}) const;
  /// kubectl that must work; returns what it printed.
  std::string must(std::vector<std::string> args, const std::string& input = {}) const;
  /// One object as JSON, empty when it is not there.
  std::string get(const std::string& what, const std::string& name, const std::string& ns) const;
  /// A field of an object by kubectl's jsonpath; empty when object or field is not there.
  std::string field(const std::string& what, const std::string& name, const std::string& ns,
                    const std::string& path) const;
  /// One field of every object of a kind in a namespace.
  std::multiset<std::string> fields(const std::string& what, const std::string& ns,
                                    const std::string& path = ".metadata.name") const;

 private:
  std::filesystem::path kubeconfig_;
};

/// etcd, API server and controller manager on loopback, as this test program's own, seen with the
/// administrator's rights.
class cluster : private scratch_dir, public kubectl_user {
 public:
  cluster();
  ~cluster();
  cluster(const cluster&) = delete;
  cluster& operator=(const cluster&) = delete;

  [[nodiscard]] const std::filesystem::path& dir() const { return path(); }
  void component(const std::string& verb, const std::string& name) const;
  /// A kubeconfig file for `user`, with extra flags of `devcluster kubeconfig`.
  [[nodiscard]] std::filesystem::path kubeconfig(const std::string& user,
                                                 std::vector<std::string> flags = {}) const;
  /// Writes in the audit log by `user` since its line `from`, leases left out; one text per write.
  [[nodiscard]] std::vector<std::string> writes(const std::string& user, std::size_t from) const;
  [[nodiscard]] std::size_t audit_lines() const;
  void make_namespace(const std::string& name) const;
};

/// The cluster of this test program, started at first use with the CRDs and RBAC of myapp on it.
cluster& shared_cluster();

/// One oarlockd against a cluster.
class daemon {
 public:
  struct options {
    std::vector<std::string> plugins{"myapp"};  ///< folders below build/plugins, or absolute paths
    std::vector<std::string> flags;
    bool leader_elect = false;
    std::filesystem::path kubeconfig;  ///< the user oarlock's when empty
    bool secure_metrics = false;       ///< TLS, TokenReview and SubjectAccessReview
    std::vector<std::string> under{};  ///< a command that becomes the one given after its arguments
  };
  daemon(const cluster& c, options o);

  bool wait_ready(std::chrono::milliseconds limit);
  /// GET on the probe or metrics address; empty when it does not answer.
  [[nodiscard]] std::string probe(const std::string& path) const;
  [[nodiscard]] std::string metrics() const;
  /// "host:port" of the metrics server; empty before it listens.
  [[nodiscard]] std::string metrics_address() const { return address("metrics"); }
  /// The same of the listener for requests of pods.
  [[nodiscard]] std::string inbound_address() const { return address("inbound"); }
  background& process() { return *process_; }

 private:
  [[nodiscard]] std::string address(const char* what) const;
  scratch_dir dir_;
  std::unique_ptr<background> process_;
};

/// The value of one metric line in `text` whose name is `name` and whose labels contain all of
/// `labels`; -1 when there is none.
double metric(const std::string& text, const std::string& name,
              const std::vector<std::string>& labels = {});

std::string myapp_yaml(const std::string& name, int replicas,
                       const std::string& image = "myapp:latest");

}  // namespace oarlock::testing
