#include "generate.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <stdexcept>

#include "openssl.hpp"

namespace mysql_cluster {
namespace {

constexpr std::size_t password_length = 32;
constexpr long ca_seconds = 10L * 365 * 24 * 3600;
constexpr long grace_seconds = 300;  // for a member whose clock is behind

using extension_ptr = std::unique_ptr<X509_EXTENSION, freed<X509_EXTENSION_free>>;

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

certificate_ptr unsigned_certificate(EVP_PKEY* key, const std::string& name,
                                     std::int64_t now_unix_ms, long seconds) {
  certificate_ptr made(X509_new());
  must(made != nullptr, "making a certificate");
  std::uint64_t serial = 0;
  must(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof(serial)) == 1, "random bytes");
  must(X509_set_version(made.get(), X509_VERSION_3) == 1, "setting the version");
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.get()), serial >> 1U);
  auto now = static_cast<std::time_t>(now_unix_ms / 1000);
  X509_time_adj_ex(X509_getm_notBefore(made.get()), 0, -grace_seconds, &now);
  X509_time_adj_ex(X509_getm_notAfter(made.get()), 0, seconds, &now);
  must(X509_set_pubkey(made.get(), key) == 1, "setting the key");
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return made;
}

signed_pair pair_of(X509* certificate, EVP_PKEY* key) {
  return {pem_of(certificate), pem([&](BIO* to) {
            return PEM_write_bio_PrivateKey(to, key, nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

std::string common_name(std::string_view cluster, std::string_view ns) {
  return (std::string(cluster) + "." + std::string(ns)).substr(0, 50);
}

std::string host_names(std::string_view cluster, std::string_view ns) {
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
  return names + ",DNS:localhost";
}

}  // namespace

std::string random_bytes(std::size_t size) {
  std::string made(size, '\0');
  must(RAND_bytes(reinterpret_cast<unsigned char*>(made.data()), static_cast<int>(size)) == 1,
       "random bytes");
  return made;
}

std::string new_password() {
  static constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";  // 64: no bias
  static_assert(letters.size() == 64);
  std::string made;
  for (const char byte : random_bytes(password_length))
    made += letters[static_cast<unsigned char>(byte) & 63U];
  return made;
}

signed_pair new_ca(std::string_view cluster, std::string_view ns, std::int64_t now_unix_ms) {
  const key_ptr key = new_key();
  // CAs are told apart by their names.
  const certificate_ptr ca = unsigned_certificate(
      key.get(), common_name(cluster, ns) + " CA " + new_password().substr(0, 8), now_unix_ms,
      ca_seconds);
  X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get()));
  add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
  must(X509_sign(ca.get(), key.get(), EVP_sha256()) > 0, "signing");
  return pair_of(ca.get(), key.get());
}

signed_pair new_certificate(std::string_view cluster, std::string_view ns, const signed_pair& ca,
                            std::int64_t now_unix_ms) {
  const bio_ptr ca_text = bio_of(ca.certificate), key_text = bio_of(ca.key);
  const certificate_ptr issuer(PEM_read_bio_X509(ca_text.get(), nullptr, nullptr, nullptr));
  const key_ptr issuer_key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  must(issuer != nullptr && issuer_key != nullptr, "reading the CA");
  must(X509_check_private_key(issuer.get(), issuer_key.get()) == 1, "matching the CA and its key");
  const key_ptr key = new_key();
  const certificate_ptr made = unsigned_certificate(key.get(), common_name(cluster, ns) + " MySQL",
                                                    now_unix_ms, certificate_seconds);
  X509_set_issuer_name(made.get(), X509_get_subject_name(issuer.get()));
  add_extension(made.get(), issuer.get(), NID_subject_alt_name, host_names(cluster, ns));
  add_extension(made.get(), issuer.get(), NID_authority_key_identifier, "keyid:always");
  add_extension(made.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(made.get(), issuer.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(made.get(), issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  must(X509_sign(made.get(), issuer_key.get(), EVP_sha256()) > 0, "signing");
  return pair_of(made.get(), key.get());
}

}  // namespace mysql_cluster
