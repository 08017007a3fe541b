#pragma once
// The seam between the controller of Plugin objects and whoever runs plugins.
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/task.hpp"

namespace oarlock::package {

/// A plugin whose image was verified and which may run.
struct plugin_order {
  std::string name;
  std::string image;                ///< by digest, for messages
  std::filesystem::path folder;     ///< of its unpacked files; stays until the revision is replaced
  std::string fingerprint;          ///< of the verified bytes: plugin::candidate::fingerprint()
  std::string config;               ///< JSON, for create()
  bool in_core = false;             ///< else in a child
  std::vector<std::string> quotas;  ///< entries of a quota_table
};

struct plugin_health {
  bool is_loaded = false;
  std::string trouble;  ///< why it does not work right now; empty: it does
  std::string note;     ///< what else people should know
};

struct kind_claim {
  std::string plugin;
  std::string kind;  ///< "myapps.example.com"
};

/// Thread: the stream loop.
class plugin_runner {
 public:
  virtual ~plugin_runner() = default;
  /// Runs it; where another revision of it runs, loads it beside, drains that one and switches.
  /// After an error that one goes on.
  [[nodiscard]] virtual task<result<>> run(plugin_order order) = 0;
  /// Ends its controllers and then the plugin, if it runs. False: it was cut short, as the daemon
  /// stops.
  [[nodiscard]] virtual task<bool> end(std::string name) = 0;
  [[nodiscard]] virtual plugin_health look(const std::string& name) const = 0;
  /// The primary kinds of all that runs.
  [[nodiscard]] virtual std::vector<kind_claim> claims() const = 0;
};

}  // namespace oarlock::package
