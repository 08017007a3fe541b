#pragma once
// The Status object, with which the API server explains itself, and the Retry-After header.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oarlock::kube {

struct status_cause {
  std::string reason;
  std::string message;
  std::string field;
};

struct status_object {
  bool failure = true;
  int code = 0;
  std::string reason;
  std::string message;
  std::vector<status_cause> causes;
  std::optional<std::chrono::milliseconds> retry_after;
};

/// nullopt when `body` is anything but a Status: plain text, HTML, another kind, damaged JSON.
[[nodiscard]] std::optional<status_object> parse_status(std::string_view body);

/// `code` when it is one of HTTP (RFC 9110 section 15), else `otherwise`.
[[nodiscard]] constexpr int http_code(std::optional<std::int64_t> code, int otherwise) {
  return code && *code >= 100 && *code <= 599 ? static_cast<int>(*code) : otherwise;
}

/// The seconds form of Retry-After, at most a day. The API server never sends the date form; that,
/// and whatever else is not a number, counts as absent.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view header);

}  // namespace oarlock::kube
