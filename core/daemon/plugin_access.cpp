#include "core/daemon/plugin_access.hpp"

#include <fmt/format.h>

#include <array>

#include "core/base/log.hpp"
#include "core/kube/service_account_identity.hpp"
#include "core/package/access_reviews.hpp"
#include "core/plugin/grants.hpp"
#include "core/plugin/plugin_writes.hpp"

namespace oarlock::daemon {

namespace {

using namespace std::chrono_literals;

constexpr duration review_period = 2min;
constexpr duration trouble_period = 5s;

// Of the user name that the API server knows us by: the flags that grant to it.
std::string subject_flag(const std::string& user) {
  constexpr std::string_view account = "system:serviceaccount:";
  if (!user.starts_with(account)) return " --daemon-user=" + user;
  const auto rest = user.substr(account.size());
  const auto colon = rest.find(':');
  return " --daemon-service-account=" + rest.substr(0, colon) + "/" + rest.substr(colon + 1);
}

}  // namespace

struct plugin_access::state {
  state(const plugin::manifest& d, const options& o, std::string p, parts given)
      : declared(d),
        path(std::move(p)),
        account_ns(o.plugin_namespace),
        scope_ns(o.ns),
        own_identity(o.plugin_identity == identity_kind::service_account),
        with(std::move(given)),
        writes(declared, {with.daemon.clock_source, with.daemon.timer_source, with.daemon.metrics,
                          o.ns, plugin::write_quota::of(o.plugin_quotas.of(declared.name))}) {
    auto ungated = with.daemon;
    ungated.gate = nullptr;
    as_daemon = std::make_unique<kube::client>(ungated);
    auto own = with.daemon;
    own.policy = &writes;
    if (own_identity) {
      token = kube::make_service_account_identity({with.daemon.loop, as_daemon.get(),
                                                   with.daemon.clock_source, account_ns,
                                                   plugin::service_account_name(declared.name)});
      own.identity = ungated.identity = token.get();
      own.transport = ungated.transport = with.anonymous;
      trouble = "its identity is not reviewed yet";
    }
    reviewer = std::make_unique<kube::client>(ungated);
    client = std::make_unique<kube::client>(own);
    events = std::make_unique<controller::event_recorder>(
        controller::event_recorder::parts{own.loop, client.get(), own.clock_source,
                                          own.timer_source, own.metrics, with.instance, o.events});
  }

  static task<std::string> review(std::shared_ptr<state> self, std::stop_token stop);
  static task<std::string> remedy(std::shared_ptr<state> self, std::stop_token stop);
  static task<> watch(std::shared_ptr<state> self, std::stop_token stop,
                      std::function<void()> changed);
  void tell(const std::string& found);

  const plugin::manifest declared;
  const std::string path;
  const std::string account_ns;
  const std::string scope_ns;
  const bool own_identity;
  const parts with;
  plugin::plugin_writes writes;
  std::unique_ptr<kube::client> as_daemon;  // asks for tokens
  std::shared_ptr<kube::credentials> token;
  std::unique_ptr<kube::client> reviewer;  // as the plugin; a follower reviews too
  std::unique_ptr<kube::client> client;
  std::unique_ptr<controller::event_recorder> events;
  std::string trouble;
};

// What is missing, without the remedy; empty: nothing. A review that cannot be made says so. The
// daemon is asked about too, as it is the one that watches: who is granted what is granted at once.
task<std::string> plugin_access::state::review(std::shared_ptr<state> self, std::stop_token stop) {
  if (const auto ready = co_await self->token->prepare(); !ready) co_return ready.error().message;
  const auto account = "ServiceAccount " + self->account_ns + "/" +
                       plugin::service_account_name(self->declared.name);
  const std::array<std::pair<kube::client*, std::string>, 2> who{
      {{self->reviewer.get(), account}, {self->as_daemon.get(), "the daemon"}}};
  for (const auto& [asks, name] : who) {
    const auto lacks = co_await package::first_forbidden(asks, plugin::read_grants(self->declared),
                                                         self->scope_ns, stop);
    if (!lacks) co_return lacks.error().message;
    if (!lacks->empty()) {
      co_return fmt::format("expected {} to be allowed to {}, found it forbidden", name, *lacks);
    }
  }
  co_return std::string();
}

task<std::string> plugin_access::state::remedy(std::shared_ptr<state> self, std::stop_token stop) {
  auto command = "oarlock plugin manifest " + self->path + " --namespace=" + self->account_ns;
  if (!self->scope_ns.empty()) command += " --scope-namespace=" + self->scope_ns;
  const auto user = co_await package::own_user_name(self->as_daemon.get(), stop);
  if (!user.empty()) command += subject_flag(user);
  co_return command + " | kubectl apply -f -";
}

void plugin_access::state::tell(const std::string& found) {
  if (found.empty()) {
    log_info("plugin acts as itself",
             {{"plugin", declared.name},
              {"account", account_ns + "/" + plugin::service_account_name(declared.name)}});
  } else {
    log_warn("plugin waits for its grants; the others go on",
             {{"plugin", declared.name}, {"why", found}});
  }
}

task<> plugin_access::state::watch(std::shared_ptr<state> self, std::stop_token stop,
                                   std::function<void()> changed) {
  for (bool go_on = self->own_identity; go_on;) {
    auto found = co_await review(self, stop);
    if (!found.empty()) found += "; apply: " + co_await remedy(self, stop);
    if (stop.stop_requested()) co_return;
    const bool differs = found != self->trouble;
    self->trouble = std::move(found);
    if (differs) {
      self->tell(self->trouble);
      changed();
    }
    const auto rest = self->trouble.empty() ? review_period : trouble_period;
    go_on = co_await self->with.daemon.timer_source->sleep_for(rest, stop);
  }
}

plugin_access::plugin_access(const plugin::manifest& declared, const options& o, std::string path,
                             parts p)
    : state_(std::make_shared<state>(declared, o, std::move(path), std::move(p))) {}
plugin_access::~plugin_access() = default;

kube::client& plugin_access::client() {
  return *state_->client;
}
controller::event_recorder& plugin_access::events() {
  return *state_->events;
}
const std::string& plugin_access::trouble() const {
  return state_->trouble;
}
task<> plugin_access::watch(std::stop_token stop, std::function<void()> changed) {
  return state::watch(state_, std::move(stop), std::move(changed));
}

}  // namespace oarlock::daemon
