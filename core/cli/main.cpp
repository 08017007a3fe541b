// oarlock: looks at plugins and prepares them. The daemon is oarlockd.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "core/cli/debug.hpp"
#include "core/cli/generate.hpp"
#include "core/cli/image_commands.hpp"
#include "core/cli/inspect.hpp"
#include "core/cli/install_commands.hpp"
#include "core/cli/plugin_json.hpp"
#include "core/cli/project_commands.hpp"
#include "core/plugin/version.hpp"
#include "oarlock/abi.h"

namespace {

int print_version() {
  fmt::print("oarlock {} (plugin ABI {}.{})\n", oarlock::plugin::core_version(), OARLOCK_ABI_MAJOR,
             OARLOCK_ABI_MINOR);
  return 0;
}

int print_inspection(const std::string& path, const std::vector<std::string>& image_options) {
  if (oarlock::cli::is_image(path)) return oarlock::cli::inspect_image(path, image_options);
  if (!image_options.empty()) {
    fmt::print(stderr, "oarlock: {}: expected no options, which are for images, found {}\n", path,
               image_options.front());
    return 1;
  }
  const auto report = oarlock::cli::inspect(path);
  fmt::print("{}", report.text);
  return report.would_load ? 0 : 1;
}

int print_json(const std::string& file) {
  const auto json = oarlock::cli::plugin_json(file);
  if (!json) {
    fmt::print(stderr, "oarlock: {}\n", json.error().message);
    return 1;
  }
  fmt::print("{}\n", *json);
  return 0;
}

int write_types(const oarlock::cli::types_options& options) {
  const auto written = oarlock::cli::generate_types(options);
  if (!written) {
    fmt::print(stderr, "oarlock: {}\n", written.error().message);
    return 1;
  }
  fmt::print("{}", *written);
  return 0;
}

int print_dump(const std::string& socket_path) {
  const auto text = oarlock::cli::debug_dump(socket_path);
  if (!text) {
    fmt::print(stderr, "oarlock: {}\n", text.error().message);
    return 1;
  }
  fmt::print("{}", *text);
  return 0;
}

CLI::App* add_types(CLI::App& app, oarlock::cli::types_options& o) {
  auto* generate = app.add_subcommand("generate", "Make code of schemas");
  generate->require_subcommand(1);
  auto* types = generate->add_subcommand(
      "types", "Make C++ structs of CustomResourceDefinitions: a header for each version");
  types->add_option("FILE", o.files,
                    "CustomResourceDefinitions in YAML or JSON, one in each file, or a plugin.yaml "
                    "with a configSchema");
  auto* kinds = types->add_option("--kind", o.kinds, "Built-in kinds, like apps/v1/Deployment");
  types
      ->add_option("--openapi", o.openapi,
                   "Folder of an API server's OpenAPI v3 documents, for --kind")
      ->needs(kinds);
  types->add_option("-o,--output", o.folder, "Where GROUP/VERSION/KIND.hpp go")
      ->capture_default_str();
  types->add_option(
      "--stamp", o.stamp,
      "Write this file when a header has changed; the headers include it, for builds");
  types->footer(
      "Example:\n"
      "  oarlock generate types crds/example.com_myapps.yaml -o include\n"
      "writes include/example.com/v1alpha1/my_app.hpp; the struct is "
      "example_com::v1alpha1::my_app:\n"
      "  auto app = oarlock::sdk::from_json<example_com::v1alpha1::my_app>(text);\n"
      "  app.spec->replicas = 3;\n"
      "  text = oarlock::sdk::to_json(app);  // with all fields that the struct does not know\n"
      "In a project of `oarlock init` the build does this for crds/ and plugin.yaml.");
  return types;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Oarlock: makes plugins, looks at them and prepares them", "oarlock");
  app.set_help_all_flag("--help-all", "Print the help of all subcommands and exit");
  app.require_subcommand(1);
  std::string path;
  auto* version = app.add_subcommand("version", "Print the version and the plugin ABI");
  oarlock::cli::project_commands project(app);
  auto* plugin = app.add_subcommand("plugin", "Work on plugins");
  plugin->require_subcommand(1);
  auto* inspect = plugin->add_subcommand(
      "inspect",
      "Print what a plugin is and whether this build would load it; runs none of its code");
  inspect->add_option("PATH", path, "A plugin's folder or library, or an image: FILE.tar or REF")
      ->required();
  inspect->allow_extras()->footer("Of an image also: --key PUBLIC, --plain-http, --ca-file FILE");
  const oarlock::cli::image_commands images(*plugin);
  auto* json = plugin->add_subcommand("json", "Print plugin.yaml, or a CRD, as JSON");
  json->add_option("FILE", path, "A YAML file")->required();
  const oarlock::cli::install_commands install(*plugin);
  auto* debug = app.add_subcommand("debug", "Look into a running oarlockd");
  debug->require_subcommand(1);
  auto* dump = debug->add_subcommand("dump", "Print its queues, caches and lease as JSON");
  dump->add_option("--socket", path, "Its --debug-socket")->required();
  oarlock::cli::types_options types_of;
  auto* types = add_types(app, types_of);
  CLI11_PARSE(app, argc, argv);
  try {
    if (*version) return print_version();
    if (*types) return write_types(types_of);
    if (const auto code = project.run()) return *code;
    if (*debug) return print_dump(path);
    if (const auto code = install.run()) return *code;
    if (const auto code = images.run()) return *code;
    if (*inspect) return print_inspection(path, inspect->remaining());
    return print_json(path);
  } catch (const std::exception& e) {
    fmt::print(stderr, "oarlock: {}\n", e.what());
    return 1;
  }
}
