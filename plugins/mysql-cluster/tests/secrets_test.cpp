// What a change of passwords writes into the Secrets, one step after the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "../src/generate.hpp"
#include "../src/sealed.hpp"
#include "oarlock/sdk/secret.hpp"
#include "oarlock/sdk/testing/bench_host.hpp"

extern "C" const oarlock_plugin* oarlock_plugin_entry_v0();

namespace mysql_cluster {
namespace {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;
using ::testing::HasSubstr;
using ::testing::Not;
using contents = std::map<std::string, std::string>;

constexpr const char* accounts[] = {"root", "admin", "replication", "clone", "monitor", "backup"};

class mysql_secrets : public ::testing::Test {
 protected:
  mysql_secrets() {
    for (const char* account : accounts)
      accounts_[account] = std::string("first-") + account;
    app_ = {{"host", "db-rw.shop.svc"}, {"port", "3306"}, {"database", "app"}, {"user", "app"},
            {"password", "first-app"},  {"ca.crt", ca_}};
  }

  // What observe() says of passwords; `done` is the request on record.
  rapidjson::Document look(const std::string& asked, const std::string& done) {
    sdk::testing::bench_host host(*oarlock_plugin_entry_v0());
    put(host, "db-accounts", accounts_);
    put(host, "db-app", app_);
    put(host, "db-tls", {{"ca.crt", ca_}});
    sdk::testing::given of;
    of.controller = "mysqlcluster";
    of.primary = {
        "mysqlclusters.mysql.oarlock.dev",
        R"({"apiVersion":"mysql.oarlock.dev/v1alpha1","kind":"MySQLCluster",)"
        R"("metadata":{"name":"db","namespace":"shop","uid":"u-1","generation":1,"annotations":)"
        R"({"mysql.oarlock.dev/new-passwords":")" +
            asked +
            R"("}},"spec":{"image":"mysql:9","replicas":3,"storage":{"size":"1Gi"}},)"
            R"("status":{"passwords":{"done":")" +
            done + "\"}}}"};
    of.ns = "shop";
    of.name = "db";
    const auto seen = host.observe(of);
    EXPECT_EQ(seen.returned, OARLOCK_OK);
    EXPECT_THAT(seen.json, Not(HasSubstr("first-"))) << "a password can be read";
    rapidjson::Document made;
    made.CopyFrom(*json::node(&keep(seen.json))["passwords"].raw(), made.GetAllocator());
    return made;
  }
  // What a step writes into a Secret.
  static contents written(const rapidjson::Document& said, const char* step, const char* secret) {
    contents made;
    const auto fields = json::node(&said)[step][secret];
    EXPECT_TRUE(fields.is_object()) << step << ' ' << secret;
    if (!fields.is_object()) return made;
    for (const auto& field : fields.raw()->GetObject())
      made[field.name.GetString()] = unseal(field.value.GetString());
    return made;
  }

  const std::string ca_ = new_ca("db", "shop", 0).certificate;
  contents accounts_, app_;

 private:
  static void put(sdk::testing::bench_host& host, const std::string& name, const contents& data) {
    json::value made = json::object({});
    for (const auto& [key, value] : data)
      made.set(key, sdk::base64_encode(value));
    host.world().live["secrets/" + name] = json::object({{"data", std::move(made)}}).text();
  }
  const rapidjson::Document& keep(const std::string& text) {
    seen_ = json::parse(text);
    if (!seen_.HasMember("passwords")) seen_.AddMember("passwords", {}, seen_.GetAllocator());
    return seen_;
  }
  rapidjson::Document seen_;
};

TEST_F(mysql_secrets, have_new_passwords_beside_those_that_count_then_instead_then_alone) {
  const auto asked = look("1", "");
  EXPECT_FALSE(json::node(&asked)["drawn"].boolean());
  accounts_ = written(asked, "draw", "db-accounts");
  EXPECT_EQ(accounts_["request"], "1");
  EXPECT_FALSE(accounts_["change"].empty());
  for (const std::string account : accounts) {
    EXPECT_EQ(accounts_[account], "first-" + account);
    EXPECT_EQ(accounts_[account + ".new"].size(), 32U);
    EXPECT_EQ(accounts_[account + ".old"], "");
  }
  const auto drawn = accounts_;

  const auto half = look("1", "");
  EXPECT_TRUE(json::node(&half)["drawn"].boolean());
  EXPECT_FALSE(json::node(&half)["published"].boolean());
  accounts_ = written(half, "publish", "db-accounts");
  for (const std::string account : accounts) {
    EXPECT_EQ(accounts_[account], drawn.at(account + ".new"));
    EXPECT_EQ(accounts_[account + ".old"], "first-" + account);
  }
  // The process dies between the two Secrets.
  const auto again = look("1", "");
  EXPECT_FALSE(json::node(&again)["published"].boolean());
  EXPECT_EQ(written(again, "publish", "db-accounts"), accounts_);
  const auto app = written(again, "publish", "db-app");
  EXPECT_EQ(app.at("password"), drawn.at("app.new"));
  EXPECT_EQ(app.at("ca.crt"), ca_);
  EXPECT_EQ(app.size(), app_.size());
  app_ = app;

  const auto whole = look("1", "");
  EXPECT_TRUE(json::node(&whole)["published"].boolean());
  accounts_ = written(whole, "forget", "db-accounts");
  for (const auto& [key, value] : accounts_)
    EXPECT_EQ(value.empty(),
              key.find('.') != std::string::npos || key == "change" || key == "request")
        << key;
  EXPECT_TRUE(look("1", "1").IsNull()) << "nothing is asked for";
  EXPECT_NE(written(look("2", "1"), "draw", "db-accounts").at("change"), drawn.at("change"));
}

}  // namespace
}  // namespace mysql_cluster
