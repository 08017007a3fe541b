#include "core/net/loopback_test.hpp"

#include <sys/socket.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

namespace oarlock::net::testing {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;

namespace {

class loopback_peer final : public peer {
 public:
  loopback_peer(tcp::socket socket, asio::ssl::context* tls) : socket_(std::move(socket)) {
    if (tls == nullptr) return;
    tls_.emplace(socket_, *tls);
    error_code ec;
    tls_->handshake(asio::ssl::stream_base::server, ec);
    broken_ = static_cast<bool>(ec);
  }
  std::string read_request() override {
    while (!broken_ && pending_.find("\r\n\r\n") == std::string::npos)
      fill();
    if (broken_) return {};
    auto size = pending_.find("\r\n\r\n") + 4;
    if (const auto at = pending_.find("Content-Length: "); at < size) {
      size += std::stoul(pending_.substr(at + 16));
    }
    while (!broken_ && pending_.size() < size)
      fill();
    if (broken_) return {};
    auto out = pending_.substr(0, size);
    pending_.erase(0, size);
    return out;
  }
  bool write(const std::string& bytes) override {
    if (broken_) return false;
    error_code ec;
    if (tls_) {
      asio::write(*tls_, asio::buffer(bytes), ec);
    } else {
      asio::write(socket_, asio::buffer(bytes), ec);
    }
    broken_ = static_cast<bool>(ec);
    return !broken_;
  }
  void wait_for_close() override {
    while (!broken_)
      fill();
  }
  void cut() override {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    broken_ = true;
  }
  std::string client_name() override {
    X509* cert = tls_ ? SSL_get1_peer_certificate(tls_->native_handle()) : nullptr;
    if (cert == nullptr) return {};
    char name[64] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
    X509_free(cert);
    return name;
  }

 private:
  void fill() {
    char bytes[4096];
    error_code ec;
    const auto got = tls_ ? tls_->read_some(asio::buffer(bytes), ec)
                          : socket_.read_some(asio::buffer(bytes), ec);
    pending_.append(bytes, got);
    broken_ = static_cast<bool>(ec);
  }

  tcp::socket socket_;
  std::optional<asio::ssl::stream<tcp::socket&>> tls_;
  std::string pending_;
  bool broken_ = false;
};

std::unique_ptr<asio::ssl::context> server_context(const server_tls& tls) {
  auto out = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  out->use_certificate_chain(asio::buffer(tls.own.cert_pem));
  out->use_private_key(asio::buffer(tls.own.key_pem), asio::ssl::context::pem);
  if (!tls.client_ca_pem.empty()) {
    out->add_certificate_authority(asio::buffer(tls.client_ca_pem));
    out->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  }
  return out;
}

}  // namespace

struct loopback_server::impl {
  asio::io_context io;
  tcp::acceptor acceptor{io, {asio::ip::make_address("127.0.0.1"), 0}};
  unsigned short port = acceptor.local_endpoint().port();
  std::unique_ptr<asio::ssl::context> tls;
  script run;
  std::atomic<int> accepted = 0;
  std::atomic<bool> stopping = false;
  std::mutex mutex;
  std::vector<int> descriptors;  // duplicates: to end what a script still waits for
  std::vector<std::thread> workers;
  std::thread listener;

  void listen() {
    for (;;) {
      error_code ec;
      tcp::socket socket(io);
      acceptor.accept(socket, ec);
      if (ec || stopping) return;
      const std::lock_guard lock(mutex);
      descriptors.push_back(::dup(socket.native_handle()));
      workers.emplace_back([this, s = std::move(socket), number = accepted++]() mutable {
        loopback_peer p(std::move(s), tls.get());
        run(p, number);
        p.cut();
      });
    }
  }
};

loopback_server::loopback_server(script s) : impl_(std::make_unique<impl>()) {
  impl_->run = std::move(s);
  impl_->listener = std::thread([this] { impl_->listen(); });
}

loopback_server::loopback_server(script s, server_tls tls) : impl_(std::make_unique<impl>()) {
  impl_->run = std::move(s);
  impl_->tls = server_context(tls);
  impl_->listener = std::thread([this] { impl_->listen(); });
}

loopback_server::~loopback_server() {
  impl_->stopping = true;
  ::shutdown(impl_->acceptor.native_handle(), SHUT_RDWR);
  impl_->listener.join();
  for (const int descriptor : impl_->descriptors) {
    ::shutdown(descriptor, SHUT_RDWR);
    ::close(descriptor);
  }
  for (auto& worker : impl_->workers)
    worker.join();
}

std::string loopback_server::port() const {
  return std::to_string(impl_->port);
}

int loopback_server::connections() const {
  return impl_->accepted;
}

std::string ok_answer(const std::string& body, const std::string& headers) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers +
         "\r\n" + body;
}

}  // namespace oarlock::net::testing
