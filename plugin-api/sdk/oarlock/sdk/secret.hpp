#pragma once
// What a Secret holds, out of the base64 that JSON has it in.
#include <rapidjson/document.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "oarlock/sdk/json.hpp"
#include "oarlock/sdk/plan.hpp"

namespace oarlock::sdk {

/// Standard base64 (RFC 4648, section 4), with padding. For Secrets that are written, stringData
/// needs none.
[[nodiscard]] inline std::string base64_encode(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) {
      return at < bytes.size() ? std::uint32_t{static_cast<unsigned char>(bytes[at])} : 0U;
    };
    const std::uint32_t three = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
    for (std::size_t digit = 0; digit < 4; ++digit) {
      const bool is_there = i + digit <= bytes.size();
      out += is_there ? digits[three >> (18U - 6U * digit) & 63U] : '=';
    }
  }
  return out;
}

/// nullopt for what is not base64.
[[nodiscard]] inline std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    int value = -1;
    if (c >= 'A' && c <= 'Z') value = c - 'A';
    if (c >= 'a' && c <= 'z') value = c - 'a' + 26;
    if (c >= '0' && c <= '9') value = c - '0' + 52;
    if (c == '+') value = 62;
    if (c == '/') value = 63;
    if (i + padding >= text.size()) value = 0;
    if (value < 0) return std::nullopt;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    if (i % 4 != 3) continue;
    for (unsigned shift = 24; shift > 0; shift -= 8)
      out += static_cast<char>(bits >> (shift - 8) & 255U);
    bits = 0;
  }
  out.resize(out.size() - padding);
  return out;
}

namespace detail {

// Not left out by a compiler that sees nobody read it.
inline void wipe(char* bytes, std::size_t size) {
  volatile char* at = bytes;
  for (std::size_t i = 0; i < size; ++i)
    at[i] = '\0';
}

}  // namespace detail

/// The values of a Secret. They are overwritten when this goes; copies of them are the caller's.
class secret_data {
 public:
  /// Of its JSON, whose values are overwritten. Throws terminal_error for what is no Secret.
  explicit secret_data(rapidjson::Document& object) {
    const json::node root(&object);
    name_ = root["metadata"]["name"].text();
    if (!root["data"].is_object()) return;
    for (auto& one : object["data"].GetObject()) {
      const std::string key(one.name.GetString(), one.name.GetStringLength());
      auto value = base64_decode(json::node(&one.value).text());
      if (!value) {
        throw terminal_error("InvalidObject", "secret " + name_ + ": expected base64 in " + key);
      }
      values_.emplace(key, std::move(*value));
      if (!one.value.IsString()) continue;
      detail::wipe(const_cast<char*>(one.value.GetString()), one.value.GetStringLength());
    }
  }
  ~secret_data() {
    for (auto& [key, value] : values_)
      detail::wipe(value.data(), value.size());
  }
  secret_data(secret_data&&) = default;
  secret_data& operator=(secret_data&&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Null when there is no such key.
  [[nodiscard]] const std::string* find(std::string_view key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
  }
  /// Throws retry_error SecretIncomplete when there is no such key.
  [[nodiscard]] const std::string& at(std::string_view key) const {
    if (const auto* found = find(key)) return *found;
    throw retry_error("SecretIncomplete", "secret " + name_ + ": expected the key " +
                                              std::string(key) + ", found none");
  }

 private:
  std::string name_;
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace oarlock::sdk
