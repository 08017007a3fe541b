#pragma once
// JSON from outside, parsed under limits: no recursion over foreign input, encoding checked, depth
// and size bounded, duplicate keys refused. Thread: any.
#include <rapidjson/document.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/base/result.hpp"

namespace oarlock::json {

enum class json_error {
  syntax = 1,     ///< not JSON (RFC 8259), or not UTF-8
  too_deep,       ///< nested deeper than limits::json_depth_max
  too_large,      ///< longer than limits::response_body_bytes_max
  duplicate_key,  ///< one object names a member twice: readers disagree on which counts
  wrong_shape,    ///< JSON, but not what this place holds
};
[[nodiscard]] boost::system::error_code make_error_code(json_error e);

/// Parses one JSON text. Integers of up to 64 bits stay exact. The message names the byte offset,
/// what was expected and what stands there.
[[nodiscard]] result<rapidjson::Document> parse(std::string_view text);

/// Compact JSON. Empty, which is no JSON, when `value` cannot be written: deeper than
/// limits::json_depth_max, a number that is not finite, or a string that is not UTF-8.
[[nodiscard]] std::string write(const rapidjson::Value& value);

/// The value at a JSON pointer (RFC 6901) such as "/metadata/name" or "/items/0"; null when there
/// is none.
[[nodiscard]] const rapidjson::Value* find(const rapidjson::Value& root, std::string_view pointer);

/// One segment of a JSON pointer with ~0 and ~1 replaced by what they stand for.
[[nodiscard]] std::string unescaped_segment(std::string_view segment);

/// The string at `pointer`, valid as long as `root`; empty when absent or of another type.
[[nodiscard]] std::string_view string_at(const rapidjson::Value& root, std::string_view pointer);
/// The integer at `pointer`; nullopt when absent, of another type or outside of 64 bits.
[[nodiscard]] std::optional<std::int64_t> int_at(const rapidjson::Value& root,
                                                 std::string_view pointer);
[[nodiscard]] std::optional<bool> bool_at(const rapidjson::Value& root, std::string_view pointer);

}  // namespace oarlock::json

template <>
struct boost::system::is_error_code_enum<oarlock::json::json_error> : std::true_type {};
