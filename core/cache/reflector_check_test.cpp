// The comparison of a store with the server's list, through the cache and the real client.
#include <gmock/gmock.h>

#include "core/cache/scripted_cluster_test.hpp"

namespace oarlock::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* metadata_accept =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

// A server whose watches stay open and whose list at a version is what the test says.
class reflector_check_test : public scripted_cluster {
 protected:
  reflector_check_test() {
    transport.on_request = [this](const test::scripted_call_ptr& call) { serve(call); };
    joined = subject.acquire({widgets, "", ""}, {},
                             [this](const change& c) { heard.push_back(text_of(c)); });
    loop.run_ready();
    heard.clear();
  }
  ~reflector_check_test() override {
    loop.await(subject.stop());
    transport.on_request = nullptr;
  }

  void serve(const test::scripted_call_ptr& call) {
    if (call->query("watch") == "true") {
      watch = call;
      call->answer(200);
      if (call->query("sendInitialEvents") != "true") return;
      for (const auto& w : present)
        call->push(added(w));
      call->push(end_of_list("100"));
    } else if (call->query("resourceVersionMatch") == "Exact" || !call->query("continue").empty()) {
      checks.push_back(call);
      if (on_check) on_check();
      call->reply(check_status, check_status == 200 ? list(listed, check_version, check_token)
                                                    : status(check_status, "Expired"));
      check_token.clear();
    } else {
      relists.push_back(call);
      call->reply(200, list(truth, "200"));
    }
  }
  void first_check() { loop.advance(10min); }
  void second_check() { loop.advance(90s); }
  bool inconsistencies(const std::string& n) {
    return counted(R"(oarlock_cache_inconsistencies_total{resource="widgets.example.com"} )" + n);
  }
  bool completed(const std::string& n) {
    return counted(R"(oarlock_cache_checks_total{resource="widgets.example.com"} )" + n);
  }

  std::vector<widget> present{{"a", "3"}, {"b", "7"}};
  std::vector<widget> listed = present;
  std::vector<widget> truth = present;
  std::string check_version = "100";
  std::string check_token;
  int check_status = 200;
  std::function<void()> on_check;
  test::scripted_call_ptr watch;
  std::vector<test::scripted_call_ptr> checks, relists;
  informer_cache subject{
      {loop.loop(), &client, &loop.clock, &loop.timers, &random, metrics.get(), 10min}};
  std::unique_ptr<subscription> joined;
};

TEST_F(reflector_check_test, lists_metadata_at_the_position_and_is_content) {
  first_check();
  ASSERT_EQ(checks.size(), 1U);
  EXPECT_EQ(checks[0]->query("resourceVersion"), "100");
  EXPECT_EQ(checks[0]->query("limit"), "500");
  ASSERT_FALSE(checks[0]->request().headers.empty());
  EXPECT_EQ(checks[0]->request().headers[0].value, metadata_accept);
  EXPECT_TRUE(completed("1"));
  second_check();
  EXPECT_EQ(checks.size(), 1U);
  EXPECT_TRUE(inconsistencies("0"));
  EXPECT_THAT(relists, IsEmpty());
}

struct difference {
  const char* what;
  std::vector<widget> listed;
  const char* count;
  std::vector<std::string> repair;
};
class reflector_check_differences : public reflector_check_test,
                                    public testing::WithParamInterface<difference> {};
TEST_P(reflector_check_differences, are_counted_and_repaired_when_seen_twice) {
  listed = truth = GetParam().listed;
  first_check();
  EXPECT_TRUE(inconsistencies("0")) << "seen once";
  second_check();
  EXPECT_TRUE(inconsistencies(GetParam().count));
  ASSERT_EQ(relists.size(), 1U);
  EXPECT_EQ(relists[0]->query("resourceVersion"), "") << "a quorum list";
  EXPECT_THAT(heard, testing::UnorderedElementsAreArray(GetParam().repair));
  EXPECT_EQ(joined->view().seen_version(), "200");
}
INSTANTIATE_TEST_SUITE_P(
    kinds, reflector_check_differences,
    testing::Values(
        difference{"lost event", {{"a", "9"}, {"b", "7"}}, "1", {"ns/a@3>9!"}},
        difference{"lost add", {{"a", "3"}, {"b", "7"}, {"c", "9"}}, "1", {"+ns/c@9!"}},
        difference{"tombstone lost", {{"b", "7"}}, "1", {"-ns/a@3!"}},
        difference{"another life", {{"a", "3", "u2"}, {"b", "7"}}, "1", {"-ns/a@3!", "+ns/a@3!"}},
        difference{"all", {}, "2", {"-ns/a@3!", "-ns/b@7!"}}));

TEST_F(reflector_check_test, explains_by_events_what_changed_meanwhile) {
  on_check = [this] {
    watch->push(modified({"a", "110"}) + deleted({"b", "111"}) + added({"c", "112"}));
    loop.run_ready();
  };
  first_check();
  EXPECT_TRUE(completed("1"));
  second_check();
  EXPECT_EQ(checks.size(), 1U) << "nothing to confirm";
}

TEST_F(reflector_check_test, forgets_a_difference_that_does_not_last) {
  listed = {{"a", "9"}, {"b", "7"}};
  first_check();
  listed = present;
  second_check();
  EXPECT_EQ(checks.size(), 2U);
  EXPECT_TRUE(inconsistencies("0"));
  EXPECT_THAT(relists, IsEmpty());
}

TEST_F(reflector_check_test, does_not_judge_by_a_list_at_another_version) {
  listed = {};
  check_version = "101";
  first_check();
  second_check();
  EXPECT_EQ(checks.size(), 1U);
  EXPECT_TRUE(completed("0"));
}

TEST_F(reflector_check_test, leaves_it_when_the_position_is_compacted) {
  check_status = 410;
  first_check();
  second_check();
  EXPECT_EQ(checks.size(), 1U);
  EXPECT_TRUE(completed("0"));
  EXPECT_THAT(relists, IsEmpty());
}

TEST_F(reflector_check_test, reads_all_pages) {
  listed = {{"a", "3"}};
  check_token = "more";
  on_check = [this] {
    if (checks.size() == 2) listed = {{"b", "7"}};
  };
  first_check();
  ASSERT_EQ(checks.size(), 2U);
  EXPECT_EQ(checks[1]->query("continue"), "more");
  EXPECT_TRUE(completed("1"));
  second_check();
  EXPECT_EQ(checks.size(), 2U);
}

TEST_F(reflector_check_test, does_not_list_for_ever_what_a_list_cannot_repair) {
  listed = {{"a", "3"}, {"b", "7"}, {"undecodable", "9"}};
  first_check();
  second_check();
  EXPECT_EQ(relists.size(), 1U);
  check_version = "200";
  for (int n = 0; n < 3; ++n) {
    first_check();
    second_check();
  }
  EXPECT_EQ(relists.size(), 1U);
  EXPECT_FALSE(inconsistencies("1"));
}

}  // namespace
}  // namespace oarlock::cache
