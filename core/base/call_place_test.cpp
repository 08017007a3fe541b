#include "core/base/call_place.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace oarlock {
namespace {

// Waits in read() until something is written: what a call that hangs does.
class hanging_call {
 public:
  explicit hanging_call(call_place* in) {
    EXPECT_EQ(::pipe(ends_.data()), 0);
    thread_ = std::thread([this, in] {
      if (in == nullptr) return wait();
      const call_place::scope here(*in);
      wait();
    });
    while (!is_there_)
      std::this_thread::yield();
  }
  ~hanging_call() { end(); }
  void end() {
    if (!thread_.joinable()) return;
    EXPECT_EQ(::write(ends_[1], "x", 1), 1);
    thread_.join();
    ::close(ends_[0]);
    ::close(ends_[1]);
  }

 private:
  [[gnu::noinline]] void wait() {
    is_there_ = true;
    char one = 0;
    EXPECT_EQ(::read(ends_[0], &one, 1), 1) << "the question does not interrupt it";
  }
  std::array<int, 2> ends_{};
  std::atomic<bool> is_there_{false};
  std::thread thread_;
};

bool answered(const call_place& place) {
  for (int ms = 0; place.stack().empty() && ms < 30000; ++ms)
    (void)::poll(nullptr, 0, 1);
  return !place.stack().empty();
}

code_range this_program() {
  return code_around(reinterpret_cast<std::uint64_t>(&answered), "tests");
}

TEST(call_place, that_nobody_is_in_is_not_asked) {
  answer_where_calls_are();
  call_place place;
  EXPECT_FALSE(place.ask());
  hanging_call beside(nullptr);
  EXPECT_FALSE(place.ask());
  {
    hanging_call call(&place);
    EXPECT_TRUE(place.ask());
  }
  EXPECT_FALSE(place.ask()) << "it is over";
}

TEST(call_place, a_call_that_hangs_says_where_and_goes_on_waiting) {
  answer_where_calls_are();
  call_place place;
  call_place other;
  hanging_call beside(&other);
  hanging_call call(&place);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(place.ask());
    ASSERT_TRUE(answered(place));
    EXPECT_THAT(places_in(this_program(), place.stack()), ::testing::StartsWith(" at tests+0x"));
  }
  EXPECT_TRUE(other.stack().empty()) << "another call is not asked";
}

TEST(call_place, a_call_inside_of_another_answers_for_itself) {
  answer_where_calls_are();
  call_place outer;
  call_place inner;
  const call_place::scope here(outer);
  {
    const call_place::scope there(inner);
    ASSERT_TRUE(inner.ask());
    EXPECT_TRUE(answered(inner));
    ASSERT_TRUE(outer.ask()) << "it is there, and does not answer";
    EXPECT_TRUE(outer.stack().empty());
  }
  ASSERT_TRUE(outer.ask());
  EXPECT_TRUE(answered(outer));
}

TEST(call_place, places_are_those_of_the_library_and_six_at_most) {
  const code_range code{"libzoo.so", 0x1000, 0x2000};
  const std::vector<std::uint64_t> stack{0x500, 0x1139, 0x2000, 0x1184, 0xfff, 0x1fff};
  EXPECT_EQ(places_in(code, stack), " at libzoo.so+0x139, libzoo.so+0x184, libzoo.so+0xfff");
  EXPECT_EQ(places_in(code, {}), "");
  EXPECT_EQ(places_in({}, stack), "");
  const std::vector<std::uint64_t> deep(40, 0x1001);
  const auto shown = places_in(code, deep);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '+'), 6);
}

}  // namespace
}  // namespace oarlock
