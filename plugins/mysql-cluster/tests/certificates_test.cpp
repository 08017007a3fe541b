// When certificates are made anew, who signs what, and what an observation must not hold.
#include "../src/certificates.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "../src/sealed.hpp"
#include "oarlock/sdk/testing/bench_host.hpp"

extern "C" const oarlock_plugin* oarlock_plugin_entry_v0();

namespace mysql_cluster {
namespace {

namespace sdk = oarlock::sdk;
namespace json = oarlock::sdk::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::int64_t start_ms = 1'800'000'000'000;

struct made {
  signed_pair ca;
  tls_files files;
};

made made_at(std::int64_t at_ms) {
  auto ca = new_ca("db", "shop", at_ms);
  const auto one = new_certificate("db", "shop", ca, at_ms);
  return {ca, {ca.certificate, one.certificate, one.key}};
}

renewal renew_at(const made& there, std::int64_t at_ms) {
  return renew(there.files, there.ca, "db", "shop", at_ms);
}

// What was written is there from now on.
void take(made& there, renewal r) {
  if (r.files) there.files = std::move(*r.files);
  if (r.ca) there.ca = std::move(*r.ca);
}

TEST(mysql_certificates, are_renewed_well_before_they_end) {
  const made there = made_at(start_ms);
  EXPECT_EQ(ends_unix_ms(there.files.certificate), start_ms + 90 * day_ms);
  EXPECT_THAT(fault_of(there.files), IsEmpty());
  EXPECT_FALSE(is_renewal_due(there.files, start_ms + 59 * day_ms));
  const auto due = start_ms + 61 * day_ms;
  EXPECT_TRUE(is_renewal_due(there.files, due));
  const auto next = renew_at(there, due);
  ASSERT_TRUE(next.files);
  EXPECT_FALSE(next.ca);
  EXPECT_EQ(next.files->ca, there.files.ca);
  EXPECT_EQ(ends_unix_ms(next.files->certificate), due + 90 * day_ms);
  EXPECT_THAT(fault_of(*next.files), IsEmpty());
  EXPECT_FALSE(is_renewal_due(*next.files, due));
}

TEST(mysql_certificates, that_have_ended_are_renewed_as_well) {
  const made there = made_at(start_ms);
  const auto next = renew_at(there, start_ms + 200 * day_ms);
  ASSERT_TRUE(next.files);
  EXPECT_THAT(fault_of(*next.files), IsEmpty());
}

TEST(mysql_certificates, another_ca_is_trusted_before_it_signs_and_the_old_one_until_it_ends) {
  made there = made_at(start_ms);
  const auto old = there.ca.certificate;
  const auto due = start_ms + 9 * 365 * day_ms + day_ms;
  take(there, renew_at(there, due - 2 * day_ms));  // the certificate alone
  const auto kept = there.files.certificate;
  ASSERT_TRUE(is_renewal_due(there.files, due));
  take(there, renew_at(there, due));
  EXPECT_NE(there.ca.certificate, old);
  EXPECT_EQ(there.files.ca, there.ca.certificate + old) << "both are trusted, the newest is first";
  EXPECT_EQ(there.files.certificate, kept) << "and the old one has signed";
  EXPECT_THAT(fault_of(there.files), IsEmpty());
  EXPECT_FALSE(is_renewal_due(there.files, due));
  const auto after = due + 61 * day_ms;
  take(there, renew_at(there, after));
  EXPECT_EQ(there.files.ca, there.ca.certificate + old) << "somebody may show the old one still";
  EXPECT_NE(there.files.certificate, kept);
  auto alone = there.files;
  alone.ca = there.ca.certificate;
  EXPECT_THAT(fault_of(alone), IsEmpty()) << "the new one has signed";
  take(there, renew_at(there, due + 400 * day_ms));
  EXPECT_EQ(there.files.ca, there.ca.certificate) << "one that has ended is not trusted any more";
}

TEST(mysql_certificates, a_death_between_any_two_writes_leads_to_the_same_end) {
  made there = made_at(start_ms);
  const auto due = start_ms + 9 * 365 * day_ms + 25 * day_ms;
  take(there, renew_at(there, due - 45 * day_ms));
  // The files are there, the new CA's key is lost with the process.
  auto half = renew_at(there, due);
  ASSERT_TRUE(half.files && half.ca);
  there.files = *half.files;
  const auto later = due + 20 * day_ms;
  ASSERT_TRUE(is_renewal_due(there.files, later));
  take(there, renew_at(there, later));
  EXPECT_THAT(there.files.ca, HasSubstr(there.ca.certificate));
  EXPECT_THAT(fault_of(there.files), IsEmpty());
  take(there, renew_at(there, later));
  EXPECT_GT(ends_unix_ms(there.files.certificate), later) << "the new CA is not trusted for a day";
  take(there, renew_at(there, later + 2 * day_ms));
  EXPECT_EQ(ends_unix_ms(there.files.certificate), later + 92 * day_ms);
  EXPECT_THAT(fault_of(there.files), IsEmpty());
}

TEST(mysql_certificates, a_ca_that_is_not_trusted_yet_does_not_sign) {
  made there = made_at(start_ms);
  const auto old = there.files.ca;
  there.ca = new_ca("db", "shop", start_ms);
  const auto due = start_ms + 70 * day_ms;
  take(there, renew_at(there, due));
  EXPECT_EQ(there.files.ca, there.ca.certificate + old);
  EXPECT_LT(ends_unix_ms(there.files.certificate), due + 30 * day_ms);
}

TEST(mysql_certificates, without_the_key_of_the_ca_another_one_takes_its_place) {
  made there = made_at(start_ms);
  const auto due = start_ms + 61 * day_ms;
  const auto next = renew(there.files, std::nullopt, "db", "shop", due);
  ASSERT_TRUE(next.ca && next.files);
  EXPECT_EQ(next.files->certificate, there.files.certificate);
  take(there, next);
  EXPECT_FALSE(renew_at(there, due).files) << "it signs after a day";
  take(there, renew_at(there, due + 2 * day_ms));
  EXPECT_EQ(ends_unix_ms(there.files.certificate), due + 92 * day_ms);
}

TEST(mysql_certificates, of_others_have_their_faults_named) {
  const made one = made_at(start_ms), other = made_at(start_ms);
  auto files = one.files;
  files.key = other.files.key;
  EXPECT_THAT(fault_of(files), HasSubstr("tls.key: expected the key of tls.crt"));
  files = one.files;
  files.ca = other.files.ca;
  EXPECT_THAT(fault_of(files), HasSubstr("tls.crt: expected one that ca.crt has signed"));
  EXPECT_THAT(fault_of({"", files.certificate, files.key}), HasSubstr("ca.crt: expected"));
  EXPECT_THAT(fault_of({files.ca, "no", files.key}), HasSubstr("tls.crt: expected"));
  EXPECT_THAT(fault_of({files.ca, files.certificate, "no"}), HasSubstr("tls.key: expected"));
}

TEST(mysql_sealed, a_text_is_read_by_the_process_that_has_sealed_it) {
  const auto made = seal("secret");
  EXPECT_THAT(made, Not(HasSubstr("secret")));
  EXPECT_NE(made, seal("secret"));
  EXPECT_EQ(unseal(made), "secret");
  EXPECT_EQ(unseal("as it is"), "as it is");
  EXPECT_THROW((void)unseal("sealed:AAAA"), std::runtime_error);
  auto changed = made;
  changed[made.size() - 6] = changed[made.size() - 6] == 'A' ? 'B' : 'A';
  EXPECT_THROW((void)unseal(changed), std::runtime_error);
}

// Observations are recorded.
TEST(mysql_sealed, an_observation_holds_neither_passwords_nor_keys) {
  sdk::testing::bench_host host(*oarlock_plugin_entry_v0());
  sdk::testing::given of;
  of.controller = "mysqlcluster";
  of.primary = {"mysqlclusters.mysql.oarlock.dev",
                R"({"apiVersion":"mysql.oarlock.dev/v1alpha1","kind":"MySQLCluster",)"
                R"("metadata":{"name":"db","namespace":"shop","uid":"u-1","generation":1},)"
                R"("spec":{"image":"mysql:9","replicas":3,"storage":{"size":"1Gi"}}})"};
  of.ns = "shop";
  of.name = "db";
  of.now_unix_ms = start_ms;
  const auto seen = host.observe(of);
  ASSERT_EQ(seen.returned, OARLOCK_OK);
  const auto said = json::parse(seen.json);
  for (const char* name : {"db-accounts", "db-ca", "db-tls"}) {
    const auto fields = json::node(&said)["generated"][name];
    ASSERT_TRUE(fields.is_object()) << name;
    for (const auto& field : fields.raw()->GetObject()) {
      const std::string value = field.value.GetString();
      EXPECT_TRUE(value.starts_with("sealed:")) << name << ' ' << field.name.GetString();
      EXPECT_THAT(unseal(value), Not(IsEmpty()));
    }
  }
  EXPECT_THAT(seen.json, Not(HasSubstr("PRIVATE KEY")));
}

}  // namespace
}  // namespace mysql_cluster
