// What a plugin needs in the cluster before it may be loaded, and what to apply if it is not there.
#include <fmt/format.h>

#include <array>

#include "core/json/parse.hpp"
#include "core/kube/service_account_identity.hpp"
#include "core/package/access_reviews.hpp"
#include "core/package/controller_state.hpp"
#include "core/package/crd_fit.hpp"

namespace oarlock::package {

namespace {

// Above it people print it themselves: an object has its limit.
constexpr std::size_t missing_bytes_max = 512U << 10U;

bool is_established(const rapidjson::Value& crd) {
  const auto* conditions = json::find(crd, "/status/conditions");
  if (conditions == nullptr || !conditions->IsArray()) return false;
  for (const auto& one : conditions->GetArray()) {
    if (json::string_at(one, "/type") == "Established") {
      return json::string_at(one, "/status") == "True";
    }
  }
  return false;
}

std::string remedy(const std::string& plugin, const std::string& image, bool is_too_long) {
  if (is_too_long) {
    return fmt::format("; apply: oarlock plugin manifest {} | kubectl apply --server-side -f -",
                       image);
  }
  return fmt::format(
      "; apply: kubectl get plugin {} -o jsonpath='{{.status.missing}}' | kubectl apply "
      "--server-side -f -",
      plugin);
}

}  // namespace

// In words; empty: the cluster has it.
task<result<std::string>> plugin_controller::state::crd_missing(self_ptr self, std::string wanted,
                                                                std::stop_token stop) {
  const auto doc = json::parse(wanted);
  const auto name = doc ? std::string(json::string_at(*doc, "/metadata/name")) : std::string();
  if (name.empty()) {
    co_return error{package_error::invalid_image,
                    "expected CustomResourceDefinitions in crds/, found " +
                        (doc ? std::string("one without a name") : doc.error().message)};
  }
  const auto live = co_await self->daemon.get(kube::crds, "", name, stop);
  if (!live && live.error().code == kube::kube_error::not_found) {
    co_return fmt::format("expected CRD {}, found none", name);
  }
  if (!live) co_return error{package_error::awaiting_grant, live.error().message};
  const auto found = json::parse(*live);
  if (!found) co_return found.error();
  if (const auto gap = crd_gap(*doc, *found); !gap.empty()) {
    co_return fmt::format("expected CRD {} to have {}, found an older one or another", name, gap);
  }
  if (!is_established(*found)) co_return fmt::format("expected CRD {} to be established", name);
  co_return std::string();
}

// In words; empty: plugin and daemon have all their rights. Asked with a token of its own each
// time: a grant that has just come counts at once.
task<std::string> plugin_controller::state::right_missing(self_ptr self, plugin::manifest declared,
                                                          std::stop_token stop) {
  const auto account = plugin::service_account_name(declared.name);
  const auto token = kube::make_service_account_identity(
      {self->p.loop, &self->asks, self->p.daemon.clock_source, self->p.ns, account});
  if (const auto ready = co_await token->prepare(); !ready) co_return ready.error().message;
  auto own = ungated(self->p.daemon);
  own.identity = token.get();
  own.transport = self->p.anonymous;
  auto as_plugin = std::make_shared<kube::client>(own);
  struct question {
    kube::client* asks;
    std::vector<plugin::grant> grants;
    std::string who;
  };
  const std::array<question, 2> all{{{as_plugin.get(), plugin::plugin_grants(declared),
                                      "ServiceAccount " + self->p.ns + "/" + account},
                                     {&self->asks, plugin::read_grants(declared), "the daemon"}}};
  for (const auto& one : all) {
    const auto lacks = co_await first_forbidden(one.asks, one.grants, self->p.scope_ns, stop);
    if (!lacks) co_return lacks.error().message;
    if (!lacks->empty()) {
      co_return fmt::format("expected {} to be allowed to {}, found it forbidden", one.who, *lacks);
    }
  }
  co_return std::string();
}

task<result<>> plugin_controller::state::await_grants(self_ptr self, tracked_ptr t) {
  const auto stop = self->stopping.get_token();
  std::string yaml;
  std::string why;
  const auto wanted = t->next->crds;
  for (const auto& crd : wanted) {
    const auto lacks = co_await crd_missing(self, crd, stop);
    if (!lacks) co_return lacks.error();
    if (lacks->empty()) continue;
    why += (why.empty() ? "" : "; ") + *lacks;
    yaml += "---\n" + crd + "\n";
  }
  const auto lacks = co_await right_missing(self, t->next->declared, stop);
  if (!lacks.empty()) {
    why += (why.empty() ? "" : "; ") + lacks;
    plugin::rbac_options options;
    options.ns = self->p.ns;
    options.scope_ns = self->p.scope_ns;
    if (const auto user = co_await own_user_name(&self->asks, stop); !user.empty()) {
      grant_to(user, options);
    }
    if (plugin::check(options)) yaml += plugin::rbac_yaml(t->next->declared, options);
  }
  const bool is_too_long = yaml.size() > missing_bytes_max;
  t->missing = is_too_long ? std::string() : yaml;
  if (why.empty()) co_return result<>();
  co_return error{package_error::awaiting_grant, why + remedy(t->name, t->next->ref, is_too_long)};
}

}  // namespace oarlock::package
