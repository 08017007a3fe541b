#include "core/plugin/lease_page.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <limits>

namespace oarlock::plugin {
namespace {

TEST(lease_page, who_has_its_descriptor_reads_it_and_cannot_write) {
  auto page = lease_page::make();
  ASSERT_TRUE(page) << page.error().message;
  const auto* const seen = map_lease_page((*page)->fd());
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(*seen, std::numeric_limits<std::int64_t>::min());
  (*page)->limit() = 4711;
  EXPECT_EQ(*seen, 4711);

  const std::int64_t forged = 1;
  EXPECT_EQ(::pwrite((*page)->fd(), &forged, sizeof(forged), 0), -1);
  EXPECT_EQ(::ftruncate((*page)->fd(), 0), -1);
  EXPECT_EQ(::mmap(nullptr, sizeof(forged), PROT_READ | PROT_WRITE, MAP_SHARED, (*page)->fd(), 0),
            MAP_FAILED);
  void* const mine = ::mmap(nullptr, sizeof(forged), PROT_READ, MAP_SHARED, (*page)->fd(), 0);
  ASSERT_NE(mine, MAP_FAILED);
  EXPECT_EQ(::mprotect(mine, sizeof(forged), PROT_READ | PROT_WRITE), -1);
  EXPECT_EQ(*seen, 4711);
  EXPECT_EQ(map_lease_page(-1), nullptr);
}

}  // namespace
}  // namespace oarlock::plugin
