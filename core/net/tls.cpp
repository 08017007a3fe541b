#include "core/net/tls.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <boost/asio/ip/address.hpp>

#include <memory>

namespace oarlock::net {

namespace ssl = boost::asio::ssl;

namespace {

template <auto Free>
struct freer {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using bio_ptr = std::unique_ptr<BIO, freer<BIO_free_all>>;
using cert_ptr = std::unique_ptr<X509, freer<X509_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, freer<EVP_PKEY_free>>;

std::string openssl_error() {
  const auto code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "no details";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
}

error not_usable(std::string message) {
  return {net_error::not_sent, std::move(message)};
}

bio_ptr reader(const std::string& pem) {
  return bio_ptr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Without it OpenSSL would ask the terminal for a pass phrase.
int no_pass_phrase(char*, int, int, void*) {
  return 0;
}

// The next certificate, or null at the end of the bundle; `damaged` tells the two ends apart.
cert_ptr next_certificate(BIO* bio, bool& damaged) {
  ERR_clear_error();
  cert_ptr cert(PEM_read_bio_X509(bio, nullptr, no_pass_phrase, nullptr));
  if (!cert) {
    const auto code = ERR_peek_last_error();
    damaged = !(ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
  }
  return cert;
}

result<> trust(SSL_CTX* context, const std::string& ca_pem) {
  const auto bio = reader(ca_pem);
  auto* store = SSL_CTX_get_cert_store(context);
  int count = 0;
  bool damaged = false;
  while (const auto cert = next_certificate(bio.get(), damaged)) {
    if (X509_STORE_add_cert(store, cert.get()) != 1) {
      return not_usable("certificate authority: certificate not usable: " + openssl_error());
    }
    ++count;
  }
  if (damaged || count == 0) {
    return not_usable(
        "certificate authority: expected PEM certificates, found a damaged one or none: " +
        openssl_error());
  }
  ERR_clear_error();
  return {};
}

result<> use_client_certificate(SSL_CTX* context, const std::string& pem) {
  const auto bio = reader(pem);
  bool damaged = false;
  const auto leaf = next_certificate(bio.get(), damaged);
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return not_usable("client certificate: expected a PEM certificate: " + openssl_error());
  }
  while (const auto cert = next_certificate(bio.get(), damaged)) {
    if (SSL_CTX_add1_chain_cert(context, cert.get()) != 1) {
      return not_usable("client certificate: its chain is not usable: " + openssl_error());
    }
  }
  if (damaged) return not_usable("client certificate: its chain is damaged: " + openssl_error());
  ERR_clear_error();
  return {};
}

result<> use_client_key(SSL_CTX* context, const std::string& pem) {
  const auto bio = reader(pem);
  ERR_clear_error();
  const key_ptr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (!key) {
    return not_usable("client key: expected an unencrypted PEM key (PKCS#8, PKCS#1 or SEC1): " +
                      openssl_error());
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return not_usable("client key: it does not belong to the client certificate: " +
                      openssl_error());
  }
  return {};
}

}  // namespace

result<std::unique_ptr<ssl::context>> make_tls_context(const tls_material& material) {
  auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
  auto* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  constexpr unsigned char alpn[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(native, alpn, sizeof(alpn) - 1);
  SSL_CTX_set_verify(native, material.verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  // A CA file may hold an intermediate only: it is an anchor all the same, as in Go's verifier.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(native), X509_V_FLAG_PARTIAL_CHAIN);
  if (material.verify_peer && material.ca_pem.empty()) {
    SSL_CTX_set_default_verify_paths(native);
  } else if (!material.ca_pem.empty()) {
    if (auto done = trust(native, material.ca_pem); !done) return done.error();
  }
  if (material.client_cert_pem.empty() != material.client_key_pem.empty()) {
    return not_usable("expected a client certificate and its key, found only one of them");
  }
  if (!material.client_cert_pem.empty()) {
    if (auto done = use_client_certificate(native, material.client_cert_pem); !done) {
      return done.error();
    }
    if (auto done = use_client_key(native, material.client_key_pem); !done) return done.error();
  }
  return context;
}

result<> expect_peer(SSL* ssl, const std::string& name, bool verify) {
  boost::system::error_code not_an_address;
  boost::asio::ip::make_address(name, not_an_address);
  auto* param = SSL_get0_param(ssl);
  if (!not_an_address) {
    if (verify && X509_VERIFY_PARAM_set1_ip_asc(param, name.c_str()) != 1) {
      return not_usable("expected an IP address without a zone to verify, found '" + name + "'");
    }
    return {};
  }
  if (SSL_set_tlsext_host_name(ssl, name.c_str()) != 1) {
    return not_usable("expected a server name of at most 255 bytes: " + openssl_error());
  }
  if (!verify) return {};
  X509_VERIFY_PARAM_set_hostflags(
      param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (name.empty() || X509_VERIFY_PARAM_set1_host(param, name.data(), name.size()) != 1) {
    return not_usable("expected a host name to verify, found '" + name + "'");
  }
  return {};
}

std::string trust_failure(SSL* ssl) {
  const auto verdict = SSL_get_verify_result(ssl);
  return verdict == X509_V_OK ? std::string() : X509_verify_cert_error_string(verdict);
}

}  // namespace oarlock::net
