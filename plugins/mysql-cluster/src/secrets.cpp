#include "secrets.hpp"

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

void fill(const secrets& from, access& into) {
  if (from.accounts) {
    into.admin_password = value_of(from.accounts, "admin");
    into.replication_password = value_of(from.accounts, "replication");
    into.clone_password = value_of(from.accounts, "clone");
  }
  if (from.tls) into.ca = value_of(from.tls, "ca.crt");
}

json::value sealed_object(std::initializer_list<std::pair<std::string, std::string>> fields) {
  json::value made = json::object({});
  for (const auto& [key, value] : fields)
    made.set(key, seal(value));
  return made;
}

json::value new_accounts() {
  json::value made = json::object({});
  for (const char* account : {"root", "admin", "replication", "clone", "monitor", "backup"})
    made.set(account, seal(new_password()));
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
  if (there.app && value_of(there.app, "ca.crt") != files.ca) said.set("appCA", files.ca);
  observation.set("certificates", std::move(said));
  if (in.primary().spec->tls->secret_name || !is_renewal_due(files, in.now_unix_ms())) return;
  auto made = renew(files, read_ca(reads, in.name()), in.name(), in.ns(), in.now_unix_ms());
  json::value renewed = json::object({});
  if (made.files) renewed.set(tls_secret(in.name()), sealed_files(*made.files));
  if (made.ca) renewed.set(ca_secret(in.name()), sealed_ca(*made.ca));
  observation.set("renewed", std::move(renewed));
}

}  // namespace

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
  fill(there, into);
  return there.are_there();
}

bool tend_secrets(const sdk::live_reader& reads, const input& in, access& into,
                  json::value& observation) {
  const secrets there = read(reads, in.primary());
  fill(there, into);
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
  if (there.are_there()) return true;
  observation.set("generated", std::move(generated));
  return false;
}

}  // namespace mysql_cluster
