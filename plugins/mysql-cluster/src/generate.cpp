#include "generate.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>

namespace mysql_cluster {
namespace {

constexpr std::size_t password_length = 32;
constexpr long valid_seconds = 10L * 365 * 24 * 3600;
constexpr long grace_seconds = 300;  // for a member whose clock is behind

template <auto Free>
struct freed {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};
using key_ptr = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
using certificate_ptr = std::unique_ptr<X509, freed<X509_free>>;
using extension_ptr = std::unique_ptr<X509_EXTENSION, freed<X509_EXTENSION_free>>;
using bio_ptr = std::unique_ptr<BIO, freed<BIO_free>>;

void must(bool worked, const char* what) {
  if (!worked) throw std::runtime_error(std::string("OpenSSL: ") + what + " failed");
}

key_ptr new_key() {
  key_ptr made(EVP_EC_gen("P-256"));
  must(made != nullptr, "making a key");
  return made;
}

void add_extension(X509* to, X509* issuer, int which, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  const extension_ptr made(X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str()));
  must(made != nullptr && X509_add_ext(to, made.get(), -1) == 1, "adding an extension");
}

certificate_ptr new_certificate(EVP_PKEY* key, const std::string& name) {
  certificate_ptr made(X509_new());
  must(made != nullptr, "making a certificate");
  std::uint64_t serial = 0;
  must(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial)) == 1, "random bytes");
  must(X509_set_version(made.get(), X509_VERSION_3) == 1, "setting the version");
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.get()), serial >> 1U);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -grace_seconds);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), valid_seconds);
  must(X509_set_pubkey(made.get(), key) == 1, "setting the key");
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return made;
}

template <class Write>
std::string pem(Write write) {
  const bio_ptr memory(BIO_new(BIO_s_mem()));
  must(memory != nullptr && write(memory.get()) == 1, "writing PEM");
  char* start = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &start);
  return {start, static_cast<std::size_t>(size)};
}

}  // namespace

std::string new_password() {
  static constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";  // 64: no bias
  static_assert(letters.size() == 64);
  unsigned char random[password_length];
  must(RAND_bytes(random, sizeof(random)) == 1, "random bytes");
  std::string made;
  for (const unsigned char byte : random)
    made += letters[byte & 63U];
  return made;
}

certificates new_certificates(std::string_view cluster, std::string_view ns) {
  const std::string name = std::string(cluster) + "." + std::string(ns);
  const key_ptr ca_key = new_key(), key = new_key();
  const certificate_ptr ca = new_certificate(ca_key.get(), name.substr(0, 50) + " MySQL CA");
  X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get()));
  add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
  must(X509_sign(ca.get(), ca_key.get(), EVP_sha256()) > 0, "signing");

  const certificate_ptr made = new_certificate(key.get(), name.substr(0, 50) + " MySQL");
  X509_set_issuer_name(made.get(), X509_get_subject_name(ca.get()));
  std::string names;
  for (const char* service : {"-rw", "-ro", "-hl"}) {
    const std::string host = std::string(cluster) + service;
    const std::string in_namespace = host + "." + std::string(ns);
    for (const auto& one :
         {host, in_namespace, in_namespace + ".svc", in_namespace + ".svc.cluster.local"}) {
      names += (names.empty() ? "DNS:" : ",DNS:") + one;
    }
  }
  names += ",DNS:*." + std::string(cluster) + "-hl." + std::string(ns) + ".svc.cluster.local";
  names += ",DNS:localhost";
  add_extension(made.get(), ca.get(), NID_subject_alt_name, names);
  add_extension(made.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(made.get(), ca.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(made.get(), ca.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  must(X509_sign(made.get(), ca_key.get(), EVP_sha256()) > 0, "signing");

  return {pem([&](BIO* to) { return PEM_write_bio_X509(to, ca.get()); }),
          pem([&](BIO* to) { return PEM_write_bio_X509(to, made.get()); }), pem([&](BIO* to) {
            return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace mysql_cluster
