#include "core/metrics/server_tls.hpp"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <boost/asio/ip/address.hpp>

#include <fstream>
#include <optional>

#include "core/base/log.hpp"
#include "core/metrics/errors.hpp"

namespace oarlock::metrics {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t pem_bytes_max = 1U << 20U;
constexpr auto reload_period = 10s;
// Nobody renews it: the process makes another one when it starts.
constexpr long self_signed_days = 3650;

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

error bad(const std::string& what) {
  std::string reason = "unknown";
  if (const auto code = ERR_peek_last_error(); code != 0) {
    if (const char* text = ERR_reason_error_string(code)) reason = text;
  }
  ERR_clear_error();
  return {metrics_error::bad_certificate, what + ": " + reason};
}

bio_ptr reader(const std::string& pem) {
  return bio_ptr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// The leaf first, then its chain, as in every PEM bundle.
result<> use_certificates(SSL_CTX& context, const std::string& pem) {
  const auto bio = reader(pem);
  const x509_ptr leaf(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(&context, leaf.get()) != 1) {
    return bad("expected a PEM certificate");
  }
  while (x509_ptr next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    if (SSL_CTX_add0_chain_cert(&context, next.get()) != 1) return bad("expected a PEM chain");
    static_cast<void>(next.release());  // the context owns it now
  }
  ERR_clear_error();  // the end of the file is one for OpenSSL
  return {};
}

result<context_ptr> make_context(const std::string& cert_pem, EVP_PKEY& key) {
  context_ptr context(SSL_CTX_new(TLS_server_method()));
  if (!context) return bad("make a TLS context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  // No session cache: a scrape every 15 s gains little, and memory stays bounded.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  if (auto used = use_certificates(*context, cert_pem); !used) return used.error();
  if (SSL_CTX_use_PrivateKey(context.get(), &key) != 1) {
    return bad("expected the key of the certificate, found another");
  }
  return context;
}

result<std::string> read_pem(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    return error{metrics_error::bad_certificate,
                 fmt::format("expected a readable PEM file {}, found none", file.string())};
  }
  std::string text(pem_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > pem_bytes_max) {
    return error{metrics_error::bad_certificate,
                 fmt::format("{}: expected at most {} bytes", file.string(), pem_bytes_max)};
  }
  return text;
}

// An encrypted key would ask for its password on the terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

class file_tls final : public server_tls {
 public:
  file_tls(std::filesystem::path folder, const clock& c, metric_registry& metrics)
      : folder_(std::move(folder)),
        clock_(c),
        reads_(metrics.make_counter("certwatcher_read_certificate_total",
                                    "Total number of certificate reads", {})),
        errors_(metrics.make_counter("certwatcher_read_certificate_errors_total",
                                     "Total number of certificate read errors", {})) {}

  result<> load() {
    checked_ = clock_.now();
    reads_.add();
    auto loaded = take_files();
    if (!loaded) errors_.add();
    return loaded;
  }
  SSL_CTX* current() override {
    if (clock_.now() >= checked_ + reload_period) {
      if (auto loaded = load(); !loaded) {
        log_error("keeping the old metrics certificate", {{"error", loaded.error().message}});
      }
    }
    return context_.get();
  }
  const std::string& certificate_pem() const override { return cert_pem_; }

 private:
  result<> take_files() {
    auto cert = read_pem(folder_ / "tls.crt");
    if (!cert) return cert.error();
    auto key_pem = read_pem(folder_ / "tls.key");
    if (!key_pem) return key_pem.error();
    if (context_ && *cert == cert_pem_ && *key_pem == key_pem_) return {};
    const auto bio = reader(*key_pem);
    const key_ptr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
    if (!key) return bad(fmt::format("{}: expected a PEM key", (folder_ / "tls.key").string()));
    auto context = make_context(*cert, *key);
    if (!context) return context.error().within(folder_.string());
    context_ = std::move(*context);
    cert_pem_ = std::move(*cert);
    key_pem_ = std::move(*key_pem);
    log_info("loaded the metrics certificate", {{"folder", folder_.string()}});
    return {};
  }

  std::filesystem::path folder_;
  const clock& clock_;
  counter& reads_;
  counter& errors_;
  context_ptr context_;
  std::string cert_pem_;
  std::string key_pem_;
  steady_time checked_;
};

class fixed_tls final : public server_tls {
 public:
  fixed_tls(context_ptr context, std::string pem)
      : context_(std::move(context)), pem_(std::move(pem)) {}
  SSL_CTX* current() override { return context_.get(); }
  const std::string& certificate_pem() const override { return pem_; }

 private:
  context_ptr context_;
  std::string pem_;
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

bool add_extension(X509& cert, int nid, const std::string& value) {
  const extension_ptr made(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  return made && X509_add_ext(&cert, made.get(), -1) == 1;
}

result<x509_ptr> make_certificate(EVP_PKEY& key, const std::vector<std::string>& names,
                                  const clock& clock_source) {
  x509_ptr cert(X509_new());
  const bignum_ptr serial(BN_new());
  const auto now = std::chrono::system_clock::to_time_t(clock_source.wall_now());
  const std::string common = "oarlock metrics";
  auto* subject = cert ? X509_get_subject_name(cert.get()) : nullptr;
  const bool made =
      cert && serial && X509_set_version(cert.get(), X509_VERSION_3) == 1 &&
      BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(cert.get())) != nullptr &&
      // An hour back: the clocks of clients differ.
      ASN1_TIME_set(X509_getm_notBefore(cert.get()), now - 3600) != nullptr &&
      ASN1_TIME_adj(X509_getm_notAfter(cert.get()), now, self_signed_days, 0) != nullptr &&
      X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1,
                                 0) == 1 &&
      X509_set_issuer_name(cert.get(), subject) == 1 && X509_set_pubkey(cert.get(), &key) == 1 &&
      add_extension(*cert, NID_basic_constraints, "critical,CA:TRUE") &&
      add_extension(*cert, NID_ext_key_usage, "serverAuth") &&
      add_extension(*cert, NID_subject_alt_name, alternative_names(names)) &&
      X509_sign(cert.get(), &key, EVP_sha256()) != 0;
  if (!made) return bad("make a self-signed certificate");
  return cert;
}

}  // namespace

result<std::unique_ptr<server_tls>> tls_from_files(std::filesystem::path folder,
                                                   const clock& clock_source,
                                                   metric_registry& metrics) {
  auto made = std::make_unique<file_tls>(std::move(folder), clock_source, metrics);
  if (auto loaded = made->load(); !loaded) return loaded.error();
  return std::unique_ptr<server_tls>(std::move(made));
}

result<std::unique_ptr<server_tls>> tls_self_signed(std::vector<std::string> names,
                                                    const clock& clock_source) {
  const key_ptr key(EVP_EC_gen("P-256"));
  if (!key) return bad("make an EC key");
  auto cert = make_certificate(*key, names, clock_source);
  if (!cert) return cert.error();
  const bio_ptr out(BIO_new(BIO_s_mem()));
  if (!out || PEM_write_bio_X509(out.get(), cert->get()) != 1) return bad("write a certificate");
  char* bytes = nullptr;
  const auto length = BIO_get_mem_data(out.get(), &bytes);
  std::string pem(bytes, static_cast<std::size_t>(length));
  auto context = make_context(pem, *key);
  if (!context) return context.error();
  return std::unique_ptr<server_tls>(
      std::make_unique<fixed_tls>(std::move(*context), std::move(pem)));
}

}  // namespace oarlock::metrics
