#include "core/inbound/inbound_server.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/base/recent_map.hpp"
#include "core/base/token_bucket.hpp"

namespace oarlock::inbound {

namespace {

constexpr std::size_t rest_bytes_max = 512;
constexpr std::size_t label_bytes_max = 63;
constexpr std::size_t name_bytes_max = 253;

metrics::http_server_config config_of(const inbound_server::parts& p) {
  metrics::http_server_config config;
  config.name = "inbound";
  config.where = p.where;
  config.tls = p.tls;
  config.connections_max = inbound_server::connections_max;
  config.body_bytes_max = plugin::inbound_limits::body_bytes_max;
  // The plugin has 5 s, and a review before it.
  config.handler_timeout = std::chrono::seconds(15);
  config.idle_timeout = std::chrono::seconds(30);
  return config;
}

// Of a Kubernetes object: lower-case letters, digits, '-' and '.'.
bool is_name(std::string_view text, std::size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

metrics::http_answer refuse(int status, std::string why) {
  return {.status = status, .body = std::move(why) + "\n"};
}
metrics::http_answer later(int status, std::string why, std::chrono::seconds when) {
  auto out = refuse(status, std::move(why));
  out.retry_after = when;
  return out;
}

class count_up {
 public:
  explicit count_up(std::size_t& n) : n_(n) { ++n_; }
  ~count_up() { --n_; }
  count_up(const count_up&) = delete;
  count_up& operator=(const count_up&) = delete;

 private:
  std::size_t& n_;
};

}  // namespace

std::optional<inbound_path> parse_path(std::string_view path) {
  constexpr std::string_view version = "/v1/";
  if (!path.starts_with(version)) return std::nullopt;
  path.remove_prefix(version.size());
  const auto next = [&path] {
    const auto part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), part.size() + 1));
    return std::string(part);
  };
  inbound_path out;
  out.plugin = next();
  out.ns = next();
  out.name = next();
  out.rest = path;
  const bool is_well =
      is_name(out.plugin, label_bytes_max) && is_name(out.ns, label_bytes_max) &&
      is_name(out.name, name_bytes_max) && out.rest.size() <= rest_bytes_max &&
      std::all_of(out.rest.begin(), out.rest.end(), [](char c) { return c > ' ' && c <= '~'; });
  return is_well ? std::optional(std::move(out)) : std::nullopt;
}

struct inbound_server::state {
  explicit state(parts given)
      : p(std::move(given)), review(*p.client, *p.clock_source, p.audience) {}

  const parts p;
  pod_review review;
  recent_map<token_bucket> rates{pods_max};
  std::size_t under_way = 0;

  /// How long this pod has to wait; nullopt: it need not.
  [[nodiscard]] std::optional<std::chrono::seconds> over_rate(const std::string& pod_uid) {
    auto* bucket = rates.find(pod_uid);
    if (bucket == nullptr) bucket = &rates.put(pod_uid, token_bucket(pod_rate, pod_burst));
    const auto now = p.clock_source->now();
    if (bucket->take(now, duration::zero()) || OARLOCK_MUTANT("inbound_rate_ignored")) {
      return std::nullopt;
    }
    return std::max(std::chrono::seconds(1),
                    std::chrono::ceil<std::chrono::seconds>(bucket->wait(now)));
  }

  static task<metrics::http_answer> judge(std::shared_ptr<state> self, metrics::http_question q,
                                          std::stop_token stop);
  static task<metrics::http_answer> ask(std::shared_ptr<state> self, metrics::http_question q,
                                        inbound_path path, pod_identity pod);
};

task<metrics::http_answer> inbound_server::state::judge(std::shared_ptr<state> self,
                                                        metrics::http_question q,
                                                        std::stop_token stop) {
  auto path = parse_path(q.path);
  if (!path) co_return refuse(404, "expected /v1/<plugin>/<namespace>/<name>[/<rest>]");
  if (!self->p.leads() && !OARLOCK_MUTANT("inbound_follower_answers")) {
    co_return later(503, "this replica does not lead: another one does", retry_after);
  }
  auto who = co_await self->review.check(q.authorization, stop);
  if (!who.pod) co_return std::move(who.refusal);
  if (who.pod->ns != path->ns && !OARLOCK_MUTANT("inbound_any_namespace")) {
    co_return refuse(403, fmt::format("Forbidden: expected a pod of namespace {}, found one of {}",
                                      path->ns, who.pod->ns));
  }
  if (const auto wait = self->over_rate(who.pod->pod_uid)) {
    co_return later(429, "too many requests of this pod", *wait);
  }
  if (self->under_way >= under_way_max) {
    co_return later(503, "too many requests at once", std::chrono::seconds(1));
  }
  co_return co_await ask(self, std::move(q), std::move(*path), std::move(*who.pod));
}

task<metrics::http_answer> inbound_server::state::ask(std::shared_ptr<state> self,
                                                      metrics::http_question q, inbound_path path,
                                                      pod_identity pod) {
  const count_up counted(self->under_way);
  plugin::inbound_request request;
  request.method = std::move(q.method);
  request.ns = std::move(path.ns);
  request.name = std::move(path.name);
  request.rest = std::move(path.rest);
  request.query = std::move(q.query);
  request.content_type = std::move(q.content_type);
  request.body = std::move(q.body);
  request.service_account = std::move(pod.service_account);
  request.pod_name = std::move(pod.pod_name);
  request.pod_uid = std::move(pod.pod_uid);
  request.now = self->p.clock_source->wall_now();
  auto answer = co_await self->p.ask(std::move(path.plugin), std::move(request));
  metrics::http_answer out{.status = answer.status, .body = std::move(answer.body)};
  if (!answer.content_type.empty()) out.content_type = std::move(answer.content_type);
  if (answer.status == 503) out.retry_after = retry_after;
  co_return out;
}

inbound_server::inbound_server(parts p)
    : state_(std::make_shared<state>(std::move(p))),
      server_(state_->p.loop, *state_->p.metrics, config_of(state_->p)) {
  server_.handle_rest([self = state_](metrics::http_question q,
                                      std::stop_token stop) -> task<metrics::http_answer> {
    auto answer = co_await state::judge(self, std::move(q), std::move(stop));
    self->p.metrics
        ->make_counter("oarlock_inbound_requests_total",
                       "Requests of pods, by the status that they got",
                       {{"code", std::to_string(answer.status)}})
        .add();
    co_return answer;
  });
}

result<> inbound_server::start() {
  return server_.start();
}

}  // namespace oarlock::inbound
