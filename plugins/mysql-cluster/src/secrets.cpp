#include "secrets.hpp"

#include "generate.hpp"
#include "names.hpp"
#include "oarlock/sdk/secret.hpp"

namespace mysql_cluster {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;

namespace {

json::value new_accounts() {
  json::value made = json::object({});
  for (const char* account : {"root", "admin", "replication", "clone", "monitor", "backup"})
    made.set(account, new_password());
  return made;
}

json::value new_tls(const std::string& name, const std::string& ns) {
  const auto made = new_certificates(name, ns);
  return json::object({{"ca.crt", made.ca}, {"tls.crt", made.certificate}, {"tls.key", made.key}});
}

json::value new_app(const my_sql_cluster& cluster, const std::string& name, const std::string& ns,
                    const std::string& ca) {
  return json::object({{"host", name + "-rw." + ns + ".svc"},
                       {"port", std::to_string(mysql_port)},
                       {"database", *cluster.spec->bootstrap->database},
                       {"user", *cluster.spec->bootstrap->owner},
                       {"password", new_password()},
                       {"ca.crt", ca}});
}

}  // namespace

std::string secret_value(json::node secret, std::string_view key) {
  const auto made = sdk::base64_decode(secret["data"][key].text());
  if (!made) throw sdk::retry_error("BadSecret", "expected base64 in key " + std::string(key));
  return *made;
}

std::optional<json::value> read_secrets(const sdk::live_reader& reads,
                                        const my_sql_cluster& cluster, const std::string& name,
                                        const std::string& ns, access& into) {
  json::value generated = json::object({});
  const auto accounts = reads.get("secrets", accounts_secret(name));
  const auto tls = reads.get("secrets", tls_secret(name));
  const auto app = reads.get("secrets", app_secret(name));
  if (accounts) {
    const json::node said(&*accounts);
    into.admin_password = secret_value(said, "admin");
    into.replication_password = secret_value(said, "replication");
    into.clone_password = secret_value(said, "clone");
  } else {
    generated.set(accounts_secret(name), new_accounts());
  }
  if (tls) {
    into.ca = secret_value(json::node(&*tls), "ca.crt");
  } else {
    json::value made = new_tls(name, ns);
    into.ca = *made.find("ca.crt")->as_text();
    generated.set(tls_secret(name), std::move(made));
  }
  // The one of an application says the CA of the servers: made when that is known for sure.
  if (!app && tls) generated.set(app_secret(name), new_app(cluster, name, ns, into.ca));
  if (generated.as_object()->empty()) return std::nullopt;
  return generated;
}

}  // namespace mysql_cluster
