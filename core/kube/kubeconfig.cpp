#include "core/kube/kubeconfig.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "core/base/base64.hpp"
#include "core/base/limits.hpp"
#include "core/json/utf8.hpp"
#include "core/kube/errors.hpp"
#include "core/kube/files.hpp"
#include "core/kube/proxy.hpp"
#include "core/kube/url.hpp"

namespace oarlock::kube {

namespace fs = std::filesystem;

namespace {

error refused(std::string message) {
  return {kube_error::invalid, std::move(message)};
}

// One named entry and the file it came from, against which its relative paths resolve.
struct entry {
  YAML::Node body;
  fs::path file;
};
using entries = std::map<std::string, entry>;

struct merged_config {
  entries clusters, users, contexts;
  std::string current_context;
  std::string origin;
};

std::string text_at(const YAML::Node& map, const char* key) {
  const auto value = map[key];
  return value && value.IsScalar() ? value.as<std::string>() : std::string();
}

bool is_set(const YAML::Node& map, const char* key) {
  const auto value = map[key];
  return value && !value.IsNull() && !(value.IsScalar() && value.as<std::string>().empty());
}

// The first file to name an entry wins: kubectl's rule.
result<> merge_list(const YAML::Node& root, const char* list, const char* body,
                    const fs::path& file, entries& into) {
  const auto items = root[list];
  if (!items || items.IsNull()) return {};
  if (!items.IsSequence()) return refused(file.string() + ": expected a list in " + list);
  for (const auto& item : items) {
    if (!item.IsMap())
      return refused(file.string() + ": expected name and " + body + " in " + list);
    const auto content = item[body];
    // An entry without content is an empty one; it still takes the name.
    into.try_emplace(
        text_at(item, "name"),
        entry{content && content.IsMap() ? content : YAML::Node(YAML::NodeType::Map), file});
  }
  return {};
}

result<> merge_file(const fs::path& file, merged_config& into) {
  const auto text = read_small_file(file, limits::yaml_file_bytes_max);
  if (!text) return text.error().within("kubeconfig");
  if (!json::is_yaml_text(*text)) {
    return refused("kubeconfig " + file.string() +
                   ": not YAML: expected UTF-8 text without control characters");
  }
  try {
    const auto root = YAML::Load(*text);
    if (root.IsNull()) return {};
    if (!root.IsMap()) return refused("kubeconfig " + file.string() + ": expected a YAML map");
    if (into.current_context.empty()) into.current_context = text_at(root, "current-context");
    for (const auto& [list, body, entries_of] :
         {std::tuple("clusters", "cluster", &into.clusters),
          std::tuple("users", "user", &into.users),
          std::tuple("contexts", "context", &into.contexts)}) {
      auto merged = merge_list(root, list, body, file, *entries_of);
      if (!merged) return merged.error().within("kubeconfig");
    }
  } catch (const YAML::Exception& e) {
    // Position only: the text around it may be a key.
    return refused("kubeconfig " + file.string() + ": not YAML: " + e.msg + " at line " +
                   std::to_string(e.mark.line + 1));
  }
  into.origin += (into.origin.empty() ? "" : ":") + file.string();
  return {};
}

const entry* find_entry(const entries& all, const std::string& name) {
  const auto at = all.find(name);
  return at == all.end() ? nullptr : &at->second;
}

std::string names_of(const entries& all) {
  std::string out;
  for (const auto& [name, ignored] : all)
    out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "none" : out;
}

// Inline data beat a file, as in kubectl.
result<> data_or_file(const entry& from, const std::string& key, std::string& data,
                      std::string& file) {
  const auto data_key = key + "-data";
  const auto inline_text = text_at(from.body, data_key.c_str());
  if (!inline_text.empty()) {
    auto decoded = base64_decode(inline_text);
    if (!decoded)
      return refused(from.file.string() + ": " + data_key + ": " + decoded.error().message);
    data = std::move(*decoded);
    return {};
  }
  const auto path = text_at(from.body, key.c_str());
  if (!path.empty()) file = (from.file.parent_path() / path).lexically_normal().string();
  return {};
}

result<> read_cluster(const entry& cluster, cluster_config& out) {
  if (const auto proxy = text_at(cluster.body, "proxy-url"); !proxy.empty()) {
    auto via = parse_proxy_url(proxy);
    if (!via) return via.error().within(cluster.file.string());
    out.via = std::move(*via);
  }
  out.server = text_at(cluster.body, "server");
  if (auto url = parse_server_url(out.server); !url) {
    return url.error().within(cluster.file.string());
  }
  out.tls_server_name = text_at(cluster.body, "tls-server-name");
  const auto insecure = text_at(cluster.body, "insecure-skip-tls-verify");
  out.insecure_skip_tls_verify = insecure == "true";
  auto ca = data_or_file(cluster, "certificate-authority", out.ca_data, out.ca_file);
  if (!ca) return ca.error();
  if (out.insecure_skip_tls_verify && !(out.ca_data.empty() && out.ca_file.empty())) {
    return refused(cluster.file.string() +
                   ": expected insecure-skip-tls-verify or a certificate authority, found both");
  }
  return {};
}

result<std::vector<std::pair<std::string, std::string>>> read_exec_env(const YAML::Node& list) {
  std::vector<std::pair<std::string, std::string>> env;
  if (!list || list.IsNull()) return env;
  if (!list.IsSequence()) return refused("env: expected a list of name and value");
  for (const auto& entry : list) {
    auto name = entry.IsMap() ? text_at(entry, "name") : std::string();
    if (name.empty() || name.find('=') != std::string::npos) {
      return refused("env: expected entries with a name, found one without");
    }
    env.emplace_back(std::move(name), text_at(entry, "value"));
  }
  return env;
}

result<exec_plugin> read_exec(const YAML::Node& body, const fs::path& folder) {
  exec_plugin out;
  if (!body.IsMap()) return refused("expected a map with command and apiVersion");
  out.api_version = text_at(body, "apiVersion");
  if (out.api_version != "client.authentication.k8s.io/v1" &&
      out.api_version != "client.authentication.k8s.io/v1beta1") {
    return refused("apiVersion: expected client.authentication.k8s.io/v1 or /v1beta1, found '" +
                   out.api_version + "'");
  }
  out.command = text_at(body, "command");
  if (out.command.empty()) return refused("expected a command, found none");
  const bool is_path = out.command.find('/') != std::string::npos;
  if (is_path) out.command = (folder / out.command).lexically_normal().string();
  if (text_at(body, "interactiveMode") == "Always") {
    return refused(
        "interactiveMode: expected Never or IfAvailable, found Always: there is no "
        "terminal to ask on");
  }
  const auto args = body["args"];
  if (args && !args.IsNull() && !args.IsSequence()) return refused("args: expected a list");
  for (const auto& arg : args)
    out.args.push_back(arg.as<std::string>());
  auto env = read_exec_env(body["env"]);
  if (!env) return env.error();
  out.env = std::move(*env);
  out.install_hint = text_at(body, "installHint");
  out.provide_cluster_info = text_at(body, "provideClusterInfo") == "true";
  return out;
}

result<std::vector<std::string>> read_texts(const YAML::Node& list, const std::string& name) {
  std::vector<std::string> out;
  if (!list || list.IsNull()) return out;
  if (!list.IsSequence()) return refused(name + ": expected a list of texts");
  for (const auto& item : list) {
    if (!item.IsScalar()) return refused(name + ": expected a list of texts");
    out.push_back(item.as<std::string>());
  }
  return out;
}

result<std::optional<impersonation>> read_impersonation(const YAML::Node& user) {
  impersonation out{text_at(user, "as"), text_at(user, "as-uid"), {}, {}};
  auto groups = read_texts(user["as-groups"], "as-groups");
  if (!groups) return groups.error();
  out.groups = std::move(*groups);
  const auto extra = user["as-user-extra"];
  if (extra && !extra.IsNull() && !extra.IsMap()) {
    return refused("as-user-extra: expected a map of lists of texts");
  }
  for (const auto& entry : extra) {
    const auto key = entry.first.as<std::string>();
    const auto values = read_texts(entry.second, "as-user-extra." + key);
    if (!values) return values.error();
    for (const auto& value : *values)
      out.extra.emplace_back(key, value);
  }
  if (!out.user.empty()) return std::optional(std::move(out));
  if (out.uid.empty() && out.groups.empty() && out.extra.empty()) {
    return std::optional<impersonation>();
  }
  return refused("as: expected a user beside as-uid, as-groups or as-user-extra, found none");
}

result<> read_user(const entry& user, cluster_config& out) {
  const std::pair<const char*, const char*> unsupported[] = {
      {"auth-provider", "Kubernetes has dropped it: use exec, a token or a client certificate"},
      {"username", "API servers have no basic authentication any more: use a token"}};
  for (const auto& [key, remedy] : unsupported) {
    if (is_set(user.body, key)) {
      return refused(user.file.string() + ": user: '" + key + "' is not supported yet: " + remedy);
    }
  }
  auto as = read_impersonation(user.body);
  if (!as) return as.error().within(user.file.string() + ": user");
  out.as = std::move(*as);
  auto cert = data_or_file(user, "client-certificate", out.client_cert_data, out.client_cert_file);
  if (!cert) return cert.error();
  auto key = data_or_file(user, "client-key", out.client_key_data, out.client_key_file);
  if (!key) return key.error();
  const bool has_cert = !out.client_cert_data.empty() || !out.client_cert_file.empty();
  const bool has_key = !out.client_key_data.empty() || !out.client_key_file.empty();
  if (has_cert != has_key) {
    return refused(user.file.string() +
                   ": user: expected client-certificate and client-key, found only one of them");
  }
  if (is_set(user.body, "exec")) {
    auto exec = read_exec(user.body["exec"], user.file.parent_path());
    if (!exec) return exec.error().within(user.file.string() + ": user: exec");
    out.exec = std::move(*exec);
    const bool other = has_cert || is_set(user.body, "token") || is_set(user.body, "tokenFile");
    if (!other) return {};
    return refused(user.file.string() +
                   ": user: expected exec or a token or certificate, found both");
  }
  // A file beats inline text: it is the one that somebody rotates.
  const auto token_file = text_at(user.body, "tokenFile");
  if (!token_file.empty()) {
    out.token_file = (user.file.parent_path() / token_file).lexically_normal().string();
  } else {
    out.token = text_at(user.body, "token");
  }
  return {};
}

result<cluster_config> resolve(const merged_config& config, const std::string& wanted) {
  const auto& name = wanted.empty() ? config.current_context : wanted;
  const std::string where = "kubeconfig " + config.origin;
  if (name.empty()) {
    return refused(where + ": expected a current-context, found none (contexts: " +
                   names_of(config.contexts) + ")");
  }
  const auto* context = find_entry(config.contexts, name);
  if (context == nullptr) {
    return refused(where + ": expected a context '" + name +
                   "', found: " + names_of(config.contexts));
  }
  const auto cluster_name = text_at(context->body, "cluster");
  const auto* cluster = find_entry(config.clusters, cluster_name);
  if (cluster == nullptr) {
    return refused(where + ": context '" + name + "' names cluster '" + cluster_name +
                   "', found: " + names_of(config.clusters));
  }
  cluster_config out;
  out.origin = config.origin;
  if (auto read = read_cluster(*cluster, out); !read) return read.error().within("kubeconfig");
  const auto user_name = text_at(context->body, "user");
  if (!user_name.empty()) {
    const auto* user = find_entry(config.users, user_name);
    if (user == nullptr) {
      return refused(where + ": context '" + name + "' names user '" + user_name +
                     "', found: " + names_of(config.users));
    }
    if (auto read = read_user(*user, out); !read) return read.error().within("kubeconfig");
  }
  if (const auto ns = text_at(context->body, "namespace"); !ns.empty()) out.ns = ns;
  return out;
}

result<cluster_config> from_files(const std::vector<fs::path>& files, const std::string& context) {
  merged_config merged;
  for (const auto& file : files) {
    if (auto done = merge_file(file, merged); !done) return done.error();
  }
  try {
    return resolve(merged, context);
  } catch (const YAML::Exception& e) {
    return refused("kubeconfig " + merged.origin + ": " + e.msg);
  }
}

// Files of the list that are not there are passed over, but not all of them.
result<cluster_config> from_env(const std::string& list, const std::string& context) {
  std::vector<fs::path> files;
  for (std::size_t at = 0; at <= list.size();) {
    const auto end = std::min(list.find(':', at), list.size());
    const fs::path file = list.substr(at, end - at);
    std::error_code ec;
    if (!file.empty() && fs::exists(file, ec)) files.push_back(fs::absolute(file, ec));
    at = end + 1;
  }
  if (files.empty()) {
    return refused("KUBECONFIG is '" + list +
                   "', but none of its files is there: create one, "
                   "or unset it, or pass --kubeconfig");
  }
  return from_files(files, context);
}

bool in_cluster(const config_sources& s) {
  std::error_code ec;
  return !s.service_host.empty() && !s.service_port.empty() &&
         fs::exists(s.service_account / "token", ec);
}

result<cluster_config> from_service_account(const config_sources& s) {
  cluster_config out;
  const bool v6 = s.service_host.find(':') != std::string::npos && !s.service_host.starts_with('[');
  out.server =
      "https://" + (v6 ? "[" + s.service_host + "]" : s.service_host) + ":" + s.service_port;
  if (auto url = parse_server_url(out.server); !url) {
    return url.error().within("KUBERNETES_SERVICE_HOST and _PORT");
  }
  out.ca_file = (s.service_account / "ca.crt").string();
  out.token_file = (s.service_account / "token").string();
  constexpr std::size_t namespace_bytes_max = 256;
  const auto ns = read_small_file(s.service_account / "namespace", namespace_bytes_max);
  if (ns && !trimmed(*ns).empty()) out.ns = trimmed(*ns);
  out.origin = "in-cluster";
  return out;
}

result<cluster_config> find_cluster_config(const config_sources& sources) {
  std::error_code ec;
  if (!sources.flag_path.empty()) {
    return from_files({fs::absolute(sources.flag_path, ec)}, sources.context);
  }
  if (sources.env && !sources.env->empty()) return from_env(*sources.env, sources.context);
  if (in_cluster(sources)) return from_service_account(sources);
  const auto home_file = sources.home / ".kube" / "config";
  if (!sources.home.empty() && fs::exists(home_file, ec)) {
    return from_files({home_file}, sources.context);
  }
  return refused("no cluster: expected --kubeconfig, KUBECONFIG, a pod's service account (" +
                 (sources.service_account / "token").string() + ") or " +
                 (sources.home.empty() ? std::string("~/.kube/config") : home_file.string()) +
                 ", found none of them");
}

}  // namespace

std::vector<net::header> impersonation::headers() const {
  std::vector<net::header> out{{"Impersonate-User", user}};
  if (!uid.empty()) out.push_back({"Impersonate-Uid", uid});
  for (const auto& group : groups)
    out.push_back({"Impersonate-Group", group});
  for (const auto& [key, value] : extra)
    out.push_back({"Impersonate-Extra-" + percent_encoded(key), value});
  return out;
}

config_sources config_sources::from_environment(std::string flag) {
  const auto value_of = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  config_sources out;
  out.flag_path = std::move(flag);
  if (auto paths = value_of("KUBECONFIG"); !paths.empty()) out.env = std::move(paths);
  out.home = value_of("HOME");
  out.service_host = value_of("KUBERNETES_SERVICE_HOST");
  out.service_port = value_of("KUBERNETES_SERVICE_PORT");
  const auto either = [&](const char* upper, const char* lower) {
    auto value = value_of(upper);
    return value.empty() ? value_of(lower) : value;
  };
  out.https_proxy = either("HTTPS_PROXY", "https_proxy");
  out.no_proxy = either("NO_PROXY", "no_proxy");
  return out;
}

result<cluster_config> load_cluster_config(const config_sources& sources) {
  auto found = find_cluster_config(sources);
  if (!found || found->via || sources.https_proxy.empty()) return found;
  const auto server = parse_server_url(found->server);
  if (!server || !server->tls || is_exempt(sources.no_proxy, server->host, server->port)) {
    return found;
  }
  auto via = parse_proxy_url(sources.https_proxy);
  if (!via) return via.error().within("HTTPS_PROXY");
  found->via = std::move(*via);
  return found;
}

}  // namespace oarlock::kube
