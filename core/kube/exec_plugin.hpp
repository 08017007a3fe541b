#pragma once
// Credential plugins: a program that a kubeconfig names and that prints a token or a client
// certificate (client.authentication.k8s.io, v1 and v1beta1).
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/result.hpp"
#include "core/base/task.hpp"
#include "core/kube/client.hpp"
#include "core/kube/kubeconfig.hpp"

namespace oarlock::kube {

/// What the plugin printed.
struct exec_credential {
  std::string token;
  std::string client_cert_pem;
  std::string client_key_pem;
  std::optional<wall_time> expires;  ///< nullopt: never
};

/// `text` is an ExecCredential of `api_version`. Errors never quote it.
[[nodiscard]] result<exec_credential> parse_exec_credential(std::string_view text,
                                                            const std::string& api_version);
/// The value of KUBERNETES_EXEC_INFO: the ExecCredential that asks for one. `ca_pem` is told with
/// provideClusterInfo only.
[[nodiscard]] std::string exec_info(const cluster_config& config, const std::string& ca_pem);

/// A program to run, without a terminal.
struct exec_command {
  std::string program;  ///< with a slash: a path; else looked up in PATH
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;  ///< on top of the process's own
  duration limit;                                        ///< then it is killed, children included
  std::size_t output_bytes_max;
  std::string input = {};      ///< its standard input
  bool only_this_env = false;  ///< `env` is all there is
  /// What it printed is the answer, whatever its exit code is; a signal is still an error.
  bool any_exit_code = false;
};
/// Runs a program and returns its standard output. An error says how it ended, with the end of its
/// standard error. Thread: the loop.
using exec_runner = std::function<task<result<std::string>>(exec_command)>;

/// An identity that a plugin makes: asked for before the first request, again when it has expired
/// and after a 401, once for all requests that wait. Thread: the loop.
class exec_identity : public credentials {
 public:
  /// The current certificate and key, or two empty strings. For new connections.
  [[nodiscard]] virtual std::pair<std::string, std::string> certificate() const = 0;
};
/// Outlived by `clock_source` and `metrics`, which may be null. `config.exec` is set; `ca_pem` as
/// for exec_info.
[[nodiscard]] std::shared_ptr<exec_identity> make_exec_identity(
    executor loop, const clock& clock_source, const cluster_config& config,
    const std::string& ca_pem, exec_runner run, metric_registry* metrics = nullptr);

}  // namespace oarlock::kube
