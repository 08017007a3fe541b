#include "secrets.hpp"

#include <algorithm>
#include <utility>

#include "certificates.hpp"
#include "generate.hpp"
#include "names.hpp"
#include "oarlock/sdk/secret.hpp"
#include "sealed.hpp"

namespace mysql_cluster {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;

namespace {

using secret = std::optional<rapidjson::Document>;
using contents = std::map<std::string, std::string>;

struct secrets {
  secret accounts, tls, app;
  [[nodiscard]] bool are_there() const { return accounts && tls && app; }
};

secrets read(const sdk::live_reader& reads, const my_sql_cluster& cluster) {
  const std::string name = *cluster.metadata->name;
  return {reads.get("secrets", accounts_secret(name)), reads.get("secrets", tls_secret_of(cluster)),
          reads.get("secrets", app_secret(name))};
}

std::string value_of(const secret& of, std::string_view key) {
  return secret_value(json::node(&*of), key);
}

// Keys of NAME-accounts while passwords change: "change" and "request", the application's new one,
// and each account's new and old one beside the one that counts.
constexpr const char* app_key = "app.new";

std::string new_key(const account& of) {
  return std::string(of.key) + ".new";
}
std::string old_key(const account& of) {
  return std::string(of.key) + ".old";
}

void fill_change(const secret& from, const my_sql_cluster& cluster, access& into) {
  into.change = value_of(from, "change");
  // A server that was away, or was made meanwhile, accepts another one than what counts now.
  for (const char* key : {"admin.new", "admin.old"}) {
    auto other = value_of(from, key);
    if (!other.empty() && other != into.admin_password) {
      into.other_admin_passwords.push_back(std::move(other));
    }
  }
  if (into.change.empty()) return;
  for (const auto& one : accounts)
    into.new_passwords.push_back({one.user, one.host, value_of(from, new_key(one))});
  into.new_passwords.push_back({*cluster.spec->bootstrap->owner, "%", value_of(from, app_key)});
}

void fill(const secrets& from, const my_sql_cluster& cluster, access& into) {
  if (from.accounts) {
    into.admin_password = value_of(from.accounts, "admin");
    into.replication_password = value_of(from.accounts, "replication");
    into.clone_password = value_of(from.accounts, "clone");
    fill_change(from.accounts, cluster, into);
  }
  if (from.tls) into.ca = value_of(from.tls, "ca.crt");
}

json::value sealed_object(const contents& fields) {
  json::value made = json::object({});
  for (const auto& [key, value] : fields)
    made.set(key, seal(value));
  return made;
}

json::value new_accounts() {
  json::value made = json::object({});
  for (const auto& one : accounts)
    made.set(one.key, seal(new_password()));
  return made;
}

// All that NAME-accounts has: Secrets are written whole.
contents accounts_there(const secret& there) {
  contents made;
  for (const char* key : {"change", "request", app_key})
    made[key] = value_of(there, key);
  for (const auto& one : accounts) {
    for (const std::string& key : {std::string(one.key), new_key(one), old_key(one)})
      made[key] = value_of(there, key);
  }
  return made;
}

contents app_with(const secret& there, std::string_view key, std::string value) {
  contents made;
  for (const char* each : {"host", "port", "database", "user", "password", "ca.crt"})
    made[each] = value_of(there, each);
  made[std::string(key)] = std::move(value);
  return made;
}

contents drawn(contents of, std::string request) {
  of["change"] = new_password();
  of["request"] = std::move(request);
  of[app_key] = new_password();
  for (const auto& one : accounts)
    of[new_key(one)] = new_password();
  return of;
}

// Done again it changes nothing: the two Secrets are not written at once.
contents published(contents of) {
  for (const auto& one : accounts) {
    if (of[one.key] == of[new_key(one)]) continue;
    of[old_key(one)] = std::exchange(of[one.key], of[new_key(one)]);
  }
  return of;
}

contents forgotten(contents of) {
  contents made;
  for (const auto& [key, value] : of)
    made[key] = "";
  for (const auto& one : accounts)
    made[one.key] = of[one.key];
  return made;
}

json::value new_app(const my_sql_cluster& cluster, std::string_view ns, const std::string& ca) {
  const std::string name = *cluster.metadata->name;
  return sealed_object({{"host", name + "-rw." + std::string(ns) + ".svc"},
                        {"port", std::to_string(mysql_port)},
                        {"database", *cluster.spec->bootstrap->database},
                        {"user", *cluster.spec->bootstrap->owner},
                        {"password", new_password()},
                        {"ca.crt", ca}});
}

json::value sealed_files(const tls_files& files) {
  return sealed_object(
      {{"ca.crt", files.ca}, {"tls.crt", files.certificate}, {"tls.key", files.key}});
}

json::value sealed_ca(const signed_pair& ca) {
  return sealed_object({{"ca.crt", ca.certificate}, {"ca.key", ca.key}});
}

std::optional<signed_pair> read_ca(const sdk::live_reader& reads, std::string_view name) {
  const auto there = reads.get("secrets", ca_secret(name));
  if (!there) return std::nullopt;
  return signed_pair{value_of(there, "ca.crt"), value_of(there, "ca.key")};
}

// Of the CA that is there already: the Secret with the certificate alone was deleted.
void generate_tls(const sdk::live_reader& reads, const input& in, json::value& generated) {
  auto ca = read_ca(reads, in.name());
  if (!ca) {
    ca = new_ca(in.name(), in.ns(), in.now_unix_ms());
    generated.set(ca_secret(in.name()), sealed_ca(*ca));
  }
  const auto fresh = new_certificate(in.name(), in.ns(), *ca, in.now_unix_ms());
  generated.set(tls_secret(in.name()),
                sealed_files({ca->certificate, fresh.certificate, fresh.key}));
}

void tend_tls(const sdk::live_reader& reads, const input& in, const secrets& there,
              json::value& observation) {
  const tls_files files{value_of(there.tls, "ca.crt"), value_of(there.tls, "tls.crt"),
                        value_of(there.tls, "tls.key")};
  json::value said = json::object({{"fingerprint", fingerprint_of(files.certificate)},
                                   {"endsUnixMs", ends_unix_ms(files.certificate)},
                                   {"caEndsUnixMs", ends_unix_ms(files.ca)}});
  if (auto fault = fault_of(files); !fault.empty()) said.set("fault", std::move(fault));
  if (there.app && value_of(there.app, "ca.crt") != files.ca) {
    said.set("app", sealed_object(app_with(there.app, "ca.crt", files.ca)));
  }
  observation.set("certificates", std::move(said));
  if (in.primary().spec->tls->secret_name || !is_renewal_due(files, in.now_unix_ms())) return;
  auto made = renew(files, read_ca(reads, in.name()), in.name(), in.ns(), in.now_unix_ms());
  json::value renewed = json::object({});
  if (made.files) renewed.set(tls_secret(in.name()), sealed_files(*made.files));
  if (made.ca) renewed.set(ca_secret(in.name()), sealed_ca(*made.ca));
  observation.set("renewed", std::move(renewed));
}

// What each step of a change of passwords writes, should the plan come to it.
void tend_passwords(const input& in, const secrets& there, json::value& observation) {
  const contents now = accounts_there(there.accounts);
  const auto accounts_name = accounts_secret(in.name());
  json::value said = json::object({});
  if (now.at("change").empty()) {
    auto asked = passwords_request(in.primary());
    if (asked.empty() || asked == in.primary().status->passwords->done) return;
    said.set("draw", json::object({{accounts_name, sealed_object(drawn(now, std::move(asked)))}}));
    observation.set("passwords", std::move(said));
    return;
  }
  const bool is_published = value_of(there.app, "password") == now.at(app_key) &&
                            std::ranges::all_of(accounts, [&](const auto& one) {
                              return now.at(one.key) == now.at(new_key(one));
                            });
  said.set("drawn", true);
  said.set("published", is_published);
  said.set("request", now.at("request"));
  if (is_published) {
    said.set("forget", json::object({{accounts_name, sealed_object(forgotten(now))}}));
  } else {
    auto app = app_with(there.app, "password", now.at(app_key));
    app["ca.crt"] = value_of(there.tls, "ca.crt");
    said.set("publish", json::object({{accounts_name, sealed_object(published(now))},
                                      {app_secret(in.name()), sealed_object(app)}}));
  }
  observation.set("passwords", std::move(said));
}

}  // namespace

std::string passwords_request(const my_sql_cluster& cluster) {
  const auto& annotations = cluster.metadata->annotations;
  const auto asked = annotations.find(passwords_annotation);
  return asked == annotations.end() ? std::string() : sdk::shorten(asked->second, 64);
}

std::string tls_secret_of(const my_sql_cluster& cluster) {
  return cluster.spec->tls->secret_name.value_or(tls_secret(*cluster.metadata->name));
}

std::string secret_value(json::node secret, std::string_view key) {
  const auto made = sdk::base64_decode(secret["data"][key].text());
  if (!made) throw sdk::retry_error("BadSecret", "expected base64 in key " + std::string(key));
  return *made;
}

bool read_secrets(const sdk::live_reader& reads, const my_sql_cluster& cluster, access& into) {
  const secrets there = read(reads, cluster);
  fill(there, cluster, into);
  return there.are_there();
}

bool tend_secrets(const sdk::live_reader& reads, const input& in, access& into,
                  json::value& observation) {
  const secrets there = read(reads, in.primary());
  fill(there, in.primary(), into);
  json::value generated = json::object({});
  if (!there.accounts) generated.set(accounts_secret(in.name()), new_accounts());
  if (there.tls) {
    tend_tls(reads, in, there, observation);
    // The one of an application says the CA of the servers: made when that is known for sure.
    if (!there.app) {
      generated.set(app_secret(in.name()), new_app(in.primary(), in.ns(), into.ca));
    }
  } else if (in.primary().spec->tls->secret_name) {
    throw sdk::retry_error("SecretMissing",
                           "expected the Secret " + tls_secret_of(in.primary()) +
                               " with ca.crt, tls.crt and tls.key, as spec.tls.secretName says; "
                               "found none of that name");
  } else {
    generate_tls(reads, in, generated);
  }
  if (there.are_there()) {
    tend_passwords(in, there, observation);
    return true;
  }
  observation.set("generated", std::move(generated));
  return false;
}

}  // namespace mysql_cluster
