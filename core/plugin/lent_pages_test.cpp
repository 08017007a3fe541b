#include "core/plugin/lent_pages.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace oarlock::plugin {
namespace {

oarlock_str_view str(std::string_view text) {
  return {text.data(), text.size()};
}

oarlock_object_view object(std::string_view resource, std::string_view json) {
  return {sizeof(oarlock_object_view),
          OARLOCK_ENCODING_JSON,
          str(resource),
          {reinterpret_cast<const std::uint8_t*>(json.data()), json.size()}};
}

std::string text(oarlock_bytes_view lent) {
  return {reinterpret_cast<const char*>(lent.data), lent.size};
}

// Whether a byte can be read, without reading it here.
bool can_be_read(const void* at) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const bool done = ::write(ends[1], at, 1) == 1;
  EXPECT_TRUE(done || errno == EFAULT);
  ::close(ends[0]);
  ::close(ends[1]);
  return done;
}

TEST(lent_pages, hold_a_whole_copy_until_the_call_is_over) {
  const std::vector<oarlock_object_view> objects{object("pods", "{\"a\":1}"),
                                                 object("secrets", "{}")};
  const oarlock_failure_view failure{sizeof(failure), 0, str("apply"), str("Gone"), str("m")};
  const auto primary = object("animals", "{\"kind\":\"Animal\"}");
  oarlock_plan_view view{};
  view.struct_size = sizeof(view);
  view.object_stride = sizeof(oarlock_object_view);
  view.object_name = str("leo");
  view.primary = &primary;
  view.owned = objects.data();
  view.owned_count = 2;
  view.now_unix_ms = 42;
  view.last_failure = &failure;
  view.observation = {reinterpret_cast<const std::uint8_t*>("[7]"), 3};
  const oarlock_plan_view* kept = nullptr;
  {
    const lent_pages lent(view);
    kept = lent.view();
    ASSERT_NE(kept, &view);
    EXPECT_EQ(std::string(kept->object_name.data, kept->object_name.size), "leo");
    EXPECT_EQ(kept->now_unix_ms, 42);
    EXPECT_EQ(text(kept->primary->bytes), "{\"kind\":\"Animal\"}");
    EXPECT_EQ(text(kept->owned[0].bytes), "{\"a\":1}");
    EXPECT_EQ(text(kept->owned[1].bytes), "{}");
    EXPECT_EQ(text(kept->observation), "[7]");
    EXPECT_EQ(std::string(kept->last_failure->reason.data, kept->last_failure->reason.size),
              "Gone");
    EXPECT_TRUE(can_be_read(kept));
    EXPECT_FALSE(is_kept_view(kept));
  }
  EXPECT_FALSE(can_be_read(kept));
  EXPECT_TRUE(is_kept_view(kept));
  EXPECT_FALSE(is_kept_view(&view));
}

TEST(lent_pages, have_addresses_of_their_own_for_some_calls) {
  const auto primary = object("animals", "{}");
  oarlock_plan_view view{};
  view.object_stride = sizeof(oarlock_object_view);
  view.primary = &primary;
  std::set<const void*> seen;
  constexpr int calls = 30;
  for (int i = 0; i < calls; ++i)
    seen.insert(lent_pages(view).view());
  EXPECT_EQ(seen.size(), std::size_t{calls});
  for (int i = 0; i < 10 * calls; ++i)
    EXPECT_NE(lent_pages(view).view(), &view) << "old ones are given back";
}

}  // namespace
}  // namespace oarlock::plugin
