#include "tests/support/cluster.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "core/json/parse.hpp"

namespace oarlock::testing {

namespace {

using namespace std::chrono_literals;

std::vector<std::string> joined(std::vector<std::string> head,
                                const std::vector<std::string>& tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

finished must_run(const std::vector<std::string>& argv, const std::string& input = {},
                  std::chrono::seconds limit = 60s) {
  auto done = run(argv, input, limit);
  if (done.exit_code == 0) return done;
  std::string line;
  for (const auto& word : argv)
    line += word + " ";
  throw std::runtime_error(
      fmt::format("{}: exit code {}\n{}{}", line, done.exit_code, done.out, done.err));
}

// The text after `"key":"` up to the next quote in a JSON log line.
std::string quoted_after(const std::string& line, const std::string& key) {
  const auto mark = "\"" + key + "\":\"";
  const auto at = line.find(mark);
  if (at == std::string::npos) return {};
  const auto begin = at + mark.size();
  return line.substr(begin, line.find('"', begin) - begin);
}

}  // namespace

std::filesystem::path built(const std::string& relative) {
  return std::filesystem::path(OARLOCK_OUTPUT_DIR) / relative;
}

std::filesystem::path test_plugin(const std::string& name) {
  return std::filesystem::path(OARLOCK_BUILD_DIR) / "tests/plugins" / name;
}

std::filesystem::path source_dir() {
  return OARLOCK_SOURCE_DIR;
}

std::filesystem::path devcluster_tool() {
  const char* other = std::getenv("OARLOCK_DEVCLUSTER");  // another Kubernetes
  return other != nullptr ? other : source_dir() / "build/bin/devcluster";
}

cluster::cluster() : kubectl_user(path() / "admin.kubeconfig") {
  if (!std::filesystem::exists(devcluster_tool())) {
    throw std::runtime_error("expected " + devcluster_tool().string() +
                             ", found nothing: run `make build`");
  }
  must_run({devcluster_tool(), "up", "--dir", dir() / "cluster", "--level", "control-plane",
            "--with", "controller-manager", "--kubeconfig", dir() / "admin.kubeconfig"},
           {}, 180s);
}

cluster::~cluster() {
  run({devcluster_tool(), "down", "--dir", dir() / "cluster", "--purge"}, {}, 60s);
}

finished kubectl_user::kubectl(std::vector<std::string> args, const std::string& input) const {
  return run(joined({devcluster_tool(), "kubectl", "--kubeconfig", kubeconfig_}, args), input, 90s);
}

std::string kubectl_user::must(std::vector<std::string> args, const std::string& input) const {
  return must_run(joined({devcluster_tool(), "kubectl", "--kubeconfig", kubeconfig_}, args), input,
                  90s)
      .out;
}

std::string kubectl_user::get(const std::string& what, const std::string& name,
                              const std::string& ns) const {
  return must({"get", what, name, "-n", ns, "-o", "json", "--ignore-not-found"});
}

std::string kubectl_user::field(const std::string& what, const std::string& name,
                                const std::string& ns, const std::string& path) const {
  return must({"get", what, name, "-n", ns, "--ignore-not-found", "-o", "jsonpath={" + path + "}"});
}

std::multiset<std::string> kubectl_user::fields(const std::string& what, const std::string& ns,
                                                const std::string& path) const {
  std::istringstream lines(must(
      {"get", what, "-n", ns, "-o", "jsonpath={range .items[*]}{" + path + "}{\"\\n\"}{end}"}));
  std::multiset<std::string> found;
  for (std::string line; std::getline(lines, line);)
    found.insert(line);
  return found;
}

void cluster::component(const std::string& verb, const std::string& name) const {
  must_run({devcluster_tool(), verb, "--dir", dir() / "cluster", name}, {}, 90s);
}

std::filesystem::path cluster::kubeconfig(const std::string& user,
                                          std::vector<std::string> flags) const {
  std::string suffix;
  for (const auto& flag : flags)
    suffix += flag;
  auto file = dir() / (user + suffix + ".kubeconfig");
  const auto text =
      must_run(joined({devcluster_tool(), "kubeconfig", "--dir", dir() / "cluster", "--user", user},
                      flags))
          .out;
  std::ofstream(file) << text;
  return file;
}

std::size_t cluster::audit_lines() const {
  std::ifstream in(dir() / "cluster/audit.log");
  std::size_t lines = 0;
  for (std::string line; std::getline(in, line);)
    ++lines;
  return lines;
}

std::vector<std::string> cluster::writes(const std::string& user, std::size_t from) const {
  std::ifstream in(dir() / "cluster/audit.log");
  std::vector<std::string> found;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line); ++number) {
    if (number < from) continue;
    const auto entry = json::parse(line);
    if (!entry || json::string_at(*entry, "/user/username") != user) continue;
    if (json::string_at(*entry, "/stage") != "ResponseComplete") continue;
    const auto verb = json::string_at(*entry, "/verb");
    const auto resource = json::string_at(*entry, "/objectRef/resource");
    if (verb == "get" || verb == "list" || verb == "watch" || resource == "leases") continue;
    found.push_back(fmt::format("{} {} {}/{} {}", verb, resource,
                                json::string_at(*entry, "/objectRef/namespace"),
                                json::string_at(*entry, "/objectRef/name"),
                                json::int_at(*entry, "/responseStatus/code").value_or(0)));
  }
  return found;
}

void cluster::make_namespace(const std::string& name) const {
  must({"create", "namespace", name});
}

cluster& shared_cluster() {
  static cluster instance;
  static const bool prepared = [] {
    const auto source = source_dir();
    for (const auto& folder :
         {source / "plugins/myapp/crds", source / "deploy/rbac", source / "plugins/myapp/rbac"}) {
      for (const auto& file : std::filesystem::directory_iterator(folder)) {
        if (file.path().extension() == ".yaml") {
          instance.must({"apply", "-f", file.path().string()});
        }
      }
    }
    instance.must({"wait", "--for=condition=Established", "crd/myapps.example.com"});
    return true;
  }();
  (void)prepared;
  return instance;
}

daemon::daemon(const cluster& c, options o) {
  if (o.kubeconfig.empty()) o.kubeconfig = c.kubeconfig("oarlock");
  std::vector<std::string> argv{
      built("bin/oarlockd"),
      "--kubeconfig=" + o.kubeconfig.string(),
      "--leader-elect=" + std::string(o.leader_elect ? "true" : "false"),
      "--metrics-bind-address=127.0.0.1:0",
      "--metrics-secure=" + std::string(o.secure_metrics ? "true" : "false"),
      "--health-probe-bind-address=127.0.0.1:0",
      "--log-format=json"};
  for (const auto& plugin : o.plugins) {
    const std::filesystem::path path(plugin);
    argv.push_back("--plugin=" + (path.is_absolute() ? path : built("plugins") / path).string());
  }
  argv = joined(std::move(o.under), joined(std::move(argv), o.flags));
  process_ = std::make_unique<background>(argv, dir_.path() / "log");
}

std::string daemon::address(const char* what) const {
  std::istringstream log(process_->log());
  for (std::string line; std::getline(log, line);) {
    if (quoted_after(line, "server") == what) return quoted_after(line, "address");
  }
  return {};
}

std::string daemon::probe(const std::string& path) const {
  const auto where = address("probes");
  if (where.empty()) return {};
  return run({"curl", "-s", "--max-time", "5", "http://" + where + path}).out;
}

std::string daemon::metrics() const {
  const auto where = address("metrics");
  if (where.empty()) return {};
  return run({"curl", "-s", "--max-time", "5", "http://" + where + "/metrics"}).out;
}

bool daemon::wait_ready(std::chrono::milliseconds limit) {
  return eventually(
      [&] { return probe("/readyz").find("readyz check passed") != std::string::npos; }, limit);
}

double metric(const std::string& text, const std::string& name,
              const std::vector<std::string>& labels) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(name, 0) != 0) continue;
    const char after = line.size() > name.size() ? line[name.size()] : '\0';
    if (after != '{' && after != ' ') continue;
    bool all = true;
    for (const auto& label : labels)
      all = all && line.find(label) != std::string::npos;
    if (all) return std::stod(line.substr(line.rfind(' ') + 1));
  }
  return -1;
}

std::string myapp_yaml(const std::string& name, int replicas, const std::string& image) {
  return fmt::format(
      "apiVersion: example.com/v1alpha1\nkind: MyApp\nmetadata:\n  name: {}\nspec:\n"
      "  replicas: {}\n  image: {}\n",
      name, replicas, image);
}

}  // namespace oarlock::testing
