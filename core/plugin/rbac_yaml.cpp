#include "core/plugin/rbac_yaml.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <utility>
#include <vector>

#include "core/plugin/errors.hpp"
#include "core/plugin/grants.hpp"

namespace oarlock::plugin {

namespace {

constexpr const char* rbac_version = "rbac.authorization.k8s.io/v1";

// Names come from checked manifests and flags: plain
// scalars of letters, digits and "-./", which need no quotes but where the text is empty.
class renderer {
 public:
  renderer(std::string plugin, const rbac_options& o, std::string& out)
      : plugin_(std::move(plugin)), o_(o), out_(out) {}

  void service_account() {
    begin("v1", "ServiceAccount", service_account_name(plugin_), o_.ns);
    // It is for TokenRequest: no pod gets it by itself.
    out_ += "automountServiceAccountToken: false\n";
  }

  /// A role for `grants`, and its binding: a Role where a namespace will do.
  void grants(const std::string& name, const std::vector<grant>& all, const std::string& subject) {
    std::vector<grant> inside;
    std::vector<grant> everywhere;
    for (const auto& one : all) {
      (one.namespaced && !o_.scope_ns.empty() ? inside : everywhere).push_back(one);
    }
    if (!everywhere.empty()) role("ClusterRole", name, {}, everywhere, subject);
    if (!inside.empty()) role("Role", name, o_.scope_ns, inside, subject);
  }

  /// The daemon may ask for tokens of this one account.
  void token_grant(const std::string& subject) {
    const auto name = "oarlock-token-" + plugin_;
    begin(rbac_version, "Role", name, o_.ns);
    out_ += fmt::format(
        "rules:\n  - apiGroups: [\"\"]\n    resources: [serviceaccounts/token]\n"
        "    resourceNames: [{}]\n    verbs: [create]\n",
        service_account_name(plugin_));
    binding("Role", name, o_.ns, subject);
  }

  [[nodiscard]] std::string plugin_subject() const {
    return account(o_.ns, service_account_name(plugin_));
  }
  [[nodiscard]] std::string daemon_subject() const {
    if (!o_.daemon_user.empty()) {
      return "  - apiGroup: rbac.authorization.k8s.io\n    kind: User\n    name: " +
             o_.daemon_user + "\n";
    }
    const auto slash = o_.daemon_service_account.find('/');
    if (slash == std::string::npos) return account(o_.ns, o_.daemon_service_account);
    return account(o_.daemon_service_account.substr(0, slash),
                   o_.daemon_service_account.substr(slash + 1));
  }

 private:
  static std::string account(const std::string& ns, const std::string& name) {
    return fmt::format("  - kind: ServiceAccount\n    name: {}\n    namespace: {}\n", name, ns);
  }

  void begin(const char* api_version, const char* kind, const std::string& name,
             const std::string& ns) {
    out_ += fmt::format("---\napiVersion: {}\nkind: {}\nmetadata:\n  name: {}\n", api_version, kind,
                        name);
    if (!ns.empty()) out_ += fmt::format("  namespace: {}\n", ns);
    out_ += fmt::format(
        "  labels:\n    app.kubernetes.io/part-of: oarlock\n    oarlock.dev/plugin: \"{}\"\n",
        plugin_);
  }

  void role(const char* kind, const std::string& name, const std::string& ns,
            const std::vector<grant>& rules, const std::string& subject) {
    begin(rbac_version, kind, name, ns);
    out_ += "rules:\n";
    for (const auto& rule : rules) {
      out_ += fmt::format("  - apiGroups: [{}]\n    resources: [{}]\n    verbs: [{}]\n",
                          rule.group.empty() ? "\"\"" : rule.group, rule.resource,
                          fmt::join(rule.verbs, ", "));
    }
    binding(kind, name, ns, subject);
  }

  void binding(const std::string& role_kind, const std::string& name, const std::string& ns,
               const std::string& subject) {
    begin(rbac_version, (role_kind + "Binding").c_str(), name, ns);
    out_ += fmt::format("roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {}\n  name: {}\n",
                        role_kind, name);
    out_ += "subjects:\n" + subject;
  }

  const std::string plugin_;
  const rbac_options& o_;
  std::string& out_;
};

bool is_label(const std::string& s) {
  return !s.empty() && s.size() <= 63 && s.front() != '-' && s.back() != '-' &&
         s.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

// A user's name may be anything: what would need quotes or could end the line is refused.
bool is_plain_user(const std::string& s) {
  constexpr const char* plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/@:";
  return s.find_first_not_of(plain) == std::string::npos && s.back() != ':' &&
         std::string_view("-:@._/").find(s.front()) == std::string_view::npos;
}

}  // namespace

result<> check(const rbac_options& o) {
  const auto refuse = [](const char* flag, const char* expected, const std::string& found) {
    return error{plugin_error::bad_manifest,
                 fmt::format("{}: expected {}, found \"{}\"", flag, expected, found)};
  };
  constexpr const char* a_name = "at most 63 lower-case letters, digits and '-'";
  if (!is_label(o.ns)) return refuse("--namespace", a_name, o.ns);
  if (!o.scope_ns.empty() && !is_label(o.scope_ns)) {
    return refuse("--scope-namespace", a_name, o.scope_ns);
  }
  const auto& account = o.daemon_service_account;
  const auto slash = account.find('/');
  const bool in_ns = slash == std::string::npos || is_label(account.substr(0, slash));
  if (!in_ns || !is_label(slash == std::string::npos ? account : account.substr(slash + 1))) {
    return refuse("--daemon-service-account", "[NAMESPACE/]NAME", account);
  }
  if (!o.daemon_user.empty() && !is_plain_user(o.daemon_user)) {
    return refuse("--daemon-user", "letters, digits and '-._/@:'", o.daemon_user);
  }
  return {};
}

std::string rbac_yaml(const manifest& declared, const rbac_options& options) {
  std::string out;
  renderer render(declared.name, options, out);
  const auto daemon = render.daemon_subject();
  if (options.identity == rbac_identity::daemon) {
    render.grants("oarlock-daemon-" + declared.name, plugin_grants(declared), daemon);
    return out;
  }
  render.service_account();
  render.grants(service_account_name(declared.name), plugin_grants(declared),
                render.plugin_subject());
  render.grants("oarlock-watch-" + declared.name, read_grants(declared), daemon);
  render.token_grant(daemon);
  return out;
}

}  // namespace oarlock::plugin
