#pragma once
// Owners of OpenSSL's objects, and what several files do with them.
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace mysql_cluster {

template <auto Free>
struct freed {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freed<X509_free>>;
using bio_ptr = std::unique_ptr<BIO, freed<BIO_free>>;

/// Of a text that outlives it.
[[nodiscard]] inline bio_ptr bio_of(std::string_view text) {
  return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// SHA-256 in hexadecimal.
[[nodiscard]] inline std::string fingerprint(const X509* of) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (X509_digest(of, EVP_sha256(), digest, &size) != 1) return {};
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string made;
  for (unsigned int i = 0; i < size; ++i) {
    made += digits[digest[i] >> 4U];
    made += digits[digest[i] & 15U];
  }
  return made;
}

/// 0 for what is no time.
[[nodiscard]] inline std::int64_t unix_ms(const ASN1_TIME* at) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(at, &parts) != 1) return 0;
  return std::int64_t{timegm(&parts)} * 1000;
}

/// What `write` writes into memory. Throws std::runtime_error.
template <class Write>
[[nodiscard]] std::string pem(Write write) {
  const bio_ptr memory(BIO_new(BIO_s_mem()));
  if (memory == nullptr || write(memory.get()) != 1) {
    throw std::runtime_error("OpenSSL: writing PEM failed");
  }
  char* start = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &start);
  return {start, static_cast<std::size_t>(size)};
}
[[nodiscard]] inline std::string pem_of(const X509* certificate) {
  return pem([&](BIO* to) { return PEM_write_bio_X509(to, certificate); });
}

}  // namespace mysql_cluster
