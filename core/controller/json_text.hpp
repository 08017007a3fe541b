#pragma once
#include <rapidjson/document.h>

#include <string_view>

namespace oarlock::controller {

/// A copy of `s` as a JSON string that lives in `memory`.
[[nodiscard]] inline rapidjson::Value text(std::string_view s,
                                           rapidjson::Document::AllocatorType& memory) {
  return rapidjson::Value(s.data(), static_cast<rapidjson::SizeType>(s.size()), memory);
}

}  // namespace oarlock::controller
