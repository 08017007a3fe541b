#pragma once
// The parameters of each trial, from the search space and the seed.
#include <vector>

#include "parameters.hpp"

namespace ml {

/// At least one. The same spec gives the same trials. Throws user_mistake InvalidParameters or
/// ImpossibleSearch.
[[nodiscard]] std::vector<json::value> trials_of(const types::spec& spec,
                                                 const std::vector<parameter>& known,
                                                 std::string_view algorithm);

}  // namespace ml
