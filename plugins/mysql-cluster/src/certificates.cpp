#include "certificates.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <memory>
#include <vector>

#include "openssl.hpp"

namespace mysql_cluster {
namespace {

std::vector<certificate_ptr> read_all(std::string_view pem) {
  const bio_ptr text = bio_of(pem);
  std::vector<certificate_ptr> made;
  while (auto* one = PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr))
    made.emplace_back(one);
  ERR_clear_error();  // the one that says that there are no more
  return made;
}

std::int64_t left_ms(const X509& of, std::int64_t now_unix_ms) {
  return unix_ms(X509_get0_notAfter(&of)) - now_unix_ms;
}

bool has(const std::vector<certificate_ptr>& all, const X509& one) {
  for (const auto& other : all) {
    if (X509_cmp(other.get(), &one) == 0) return true;
  }
  return false;
}

// `newest`, and behind it those of `trusted` that have not ended.
std::string bundle(const std::string& newest, std::string_view trusted, std::int64_t now_unix_ms) {
  std::string made = newest;
  const auto first = read_all(newest);
  for (const auto& one : read_all(trusted)) {
    if (left_ms(*one, now_unix_ms) > 0 && !has(first, *one)) made += pem_of(one.get());
  }
  return made;
}

bool is_signed_by_one_of(X509& certificate, const std::vector<certificate_ptr>& all,
                         std::string& why) {
  const std::unique_ptr<X509_STORE, freed<X509_STORE_free>> store(X509_STORE_new());
  const std::unique_ptr<X509_STORE_CTX, freed<X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  for (const auto& one : all)
    X509_STORE_add_cert(store.get(), one.get());
  // What has ended is told elsewhere, and a chain may begin with what is trusted.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_PARTIAL_CHAIN);
  X509_STORE_CTX_init(check.get(), store.get(), &certificate, nullptr);
  if (X509_verify_cert(check.get()) == 1) return true;
  why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(check.get()));
  return false;
}

}  // namespace

std::string fingerprint_of(std::string_view pem) {
  const auto all = read_all(pem);
  return all.empty() ? std::string() : fingerprint(all.front().get());
}

std::int64_t ends_unix_ms(std::string_view pem) {
  const auto all = read_all(pem);
  return all.empty() ? 0 : unix_ms(X509_get0_notAfter(all.front().get()));
}

std::string fault_of(const tls_files& files) {
  const auto all = read_all(files.certificate), trusted = read_all(files.ca);
  if (trusted.empty()) return "ca.crt: expected certificates in PEM, found none";
  if (all.empty()) return "tls.crt: expected a certificate in PEM, found none";
  const bio_ptr text = bio_of(files.key);
  const key_ptr key(PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr));
  if (key == nullptr) return "tls.key: expected a private key in PEM, found none";
  if (X509_check_private_key(all.front().get(), key.get()) != 1) {
    ERR_clear_error();
    return "tls.key: expected the key of tls.crt, found another one";
  }
  std::string why;
  // A chain of several is the servers' to judge.
  if (all.size() == 1 && !is_signed_by_one_of(*all.front(), trusted, why)) {
    return "tls.crt: expected one that ca.crt has signed: " + why;
  }
  return {};
}

bool is_renewal_due(const tls_files& there, std::int64_t now_unix_ms) {
  return ends_unix_ms(there.certificate) - now_unix_ms < renew_ms ||
         ends_unix_ms(there.ca) - now_unix_ms < renew_ca_ms;
}

renewal renew(const tls_files& there, const std::optional<signed_pair>& ca,
              std::string_view cluster, std::string_view ns, std::int64_t now_unix_ms) {
  renewal made;
  tls_files next = there;
  if (!ca || ends_unix_ms(ca->certificate) - now_unix_ms < renew_ca_ms) {
    made.ca = new_ca(cluster, ns, now_unix_ms);
    next.ca = bundle(made.ca->certificate, there.ca, now_unix_ms);
    made.files = std::move(next);
    return made;
  }
  const auto signer = read_all(ca->certificate), trusted = read_all(there.ca);
  const auto since = unix_ms(X509_get0_notBefore(signer.at(0).get()));
  if (!has(trusted, *signer.front())) {
    next.ca = bundle(ca->certificate, there.ca, now_unix_ms);
    made.files = std::move(next);
    return made;
  }
  const bool is_due = ends_unix_ms(there.certificate) - now_unix_ms < renew_ms;
  if (!is_due || now_unix_ms - since < trusted_ms) return made;
  auto fresh = new_certificate(cluster, ns, *ca, now_unix_ms);
  next.ca = bundle(ca->certificate, there.ca, now_unix_ms);
  next.certificate = std::move(fresh.certificate);
  next.key = std::move(fresh.key);
  made.files = std::move(next);
  return made;
}

}  // namespace mysql_cluster
