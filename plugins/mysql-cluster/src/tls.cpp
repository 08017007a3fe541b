// Certificates that change while servers run. A Secret is written once, the kubelet brings it to
// the members within a minute or two, and a server takes it when it is told to. How far that is, is
// seen of the certificate that each server shows.
#include "tls.hpp"

#include <algorithm>

#include "certificates.hpp"
#include "children.hpp"
#include "names.hpp"
#include "secrets.hpp"

namespace mysql_cluster {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;

namespace {

// Between two times that servers are told, which is in vain until the files are there.
constexpr std::int64_t tell_ms = 10'000;
// The kubelet looks after a minute at the latest, and at what it has kept for another one.
constexpr std::int64_t load_max_ms = 5 * 60'000;
constexpr std::string_view effect_prefix = "effect reload-tls.";

std::vector<const member*> outdated(const view& v, std::string_view wanted) {
  std::vector<const member*> made;
  for (const auto& m : v.members) {
    if (m.reachable && !m.certificate.empty() && m.certificate != wanted) made.push_back(&m);
  }
  return made;
}

void tell_end(json::node seen, std::int64_t now_unix_ms, output& out, bool is_own) {
  const auto left = seen["endsUnixMs"].integer() - now_unix_ms;
  if (left > ends_soon_ms) return;
  const auto when = left <= 0 ? "has ended" : "ends in " + std::to_string(left / day_ms) + " days";
  out.condition("CertificateTrouble", true, left <= 0 ? "Ended" : "EndsSoon",
                std::string("the servers' certificate ") + when + "; expected a new one " +
                    (is_own ? "by now: the daemon's log says why none was made"
                            : "in the Secret that spec.tls.secretName names"));
}

}  // namespace

void write_renewed_secrets(const input& in, bool with_app, output& out) {
  const auto renewed = in.observation()["renewed"];
  // What everybody trusts before what signs.
  std::uint32_t group = 0;
  for (const auto& name : {tls_secret(in.name()), ca_secret(in.name())}) {
    const auto content = renewed[name];
    if (!content.is_object()) continue;
    out.apply(secret_of(in, name, content), group++);
    out.normal_event("CertificatesRenewed", "Secret " + name);
  }
  const auto app = in.observation()["certificates"]["app"];
  if (with_app && app.is_object()) out.apply(secret_of(in, app_secret(in.name()), app));
}

void tend_certificates(const input& in, const view& v, my_sql_cluster::status_type& status,
                       output& out) {
  const auto seen = in.observation()["certificates"];
  auto& told = *status.certificates;
  told = *in.primary().status->certificates;
  if (!seen.is_object()) return;
  told.ends_at = sdk::timestamp::of_unix_ms(seen["endsUnixMs"].integer());
  told.ca_ends_at = sdk::timestamp::of_unix_ms(seen["caEndsUnixMs"].integer());
  const bool is_own = !in.primary().spec->tls->secret_name;
  if (const auto fault = seen["fault"].text(); !fault.empty()) {
    return out.condition("CertificateTrouble", true, "Invalid",
                         "Secret " + tls_secret_of(in.primary()) + ": " + std::string(fault) +
                             "; the servers keep the certificate that they have");
  }
  tell_end(seen, v.now_unix_ms, out, is_own);
  auto late = outdated(v, seen["fingerprint"].text());
  if (late.empty()) {
    told.loading_since = {};
    told.told_at = {};
    told.message.reset();
    return;
  }
  if (!told.loading_since) told.loading_since = sdk::timestamp::of_unix_ms(v.now_unix_ms);
  if (const auto failed = in.last_failure(); failed && failed->step.starts_with(effect_prefix)) {
    told.message = sdk::shorten(std::string(failed->message), 512);
    told.told_at = sdk::timestamp::of_unix_ms(v.now_unix_ms);
  }
  if (v.now_unix_ms - told.loading_since.unix_ms().value_or(0) > load_max_ms) {
    out.condition("CertificateTrouble", true, "NotLoaded",
                  late.front()->name + " still shows another certificate than the Secret " +
                      tls_secret_of(in.primary()) + " has" +
                      (told.message ? ": " + *told.message : "") +
                      "; deleting its pod makes it read its files anew");
  }
  if (v.now_unix_ms - told.told_at.unix_ms().value_or(0) < tell_ms) return;
  told.told_at = sdk::timestamp::of_unix_ms(v.now_unix_ms);
  // One that refuses must not keep the others from it.
  std::ranges::stable_partition(late, [&](const member* m) {
    return !told.message || !told.message->starts_with(m->name + ":");
  });
  for (const auto* m : late) {
    out.effect("reload-tls." + m->name,
               json::object({{"member", m->name}, {"address", m->address}}));
  }
}

}  // namespace mysql_cluster
