#include "core/cli/install_commands.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <map>

#include "core/cli/image_commands.hpp"
#include "core/plugin/errors.hpp"

namespace oarlock::cli {

namespace {

void print_line(const std::string& line) {
  fmt::print("{}\n", line);
  (void)std::fflush(stdout);
}

error no_folder() {
  return {plugin::plugin_error::missing, "expected to make a folder for temporary files"};
}

}  // namespace

void install_commands::add_image_options(CLI::App& command) {
  command.add_option("--runtime", install_with_.object.runtime, "The oarlockd that runs it")
      ->capture_default_str();
  command.add_option("--home", install_with_.object.home, "Where it runs: child or core")
      ->check(CLI::IsMember({"child", "core"}))
      ->capture_default_str();
  command.add_option("--pull-secret", install_with_.object.pull_secrets,
                     "Secret with registry credentials in the daemon's namespace; repeatable");
  command.add_option("--key", key_, "Of an image: whose signature is demanded here too");
  command.add_flag("--plain-http", plain_http_, "Of an image: speak HTTP to its registry");
  command.add_option("--ca-file", ca_file_, "Of an image: certificates of its registry");
}

void install_commands::add_grant_options(CLI::App& command) {
  auto& o = install_with_.granted;
  command.add_option("--namespace", o.ns, "Namespace of the plugin's ServiceAccount")
      ->capture_default_str();
  command.add_option("--scope-namespace", o.scope_ns,
                     "Grant this namespace only, for oarlockd --namespace");
  auto* account = command
                      .add_option("--daemon-service-account", o.daemon_service_account,
                                  "[NAMESPACE/]NAME of the daemon's ServiceAccount")
                      ->capture_default_str();
  command
      .add_option("--daemon-user", o.daemon_user,
                  "The daemon is this user, as its client certificate says")
      ->excludes(account);
}

install_commands::install_commands(CLI::App& plugin) {
  static const std::map<std::string, plugin_identity> identities{
      {"serviceaccount", plugin_identity::service_account}, {"daemon", plugin_identity::daemon}};
  manifest_ = plugin.add_subcommand(
      "manifest",
      "Print what to apply before a plugin may work: CRDs, ServiceAccount, Roles; of an image also "
      "its Plugin");
  manifest_->add_option("PATH", path_, "A plugin's folder or library, or an image: FILE.tar or REF")
      ->required();
  add_grant_options(*manifest_);
  manifest_
      ->add_option("--plugin-identity", install_with_.granted.identity,
                   "serviceaccount, or daemon: grant the daemon all that the plugin needs")
      ->transform(CLI::CheckedTransformer(identities))
      ->default_str("serviceaccount");
  add_image_options(*manifest_);

  install_ = plugin.add_subcommand("install", "Apply all that and wait until the plugin is ready");
  install_->add_option("REF", path_, "An image in a registry, by tag or digest")->required();
  add_grant_options(*install_);
  add_image_options(*install_);
  install_->add_flag("--adopt-crds", install_with_.adopt_crds,
                     "Take over CRDs that Helm or another operator manages");

  uninstall_ = plugin.add_subcommand(
      "uninstall", "Delete a Plugin and what install applied for it; CRDs and objects stay");
  uninstall_->add_option("NAME", uninstall_with_.name, "Of the Plugin")->required();
  uninstall_->add_flag("--delete-crds", uninstall_with_.delete_crds,
                       "Delete its CRDs too, and with them every object of these kinds");

  held_ = plugin.add_subcommand(
      "held", "Fail while objects carry finalizers that only this runtime's plugins take off");
  held_->add_option("--runtime", held_with_.runtime, "The oarlockd that is to go")
      ->capture_default_str();
  held_->add_option("--scope-namespace", held_with_.scope_ns,
                    "Look in this namespace only, for oarlockd --namespace");
  held_->add_option("PATH", held_with_.plugins, "What it loads by --plugin, beside Plugin objects");
  for (auto* command : {install_, uninstall_, held_}) {
    command->add_option("--kubeconfig", kubeconfig_,
                        "Cluster (default: KUBECONFIG, in-cluster, ~/.kube/config)");
  }
  for (auto* command : {install_, uninstall_}) {
    command->add_option("--timeout", timeout_seconds_, "Seconds to wait")
        ->check(CLI::Range(1, 3600))
        ->capture_default_str();
  }
}

std::vector<std::string> install_commands::fetch_options() const {
  std::vector<std::string> out;
  if (plain_http_) out.emplace_back("--plain-http");
  if (!ca_file_.empty()) out.insert(out.end(), {"--ca-file", ca_file_});
  if (!key_.empty()) out.insert(out.end(), {"--key", key_});
  return out;
}

result<> install_commands::print_manifest() const {
  const scratch_folder scratch;
  auto folder = std::filesystem::path(path_);
  const bool of_image = is_image(path_);
  if (of_image) {
    if (scratch.path().empty()) return no_folder();
    folder = scratch.path() / "plugin";
    if (auto done = unpack_image(path_, folder, fetch_options()); !done) return done;
  }
  auto text = plugin_manifest(folder, install_with_.granted);
  if (!text) return text.error();
  if (of_image && !path_.ends_with(".tar")) {
    auto object = install_with_.object;
    const auto declared = plugin::read_manifest(plugin::manifest_beside(folder));
    if (!declared) return declared.error();
    object.name = declared->name;
    object.image = path_;
    *text += plugin_object_yaml(object);
  }
  fmt::print("{}", *text);
  return {};
}

result<> install_commands::install() const {
  const scratch_folder scratch;
  if (scratch.path().empty()) return no_folder();
  auto options = install_with_;
  options.object.image = path_;
  options.timeout = std::chrono::seconds(timeout_seconds_);
  const auto folder = scratch.path() / "plugin";
  if (auto done = unpack_image(path_, folder, fetch_options()); !done) return done;
  auto cluster = install_cluster::open(kubeconfig_);
  if (!cluster) return cluster.error();
  return install_plugin(**cluster, folder, std::move(options), print_line);
}

result<> install_commands::uninstall() const {
  auto cluster = install_cluster::open(kubeconfig_);
  if (!cluster) return cluster.error();
  auto options = uninstall_with_;
  options.timeout = std::chrono::seconds(timeout_seconds_);
  return uninstall_plugin(**cluster, options, print_line);
}

result<> install_commands::held() const {
  auto cluster = install_cluster::open(kubeconfig_);
  if (!cluster) return cluster.error();
  return check_held(**cluster, held_with_, print_line);
}

std::optional<int> install_commands::run() const {
  if (!*manifest_ && !*install_ && !*uninstall_ && !*held_) return std::nullopt;
  const auto done = *manifest_    ? print_manifest()
                    : *install_   ? install()
                    : *uninstall_ ? uninstall()
                                  : held();
  if (done) return 0;
  fmt::print(stderr, "oarlock: {}\n", done.error().message);
  return 1;
}

}  // namespace oarlock::cli
