// oarlock.review/1 (a draft) in both homes: what is allowed, refused, changed and converted, and
// that nothing that goes wrong allows anything.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/abi/started.hpp"

namespace oarlock::abi {
namespace {

using plugin::review_answer;
using plugin::review_request;
using plugin::review_task;
using plugin::review_verdict;
using ::testing::HasSubstr;

constexpr review_task all_tasks[] = {review_task::validate, review_task::mutate,
                                     review_task::convert};

std::string object(const std::string& what) {
  return R"({"apiVersion":"example.com/v1","kind":"Animal","metadata":{"name":"one",)"
         R"("namespace":"shop","uid":"u-1","generation":4,"labels":{"x":"y"}},"do":")" +
         what + "\"}";
}

review_request review_of(review_task task, const std::string& what) {
  const bool converts = task == review_task::convert;
  return {.task = task,
          .controller = "zoo",
          .operation = converts ? OARLOCK_REVIEW_NONE : OARLOCK_REVIEW_UPDATE,
          .object_json = object(what),
          .old_object_json = converts ? "" : object("old"),
          .to_api_version = converts ? "example.com/v2" : "",
          .now = wall_time(std::chrono::milliseconds(1700000000123))};
}

class reviews : public ::testing::TestWithParam<home> {
 protected:
  review_answer ask(review_task task, const std::string& what) {
    return zoo.plugin().review(review_of(task, what));
  }
  started zoo{"reviewer", GetParam()};
};
INSTANTIATE_TEST_SUITE_P(homes, reviews, ::testing::Values(home::core, home::child), home_name);

TEST_P(reviews, one_lends_all_that_is_known) {
  const auto told = ask(review_task::validate, "tell");
  ASSERT_EQ(told.warnings.size(), 1U) << told.why;
  EXPECT_EQ(told.warnings[0], fmt::format("2 zoo {} {} 1700000000123 in time",
                                          object("tell").size(), object("old").size()));
}

TEST_P(reviews, validate_allows_or_refuses_and_warns) {
  const auto allowed = ask(review_task::validate, "nothing");
  EXPECT_EQ(allowed.verdict, review_verdict::allowed) << allowed.why;
  const auto warned = ask(review_task::validate, "warn");
  EXPECT_EQ(warned.verdict, review_verdict::allowed) << warned.why;
  EXPECT_EQ(warned.warnings.size(), plugin::review_limits::warnings_max) << "of 20";
  const auto refused = ask(review_task::validate, "refuse");
  EXPECT_EQ(refused.verdict, review_verdict::refused);
  EXPECT_EQ(refused.field + ": " + refused.why, "spec.legs: expected 4 legs");
}

TEST_P(reviews, mutate_changes_the_object_or_leaves_it) {
  const auto same = ask(review_task::mutate, "nothing");
  EXPECT_EQ(same.verdict, review_verdict::allowed) << same.why;
  EXPECT_EQ(same.object_json, object("nothing"));
  const auto changed = ask(review_task::mutate, "label");
  EXPECT_EQ(changed.verdict, review_verdict::allowed) << changed.why;
  EXPECT_THAT(changed.object_json, HasSubstr(R"("labels":{"a":"b"}},"made":true)"));
  EXPECT_EQ(ask(review_task::mutate, "refuse").verdict, review_verdict::refused);
}

TEST_P(reviews, convert_changes_labels_and_the_rest_of_the_metadata_stays) {
  const auto converted = ask(review_task::convert, "label");
  EXPECT_EQ(converted.verdict, review_verdict::allowed) << converted.why;
  EXPECT_EQ(converted.object_json,
            R"({"apiVersion":"example.com/v2","kind":"Animal","metadata":{"name":"one",)"
            R"("namespace":"shop","uid":"u-1","generation":4,"labels":{"a":"b"}},"made":true})");
  EXPECT_EQ(ask(review_task::convert, "nothing").verdict, review_verdict::failed) << "no object";
  const auto refused = ask(review_task::convert, "refuse");
  EXPECT_EQ(refused.verdict, review_verdict::failed);
  EXPECT_EQ(refused.why, "convert(): expected 4 legs");
}

TEST_P(reviews, no_object_is_renamed_moved_or_replaced) {
  for (const auto task : {review_task::mutate, review_task::convert}) {
    for (const char* what : {"rename", "move", "other-uid", "other-version"}) {
      SCOPED_TRACE(what);
      const auto answer = ask(task, what);
      EXPECT_EQ(answer.verdict, review_verdict::failed);
      EXPECT_EQ(answer.object_json, "");
      EXPECT_THAT(answer.why, HasSubstr("expected "));
    }
  }
  EXPECT_EQ(ask(review_task::mutate, "rename").why,
            "mutate(): object(): expected /metadata/name to stay \"one\", found \"two\"");
}

TEST_P(reviews, what_fails_allows_nothing) {
  for (const auto task : all_tasks) {
    for (const char* what : {"fail", "unknown-status", "not-json", "too-large", "refuse-badly"}) {
      SCOPED_TRACE(what);
      const auto answer = ask(task, what);
      EXPECT_EQ(answer.verdict, review_verdict::failed);
      EXPECT_EQ(answer.object_json, "");
      EXPECT_NE(answer.why, "");
    }
  }
}

TEST_P(reviews, one_that_does_not_run_or_reviews_nothing_allows_nothing) {
  zoo.plugin().stop();
  EXPECT_EQ(ask(review_task::validate, "nothing").verdict, review_verdict::failed);
  started other("good", GetParam());
  const auto answer = other.plugin().review(review_of(review_task::validate, "nothing"));
  EXPECT_EQ(answer.verdict, review_verdict::failed);
  EXPECT_EQ(answer.why, "validate(): it has no validate()");
}

TEST(reviews_in_a_child, one_that_ends_it_fails_and_the_next_is_answered) {
  started zoo("reviewer", home::child);
  for (const auto task : all_tasks) {
    const auto answer = zoo.plugin().review(review_of(task, "crash"));
    EXPECT_EQ(answer.verdict, review_verdict::failed);
    EXPECT_THAT(answer.why, HasSubstr("SIGSEGV"));
  }
  const auto late = zoo.plugin().review(review_of(review_task::validate, "hang"));
  EXPECT_EQ(late.verdict, review_verdict::failed);
  EXPECT_THAT(late.why, HasSubstr("no answer to a review within"));
  EXPECT_EQ(zoo.plugin().review(review_of(review_task::validate, "nothing")).verdict,
            review_verdict::allowed);
}

}  // namespace
}  // namespace oarlock::abi
