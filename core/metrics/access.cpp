#include "core/metrics/access.hpp"

#include <fmt/format.h>

#include "core/base/log.hpp"
#include "core/base/sha256.hpp"
#include "core/json/parse.hpp"

namespace oarlock::metrics {

const kube::resource token_reviews{"authentication.k8s.io", "v1", "TokenReview", "tokenreviews",
                                   false};

namespace {

const kube::resource access_reviews{"authorization.k8s.io", "v1", "SubjectAccessReview",
                                    "subjectaccessreviews", false};

// The user of a reviewed token as JSON (username, uid, groups, extra); empty: not authenticated.
using user_json = std::string;

struct verdict {
  bool allowed = false;
  std::string user;
};

// user.username becomes spec.user; groups, uid and extra keep their names.
std::string access_review(const user_json& user, const std::string& path) {
  auto doc = json::parse(user);
  rapidjson::Document review(rapidjson::kObjectType);
  auto& allocator = review.GetAllocator();
  rapidjson::Value spec(rapidjson::kObjectType);
  rapidjson::Value asked(rapidjson::kObjectType);
  asked.AddMember("path", rapidjson::Value(path, allocator), allocator);
  asked.AddMember("verb", "get", allocator);
  spec.AddMember("nonResourceAttributes", asked, allocator);
  const auto copy = [&](const char* from, const char* to) {
    const auto at = doc->FindMember(from);
    if (at == doc->MemberEnd() || at->value.IsNull()) return;
    spec.AddMember(rapidjson::StringRef(to), rapidjson::Value(at->value, allocator), allocator);
  };
  copy("username", "user");
  copy("groups", "groups");
  copy("uid", "uid");
  copy("extra", "extra");
  review.AddMember("apiVersion", "authorization.k8s.io/v1", allocator);
  review.AddMember("kind", "SubjectAccessReview", allocator);
  review.AddMember("spec", spec, allocator);
  return json::write(review);
}

http_answer unauthenticated(const std::string& why) {
  return {.status = 401,
          .body = "Unauthorized: " + why + "\n",
          .www_authenticate = R"(Bearer realm="oarlock")"};
}

http_answer cannot_ask(const kube::resource& reviews, const error& e) {
  log_warn("the metrics endpoint cannot check a caller",
           {{"asked", reviews.plural}, {"error", e.message}});
  return {.status = 503, .body = "Service Unavailable: " + words_for_strangers(reviews, e) + "\n"};
}

}  // namespace

std::string words_for_strangers(const kube::resource& reviews, const error& e) {
  if (e.code != kube::kube_error::forbidden) return "the API server cannot be asked";
  return "the daemon may not create " + reviews.plural +
         "; bind its ServiceAccount to the ClusterRole system:auth-delegator";
}

std::string bearer_of(const std::string& authorization) {
  constexpr std::string_view scheme = "bearer ";
  if (authorization.size() <= scheme.size()) return {};
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    const char c = authorization[i];
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (lower != scheme[i]) return {};
  }
  const auto begin = authorization.find_first_not_of(' ', scheme.size());
  return begin == std::string::npos ? std::string() : authorization.substr(begin);
}

std::string token_review(const std::string& token, const std::string& audience) {
  rapidjson::Document doc(rapidjson::kObjectType);
  auto& allocator = doc.GetAllocator();
  rapidjson::Value spec(rapidjson::kObjectType);
  spec.AddMember("token", rapidjson::Value(token, allocator), allocator);
  if (!audience.empty()) {
    rapidjson::Value audiences(rapidjson::kArrayType);
    audiences.PushBack(rapidjson::Value(audience, allocator), allocator);
    spec.AddMember("audiences", audiences, allocator);
  }
  doc.AddMember("apiVersion", "authentication.k8s.io/v1", allocator);
  doc.AddMember("kind", "TokenReview", allocator);
  doc.AddMember("spec", spec, allocator);
  return json::write(doc);
}

struct access_check::state {
  kube::client& client;
  const clock& time;
  expiring_cache<user_json> users{entries_max};
  expiring_cache<verdict> verdicts{entries_max};
  std::size_t reviewing = 0;

  state(kube::client& c, const clock& t) : client(c), time(t) {}

  static task<result<user_json>> user_of(std::shared_ptr<state> self, std::string token,
                                         std::stop_token stop);
  static task<result<verdict>> verdict_on(std::shared_ptr<state> self, user_json user,
                                          std::string path, std::stop_token stop);
  static task<std::optional<http_answer>> check(std::shared_ptr<state> self,
                                                std::string authorization, std::string path,
                                                std::stop_token stop);
};

task<result<user_json>> access_check::state::user_of(std::shared_ptr<state> self, std::string token,
                                                     std::stop_token stop) {
  const auto key = sha256_hex(token);  // tokens themselves are not kept
  if (auto known = self->users.find(key, self->time.now())) co_return std::move(*known);
  const review_slot taken(self->reviewing);
  auto answer = co_await self->client.create(token_reviews, {}, token_review(token), stop);
  if (!answer) co_return answer.error();
  auto doc = json::parse(answer->body);
  if (!doc) co_return doc.error();
  user_json user;
  const auto* found = json::find(*doc, "/status/user");
  if (json::bool_at(*doc, "/status/authenticated").value_or(false) && found != nullptr &&
      found->IsObject() && !json::string_at(*found, "/username").empty()) {
    user = json::write(*found);
  }
  const auto time = user.empty() ? bad_token_time : token_time;
  self->users.put(key, user, self->time.now() + time);
  co_return std::move(user);
}

task<result<verdict>> access_check::state::verdict_on(std::shared_ptr<state> self, user_json user,
                                                      std::string path, std::stop_token stop) {
  const auto key = sha256_hex(user + "\n" + path);
  if (auto known = self->verdicts.find(key, self->time.now())) co_return std::move(*known);
  const review_slot taken(self->reviewing);
  auto answer = co_await self->client.create(access_reviews, {}, access_review(user, path), stop);
  if (!answer) co_return answer.error();
  auto doc = json::parse(answer->body);
  if (!doc) co_return doc.error();
  verdict made;
  made.allowed = json::bool_at(*doc, "/status/allowed").value_or(false);
  auto name = json::parse(user);
  if (name) made.user = std::string(json::string_at(*name, "/username"));
  const auto time = made.allowed ? duration(allow_time) : duration(deny_time);
  self->verdicts.put(key, made, self->time.now() + time);
  co_return std::move(made);
}

task<std::optional<http_answer>> access_check::state::check(std::shared_ptr<state> self,
                                                            std::string authorization,
                                                            std::string path,
                                                            std::stop_token stop) {
  auto token = bearer_of(authorization);
  if (token.empty()) {
    co_return unauthenticated("expected the header \"Authorization: Bearer <token>\"");
  }
  if (self->reviewing >= reviews_at_once_max) {
    co_return http_answer{.status = 503, .body = "Service Unavailable: too many callers at once\n"};
  }
  auto user = co_await user_of(self, std::move(token), stop);
  if (!user) co_return cannot_ask(token_reviews, user.error());
  if (user->empty()) co_return unauthenticated("the API server does not accept this token");
  auto judged = co_await verdict_on(self, std::move(*user), path, stop);
  if (!judged) co_return cannot_ask(access_reviews, judged.error());
  if (judged->allowed) co_return std::nullopt;
  co_return http_answer{
      .status = 403,
      .body = fmt::format("Forbidden: {} may not get {}: expected a ClusterRole with "
                          "nonResourceURLs [\"{}\"] and verb get\n",
                          judged->user, path, path)};
}

access_check::access_check(kube::client& client, const clock& clock_source)
    : state_(std::make_shared<state>(client, clock_source)) {}
access_check::~access_check() = default;

task<std::optional<http_answer>> access_check::check(std::string authorization, std::string path,
                                                     std::stop_token stop) {
  return state::check(state_, std::move(authorization), std::move(path), std::move(stop));
}

}  // namespace oarlock::metrics
