#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

namespace oarlock::json {

/// Where `text` stops being UTF-8 (RFC 3629: no overlong forms, no surrogates), as a byte offset;
/// nullopt when it never does.
[[nodiscard]] std::optional<std::size_t> first_not_utf8(std::string_view text);

/// True when `text` may go to yaml-cpp: UTF-8 without control characters but tab, line ends and DEL
/// (YAML 1.2.2 section 5.1, nb-json). Given others, its scanner may not come back.
[[nodiscard]] bool is_yaml_text(std::string_view text);

/// Half of a surrogate pair, which readers of JSON escapes let through as three bytes.
[[nodiscard]] bool has_surrogate(std::string_view text);

}  // namespace oarlock::json
