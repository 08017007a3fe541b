#pragma once
#include <optional>
#include <string_view>

#include "core/base/clock.hpp"

namespace oarlock {

/// "2026-01-02T03:04:05[.678](Z|+01:00)" (RFC 3339 section 5.6), cut to the second; nullopt for
/// anything else.
[[nodiscard]] std::optional<wall_time> parse_rfc3339(std::string_view text);

}  // namespace oarlock
