#include "core/package/access_reviews.hpp"

#include <fmt/format.h>

#include <string_view>

#include "core/json/parse.hpp"

namespace oarlock::package {

namespace {

const kube::resource own_access{"authorization.k8s.io", "v1", "SelfSubjectAccessReview",
                                "selfsubjectaccessreviews", false};
const kube::resource own_name{"authentication.k8s.io", "v1", "SelfSubjectReview",
                              "selfsubjectreviews", false};

std::string access_review(const plugin::grant& one, const std::string& verb,
                          const std::string& ns) {
  rapidjson::Document doc(rapidjson::kObjectType);
  auto& memory = doc.GetAllocator();
  rapidjson::Value asked(rapidjson::kObjectType);
  const auto slash = one.resource.find('/');
  asked.AddMember("group", rapidjson::Value(one.group, memory), memory);
  asked.AddMember("resource", rapidjson::Value(one.resource.substr(0, slash), memory), memory);
  if (slash != std::string::npos) {
    asked.AddMember("subresource", rapidjson::Value(one.resource.substr(slash + 1), memory),
                    memory);
  }
  asked.AddMember("verb", rapidjson::Value(verb, memory), memory);
  if (one.namespaced && !ns.empty()) {
    asked.AddMember("namespace", rapidjson::Value(ns, memory), memory);
  }
  rapidjson::Value spec(rapidjson::kObjectType);
  spec.AddMember("resourceAttributes", asked, memory);
  doc.AddMember("apiVersion", "authorization.k8s.io/v1", memory);
  doc.AddMember("kind", "SelfSubjectAccessReview", memory);
  doc.AddMember("spec", spec, memory);
  return json::write(doc);
}

}  // namespace

task<result<std::string>> first_forbidden(kube::client* asks, std::vector<plugin::grant> grants,
                                          std::string ns, std::stop_token stop) {
  for (const auto& one : grants) {
    for (const auto& verb : one.verbs) {
      const auto answer = co_await asks->create(own_access, {}, access_review(one, verb, ns), stop);
      if (!answer) co_return answer.error();
      const auto parsed = json::parse(answer->body);
      if (parsed && json::bool_at(*parsed, "/status/allowed").value_or(false)) continue;
      co_return fmt::format("{} {}{}{}", verb, one.resource,
                            one.group.empty() ? "" : "." + one.group,
                            ns.empty() || !one.namespaced ? "" : " in namespace " + ns);
    }
  }
  co_return std::string();
}

task<std::string> own_user_name(kube::client* asks, std::stop_token stop) {
  const auto answer = co_await asks->create(
      own_name, {}, R"({"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"})",
      stop);
  if (!answer) co_return std::string();
  const auto parsed = json::parse(answer->body);
  co_return std::string(parsed ? json::string_at(*parsed, "/status/userInfo/username")
                               : std::string_view());
}

void grant_to(const std::string& user, plugin::rbac_options& options) {
  constexpr std::string_view account = "system:serviceaccount:";
  if (!user.starts_with(account)) {
    options.daemon_user = user;
    return;
  }
  const auto rest = user.substr(account.size());
  const auto colon = rest.find(':');
  options.daemon_service_account = rest.substr(0, colon) + "/" + rest.substr(colon + 1);
}

}  // namespace oarlock::package
