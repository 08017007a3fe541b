#pragma once
// Percent, ETA and the numbers of the stages, for people.
#include <string>

#include "units.hpp"

namespace ml {

/// Enters status.trials and status.progress.
void show_progress(unit_desk& desk);
/// One sentence about what is under way.
[[nodiscard]] std::string progress_message(const record& status);
/// "1h02m", "3m05s", "40s".
[[nodiscard]] std::string duration_text(std::int64_t seconds);

}  // namespace ml
