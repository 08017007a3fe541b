#pragma once
// Text that a plugin hands over: checked before any of it is kept. And text lent to one.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "oarlock/abi.h"

namespace oarlock::plugin {

/// Views of `text`, which must outlive them.
[[nodiscard]] inline oarlock_str_view lend(std::string_view text) {
  return {text.data(), text.size()};
}
[[nodiscard]] inline oarlock_bytes_view lend_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// Empty when `lent` is UTF-8 of at most `bytes_max` bytes; else what is wrong with it.
[[nodiscard]] std::string trouble_of_text(oarlock_str_view lent, std::string_view name,
                                          std::size_t bytes_max);
/// A copy; empty for NULL, whatever its size says.
[[nodiscard]] std::string text_of(oarlock_str_view lent);
/// metav1.Condition: ^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$
[[nodiscard]] bool is_reason(std::string_view s);
/// metav1.Condition, without insisting on the grammar of an optional DNS prefix.
[[nodiscard]] bool is_condition_type(std::string_view s);
/// Letters, digits and "-_.".
[[nodiscard]] bool is_effect_name(std::string_view s);
/// The beginning of `text`, cut between characters.
[[nodiscard]] std::string shortened(const std::string& text, std::size_t bytes_max);

}  // namespace oarlock::plugin
