// oarlock: looks at plugins and prepares them. The daemon is oarlockd.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <string>

#include "core/cli/inspect.hpp"
#include "core/cli/plugin_json.hpp"
#include "core/plugin/version.hpp"
#include "oarlock/abi.h"

namespace {

int print_version() {
  fmt::print("oarlock {} (plugin ABI {}.{})\n", oarlock::plugin::core_version(), OARLOCK_ABI_MAJOR,
             OARLOCK_ABI_MINOR);
  return 0;
}

int print_inspection(const std::string& path) {
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

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Oarlock: looks at plugins and prepares them");
  app.require_subcommand(1);
  std::string path;
  auto* version = app.add_subcommand("version", "Print the version and the plugin ABI");
  auto* plugin = app.add_subcommand("plugin", "Work on plugins");
  plugin->require_subcommand(1);
  auto* inspect = plugin->add_subcommand(
      "inspect",
      "Print what a plugin is and whether this build would load it; runs none of its code");
  inspect->add_option("PATH", path, "A plugin's folder or library")->required();
  auto* json = plugin->add_subcommand("json", "Print plugin.yaml, or a CRD, as JSON");
  json->add_option("FILE", path, "A YAML file")->required();
  CLI11_PARSE(app, argc, argv);
  try {
    if (*version) return print_version();
    if (*inspect) return print_inspection(path);
    return print_json(path);
  } catch (const std::exception& e) {
    fmt::print(stderr, "oarlock: {}\n", e.what());
    return 1;
  }
}
