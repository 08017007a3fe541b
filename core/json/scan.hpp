#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace oarlock::json {

/// The string at a JSON pointer (RFC 6901) of `text`, found without decoding anything else; nullopt
/// when there is none. `text` is sound JSON, as the cache keeps it. Thread: any.
[[nodiscard]] std::optional<std::string> scan_string(std::string_view text,
                                                     std::string_view pointer);

}  // namespace oarlock::json
