#pragma once
// The Jobs of a run: what a unit of work looks like in Kubernetes.
#include <optional>
#include <string>

#include "run_config.hpp"
#include "types.hpp"

namespace ml {

/// What a Job's pods need to know beside the run's configuration.
struct job_frame {
  std::string pipeline;  ///< name of the TrainingPipeline
  std::int32_t run = 0;
  std::string claim;  ///< of the runs
  bool claim_is_of_one_node = true;
  /// The Model's claim, for units that read or write the versions; empty: none.
  std::string model_claim;
  bool model_claim_is_of_one_node = true;
  std::string model_name;
  std::int32_t version = 0;   ///< that is published; 0: none
  std::int32_t champion = 0;  ///< that is compared with; 0: none
  std::string versions_kept;  ///< "1,4,5": versions of the Model that have entries
  std::string report_url;     ///< where trials tell how far they are; empty: nowhere
  std::string audience;       ///< of their tokens for that
};

/// "<pipeline>-<run>-<unit>-a<attempt>".
[[nodiscard]] std::string job_name(const job_frame& frame, std::string_view unit_name,
                                   std::int32_t attempt);
/// The name of the run's ConfigMap.
[[nodiscard]] std::string config_name(std::string_view pipeline, std::int32_t run);
/// The name of the ConfigMap with the certificates that pods trust when they report.
[[nodiscard]] std::string trust_name(std::string_view pipeline);
/// The name of the claim that a pipeline without claimName makes, and that of a Model.
[[nodiscard]] std::string own_claim_name(std::string_view pipeline);
[[nodiscard]] std::string own_model_claim_name(std::string_view model_name);

/// `memory_doublings`: how many OOM kills it had before.
[[nodiscard]] job job_for(const job_frame& frame, const run_config& run, std::string_view unit_name,
                          std::int32_t attempt, std::int32_t memory_doublings);

[[nodiscard]] core::persistent_volume_claim claim_for(const std::string& name,
                                                      const sdk::quantity& size,
                                                      const std::optional<std::string>& class_name);

/// What every pod of ours may do and may not: not root, nothing writable but its mounts.
void restrict(core::pod_spec& pod, core::container& container);
/// Keeps pods that mount a claim of one node together, by a label of that claim.
void keep_together(core::pod_template_spec& pods, const std::string& claim);
[[nodiscard]] std::string claim_label(const std::string& claim);
core::volume& add_claim(core::pod_spec& pod, const std::string& volume, const std::string& claim);
void mount(core::container& container, const std::string& volume, const std::string& path,
           const std::string& sub_path, bool read_only);

}  // namespace ml
