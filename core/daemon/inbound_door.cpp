#include "core/daemon/inbound_door.hpp"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/inbound/authority_secret.hpp"
#include "core/metrics/errors.hpp"

namespace oarlock::daemon {

namespace {

using namespace std::chrono_literals;

// An authority lives for a year, files are replaced by people and cert-manager.
constexpr duration authority_period = 1h;
constexpr duration files_period = 10s;
constexpr duration retry_period = 5s;
// What a plugin has, and what a queue before it may take.
constexpr auto answer_limit = plugin::inbound_limits::time + 3s;
constexpr std::size_t ca_bytes_max = 256U << 10U;

// Asks by `ask`, and waits for the answer on the loop of `timer`.
task<plugin::inbound_answer> await_answer(
    std::function<void(std::function<void(plugin::inbound_answer)>)> ask) {
  const auto here = co_await boost::asio::this_coro::executor;
  auto timer = std::make_shared<boost::asio::steady_timer>(here);
  auto answer = std::make_shared<std::optional<plugin::inbound_answer>>();
  timer->expires_after(answer_limit);
  ask([here, timer, answer](plugin::inbound_answer given) {
    boost::asio::post(here, [timer, answer, given = std::move(given)]() mutable {
      *answer = std::move(given);
      timer->cancel();
    });
  });
  co_await timer->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  if (*answer) co_return std::move(**answer);
  co_return plugin::core_answer(504, "the plugin did not answer in time");
}

result<std::string> read_ca(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (in.bad() || text.empty() || text.size() > ca_bytes_max || !metrics::end_of(text)) {
    return error{metrics::metrics_error::bad_certificate,
                 fmt::format("inbound-cert-dir: expected PEM certificates in {}, for pods to trust",
                             file.string())};
  }
  return text;
}

}  // namespace

inbound_door::inbound_door(const options& o, parts p) : o_(o), p_(std::move(p)) {}

inbound_door::~inbound_door() {
  stop();
}

result<> inbound_door::connect() {
  auto made = p_.connect(loop_.get_executor());
  if (!made) return made.error();
  api_ = std::move(*made);
  client_ = std::make_unique<kube::client>(
      kube::client::parts{loop_.get_executor(), api_.transport.get(), api_.identity.get(),
                          p_.clock_source, p_.timer_source, p_.metrics, nullptr});
  return {};
}

void inbound_door::start() {
  spawn(loop_.get_executor(), keep(this, stopping_.get_token()));
  loop_.start();
}

void inbound_door::await_open(duration most) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, most, [this] { return is_open_; });
}

check inbound_door::state() const {
  const std::lock_guard lock(mutex_);
  return {.name = "inbound", .trouble = trouble_, .gates = false};
}

void inbound_door::stop() {
  if (stopping_.stop_requested()) return;
  stopping_.request_stop();
  loop_.stop();
  if (server_) server_->stop();
}

task<> inbound_door::keep(inbound_door* self, std::stop_token stop) {
  for (;;) {
    auto done = co_await self->refresh(stop);
    if (stop.stop_requested()) co_return;
    bool is_news = false;
    {
      const std::lock_guard lock(self->mutex_);
      const auto trouble = done ? std::string() : done.error().message;
      is_news = std::exchange(self->trouble_, trouble) != trouble;
      self->is_open_ = self->is_open_ || done.has_value();
    }
    self->changed_.notify_all();
    if (!done && is_news) {
      log_error("pods are not listened to, or not with a new certificate; it is tried again",
                {{"error", done.error().message}});
    }
    const auto usual = self->o_.inbound_cert_dir.empty() ? authority_period : files_period;
    if (!co_await self->p_.timer_source->sleep_for(done ? usual : retry_period, stop)) co_return;
  }
}

task<result<>> inbound_door::refresh(std::stop_token stop) {
  if (!o_.inbound_cert_dir.empty()) co_return use_files();
  co_return co_await use_authority(std::move(stop));
}

// The certificate itself is looked at for a change by tls_from_files.
result<> inbound_door::use_files() {
  const std::filesystem::path folder(o_.inbound_cert_dir);
  const auto ca = read_ca(folder / "ca.crt");
  if (!ca) return ca.error();
  if (!server_) {
    auto made = metrics::tls_from_files(folder, *p_.clock_source, *p_.metrics, "inbound");
    if (!made) return made.error();
    if (auto opened = open(std::move(*made)); !opened) return opened;
  }
  say(*ca);
  return {};
}

task<result<>> inbound_door::use_authority(std::stop_token stop) {
  const auto name = o_.runtime_name + "-inbound";
  const auto kept = co_await inbound::keep_authority(*client_, o_.leader_election_namespace, name,
                                                     *p_.clock_source, std::move(stop));
  if (!kept) {
    co_return kept.error().within("the Secret " + o_.leader_election_namespace + "/" + name);
  }
  if (!issued_) {
    auto made = metrics::tls_issued_by(kept->signer, names(), *p_.clock_source);
    if (!made) co_return made.error();
    issued_ = std::move(*made);
  } else if (kept->signer.certificate_pem != signer_pem_) {
    if (auto used = issued_->use(kept->signer); !used) co_return used;
  }
  signer_pem_ = kept->signer.certificate_pem;
  if (!server_) {
    if (auto opened = open(issued_); !opened) co_return opened;
  }
  say(kept->trusted_pem());
  co_return result<>();
}

result<> inbound_door::open(std::shared_ptr<metrics::server_tls> tls) {
  inbound::inbound_server::parts parts;
  parts.loop = loop_.get_executor();
  parts.client = client_.get();
  parts.clock_source = p_.clock_source;
  parts.metrics = p_.metrics;
  parts.audience = audience();
  parts.where = *o_.inbound;
  parts.tls = std::move(tls);
  parts.leads = p_.leads;
  parts.ask = [ask = p_.ask](std::string plugin, plugin::inbound_request request) {
    return await_answer([ask, plugin = std::move(plugin), request = std::move(request)](
                            std::function<void(plugin::inbound_answer)> done) mutable {
      ask(std::move(plugin), std::move(request), std::move(done));
    });
  };
  auto made = std::make_unique<inbound::inbound_server>(std::move(parts));
  if (auto listening = made->start(); !listening) return listening;
  server_ = std::move(made);
  return {};
}

void inbound_door::say(const std::string& ca_pem) {
  controller::inbound_endpoint next;
  next.url = (o_.inbound_url.empty() ? fmt::format("https://{}:{}", host(), server_->where().port)
                                     : o_.inbound_url) +
             "/v1";
  next.ca_pem = ca_pem;
  next.audience = audience();
  const bool is_known = next.url == said_.url && next.ca_pem == said_.ca_pem;
  if (is_known) return;
  said_ = next;
  log_info("pods reach plugins", {{"url", next.url}, {"audience", next.audience}});
  p_.publish(std::make_shared<const controller::inbound_endpoint>(std::move(next)));
}

std::string inbound_door::audience() const {
  return o_.runtime_name + ".inbound.oarlock.dev";
}

// That pods connect to.
std::string inbound_door::host() const {
  if (o_.inbound_url.empty()) {
    return o_.runtime_name + "-inbound." + o_.leader_election_namespace + ".svc";
  }
  auto text = o_.inbound_url.substr(std::string_view("https://").size());
  text = text.substr(0, text.find('/'));
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  return text.substr(0, text.find(':'));
}

std::vector<std::string> inbound_door::names() const {
  std::vector<std::string> out{host(), p_.host_name, "localhost", "127.0.0.1", "::1"};
  if (out.front().ends_with(".svc")) out.push_back(out.front() + ".cluster.local");
  const auto& bound = o_.inbound->host;
  if (!bound.empty() && bound != "127.0.0.1" && bound != "::1") out.push_back(bound);
  return out;
}

}  // namespace oarlock::daemon
