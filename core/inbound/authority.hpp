#pragma once
// The authority behind the certificates of the inbound listener, from its making to its end.
#include <string>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/metrics/certificates.hpp"

namespace oarlock::inbound {

/// The one that signs; the one that will, which pods learn to trust before; and the one before, as
/// long as a certificate of it may be in use.
struct authority {
  static constexpr duration lifetime = std::chrono::hours(365 * 24);
  /// Of the one that signs, when the next one is made known, and when it begins to sign: pods that
  /// started between the two trust both.
  static constexpr duration next_known = std::chrono::hours(120 * 24);
  static constexpr duration next_signs = std::chrono::hours(60 * 24);

  metrics::key_pair signer;
  metrics::key_pair next;          ///< empty: none yet
  std::string before_certificate;  ///< PEM; empty: none

  /// What a pod is to trust, PEM.
  [[nodiscard]] std::string trusted_pem() const;
  /// Does what is due; an authority without a signer gets one. Whether anything changed.
  [[nodiscard]] result<bool> advance(const std::string& name, const clock& clock_source);
};

/// As the `data` of a Secret, and back; keys are base64 there. An entry that is missing is empty.
/// `there`: the Secret that it replaces, of which all else stays; empty: there is none.
[[nodiscard]] result<std::string> secret_of(const authority& a, const std::string& ns,
                                            const std::string& name, const std::string& there);
[[nodiscard]] result<authority> authority_in(const std::string& secret_json);

}  // namespace oarlock::inbound
