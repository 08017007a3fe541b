#include "core/daemon/api_monitor.hpp"

#include <fmt/format.h>

#include "core/base/log.hpp"
#include "core/json/parse.hpp"
#include "core/kube/errors.hpp"

namespace oarlock::daemon {

namespace {

using namespace std::chrono_literals;

constexpr auto ask_timeout = 5s;
constexpr auto pause_while_down = 1s;
constexpr auto pause_while_up = 10s;
constexpr std::size_t version_bytes_max = 64U << 10U;

}  // namespace

// GET /version by hand: one try and no retries, so that the reason of a failure is known at once.
task<result<std::string>> api_monitor::ask(std::stop_token stop) {
  net::http_request request{"GET", "/version", {{"Accept", "application/json"}}, {}};
  if (p_.identity != nullptr) {
    const auto ready = co_await p_.identity->prepare();
    if (!ready) co_return ready.error();
    auto token = p_.identity->bearer_token();
    if (!token) co_return token.error();
    if (!token->empty()) request.headers.push_back({"Authorization", "Bearer " + *token});
  }
  const auto deadline = p_.clock_source->now() + ask_timeout;
  net::exchange_options limits{deadline, stop};
  auto opened = co_await p_.transport->open(std::move(request), std::move(limits));
  if (!opened) co_return opened.error();
  const auto status = (*opened)->head().status;
  std::string body;
  for (bool more = true; more && body.size() <= version_bytes_max;) {
    auto piece = co_await (*opened)->read_some(deadline);
    if (!piece) co_return piece.error();
    more = piece->has_value();
    if (more) body += **piece;
  }
  if (status == 401 && p_.identity != nullptr) p_.identity->refused();
  if (status == 401 || status >= 500) co_return kube::decode_status(status, body, {});
  // Some clusters let nobody read /version: an answer is an answer.
  auto doc = json::parse(body);
  const auto version = doc ? json::string_at(*doc, "/gitVersion") : std::string_view();
  co_return version.empty() ? std::string("unknown") : std::string(version);
}

void api_monitor::note(const result<std::string>& version) {
  const auto before = trouble();
  const auto now = version ? std::string() : version.error().message;
  trouble_.with([&](std::string& text) { text = now; });
  if (!version && (before.empty() || !answered_) && before != now) {
    log_warn("the API server does not answer; trying again",
             {{"server", p_.transport->host()}, {"error", now}});
  }
  if (!version) return;
  if (!before.empty()) {
    log_info("the API server answers", {{"server", p_.transport->host()}, {"version", *version}});
  }
  if (!answered_) {
    answered_ = true;
    p_.on_first_answer();
  } else if (!before.empty()) {
    p_.on_recovery();
  }
}

task<> api_monitor::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    auto version = co_await ask(stop);
    if (stop.stop_requested()) co_return;
    note(version);
    const duration pause = version ? duration(pause_while_up) : duration(pause_while_down);
    co_await p_.timer_source->sleep_for(pause, stop);
  }
}

std::string api_monitor::trouble() const {
  return trouble_.with([](const std::string& text) { return text; });
}

}  // namespace oarlock::daemon
