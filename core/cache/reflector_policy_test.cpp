#include "core/cache/reflector_policy.hpp"

#include <gtest/gtest.h>

#include <set>

#include "core/cache/errors.hpp"
#include "core/cache/watch_backoff.hpp"
#include "core/kube/errors.hpp"
#include "tests/support/fake_clock.hpp"

namespace oarlock::cache {
namespace {

using kube::kube_error;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using phase = reflector_phase;

struct reaction_row {
  phase during;
  boost::system::error_code code;
  reaction expected;
  int repeats = 0;
};
void PrintTo(const reaction_row& r, std::ostream* out) {
  *out << "phase " << static_cast<int>(r.during) << ", " << r.code.message();
}

class reactions : public testing::TestWithParam<reaction_row> {};
TEST_P(reactions, are_fixed) {
  EXPECT_EQ(react(GetParam().during, GetParam().code, GetParam().repeats), GetParam().expected);
}
INSTANTIATE_TEST_SUITE_P(
    any_phase, reactions,
    testing::Values(reaction_row{phase::streaming, kube_error::cancelled, reaction::stop},
                    reaction_row{phase::paging, kube_error::cancelled, reaction::stop},
                    reaction_row{phase::watching, kube_error::cancelled, reaction::stop},
                    reaction_row{phase::streaming, kube_error::forbidden, reaction::park},
                    reaction_row{phase::paging, kube_error::forbidden, reaction::park},
                    reaction_row{phase::watching, kube_error::forbidden, reaction::park},
                    reaction_row{phase::streaming, kube_error::not_found, reaction::park_relist},
                    reaction_row{phase::watching, kube_error::not_found, reaction::park_relist}));
INSTANTIATE_TEST_SUITE_P(
    streaming, reactions,
    testing::Values(
        reaction_row{phase::streaming, kube_error::invalid, reaction::page_always},
        reaction_row{phase::streaming, cache_error::list_deadline, reaction::page_always},
        reaction_row{phase::streaming, kube_error::unavailable, reaction::page},
        reaction_row{phase::streaming, kube_error::bad_answer, reaction::page},
        reaction_row{phase::streaming, cache_error::broken_stream, reaction::page},
        reaction_row{phase::streaming, cache_error::stale_list, reaction::page},
        reaction_row{phase::streaming, kube_error::throttled, reaction::again},
        reaction_row{phase::streaming, kube_error::unauthorized, reaction::again},
        reaction_row{phase::streaming, kube_error::gone, reaction::relist_recent},
        reaction_row{phase::streaming, kube_error::version_too_large, reaction::relist_recent}));
INSTANTIATE_TEST_SUITE_P(
    paging, reactions,
    testing::Values(reaction_row{phase::paging, kube_error::gone, reaction::relist_recent},
                    reaction_row{phase::paging, kube_error::version_too_large,
                                 reaction::relist_recent},
                    reaction_row{phase::paging, kube_error::bad_answer, reaction::relist_recent},
                    reaction_row{phase::paging, kube_error::untrusted, reaction::again},
                    reaction_row{phase::paging, cache_error::bad_list, reaction::relist_recent},
                    reaction_row{phase::paging, cache_error::stale_list, reaction::relist_recent},
                    reaction_row{phase::paging, kube_error::throttled, reaction::again},
                    reaction_row{phase::paging, kube_error::unavailable, reaction::again}));
INSTANTIATE_TEST_SUITE_P(
    watching, reactions,
    testing::Values(reaction_row{phase::watching, kube_error::gone, reaction::relist},
                    reaction_row{phase::watching, cache_error::replayed_event, reaction::relist},
                    reaction_row{phase::watching, kube_error::version_too_large, reaction::again},
                    reaction_row{phase::watching, kube_error::version_too_large,
                                 reaction::relist_recent, 1},
                    reaction_row{phase::watching, cache_error::error_event, reaction::again},
                    reaction_row{phase::watching, cache_error::error_event, reaction::again, 2},
                    reaction_row{phase::watching, cache_error::error_event, reaction::relist, 3},
                    reaction_row{phase::watching, cache_error::bad_line, reaction::again},
                    reaction_row{phase::watching, cache_error::bad_line, reaction::relist, 3},
                    reaction_row{phase::watching, kube_error::unavailable, reaction::again, 3},
                    reaction_row{phase::watching, kube_error::invalid, reaction::relist_recent},
                    reaction_row{phase::watching, kube_error::throttled, reaction::again},
                    reaction_row{phase::watching, kube_error::unavailable, reaction::again},
                    reaction_row{phase::watching, kube_error::unauthorized, reaction::again},
                    reaction_row{phase::watching, cache_error::short_watch, reaction::again},
                    reaction_row{phase::watching, cache_error::broken_stream, reaction::resume},
                    reaction_row{phase::watching, cache_error::silent_watch, reaction::resume},
                    reaction_row{phase::watching, cache_error::silent_watch, reaction::relist, 1}));

struct rewind_row {
  bool quorum, behind, older_objects, expected;
};
class rewinds : public testing::TestWithParam<rewind_row> {};
TEST_P(rewinds, are_believed_to_a_quorum_list_only) {
  const auto& r = GetParam();
  EXPECT_EQ(history_was_rewound(r.quorum, r.behind, r.older_objects), r.expected);
}
INSTANTIATE_TEST_SUITE_P(
    lists, rewinds,
    testing::Values(rewind_row{false, true, false, false}, rewind_row{false, true, true, false},
                    rewind_row{false, false, true, false}, rewind_row{true, false, false, false},
                    rewind_row{true, true, false, true}, rewind_row{true, false, true, true}));

TEST(version_ladder, never_goes_back_in_time_by_itself) {
  version_ladder ladder;
  EXPECT_EQ(ladder.for_list(), "0");
  EXPECT_EQ(ladder.for_streaming(), "");
  ladder.listed("100");
  EXPECT_TRUE(ladder.advance("105"));
  EXPECT_FALSE(ladder.advance("99"));
  EXPECT_TRUE(ladder.advance("105"));
  EXPECT_EQ(ladder.position(), "105");
  EXPECT_EQ(ladder.for_list(), "105");
  EXPECT_EQ(ladder.for_streaming(), "105");
  EXPECT_FALSE(ladder.needs_quorum_list());
  ladder.ask_for_recent();
  EXPECT_TRUE(ladder.needs_quorum_list());
  EXPECT_EQ(ladder.for_list(), "");
  EXPECT_EQ(ladder.for_streaming(), "");
  ladder.listed("50");
  EXPECT_EQ(ladder.position(), "50") << "the most recent list is the truth";
  EXPECT_EQ(ladder.for_list(), "50");
}

TEST(version_ladder, takes_versions_without_an_order_as_they_come) {
  version_ladder ladder;
  ladder.listed("abc");
  EXPECT_FALSE(ladder.is_behind("abb"));
  EXPECT_TRUE(ladder.advance("abb"));
  EXPECT_EQ(ladder.position(), "abb");
  EXPECT_TRUE(ladder.advance(""));
  EXPECT_EQ(ladder.position(), "abb");
}

// Names are for logs and labels: none stands for two things.
TEST(names, are_different_for_every_value) {
  std::set<std::string_view> states;
  for (int i = 0; i <= static_cast<int>(reflector_state::stopped); ++i) {
    const auto name = name_of(static_cast<reflector_state>(i));
    EXPECT_TRUE(states.insert(name).second && name != "unknown") << name;
  }
  std::set<std::string_view> reasons{"other"};
  for (int i = 1; i <= static_cast<int>(cache_error::bad_list); ++i) {
    const auto code = make_error_code(static_cast<cache_error>(i));
    EXPECT_TRUE(reasons.insert(reason_of(code)).second) << reason_of(code);
    EXPECT_EQ(code.message().find("unknown"), std::string::npos) << code.message();
  }
  for (int i = 1; i <= static_cast<int>(kube_error::cancelled); ++i) {
    const auto code = make_error_code(static_cast<kube_error>(i));
    EXPECT_TRUE(reasons.insert(reason_of(code)).second) << reason_of(code);
  }
  EXPECT_EQ(reason_of(make_error_code(boost::system::errc::io_error)), "other");
}

TEST(watch_backoff, doubles_to_its_cap_and_forgets) {
  test::fixed_random no_jitter(0);
  watch_backoff backoff;
  steady_time now{};
  for (const int expected : {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000}) {
    const duration wait = backoff.next(now, {}, no_jitter);
    EXPECT_EQ(wait, milliseconds(expected));
    now += wait;
  }
  now += minutes(2) - milliseconds(1);
  EXPECT_EQ(backoff.next(now, {}, no_jitter), seconds(30)) << "not quiet for long enough";
  now += seconds(30) + minutes(2);
  EXPECT_EQ(backoff.next(now, {}, no_jitter), milliseconds(800));
}

TEST(watch_backoff, jitters_and_obeys_the_server_within_reason) {
  test::fixed_random most(~0ULL);
  test::fixed_random none(0);
  watch_backoff jittered;
  const duration wait = jittered.next({}, {}, most);
  EXPECT_GT(wait, milliseconds(1590));
  EXPECT_LE(wait, milliseconds(1600));
  EXPECT_EQ(watch_backoff().next({}, milliseconds(10000), none), seconds(10));
  EXPECT_EQ(watch_backoff().next({}, milliseconds(1), none), milliseconds(800));
  EXPECT_EQ(watch_backoff().next({}, milliseconds(3600'000), none), minutes(2));
}

}  // namespace
}  // namespace oarlock::cache
