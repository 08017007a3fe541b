#pragma once
// X.509 certificates with EC P-256 keys, made here: a self-signed one, and an authority of our own.
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"

namespace oarlock::metrics {

/// PEM.
struct key_pair {
  std::string certificate_pem;
  std::string key_pem;
};

/// For `names`: host names and IP addresses. Thread: any, of all of these.
[[nodiscard]] result<key_pair> self_signed(const std::vector<std::string>& names, duration lifetime,
                                           const clock& clock_source);
/// That issues certificates of servers, and no other authority.
[[nodiscard]] result<key_pair> make_authority(const std::string& common_name, duration lifetime,
                                              const clock& clock_source);
/// Ends no later than its authority.
[[nodiscard]] result<key_pair> issue(const key_pair& authority,
                                     const std::vector<std::string>& names, duration lifetime,
                                     const clock& clock_source);
/// When the first certificate of the text ends. Error: there is none.
[[nodiscard]] result<wall_time> end_of(const std::string& certificate_pem);

}  // namespace oarlock::metrics
