#include "tests/support/certificates.hpp"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace oarlock::test {

namespace {

template <class Write>
std::string to_pem(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return out;
}

EVP_PKEY* make_key(key_kind kind) {
  return kind == key_kind::rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
}

void add_extension(X509* cert, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) throw std::runtime_error("bad extension " + value);
  X509_add_ext(cert, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* make_cert(EVP_PKEY* key, const char* common_name, long serial, long valid_seconds) {
  X509* cert = X509_new();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
  X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
  X509_gmtime_adj(X509_getm_notAfter(cert), valid_seconds);
  X509_set_pubkey(cert, key);
  auto* name = X509_get_subject_name(cert);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
  return cert;
}

}  // namespace

authority_for_tests::authority_for_tests(key_kind kind)
    : key_(make_key(kind)), cert_(make_cert(key_, "test authority", 1, 86400)) {
  X509_set_issuer_name(cert_, X509_get_subject_name(cert_));
  add_extension(cert_, cert_, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(cert_, cert_, NID_subject_key_identifier, "hash");
  X509_sign(cert_, key_, EVP_sha256());
  pem_ = to_pem([&](BIO* bio) { PEM_write_bio_X509(bio, cert_); });
}

authority_for_tests::~authority_for_tests() {
  X509_free(cert_);
  EVP_PKEY_free(key_);
}

identity authority_for_tests::issue(key_kind kind, const std::string& names, long valid_seconds) {
  EVP_PKEY* key = make_key(kind);
  X509* cert = make_cert(key, "127.0.0.1", ++serial_, valid_seconds);
  X509_set_issuer_name(cert, X509_get_subject_name(cert_));
  // Tells authorities of one name apart, as in every certificate that Kubernetes issues.
  add_extension(cert, cert_, NID_authority_key_identifier, "keyid");
  if (!names.empty()) add_extension(cert, cert_, NID_subject_alt_name, names);
  X509_sign(cert, key_, EVP_sha256());
  identity out;
  out.cert_pem = to_pem([&](BIO* bio) { PEM_write_bio_X509(bio, cert); });
  out.key_pem = to_pem([&](BIO* bio) {
    PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  out.key_old_pem = to_pem([&](BIO* bio) {
    if (kind == key_kind::ec) PEM_write_bio_Parameters(bio, key);
    PEM_write_bio_PrivateKey_traditional(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  X509_free(cert);
  EVP_PKEY_free(key);
  return out;
}

}  // namespace oarlock::test
