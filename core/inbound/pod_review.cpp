#include "core/inbound/pod_review.hpp"

#include <algorithm>

#include "core/base/base64.hpp"
#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/base/sha256.hpp"
#include "core/json/parse.hpp"
#include "core/metrics/access.hpp"

namespace oarlock::inbound {

namespace {

constexpr std::string_view account_prefix = "system:serviceaccount:";
constexpr std::chrono::seconds api_retry{5};

reviewed refusal_of(int status, std::string why) {
  reviewed out;
  out.refusal.status = status;
  out.refusal.body = std::move(why) + "\n";
  if (status == 401) out.refusal.www_authenticate = R"(Bearer realm="oarlock-inbound")";
  if (status == 503) out.refusal.retry_after = api_retry;
  return out;
}

reviewed cannot_ask(const error& e) {
  log_warn("the inbound listener cannot check a token", {{"error", e.message}});
  return refusal_of(503, metrics::words_for_strangers(metrics::token_reviews, e));
}

bool has_audience(const rapidjson::Value& review, const std::string& audience) {
  if (OARLOCK_MUTANT("inbound_any_audience")) return true;
  const auto* all = json::find(review, "/status/audiences");
  return all != nullptr && all->IsArray() &&
         std::any_of(all->Begin(), all->End(), [&](const auto& one) {
           return one.IsString() && audience == one.GetString();
         });
}

// The first value of an extra of the user.
std::string extra(const rapidjson::Value& review, const char* name) {
  // A JSON pointer writes '/' as ~1.
  return std::string(json::string_at(
      review, std::string("/status/user/extra/authentication.kubernetes.io~1") + name + "/0"));
}

}  // namespace

reviewed read_review(std::string_view review_json, const std::string& audience) {
  const auto doc = json::parse(review_json);
  if (!doc) return refusal_of(503, "the API server cannot be asked");
  if (!json::bool_at(*doc, "/status/authenticated").value_or(false) ||
      !has_audience(*doc, audience)) {
    return refusal_of(401, "Unauthorized: expected a token of a pod for the audience " + audience);
  }
  const auto user = json::string_at(*doc, "/status/user/username");
  const auto rest =
      user.starts_with(account_prefix) ? user.substr(account_prefix.size()) : std::string_view();
  const auto colon = rest.find(':');
  pod_identity pod;
  if (colon != std::string_view::npos) {
    pod.ns = rest.substr(0, colon);
    pod.service_account = rest.substr(colon + 1);
  }
  pod.pod_name = extra(*doc, "pod-name");
  pod.pod_uid = extra(*doc, "pod-uid");
  if (pod.ns.empty() || pod.pod_name.empty() || pod.pod_uid.empty()) {
    return refusal_of(403,
                      "Forbidden: expected a ServiceAccount token that is bound to a pod, as a "
                      "projected volume has it");
  }
  reviewed out;
  out.pod = std::move(pod);
  return out;
}

std::optional<wall_time> end_of_token(std::string_view token) {
  const auto first = token.find('.');
  const auto second = token.find('.', first == std::string_view::npos ? first : first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  std::string claims(token.substr(first + 1, second - first - 1));
  std::replace(claims.begin(), claims.end(), '-', '+');
  std::replace(claims.begin(), claims.end(), '_', '/');
  const auto text = base64_decode(claims);
  if (!text) return std::nullopt;
  const auto doc = json::parse(*text);
  if (!doc) return std::nullopt;
  constexpr std::int64_t far = 1LL << 33U;  // what does not fit a clock of nanoseconds is a lie
  const auto end = json::int_at(*doc, "/exp");
  if (!end || *end < 0 || *end > far) return std::nullopt;
  return wall_time(std::chrono::seconds(*end));
}

struct pod_review::state {
  kube::client& client;
  const clock& time;
  const std::string audience;
  metrics::expiring_cache<reviewed> known{entries_max};
  std::size_t reviewing = 0;

  state(kube::client& c, const clock& t, std::string a)
      : client(c), time(t), audience(std::move(a)) {}

  [[nodiscard]] duration time_of(const reviewed& r, std::string_view token) const {
    if (!r.pod) return refused_time;
    const auto end = end_of_token(token);
    return end ? std::min<duration>(pod_time, *end - time.wall_now()) : duration(refused_time);
  }
  static task<reviewed> check(std::shared_ptr<state> self, std::string authorization,
                              std::stop_token stop);
};

task<reviewed> pod_review::state::check(std::shared_ptr<state> self, std::string authorization,
                                        std::stop_token stop) {
  const auto token = metrics::bearer_of(authorization);
  if (token.empty()) {
    co_return refusal_of(401,
                         "Unauthorized: expected the header \"Authorization: Bearer <token>\"");
  }
  const auto key = sha256_hex(token);  // tokens themselves are not kept
  if (auto found = self->known.find(key, self->time.now())) co_return std::move(*found);
  if (self->reviewing >= reviews_at_once_max) {
    co_return refusal_of(503, "Service Unavailable: too many new callers at once");
  }
  const metrics::review_slot taken(self->reviewing);
  auto answer = co_await self->client.create(metrics::token_reviews, {},
                                             metrics::token_review(token, self->audience), stop);
  if (!answer) co_return cannot_ask(answer.error());
  auto made = read_review(answer->body, self->audience);
  const auto keep = self->time_of(made, token);
  if (made.refusal.status != 503 && keep > duration::zero()) {
    self->known.put(key, made, self->time.now() + keep);
  }
  co_return std::move(made);
}

pod_review::pod_review(kube::client& client, const clock& clock_source, std::string audience)
    : state_(std::make_shared<state>(client, clock_source, std::move(audience))) {}
pod_review::~pod_review() = default;

task<reviewed> pod_review::check(std::string authorization, std::stop_token stop) {
  return state::check(state_, std::move(authorization), std::move(stop));
}

}  // namespace oarlock::inbound
