#pragma once
// What a run was started with. It stands in an immutable ConfigMap, so that neither a later edit of
// the pipeline nor of a template reaches a run that is under way.
#include <optional>
#include <string>
#include <vector>

#include "types.hpp"

namespace ml {

struct run_config {
  types::spec spec;
  std::string run_id;
  std::string spec_hash;
  std::string image;
  std::string algorithm;             ///< of the trainer; a template's own: its name
  std::vector<std::string> command;  ///< of the training; empty: the trainer's
  std::vector<json::value> trials;   ///< the parameters of each
};

/// Of what a new run would be started with: the fields of the spec that a run depends on, not
/// whether and when it goes on (suspend, priority, queue, TTL).
[[nodiscard]] std::string spec_hash_of(const types::spec& spec);

/// `algorithm`: the template that the spec names, or null. Throws user_mistake.
[[nodiscard]] run_config freeze(const types::spec& spec, const std::string& run_id,
                                const algorithm_template* algorithm);

/// The ConfigMap, and back. nullopt: it does not say what it should.
[[nodiscard]] core::config_map to_config_map(const run_config& run, const std::string& name);
[[nodiscard]] std::optional<run_config> from_config_map(const core::config_map& there);

}  // namespace ml
