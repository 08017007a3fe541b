#pragma once
// The first frame to a child: what to load and behind which walls.
#include <cstdint>
#include <string>
#include <vector>

#include "core/plugin/wire.hpp"

namespace oarlock::plugin::wire {

enum class sandbox_mode : std::uint32_t { required, best_effort };

struct load_request {
  std::string core_version;  ///< of the daemon: the host program must be of the same build
  std::int32_t parent = 0;   ///< process that the child must not outlive
  sandbox_mode mode = sandbox_mode::required;
  std::uint32_t child_user = 0;         ///< user and group to become; 0: stay who it is
  std::uint64_t memory_bytes_max = 0;   ///< private memory; 0: no limit
  std::uint32_t workers = 0;            ///< threads that plan
  std::int32_t log_level = 0;           ///< the lowest that is kept, an oarlock_log_level
  std::uint64_t metric_series_max = 0;  ///< 0: no limit
  bool has_lease = false;               ///< lease_fd is open
  std::string plugin;                   ///< name and version as plugin.yaml has them
  std::string version;
  std::string library_file;  ///< paths, for messages only
  std::string manifest_file;
  std::string config_json;
  std::vector<std::string> controllers;      ///< of plugin.yaml
  std::vector<std::uint16_t> connect_ports;  ///< of plugin.yaml
};

void put(writer& w, const load_request& request);
[[nodiscard]] load_request take_load_request(reader& r);

/// The answer to everything but plan. `why` is empty when it went well.
struct answer {
  std::int32_t status = 0;      ///< OARLOCK_OK, or what the plugin returned
  std::int32_t error_code = 0;  ///< a plugin_error; 0: none
  std::string why = {};
  std::string gaps = {};          ///< of load, best effort: walls that could not be put up
  std::uint64_t image_begin = 0;  ///< of load: where the library lies in the child
  std::uint64_t image_end = 0;
};

void put(writer& w, const answer& a);
[[nodiscard]] answer take_answer(reader& r);

}  // namespace oarlock::plugin::wire
