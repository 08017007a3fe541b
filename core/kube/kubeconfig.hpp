#pragma once
// Where the API server is and who we are: kubeconfig files and the in-cluster configuration.
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/net/client_transport.hpp"

namespace oarlock::kube {

/// A program that prints the credentials (users[].user.exec).
struct exec_plugin {
  std::string api_version;  ///< client.authentication.k8s.io/v1 or v1beta1
  std::string command;      ///< a path from the kubeconfig's folder when it has a slash
  std::vector<std::string> args;
  std::vector<std::pair<std::string, std::string>> env;
  std::string install_hint;  ///< for people, when the command is not there
  bool provide_cluster_info = false;
};

/// Whom to act as (users[].user.as and its like): the server checks that we may.
struct impersonation {
  std::string user, uid;
  std::vector<std::string> groups;
  std::vector<std::pair<std::string, std::string>> extra;  ///< a key may come more than once

  /// The headers that say so.
  [[nodiscard]] std::vector<net::header> headers() const;
};

/// One context, resolved. Files are kept as paths and read anew for each connection; inline data is
/// decoded from base64.
struct cluster_config {
  std::string server;  ///< "https://host:port[/prefix]"
  std::string tls_server_name;
  bool insecure_skip_tls_verify = false;
  std::string ca_data, ca_file;
  std::string client_cert_data, client_cert_file;
  std::string client_key_data, client_key_file;
  std::string token, token_file;
  std::optional<exec_plugin> exec;  ///< then there is no other token or certificate
  std::optional<impersonation> as;
  std::optional<net::proxy> via;
  std::string ns = "default";
  std::string origin;  ///< where it came from, for logs: a path, or "in-cluster"
};

struct config_sources {
  /// From KUBECONFIG, HOME, HTTPS_PROXY, NO_PROXY and the variables of a pod; `flag` is the path
  /// that the user gave.
  [[nodiscard]] static config_sources from_environment(std::string flag = {});

  std::string flag_path;           ///< --kubeconfig
  std::optional<std::string> env;  ///< KUBECONFIG: paths joined by ':'
  std::filesystem::path home;      ///< for ~/.kube/config
  std::filesystem::path service_account{"/var/run/secrets/kubernetes.io/serviceaccount"};
  std::string service_host, service_port;  ///< KUBERNETES_SERVICE_HOST and _PORT
  std::string context;                     ///< empty: current-context
  std::string https_proxy, no_proxy;       ///< for clusters without a proxy-url
};

/// The first that is there, in this order: flag, KUBECONFIG, in-cluster, ~/.kube/config.
/// Files in one list are merged by kubectl's rule: the first to set a name wins.
[[nodiscard]] result<cluster_config> load_cluster_config(const config_sources& sources);

}  // namespace oarlock::kube
