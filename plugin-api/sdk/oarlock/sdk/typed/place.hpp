#pragma once
// Where in a document something stands, and how that is told.
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "oarlock/sdk/json.hpp"
#include "oarlock/sdk/text.hpp"
#include "oarlock/sdk/typed/nested.hpp"

namespace oarlock::sdk::schema {

using json_out = rapidjson::Writer<rapidjson::StringBuffer>;

/// Where a value stands in its document; lives on the stack of the reader.
struct place {
  const place* parent = nullptr;
  std::string_view name = {};
  std::size_t index = 0;
  bool is_index = false;
  const source* lazy = nullptr;  ///< set: objects are read when they are looked at

  [[nodiscard]] place field(std::string_view key) const { return {this, key, 0, false, lazy}; }
  [[nodiscard]] place item(std::size_t i) const { return {this, {}, i, true, lazy}; }
};

inline std::string describe(const place& at) {
  if (at.parent == nullptr) return {};
  std::string path = describe(*at.parent);
  if (at.is_index) return path + "[" + std::to_string(at.index) + "]";
  const bool is_plain = at.name.find_first_of(".[]\" /") == std::string_view::npos;
  if (!is_plain) return path + "[\"" + std::string(at.name) + "\"]";
  return path + (path.empty() ? "" : ".") + std::string(at.name);
}

namespace detail {

inline std::string text_of(const rapidjson::Value& value) {
  rapidjson::StringBuffer buffer;
  json_out out(buffer);
  value.Accept(out);
  return {buffer.GetString(), buffer.GetSize()};
}

inline std::string what_is(const rapidjson::Value& value) {
  constexpr std::size_t bytes_max = 80;
  if (value.IsNull()) return "null";
  if (value.IsObject()) return "an object";
  if (value.IsArray()) return "a list";
  const char* word = value.IsString() ? "the text " : value.IsNumber() ? "the number " : "";
  return word + shorten(text_of(value), bytes_max);
}

inline bool path_to(const rapidjson::Value& from, const rapidjson::Value& to, std::string& path) {
  if (&from == &to) return true;
  const std::size_t size = path.size();
  if (from.IsObject()) {
    for (const auto& member : from.GetObject()) {
      const place parent{},
          at = parent.field({member.name.GetString(), member.name.GetStringLength()});
      path += (path.empty() || describe(at).starts_with('[') ? "" : ".") + describe(at);
      if (path_to(member.value, to, path)) return true;
      path.resize(size);
    }
  } else if (from.IsArray()) {
    for (rapidjson::SizeType i = 0; i < from.Size(); ++i) {
      path += "[" + std::to_string(i) + "]";
      if (path_to(from[i], to, path)) return true;
      path.resize(size);
    }
  }
  return false;
}

}  // namespace detail

[[noreturn]] inline void mismatch(const place& at, std::string_view expected,
                                  const std::string& found) {
  const place* top = &at;
  while (top->parent != nullptr)
    top = top->parent;
  std::string path = describe(at);
  // The name of a place that was reached later begins in the middle: at.name of its top.
  if (!top->name.empty() && !path.starts_with('[') && !path.empty()) path = "." + path;
  path = std::string(top->name) + path;
  throw json::parse_error((path.empty() ? "object" : path) + ": expected " + std::string(expected) +
                          ", found " + found);
}
[[noreturn]] inline void mismatch(const place& at, std::string_view expected,
                                  const rapidjson::Value& found) {
  mismatch(at, expected, detail::what_is(found));
}

}  // namespace oarlock::sdk::schema
