#include "core/kube/client.hpp"

#include <utility>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/kube/client_metrics.hpp"
#include "core/kube/request.hpp"
#include "core/kube/retry.hpp"
#include "core/kube/status.hpp"
#include "core/kube/warnings.hpp"

namespace oarlock::kube {

struct client::state {
  explicit state(parts p) : with(std::move(p)), metrics(*with.metrics, with.transport->host()) {
    if (with.limit != nullptr) metrics.expect_turns();
  }
  const parts with;
  warning_memory warnings;  // loop only, like the next
  client_metrics metrics;
};

namespace {

using exchange_ptr = std::unique_ptr<net::http_exchange>;
template <class T>
using attempt = boost::system::result<T, failure>;

constexpr std::size_t error_body_bytes_max = 1U << 20U;

struct answer {
  int status = 0;
  std::string body;
};

// One call on its way: what every attempt at it shares.
struct call_parts {
  const client::parts* with;
  warning_memory* warnings;
  client_metrics* metrics;
  std::shared_ptr<const void> owner;  // keeps both alive
  log_context_ptr log;
  std::string flow;
  std::shared_ptr<const api_request> request{};
  steady_time deadline{};
  std::stop_token stop{};
  bool dedicated = false;
};

failure cancelled_failure() {
  return {error{kube_error::cancelled, "cancelled by the caller"}, false};
}

std::string code_text(int status) {
  return status == 0 ? "<error>" : std::to_string(status);
}

// The whole body; the connection is free for others after it.
task<result<std::string>> read_body(net::http_exchange* exchange, steady_time deadline,
                                    std::size_t bytes_max) {
  std::string body;
  for (;;) {
    auto piece = co_await exchange->read_some(deadline);
    if (!piece) co_return piece.error();
    if (!*piece) co_return std::move(body);
    if (body.size() + (*piece)->size() > bytes_max) {
      co_return error{net::net_error::bad_answer, "expected an answer of at most " +
                                                      std::to_string(bytes_max) +
                                                      " bytes, found more: ask for smaller pages"};
    }
    body += **piece;
  }
}

void log_warnings(const call_parts& call, const net::http_head& head) {
  const log_scope said(call.log);
  for (const auto& text : warning_texts(head)) {
    if (!call.warnings->is_new(text)) continue;
    log_warn("the API server warns",
             {{"warning", text}, {"method", call.request->method}, {"path", call.request->target}});
  }
}

// An answer outside 2xx. A body that breaks off still leaves the status.
task<failure> refusal(call_parts call, exchange_ptr exchange) {
  const auto& head = exchange->head();
  auto body = co_await read_body(exchange.get(), call.deadline, error_body_bytes_max);
  const bool is_write = call.request->is_write();
  if (body) call.metrics->answered(call.request->method, body->size());
  auto out =
      answer_failure(head.status, body ? *body : std::string(), head.find("Retry-After"), is_write);
  if (out.why.code == kube_error::throttled) {
    const auto flow = head.find("X-Kubernetes-PF-FlowSchema-UID");
    if (!flow.empty()) out.why.message += " (flow schema " + std::string(flow) + ")";
  }
  co_return out;
}

// Its turn under the rate limit.
task<result<>> await_turn(call_parts call) {
  const auto began = call.with->clock_source->now();
  auto turn = co_await call.with->limit->turn(call.flow, call.deadline, call.stop);
  call.metrics->waited_for_a_turn(call.request->method, call.with->clock_source->now() - began);
  co_return turn;
}

// Sends once and waits for a 2xx head.
task<attempt<exchange_ptr>> send(call_parts call, std::string token) {
  const auto& request = *call.request;
  if (call.with->limit != nullptr && !call.dedicated) {
    if (const auto turn = co_await await_turn(call); !turn) co_return failure{turn.error(), true};
  }
  const bool gated =
      request.is_write() && call.with->gate != nullptr && !OARLOCK_MUTANT("gate_not_asked");
  result<> open_gate;
  const auto may_send = [&] { return (open_gate = call.with->gate->check()).has_value(); };
  if (gated && !may_send()) co_return failure{open_gate.error()};
  net::http_request http{
      request.method, request.target, {{"Accept", request.accept}}, request.body};
  if (request.is_write()) http.headers.push_back({"Content-Type", request.content_type});
  if (!token.empty()) http.headers.push_back({"Authorization", "Bearer " + token});
  const auto started = call.with->clock_source->now();
  net::exchange_options options{call.deadline, call.stop, call.dedicated, call.flow};
  if (gated && !OARLOCK_MUTANT("gate_not_asked_at_the_socket")) options.may_send = may_send;
  auto opened = co_await call.with->transport->open(std::move(http), std::move(options));
  const auto took = call.with->clock_source->now() - started;
  call.metrics->sent(request.method, code_text(opened ? (*opened)->head().status : 0), took,
                     request.body.size());
  if (!open_gate) co_return failure{open_gate.error()};
  if (!opened) co_return transport_failure(opened.error(), request.is_write());
  const auto& head = (*opened)->head();
  log_warnings(call, head);
  if (head.status >= 200 && head.status < 300) co_return std::move(*opened);
  co_return co_await refusal(call, std::move(*opened));
}

task<result<std::string>> current_token(credentials* identity) {
  const auto ready = co_await identity->prepare();
  if (!ready) co_return ready.error();
  co_return identity->bearer_token();
}

// Sends with the current identity, and after a 401 once more if there is a newer one: the server
// did not act on the first.
task<attempt<exchange_ptr>> send_as_us(call_parts call) {
  auto* identity = call.with->identity;
  if (identity == nullptr) co_return co_await send(call, std::string());
  auto token = co_await current_token(identity);
  if (!token) co_return failure{error{kube_error::unauthorized, token.error().message}};
  const auto revision = identity->revision();
  auto first = co_await send(call, *token);
  if (first || first.error().why.code != kube_error::unauthorized) co_return std::move(first);
  identity->refused();
  auto fresh = co_await current_token(identity);
  const bool other = fresh && (*fresh != *token || identity->revision() != revision);
  if (!other) co_return std::move(first);
  co_return co_await send(call, *fresh);
}

// A proxy or an aggregated API may send a failure under 200.
std::optional<failure> hidden_failure(const answer& a, bool is_write) {
  constexpr std::size_t status_bytes_max = 64U << 10U;
  if (a.body.size() > status_bytes_max) return {};
  const auto status = parse_status(a.body);
  if (!status || !status->failure) return {};
  return answer_failure(status->code == 0 ? 500 : status->code, a.body, {}, is_write);
}

task<attempt<answer>> try_once(call_parts call) {
  auto sent = co_await send_as_us(call);
  if (!sent) co_return sent.error();
  auto body = co_await read_body(sent->get(), call.deadline, limits::response_body_bytes_max);
  if (!body) co_return transport_failure(body.error(), call.request->is_write());
  call.metrics->answered(call.request->method, body->size());
  answer out{(*sent)->head().status, std::move(*body)};
  if (auto hidden = hidden_failure(out, call.request->is_write())) co_return std::move(*hidden);
  co_return out;
}

error described(const call_parts& call, const error& why) {
  const auto path = call.request->target.substr(0, call.request->target.find('?'));
  return why.within(call.request->method + " " + path);
}

task<result<answer>> perform(call_parts call) {
  const auto& clock_source = *call.with->clock_source;
  std::shared_ptr<void> pass;
  if (auto* policy = call.with->policy; policy != nullptr && call.request->intent) {
    auto admitted = co_await policy->admit(*call.request->intent, call.deadline, call.stop);
    if (!admitted) co_return described(call, admitted.error());
    pass = std::move(*admitted);
  }
  for (int number = 1;; ++number) {
    if (call.stop.stop_requested()) co_return described(call, cancelled_failure().why);
    auto tried = co_await try_once(call);
    if (tried) co_return std::move(*tried);
    const auto& f = tried.error();
    const auto delay = retry_delay(f, call.request->is_write(), number);
    if (!delay || clock_source.now() + *delay >= call.deadline) {
      co_return described(call, f.why);
    }
    const bool rested = co_await call.with->timer_source->sleep_for(*delay, call.stop);
    if (!rested) {
      auto why = cancelled_failure().why;
      why.message += " while it waited to try again after: " + f.why.message;
      co_return described(call, why);
    }
    call.metrics->retried(call.request->method, code_text(f.status));
  }
}

task<result<exchange_ptr>> open_stream(call_parts call) {
  if (call.stop.stop_requested()) co_return described(call, cancelled_failure().why);
  auto sent = co_await send_as_us(call);
  if (!sent) co_return described(call, sent.error().why);
  co_return std::move(*sent);
}

// Deadlines count from here, the caller's side: waiting for the loop is part of the call.
template <class State, class Caller>
call_parts begin(const std::shared_ptr<State>& owner, const Caller& by, api_request request,
                 std::stop_token stop) {
  call_parts call{&owner->with, &owner->warnings, &owner->metrics, owner, by.log, by.flow};
  call.request = std::make_shared<api_request>(std::move(request));
  call.deadline = owner->with.clock_source->now() + limits::request_timeout;
  call.stop = std::move(stop);
  return call;
}

task<result<std::string>> read_call(executor loop, call_parts call) {
  auto done = co_await run_on(std::move(loop), perform(std::move(call)));
  if (!done) co_return done.error();
  co_return std::move(done->body);
}

task<result<write_answer>> write_call(executor loop, call_parts call) {
  auto done = co_await run_on(std::move(loop), perform(std::move(call)));
  if (!done) co_return done.error();
  co_return write_answer{done->status, std::move(done->body)};
}

template <class T>
task<result<T>> refuse(std::string message) {
  co_return error{kube_error::invalid, std::move(message)};
}

constexpr auto json_patch_type = "application/json-patch+json";
constexpr auto merge_patch_type = "application/merge-patch+json";
api_request intending(const char* verb, const resource& r, std::string_view ns,
                      std::string_view name, std::string_view subresource, api_request request) {
  auto plural = r.plural;
  if (!subresource.empty()) plural.append("/").append(subresource);
  request.intent = write_intent{verb, r.group, std::move(plural),
                                r.namespaced ? std::string(ns) : std::string(), std::string(name)};
  return request;
}

// An empty name would turn a write to one object into one to the collection.
constexpr auto no_name = "expected the name of an object, found an empty one";

}  // namespace

client::client(parts p) : state_(std::make_shared<state>(std::move(p))) {}

client::client(std::shared_ptr<state> shared, caller on_behalf)
    : state_(std::move(shared)), for_(std::move(on_behalf)) {}

client::~client() = default;

client client::on_behalf_of(std::string flow, log_context_ptr context) const {
  return {state_, {std::move(flow), std::move(context)}};
}

task<result<std::string>> client::get(resource r, std::string ns, std::string name,
                                      std::stop_token stop) {
  if (name.empty()) return refuse<std::string>(no_name);
  return read_call(state_->with.loop,
                   begin(state_, for_, get_request(r, ns, name), std::move(stop)));
}

task<result<std::string>> client::list_page(resource r, list_options options,
                                            std::stop_token stop) {
  return read_call(state_->with.loop,
                   begin(state_, for_, list_request(r, options), std::move(stop)));
}

task<result<std::string>> client::get_path(std::string path, std::stop_token stop,
                                           std::string accept) {
  api_request request{"GET", std::move(path)};
  request.accept = std::move(accept);
  return read_call(state_->with.loop, begin(state_, for_, std::move(request), std::move(stop)));
}

task<result<write_answer>> client::create(resource r, std::string ns, std::string body,
                                          std::stop_token stop, write_options how) {
  return write_call(
      state_->with.loop,
      begin(state_, for_,
            intending("create", r, ns, {}, {}, create_request(r.path(ns), std::move(body), how)),
            std::move(stop)));
}

task<result<write_answer>> client::create_for(resource r, std::string ns, std::string name,
                                              std::string subresource, std::string body,
                                              std::stop_token stop, write_options how) {
  if (name.empty()) return refuse<write_answer>(no_name);
  auto request = intending("create", r, ns, name, subresource,
                           create_request(r.path(ns, name, subresource), std::move(body), how));
  return write_call(state_->with.loop, begin(state_, for_, std::move(request), std::move(stop)));
}

task<result<write_answer>> client::update(resource r, std::string ns, std::string name,
                                          std::string body, std::stop_token stop,
                                          write_options how) {
  if (name.empty()) return refuse<write_answer>(no_name);
  return write_call(
      state_->with.loop,
      begin(state_, for_,
            intending("update", r, ns, name, {}, update_request(r, ns, name, std::move(body), how)),
            std::move(stop)));
}

task<result<write_answer>> client::apply(resource r, std::string ns, std::string name,
                                         std::string body, apply_options options,
                                         std::stop_token stop) {
  if (name.empty()) return refuse<write_answer>(no_name);
  if (options.field_manager.empty()) {
    return refuse<write_answer>("apply: expected a field manager, found none");
  }
  return write_call(state_->with.loop,
                    begin(state_, for_,
                          intending("patch", r, ns, name, options.subresource,
                                    apply_request(r, ns, name, std::move(body), options)),
                          std::move(stop)));
}

task<result<write_answer>> client::json_patch(resource r, std::string ns, std::string name,
                                              std::string body, std::string subresource,
                                              std::stop_token stop, write_options how) {
  if (name.empty()) return refuse<write_answer>(no_name);
  auto request = intending(
      "patch", r, ns, name, subresource,
      patch_request(r.path(ns, name, subresource), std::move(body), json_patch_type, how));
  return write_call(state_->with.loop, begin(state_, for_, std::move(request), std::move(stop)));
}

task<result<write_answer>> client::merge_patch(resource r, std::string ns, std::string name,
                                               std::string body, std::string subresource,
                                               std::stop_token stop, write_options how) {
  if (name.empty()) return refuse<write_answer>(no_name);
  auto request = intending(
      "patch", r, ns, name, subresource,
      patch_request(r.path(ns, name, subresource), std::move(body), merge_patch_type, how));
  return write_call(state_->with.loop, begin(state_, for_, std::move(request), std::move(stop)));
}

task<result<write_answer>> client::remove(resource r, std::string ns, std::string name,
                                          delete_options options, std::stop_token stop) {
  if (name.empty()) return refuse<write_answer>(no_name);
  return write_call(state_->with.loop, begin(state_, for_,
                                             intending("delete", r, ns, name, {},
                                                       delete_request(r, ns, name, options)),
                                             std::move(stop)));
}

task<result<std::unique_ptr<net::http_exchange>>> client::watch(resource r, watch_options options,
                                                                std::stop_token stop) {
  auto call = begin(state_, for_, watch_request(r, options), std::move(stop));
  call.dedicated = true;
  return run_on(state_->with.loop, open_stream(std::move(call)));
}

task<result<std::unique_ptr<net::http_exchange>>> client::pod_log(std::string ns, std::string pod,
                                                                  log_options options,
                                                                  std::stop_token stop) {
  if (ns.empty() || pod.empty()) return refuse<std::unique_ptr<net::http_exchange>>(no_name);
  auto call = begin(state_, for_, log_request(ns, pod, options), std::move(stop));
  call.dedicated = true;
  return run_on(state_->with.loop, open_stream(std::move(call)));
}

}  // namespace oarlock::kube
