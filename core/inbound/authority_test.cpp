#include "core/inbound/authority.hpp"

#include <gtest/gtest.h>

#include "core/json/parse.hpp"
#include "core/metrics/server_tls.hpp"

namespace oarlock::inbound {
namespace {

using namespace std::chrono_literals;
constexpr auto day = 24h;

class manual_clock final : public clock {
 public:
  duration since{};
  [[nodiscard]] steady_time now() const override { return steady_time(1000s) + since; }
  [[nodiscard]] wall_time wall_now() const override { return wall_time(1'700'000'000s) + since; }
};

class authority_life : public ::testing::Test {
 protected:
  bool advance() {
    const auto done = a.advance("oarlock inbound", time);
    EXPECT_TRUE(done) << done.error().message;
    return done && *done;
  }
  manual_clock time;
  authority a;
};

TEST_F(authority_life, is_made_once) {
  EXPECT_TRUE(advance());
  const auto first = a.signer.certificate_pem;
  EXPECT_FALSE(first.empty());
  time.since += 100 * day;
  EXPECT_FALSE(advance());
  EXPECT_EQ(a.trusted_pem(), first);
}

TEST_F(authority_life, the_next_is_trusted_before_it_signs_and_the_last_as_long_as_it_lives) {
  EXPECT_TRUE(advance());
  const auto first = a.signer.certificate_pem;
  time.since += authority::lifetime - authority::next_known + 1s;
  EXPECT_TRUE(advance());
  EXPECT_FALSE(advance());
  const auto second = a.next.certificate_pem;
  EXPECT_EQ(a.signer.certificate_pem, first);
  EXPECT_EQ(a.trusted_pem(), first + second);
  time.since += authority::next_known - authority::next_signs;
  EXPECT_TRUE(advance());
  EXPECT_EQ(a.signer.certificate_pem, second);
  EXPECT_EQ(a.trusted_pem(), second + first);
  EXPECT_FALSE(advance());
  time.since += authority::next_signs;
  EXPECT_TRUE(advance());
  EXPECT_EQ(a.trusted_pem(), second);
}

TEST_F(authority_life, one_that_ended_while_nobody_ran_is_made_anew) {
  EXPECT_TRUE(advance());
  const auto first = a.signer.certificate_pem;
  time.since += authority::lifetime + day;
  EXPECT_TRUE(advance());
  EXPECT_NE(a.signer.certificate_pem, first);
  EXPECT_EQ(a.trusted_pem(), a.signer.certificate_pem);
}

TEST_F(authority_life, lies_in_a_secret) {
  EXPECT_TRUE(advance());
  time.since += authority::lifetime - authority::next_known + 1s;
  EXPECT_TRUE(advance());
  const auto made = secret_of(a, "oarlock-system", "oarlock-inbound", "");
  ASSERT_TRUE(made) << made.error().message;
  const auto back = authority_in(*made);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->trusted_pem(), a.trusted_pem());
  EXPECT_EQ(back->signer.key_pem, a.signer.key_pem);
  EXPECT_EQ(back->next.key_pem, a.next.key_pem);
  EXPECT_FALSE(authority_in(R"({"data":{"tls.crt":"?"}})"));
}

TEST_F(authority_life, what_others_say_of_the_secret_stays) {
  EXPECT_TRUE(advance());
  const auto made = secret_of(a, "ns", "name", R"({"apiVersion":"v1","kind":"Secret","metadata":{
    "name":"name","namespace":"ns","resourceVersion":"7","labels":{"of":"helm"}},
    "data":{"tls.crt":"b2xk","other":"b2xk"}})");
  ASSERT_TRUE(made) << made.error().message;
  const auto doc = json::parse(*made);
  ASSERT_TRUE(doc);
  EXPECT_EQ(json::string_at(*doc, "/metadata/resourceVersion"), "7") << "it is the lock";
  EXPECT_EQ(json::string_at(*doc, "/metadata/labels/of"), "helm");
  EXPECT_EQ(authority_in(*made)->signer.key_pem, a.signer.key_pem);
  EXPECT_EQ(json::find(*doc, "/data/other"), nullptr) << "of an authority before it";
}

TEST_F(authority_life, its_certificates_last_a_day_and_are_renewed) {
  EXPECT_TRUE(advance());
  auto tls = metrics::tls_issued_by(a.signer, {"oarlock.test", "127.0.0.1"}, time);
  ASSERT_TRUE(tls) << tls.error().message;
  const auto first = (*tls)->certificate_pem();
  time.since += 15h;
  static_cast<void>((*tls)->current());
  EXPECT_EQ((*tls)->certificate_pem(), first);
  time.since += 2h;
  static_cast<void>((*tls)->current());
  const auto second = (*tls)->certificate_pem();
  EXPECT_NE(second, first);
  const auto end = metrics::end_of(second);
  ASSERT_TRUE(end);
  EXPECT_GT(*end, time.wall_now() + 23h);
  auto other = metrics::make_authority("other", authority::lifetime, time);
  ASSERT_TRUE(other);
  ASSERT_TRUE((*tls)->use(*other));
  EXPECT_NE((*tls)->certificate_pem(), second);
  EXPECT_FALSE((*tls)->use({"no", "certificate"}));
}

TEST_F(authority_life, no_certificate_outlives_it) {
  EXPECT_TRUE(advance());
  time.since += authority::lifetime - 1h;
  const auto last = metrics::issue(a.signer, {"oarlock.test"}, 24h, time);
  ASSERT_TRUE(last);
  EXPECT_EQ(*metrics::end_of(last->certificate_pem), *metrics::end_of(a.signer.certificate_pem));
}

}  // namespace
}  // namespace oarlock::inbound
