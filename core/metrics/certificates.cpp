#include "core/metrics/certificates.hpp"

#include <fmt/format.h>
#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <ctime>

#include "core/metrics/openssl_parts.hpp"

namespace oarlock::metrics {

namespace {

using namespace std::chrono_literals;
using namespace openssl;

// The clocks of clients differ.
constexpr auto clock_margin = 1h;

struct plan_of_certificate {
  std::string common_name;
  std::vector<std::pair<int, std::string>> extensions;  // in X509V3's words
  wall_time end;
};

std::string alternative_names(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) {
    boost::system::error_code not_ip;
    static_cast<void>(boost::asio::ip::make_address(name, not_ip));
    out += fmt::format("{}{}:{}", out.empty() ? "" : ",", not_ip ? "DNS" : "IP", name);
  }
  return out;
}

bool add_extension(X509& cert, X509& issuer, int nid, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, &issuer, &cert, nullptr, nullptr, 0);
  const extension_ptr made(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return made && X509_add_ext(&cert, made.get(), -1) == 1;
}

bool set_times(X509& cert, wall_time end, const clock& clock_source) {
  const auto begin = std::chrono::system_clock::to_time_t(clock_source.wall_now() - clock_margin);
  return ASN1_TIME_set(X509_getm_notBefore(&cert), begin) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(&cert), std::chrono::system_clock::to_time_t(end)) !=
             nullptr;
}

// Signed by `issuer_key`; null `issuer`: by itself.
result<x509_ptr> make_certificate(EVP_PKEY& key, const plan_of_certificate& plan, X509* issuer,
                                  EVP_PKEY& issuer_key, const clock& clock_source) {
  x509_ptr cert(X509_new());
  const bignum_ptr serial(BN_new());
  auto* subject = cert ? X509_get_subject_name(cert.get()) : nullptr;
  const bool begun =
      cert && serial && X509_set_version(cert.get(), X509_VERSION_3) == 1 &&
      BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(cert.get())) != nullptr &&
      set_times(*cert, plan.end, clock_source) &&
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(plan.common_name.c_str()),
                                 -1, -1, 0) == 1 &&
      X509_set_issuer_name(cert.get(),
                           issuer == nullptr ? subject : X509_get_subject_name(issuer)) == 1 &&
      X509_set_pubkey(cert.get(), &key) == 1;
  if (!begun) return bad("make a certificate");
  for (const auto& [nid, value] : plan.extensions) {
    if (!add_extension(*cert, issuer == nullptr ? *cert : *issuer, nid, value)) {
      return bad("make a certificate with " + value);
    }
  }
  if (X509_sign(cert.get(), &issuer_key, EVP_sha256()) == 0) return bad("sign a certificate");
  return cert;
}

std::string text_in(BIO& bio) {
  char* bytes = nullptr;
  const auto length = BIO_get_mem_data(&bio, &bytes);
  return {bytes, static_cast<std::size_t>(length)};
}

result<key_pair> as_pem(X509& cert, EVP_PKEY& key) {
  const bio_ptr cert_out(BIO_new(BIO_s_mem()));
  const bio_ptr key_out(BIO_new(BIO_s_mem()));
  const bool written =
      cert_out && key_out && PEM_write_bio_X509(cert_out.get(), &cert) == 1 &&
      PEM_write_bio_PrivateKey(key_out.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
  if (!written) return bad("write a certificate");
  return key_pair{text_in(*cert_out), text_in(*key_out)};
}

x509_ptr read_certificate(const std::string& pem) {
  const auto bio = reader(pem);
  return x509_ptr(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

result<key_pair> made_by_itself(const plan_of_certificate& plan, const clock& clock_source) {
  const key_ptr key(EVP_EC_gen("P-256"));
  if (!key) return bad("make an EC key");
  auto cert = make_certificate(*key, plan, nullptr, *key, clock_source);
  if (!cert) return cert.error();
  return as_pem(**cert, *key);
}

}  // namespace

result<key_pair> self_signed(const std::vector<std::string>& names, duration lifetime,
                             const clock& clock_source) {
  return made_by_itself({"oarlock metrics",
                         {{NID_basic_constraints, "critical,CA:TRUE"},
                          {NID_ext_key_usage, "serverAuth"},
                          {NID_subject_alt_name, alternative_names(names)}},
                         clock_source.wall_now() + lifetime},
                        clock_source);
}

result<key_pair> make_authority(const std::string& common_name, duration lifetime,
                                const clock& clock_source) {
  // With key identifiers: Python from 3.13 on insists on them.
  return made_by_itself({common_name,
                         {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                          {NID_key_usage, "critical,keyCertSign,cRLSign"},
                          {NID_subject_key_identifier, "hash"}},
                         clock_source.wall_now() + lifetime},
                        clock_source);
}

result<key_pair> issue(const key_pair& authority, const std::vector<std::string>& names,
                       duration lifetime, const clock& clock_source) {
  const auto issuer = read_certificate(authority.certificate_pem);
  const auto issuer_key = read_key(authority.key_pem);
  if (!issuer || !issuer_key || X509_check_private_key(issuer.get(), issuer_key.get()) != 1) {
    return bad("expected an authority's certificate and its key, in PEM");
  }
  const auto last = end_of(authority.certificate_pem);
  if (!last) return last.error();
  const key_ptr key(EVP_EC_gen("P-256"));
  if (!key) return bad("make an EC key");
  auto cert = make_certificate(*key,
                               {"oarlock",
                                {{NID_basic_constraints, "critical,CA:FALSE"},
                                 {NID_key_usage, "critical,digitalSignature"},
                                 {NID_ext_key_usage, "serverAuth"},
                                 {NID_subject_key_identifier, "hash"},
                                 {NID_authority_key_identifier, "keyid:always"},
                                 {NID_subject_alt_name, alternative_names(names)}},
                                std::min<wall_time>(*last, clock_source.wall_now() + lifetime)},
                               issuer.get(), *issuer_key, clock_source);
  if (!cert) return cert.error();
  return as_pem(**cert, *key);
}

result<wall_time> end_of(const std::string& certificate_pem) {
  const auto cert = read_certificate(certificate_pem);
  std::tm end{};
  if (!cert || ASN1_TIME_to_tm(X509_get0_notAfter(cert.get()), &end) != 1) {
    return bad("expected a PEM certificate");
  }
  return std::chrono::system_clock::from_time_t(::timegm(&end));
}

}  // namespace oarlock::metrics
