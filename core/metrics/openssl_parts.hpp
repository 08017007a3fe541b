#pragma once
// OpenSSL's objects, owned. Internal to this folder.
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "core/base/result.hpp"
#include "core/metrics/errors.hpp"

namespace oarlock::metrics::openssl {

template <auto Free>
struct deleter {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using context_ptr = std::unique_ptr<SSL_CTX, deleter<SSL_CTX_free>>;
using bio_ptr = std::unique_ptr<BIO, deleter<BIO_free_all>>;
using key_ptr = std::unique_ptr<EVP_PKEY, deleter<EVP_PKEY_free>>;
using x509_ptr = std::unique_ptr<X509, deleter<X509_free>>;
using bignum_ptr = std::unique_ptr<BIGNUM, deleter<BN_free>>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, deleter<X509_EXTENSION_free>>;

/// `what` and what OpenSSL says about it.
[[nodiscard]] inline error bad(const std::string& what) {
  std::string reason = "unknown";
  if (const auto code = ERR_peek_last_error(); code != 0) {
    if (const char* text = ERR_reason_error_string(code)) reason = text;
  }
  ERR_clear_error();
  return {metrics_error::bad_certificate, what + ": " + reason};
}

/// `pem` must outlive it.
[[nodiscard]] inline bio_ptr reader(const std::string& pem) {
  return bio_ptr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

/// An encrypted key would ask for its password on the terminal.
inline int no_password(char*, int, int, void*) {
  return -1;
}

/// Null: no PEM key, or an encrypted one.
[[nodiscard]] inline key_ptr read_key(const std::string& pem) {
  const auto bio = reader(pem);
  return key_ptr(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
}

}  // namespace oarlock::metrics::openssl
