#pragma once
// Puts plugins of the zoo into folders of their own and loads them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "core/base/metric_registry.hpp"
#include "core/base/system_clock.hpp"
#include "core/plugin/child_host.hpp"
#include "core/plugin/plugin_host.hpp"
#include "oarlock/abi.h"

namespace oarlock::abi {

namespace fs = std::filesystem;

inline std::string zoo_file(const std::string& name) {
  return std::string(ZOO_DIR) + "/lib" + name + ".so";
}

inline std::string read_whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  EXPECT_TRUE(in) << file;
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_whole(const fs::path& file, const std::string& bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

inline std::string this_abi() {
  return "{major: " + std::to_string(OARLOCK_ABI_MAJOR) +
         ", minor: " + std::to_string(OARLOCK_ABI_MINOR) + "}";
}

/// A plugin.yaml of the zoo. Its controller owns ConfigMaps; it may be configured in any way.
inline std::string zoo_manifest(const std::string& abi = this_abi(),
                                const std::string& more_of_spec = "") {
  return "apiVersion: oarlock.dev/v1alpha1\n"
         "kind: PluginManifest\n"
         "metadata: {name: zoo}\n"
         "spec:\n"
         "  version: 1.0.0\n"
         "  library: libzoo.so\n"
         "  configSchema: {type: object, x-kubernetes-preserve-unknown-fields: true}\n"
         "  abi: " +
         abi + "\n" + more_of_spec +
         "  controllers:\n"
         "    - name: zoo\n"
         "      primary: {apiVersion: example.com/v1, kind: Animal, plural: animals}\n"
         "      owns: [{apiVersion: v1, kind: ConfigMap, plural: configmaps},\n"
         "             {apiVersion: v1, kind: Secret, plural: secrets}]\n"
         "      watches: [{apiVersion: v1, kind: Pod, plural: pods, mapByLabel: app,\n"
         "                 writes: [patch]}]\n";
}

/// A temporary folder. Libraries from it stay mapped after it is gone, which is fine: the mapping
/// keeps the file.
class folder {
 public:
  folder() {
    std::string name = (fs::temp_directory_path() / "oarlock-abi-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

enum class home { core, child };

inline std::string home_name(const ::testing::TestParamInfo<home>& info) {
  return info.param == home::core ? "core" : "child";
}

inline metric_registry& zoo_metrics() {
  static const auto registry = make_prometheus_registry();
  return *registry;
}

/// The sum of its series.
inline double metric(const std::string& name) {
  const std::string text = zoo_metrics().serialize();
  double sum = 0;
  for (std::size_t at = text.find("\n" + name + "{"); at != std::string::npos;
       at = text.find("\n" + name + "{", at + 1)) {
    sum += std::stod(text.substr(text.find("} ", at) + 2));
  }
  return sum;
}

/// Short waits for what dies on purpose.
inline plugin::child_settings zoo_settings() {
  plugin::child_settings out;
  out.program = HOST_PROGRAM;
  out.restart_interval = std::chrono::milliseconds(1);
  return out;
}

inline result<std::unique_ptr<plugin::loaded_plugin>> load_from(
    const fs::path& path, home where, const std::string& config = "{}",
    const plugin::child_settings& settings = zoo_settings()) {
  static system_clock clock;
  if (where == home::core) {
    return plugin::load_plugin(path, config,
                               {settings.quotas, &clock, &zoo_metrics(),
                                settings.lease == nullptr ? nullptr : &settings.lease->limit(),
                                settings.fingerprint, settings.configs, settings.exports});
  }
  return plugin::load_plugin_in_child(path, config, settings, clock, zoo_metrics());
}

/// Loads `bytes` as the library of a plugin folder.
inline result<std::unique_ptr<plugin::loaded_plugin>> load_bytes(
    const folder& where, const std::string& bytes, home in,
    const std::string& manifest = zoo_manifest(), const std::string& config = "{}",
    const plugin::child_settings& settings = zoo_settings()) {
  write_whole(where.path() / "plugin.yaml", manifest);
  write_whole(where.path() / "libzoo.so", bytes);
  return load_from(where.path(), in, config, settings);
}

}  // namespace oarlock::abi
