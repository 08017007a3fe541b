#pragma once
// What must not be read in an observation, and passes through one on its way into a Secret: a plan
// is pure, so what it writes is made before. Observations are kept in records of reconciles.
#include <string>
#include <string_view>

namespace mysql_cluster {

/// Legible for this process only, and only until it ends. Throws std::runtime_error.
[[nodiscard]] std::string seal(std::string_view text);
/// What was sealed; a text that was not is given back as it is. Throws retry_error for what another
/// process has sealed.
[[nodiscard]] std::string unseal(std::string_view text);

}  // namespace mysql_cluster
