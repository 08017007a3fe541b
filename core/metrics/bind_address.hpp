#pragma once
// Where a server listens, as operator people write it: ":8443", "127.0.0.1:0", "[::1]:8081", "0".
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace oarlock::metrics {

struct bind_address {
  std::string host;        ///< an IP address; empty: every address of the machine
  std::uint16_t port = 0;  ///< 0: any free port

  auto operator<=>(const bind_address&) const = default;
  /// Only this machine can reach it (127.0.0.0/8, ::1).
  [[nodiscard]] bool is_loopback() const;
  /// "127.0.0.1:80", "[::1]:80", ":80".
  [[nodiscard]] std::string text() const;
};

/// nullopt for "0": the server is off. "localhost" is 127.0.0.1; other names are refused, because
/// what they resolve to may change under a running server.
[[nodiscard]] result<std::optional<bind_address>> parse_bind_address(std::string_view text);

}  // namespace oarlock::metrics
