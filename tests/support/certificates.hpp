#pragma once
// Certificates made in the process.
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <string>

namespace oarlock::test {

/// A key and its certificate, as PEM.
struct identity {
  std::string cert_pem;
  std::string key_pem;      ///< PKCS#8
  std::string key_old_pem;  ///< PKCS#1 for RSA, SEC1 (with parameters in front) for EC
};

enum class key_kind { rsa, ec };

/// A certificate authority that lives as long as its test.
class authority_for_tests {
 public:
  explicit authority_for_tests(key_kind kind = key_kind::ec);
  ~authority_for_tests();
  authority_for_tests(const authority_for_tests&) = delete;
  authority_for_tests& operator=(const authority_for_tests&) = delete;

  [[nodiscard]] const std::string& pem() const { return pem_; }
  /// `names` as OpenSSL spells them: "DNS:api.test,IP:127.0.0.1"; empty: no names at all.
  /// `valid_seconds` below zero: expired.
  [[nodiscard]] identity issue(key_kind kind, const std::string& names, long valid_seconds = 3600);

 private:
  EVP_PKEY* key_;
  X509* cert_;
  long serial_ = 1;
  std::string pem_;
};

}  // namespace oarlock::test
