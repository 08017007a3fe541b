#pragma once
// What the fuzz targets share. A target is one function from bytes to nothing that ends the process
// when a property does not hold.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace oarlock::fuzz {

/// Ends the process, which is how libFuzzer and the replay test learn of a broken property.
inline void expect(bool holds, std::string_view property, std::string_view found = {}) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: expected: %.*s; found: %.*s\n", static_cast<int>(property.size()),
               property.data(), static_cast<int>(found.size()), found.data());
  std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Cuts off and returns what stands before the first `mark`; all of it when there is none.
inline std::string_view cut(std::string_view& rest, std::string_view mark) {
  const auto at = rest.find(mark);
  const auto first = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + mark.size());
  return first;
}

/// Cuts off the first byte as a number; 0 when there is none.
inline unsigned cut_byte(std::string_view& rest) {
  if (rest.empty()) return 0;
  const auto byte = static_cast<unsigned char>(rest.front());
  rest.remove_prefix(1);
  return byte;
}

}  // namespace oarlock::fuzz

/// libFuzzer's name for a target; the replay test gives each its own by a definition.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
