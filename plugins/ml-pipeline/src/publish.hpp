#pragma once
// How a run's model becomes a version of a Model: a number is reserved in the Model by a
// compare-and-swap, a Job stages and renames the files, then digest and alias are entered in one
// compare-and-swap. Two runs that publish at once get two numbers; what was served before stays
// until the alias moves, and comes back if the new version does not answer.
#include <string>

#include "units.hpp"

namespace ml {

[[nodiscard]] const model* find_model(const input& in, const std::optional<std::string>& name);
/// The claim that holds its versions.
[[nodiscard]] std::string claim_of(const model& m);
/// The version that the alias names; 0: none.
[[nodiscard]] std::int32_t aliased(const model& m, std::string_view alias);
/// The version that this run has reserved; 0: none.
[[nodiscard]] std::int32_t reserved(const model& m, std::string_view pipeline,
                                    std::string_view run_id);
/// "1,4,5": the versions that have an entry.
[[nodiscard]] std::string versions_of(const model& m);

enum class publication {
  under_way,
  done,
  failed,  ///< status.failure says why
};
/// The stage after the gates, as far as it is now.
[[nodiscard]] publication publish(unit_desk& desk, const model& m);

}  // namespace ml
