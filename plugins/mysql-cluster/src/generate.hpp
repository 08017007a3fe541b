#pragma once
// Passwords and certificates. Draws from the system's random source.
#include <string>
#include <string_view>

namespace mysql_cluster {

/// 32 characters of letters, digits, - and _.
[[nodiscard]] std::string new_password();

/// A CA of its own that signs one certificate, which all members of a cluster have; the CA's key is
/// thrown away. PEM.
struct certificates {
  std::string ca, certificate, key;
};
/// Valid for ten years. Throws std::runtime_error.
[[nodiscard]] certificates new_certificates(std::string_view cluster, std::string_view ns);

}  // namespace mysql_cluster
