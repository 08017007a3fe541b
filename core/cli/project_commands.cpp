#include "core/cli/project_commands.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>

namespace oarlock::cli {

namespace {

// What was written, and what to do next.
int print_scaffolded(const result<scaffolded>& done, const char* next) {
  if (!done) {
    fmt::print(stderr, "oarlock: {}\n", done.error().message);
    return 1;
  }
  for (const auto& notice : done->notices)
    fmt::print("notice       {}\n", notice);
  for (const auto& path : done->created)
    fmt::print("created      {}\n", path);
  for (const auto& path : done->changed)
    fmt::print("changed      {}\n", path);
  for (const auto& path : done->overwritten)
    fmt::print("overwritten  {}\n", path);
  fmt::print("{}", next);
  return 0;
}

CLI::App* add_init(CLI::App& app, init_options& o) {
  auto* init = app.add_subcommand("init", "Write a new plugin project into the current folder");
  init->add_option("--domain", o.domain, "Ends the API groups of the project's kinds")
      ->capture_default_str();
  init->add_option("--repo", o.repo,
                   "Where the project will be; its last part names the project, and without "
                   "\"-operator\" the plugin");
  init->add_option("--project-name", o.project_name, "Names the project instead");
  init->add_flag("--force", o.force, "Overwrite files that are there");
  init->footer(
      "Example, in an empty folder:\n"
      "  oarlock init --domain example.com --repo github.com/example/myapp-operator\n"
      "  oarlock create api --group example --version v1alpha1 --kind MyApp --resource "
      "--controller\n"
      "  make build test\n"
      "The project has a Makefile, CMakeLists.txt, plugin.yaml, Dockerfile, README.md and a CI "
      "file.\nFiles appear all together or not at all.");
  return init;
}

CLI::App* add_create_api(CLI::App& app, api_options& o) {
  auto* create = app.add_subcommand("create", "Add something to the project in this folder");
  create->require_subcommand(1);
  auto* api = create->add_subcommand("api", "Add a kind: its CRD, its reconciler and its cases");
  api->add_option(
      "--group", o.group,
      "Its API group, which the domain completes: apps.example.com. Without it, or when "
      "it repeats the domain's first label, the group is the domain");
  api->add_option("--version", o.version, "v1, v1alpha1, v1beta1 ...")->required();
  api->add_option("--kind", o.kind, "Its name in CamelCase, singular: MyApp")->required();
  api->add_option("--plural", o.plural, "Its plural in lower case (default: made of the kind)");
  api->add_flag("--resource", o.resource,
                "Write its CRD and a sample (default; --resource=false: it is somebody else's)");
  api->add_flag("--controller", o.controller,
                "Write a reconciler with cases (default; --controller=false: only the kind)");
  api->add_flag("--force", o.force, "Overwrite files that are there");
  api->footer(
      "Example:\n"
      "  oarlock create api --group example --version v1alpha1 --kind MyApp --resource "
      "--controller\n"
      "writes crds/, samples/, src/myapp/plan.cpp and tests/cases/myapp.yaml, and adds the kind "
      "to\n"
      "plugin.yaml, src/plugin.cpp and PROJECT, where the lines with +oarlock:scaffold are. A\n"
      "project may have many kinds.");
  return api;
}

CLI::App* add_run(CLI::App& app, run_options& o) {
  auto* run = app.add_subcommand("run", "Run a plugin here against the current kubeconfig");
  run->add_option("PATH", o.plugin, "Its library, beside plugin.yaml, or the folder of both")
      ->required();
  run->add_option("--kubeconfig", o.kubeconfig,
                  "Cluster to use (default: KUBECONFIG, else ~/.kube/config)");
  run->add_option("-n,--namespace", o.ns, "Work in this namespace only (default: all)");
  run->add_option("FLAGS", o.flags, "Flags of oarlockd, behind --");
  run->footer(
      "Example: oarlock run build/libmyapp.so -- --log-level=debug\n"
      "The plugin acts with your rights, without a leader election. When its library or "
      "plugin.yaml\n"
      "is written anew it is loaded beside the one that runs, which then ends its work: build in\n"
      "another terminal. Ctrl-C ends it. Colours: on a terminal, unless NO_COLOR is set.");
  return run;
}

constexpr const char* after_init =
    "\nNext: oarlock create api --group GROUP --version v1alpha1 --kind KIND --resource "
    "--controller\n";
constexpr const char* after_api =
    "\nNext: make test; then change plan() in src/ and see what it says.\n";

}  // namespace

project_commands::project_commands(CLI::App& app)
    : init_(add_init(app, project_)),
      api_(add_create_api(app, kind_)),
      run_(add_run(app, plugin_)) {}

std::optional<int> project_commands::run() const {
  if (init_->parsed()) return print_scaffolded(init_project(".", project_), after_init);
  if (api_->parsed()) return print_scaffolded(create_api(".", kind_), after_api);
  if (run_->parsed()) return run_plugin(plugin_);
  return std::nullopt;
}

}  // namespace oarlock::cli
