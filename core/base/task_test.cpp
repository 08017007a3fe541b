#include "core/base/task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

namespace oarlock {
namespace {

struct there_and_back : testing::Test {
  boost::asio::io_context here;
  boost::asio::io_context there;
};

TEST_F(there_and_back, a_call_is_one_hop_there_and_resumes_the_caller_where_it_was) {
  std::unique_ptr<int> got;
  std::thread::id ran_on;
  spawn(here.get_executor(), [](auto* self, auto* value, auto* on) -> task<> {
    *value = co_await call_on(self->there.get_executor(), [on] {
      *on = std::this_thread::get_id();
      return std::make_unique<int>(7);  // may be moved only
    });
    EXPECT_TRUE(self->here.get_executor().running_in_this_thread());
  }(this, &got, &ran_on));
  here.poll();
  EXPECT_FALSE(here.stopped()) << "the caller is awaited";
  std::size_t hops = 0;
  std::thread lane([&] { hops = there.run(); });
  lane.join();
  EXPECT_NE(ran_on, std::this_thread::get_id());
  EXPECT_EQ(hops, 1U);
  EXPECT_EQ(got, nullptr) << "resumed on the lane";
  here.run();
  ASSERT_NE(got, nullptr);
  EXPECT_EQ(*got, 7);
}

TEST_F(there_and_back, what_a_call_throws_is_thrown_to_its_caller) {
  std::string said;
  spawn(here.get_executor(), [](auto* self, std::string* words) -> task<> {
    try {
      co_await call_on(self->there.get_executor(),
                       []() -> int { throw std::runtime_error("no such row"); });
    } catch (const std::runtime_error& e) {
      *words = e.what();
    }
  }(this, &said));
  here.poll();
  there.run();
  here.run();
  EXPECT_EQ(said, "no such row");
}

TEST_F(there_and_back, a_call_that_is_never_made_frees_its_caller) {
  auto held = std::make_shared<int>(1);
  spawn(here.get_executor(), [](auto* self, std::shared_ptr<int> mine) -> task<> {
    (void)co_await call_on(self->there.get_executor(), [mine] { return *mine; });
  }(this, held));
  here.poll();
  EXPECT_GT(held.use_count(), 1);
}  // LeakSanitizer looks whether the frame went with `there`

}  // namespace
}  // namespace oarlock
