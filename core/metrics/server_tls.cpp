#include "core/metrics/server_tls.hpp"

#include <fmt/format.h>

#include <fstream>
#include <optional>
#include <utility>

#include "core/base/log.hpp"
#include "core/metrics/errors.hpp"
#include "core/metrics/openssl_parts.hpp"

namespace oarlock::metrics {

namespace {

using namespace std::chrono_literals;
using namespace openssl;

constexpr std::size_t pem_bytes_max = 1U << 20U;
constexpr auto reload_period = 10s;
// Nobody renews it: the process makes another one when it starts.
constexpr auto self_signed_lifetime = 3650 * 24h;
// Renewed when two thirds of it are over.
constexpr auto issued_lifetime = 24h;

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

class file_tls final : public server_tls {
 public:
  file_tls(std::string server, std::filesystem::path folder, const clock& c,
           metric_registry& metrics)
      : server_(std::move(server)),
        folder_(std::move(folder)),
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
        log_error("keeping the old certificate",
                  {{"server", server_}, {"error", loaded.error().message}});
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
    const auto key = read_key(*key_pem);
    if (!key) return bad(fmt::format("{}: expected a PEM key", (folder_ / "tls.key").string()));
    auto context = make_context(*cert, *key);
    if (!context) return context.error().within(folder_.string());
    context_ = std::move(*context);
    cert_pem_ = std::move(*cert);
    key_pem_ = std::move(*key_pem);
    log_info("loaded the certificate", {{"server", server_}, {"folder", folder_.string()}});
    return {};
  }

  const std::string server_;
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

// Certificates of an authority of ours, one after another.
class issued_tls final : public authority_tls {
 public:
  issued_tls(std::vector<std::string> names, const clock& c)
      : names_(std::move(names)), clock_(c) {}

  result<> use(key_pair authority) override {
    auto before = std::exchange(authority_, std::move(authority));
    auto issued = renew();
    if (!issued) authority_ = std::move(before);
    return issued;
  }
  SSL_CTX* current() override {
    if (clock_.now() >= renew_at_) {
      if (auto issued = renew(); !issued) {
        log_error("keeping the old certificate", {{"error", issued.error().message}});
        renew_at_ = clock_.now() + reload_period;
      }
    }
    return context_.get();
  }
  const std::string& certificate_pem() const override { return pem_; }

 private:
  result<> renew() {
    auto made = issue(authority_, names_, issued_lifetime, clock_);
    if (!made) return made.error();
    const auto key = read_key(made->key_pem);
    if (!key) return bad("read a key just made");
    auto context = make_context(made->certificate_pem, *key);
    if (!context) return context.error();
    context_ = std::move(*context);
    pem_ = std::move(made->certificate_pem);
    renew_at_ = clock_.now() + issued_lifetime * 2 / 3;
    return {};
  }

  const std::vector<std::string> names_;
  const clock& clock_;
  key_pair authority_;
  context_ptr context_;
  std::string pem_;
  steady_time renew_at_{};
};

}  // namespace

result<std::unique_ptr<server_tls>> tls_from_files(std::filesystem::path folder,
                                                   const clock& clock_source,
                                                   metric_registry& metrics, std::string server) {
  auto made =
      std::make_unique<file_tls>(std::move(server), std::move(folder), clock_source, metrics);
  if (auto loaded = made->load(); !loaded) return loaded.error();
  return std::unique_ptr<server_tls>(std::move(made));
}

result<std::unique_ptr<server_tls>> tls_self_signed(std::vector<std::string> names,
                                                    const clock& clock_source) {
  auto made = self_signed(names, self_signed_lifetime, clock_source);
  if (!made) return made.error();
  const auto key = read_key(made->key_pem);
  if (!key) return bad("read a key just made");
  auto context = make_context(made->certificate_pem, *key);
  if (!context) return context.error();
  return std::unique_ptr<server_tls>(
      std::make_unique<fixed_tls>(std::move(*context), std::move(made->certificate_pem)));
}

result<std::unique_ptr<authority_tls>> tls_issued_by(key_pair authority,
                                                     std::vector<std::string> names,
                                                     const clock& clock_source) {
  auto made = std::make_unique<issued_tls>(std::move(names), clock_source);
  if (auto used = made->use(std::move(authority)); !used) return used.error();
  return std::unique_ptr<authority_tls>(std::move(made));
}

}  // namespace oarlock::metrics
