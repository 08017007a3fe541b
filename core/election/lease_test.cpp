#include "core/election/lease.hpp"

#include <gtest/gtest.h>

#include "core/election/errors.hpp"
#include "core/json/parse.hpp"

namespace oarlock::election {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(micro_time, always_has_six_digits) {
  const struct {
    microseconds since_epoch;
    const char* text;
  } cases[] = {
      {microseconds(0), "1970-01-01T00:00:00.000000Z"},
      {microseconds(7), "1970-01-01T00:00:00.000007Z"},
      {microseconds(1'700'000'000'123'456), "2023-11-14T22:13:20.123456Z"},
      {microseconds(-1), "1969-12-31T23:59:59.999999Z"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(micro_time(wall_time(c.since_epoch)), c.text);
}

TEST(parse_lease, reads_what_other_clients_write) {
  const struct {
    const char* body;
    lease_record record;
  } cases[] = {
      {R"({"spec":{"holderIdentity":"a_1","leaseDurationSeconds":15,"acquireTime":"x",
           "renewTime":"y","leaseTransitions":3}})",
       {"a_1", 15, "x", "y", 3}},
      {R"({"metadata":{"name":"l"}})", {}},
      {R"({"spec":{}})", {}},
      {R"({"spec":{"holderIdentity":null,"leaseDurationSeconds":null}})", {}},
      {R"({"spec":{"holderIdentity":7,"leaseDurationSeconds":"15"}})", {}},
  };
  for (const auto& c : cases) {
    const auto found = parse_lease(c.body);
    ASSERT_TRUE(found) << c.body;
    EXPECT_EQ(found->record, c.record) << c.body;
  }
}

TEST(parse_lease, refuses_what_is_no_object) {
  for (const auto* body : {"", "[]", "7", "{", "404 page not found"}) {
    const auto found = parse_lease(body);
    ASSERT_FALSE(found) << body;
    EXPECT_EQ(found.error().code, election_error::bad_lease);
    EXPECT_NE(found.error().message.find("expected a Lease"), std::string::npos);
  }
}

TEST(with_record, keeps_everything_but_the_record) {
  const auto found = parse_lease(
      R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"l",
          "resourceVersion":"42","labels":{"team":"x"}},
          "spec":{"holderIdentity":"old","strategy":"OldestEmulationVersion"}})");
  ASSERT_TRUE(found);
  const auto body = with_record(*found, {"new", 15, "t1", "t2", 4});
  ASSERT_TRUE(body);
  const auto doc = json::parse(*body);
  ASSERT_TRUE(doc);
  const std::pair<const char*, const char*> texts[] = {
      {"/metadata/resourceVersion", "42"}, {"/metadata/labels/team", "x"},
      {"/spec/holderIdentity", "new"},     {"/spec/strategy", "OldestEmulationVersion"},
      {"/spec/acquireTime", "t1"},         {"/spec/renewTime", "t2"},
  };
  for (const auto& [pointer, text] : texts)
    EXPECT_EQ(json::string_at(*doc, pointer), text);
  EXPECT_EQ(json::int_at(*doc, "/spec/leaseDurationSeconds"), 15);
  EXPECT_EQ(json::int_at(*doc, "/spec/leaseTransitions"), 4);
}

TEST(with_record, adds_a_missing_spec) {
  const auto found = parse_lease(R"({"metadata":{"name":"l"}})");
  ASSERT_TRUE(found);
  const auto body = with_record(*found, {"new", 15, "t1", "t2", 0});
  ASSERT_TRUE(body);
  EXPECT_EQ(parse_lease(*body)->record, (lease_record{"new", 15, "t1", "t2", 0}));
}

TEST(new_lease_json, is_a_lease) {
  const auto doc = json::parse(new_lease_json("ns", "name", {"me", 15, "t", "t", 0}));
  ASSERT_TRUE(doc);
  EXPECT_EQ(json::string_at(*doc, "/apiVersion"), "coordination.k8s.io/v1");
  EXPECT_EQ(json::string_at(*doc, "/kind"), "Lease");
  EXPECT_EQ(json::string_at(*doc, "/metadata/namespace"), "ns");
  EXPECT_EQ(json::string_at(*doc, "/metadata/name"), "name");
  EXPECT_EQ(json::string_at(*doc, "/spec/holderIdentity"), "me");
}

}  // namespace
}  // namespace oarlock::election
