#pragma once
// The server's side of TLS: a certificate from files, reloaded when they change, or one made at
// start.
#include <openssl/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/result.hpp"
#include "core/metrics/certificates.hpp"

namespace oarlock::metrics {

/// Thread: the server's loop. TLS 1.2 or newer; HTTP/2 is not spoken, so rapid reset
/// (CVE-2023-44487) has nothing to hold on to.
class server_tls {
 public:
  virtual ~server_tls() = default;
  /// What a new connection uses. Owned by this object; valid until the next call.
  [[nodiscard]] virtual SSL_CTX* current() = 0;
  /// The certificate (chain) in use, as PEM.
  [[nodiscard]] virtual const std::string& certificate_pem() const = 0;
};

/// tls.crt and tls.key in `folder`, looked at for a change at most every 10 s (cert-manager and
/// mounted Secrets replace them). A bad new pair is logged, in the name of `server`, and the old
/// one kept. Outlived by `clock_source` and `metrics`.
[[nodiscard]] result<std::unique_ptr<server_tls>> tls_from_files(std::filesystem::path folder,
                                                                 const clock& clock_source,
                                                                 metric_registry& metrics,
                                                                 std::string server = "metrics");

/// A fresh EC P-256 certificate for `names` (host names and IP addresses). For clients that pin it
/// or skip verification; production mounts one.
[[nodiscard]] result<std::unique_ptr<server_tls>> tls_self_signed(std::vector<std::string> names,
                                                                  const clock& clock_source);

/// Certificates of an authority, for a day each; a new one is made in time.
class authority_tls : public server_tls {
 public:
  /// From now on they are of this one.
  [[nodiscard]] virtual result<> use(key_pair authority) = 0;
};
[[nodiscard]] result<std::unique_ptr<authority_tls>> tls_issued_by(key_pair authority,
                                                                   std::vector<std::string> names,
                                                                   const clock& clock_source);

}  // namespace oarlock::metrics
