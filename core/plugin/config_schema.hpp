#pragma once
// The schema of a plugin's configuration (spec.configSchema of plugin.yaml), and what it makes of
// one. It is written as openAPIV3Schema of a CRD is, with fewer words. Thread: any.
#include <rapidjson/document.h>

#include <optional>
#include <string>
#include <vector>

#include "core/plugin/yaml.hpp"

namespace oarlock::plugin {

struct config_fault {
  doc_path path;
  std::string message;  ///< expected, found, what to do
};

/// What is wrong with a schema, its own defaults included; nullopt when it can be used below.
[[nodiscard]] std::optional<config_fault> fault_of_schema(const rapidjson::Value& schema);

/// What is wrong with a configuration; nullopt when nothing is, and then its defaults are filled
/// in, as the API server does for objects. `schema` has no fault.
[[nodiscard]] std::optional<config_fault> complete_config(rapidjson::Document& config,
                                                          const rapidjson::Value& schema);

/// One thing that can be configured, in words for people.
struct config_key {
  std::string path;  ///< "engine.power", "ports[].name", "flags.<key>"
  std::string type;  ///< "an integer from 1 to 40"
  bool is_required = false;
  std::string fallback;     ///< the default as JSON, shortened; empty: none
  std::string description;  ///< of the schema, may be empty
};

/// What a schema without fault lets an administrator say, in its order. Maps whose keys it names
/// are told by these.
[[nodiscard]] std::vector<config_key> keys_of_schema(const rapidjson::Value& schema);

}  // namespace oarlock::plugin
