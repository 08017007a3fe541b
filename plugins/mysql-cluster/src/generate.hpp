#pragma once
// Passwords and certificates. Draws from the system's random source; the time is the caller's.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mysql_cluster {

[[nodiscard]] std::string random_bytes(std::size_t size);
/// 32 characters of letters, digits, - and _.
[[nodiscard]] std::string new_password();

/// For how long the certificate of the servers is valid; a CA is for ten years.
inline constexpr std::int64_t certificate_seconds = 90LL * 24 * 3600;

/// PEM.
struct signed_pair {
  std::string certificate, key;
};
/// Throws std::runtime_error, as the next one does.
[[nodiscard]] signed_pair new_ca(std::string_view cluster, std::string_view ns,
                                 std::int64_t now_unix_ms);
/// One for all members of a cluster, signed by `ca`.
[[nodiscard]] signed_pair new_certificate(std::string_view cluster, std::string_view ns,
                                          const signed_pair& ca, std::int64_t now_unix_ms);

}  // namespace mysql_cluster
