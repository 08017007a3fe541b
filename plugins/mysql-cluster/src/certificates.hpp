#pragma once
// When certificates are made anew, and what there is to say of those that are there. The clock is
// an input.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "generate.hpp"

namespace mysql_cluster {

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
/// A certificate of 90 days is renewed when this is left of it.
inline constexpr std::int64_t renew_ms = 30 * day_ms;
/// This much before its end another CA is made, and both are trusted.
inline constexpr std::int64_t renew_ca_ms = 365 * day_ms;
/// A CA signs once it has been trusted for so long: everybody has it by then.
inline constexpr std::int64_t trusted_ms = day_ms;
/// From here on it is told that nobody has renewed a certificate.
inline constexpr std::int64_t ends_soon_ms = 14 * day_ms;

/// What servers are given, PEM; `ca` has all that are trusted, the newest first.
struct tls_files {
  std::string ca, certificate, key;
};

/// Of the first certificate in a PEM text, its SHA-256 in hexadecimal; empty when there is none.
[[nodiscard]] std::string fingerprint_of(std::string_view pem);
/// When the first certificate in a PEM text ends; 0 when there is none.
[[nodiscard]] std::int64_t ends_unix_ms(std::string_view pem);
/// Why no server could use these; empty: it could. That they have ended is no fault of theirs.
[[nodiscard]] std::string fault_of(const tls_files& files);

/// Whether renew() may have something to do: then it needs the CA and its key.
[[nodiscard]] bool is_renewal_due(const tls_files& there, std::int64_t now_unix_ms);

/// Only what is to be written. The files come before the CA: what somebody does not trust yet must
/// not sign.
struct renewal {
  std::optional<tls_files> files;
  std::optional<signed_pair> ca;
};
/// `ca` is the one that signs now; none: its key is lost, and another CA takes its place. Throws
/// std::runtime_error.
[[nodiscard]] renewal renew(const tls_files& there, const std::optional<signed_pair>& ca,
                            std::string_view cluster, std::string_view ns,
                            std::int64_t now_unix_ms);

}  // namespace mysql_cluster
