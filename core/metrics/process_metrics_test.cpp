#include "core/metrics/process_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace oarlock::metrics {
namespace {

using ::testing::HasSubstr;

class fake_proc : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::path(::testing::TempDir()) / ("proc" + std::to_string(getpid()));
    std::filesystem::create_directories(root_ / "self/fd");
    write("stat", "cpu 1 2 3\nintr 9 0 0\nctxt 1\nbtime 1700000000\nprocesses 5\n");
    write("self/limits",
          "Limit                     Soft Limit           Hard Limit           Units\n"
          "Max processes             95972                95972                processes\n"
          "Max open files            1024                 524288               files\n");
    for (int i = 0; i < 7; ++i)
      write("self/fd/" + std::to_string(i), "");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& file, const std::string& text) const {
    std::ofstream(root_ / file) << text;
  }
  // `name` is what stands in the parentheses.
  void write_stat(const std::string& name, int user_ticks) const {
    write("self/stat", "42 (" + name + ") S 1 42 42 0 -1 4194560 100 0 0 0 " +
                           std::to_string(user_ticks) +
                           " 50 0 0 20 0 5 0 1000 123456789 300 18446744073709551615 1 1 0\n");
  }
  std::filesystem::path root_;
};

TEST_F(fake_proc, facts) {
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  for (const auto* name : {"oarlockd", "a b", "x) R 1 2 (y", ")"}) {
    write_stat(name, 150);
    const auto facts = read_process_facts(root_);
    ASSERT_TRUE(facts) << name;
    EXPECT_DOUBLE_EQ(facts->cpu_seconds, 200 / ticks);
    EXPECT_DOUBLE_EQ(facts->start_time_seconds, 1700000000 + 1000 / ticks);
    EXPECT_EQ(facts->virtual_bytes, 123456789U);
    EXPECT_EQ(facts->resident_bytes, 300U * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
    EXPECT_EQ(facts->threads, 5U);
    EXPECT_EQ(facts->open_fds, 7U);
    EXPECT_EQ(facts->max_fds, 1024U);
  }
}

TEST_F(fake_proc, nothing_where_there_is_no_proc) {
  EXPECT_FALSE(read_process_facts(root_ / "nowhere"));
  write("self/stat", "42 (short) S 1");
  EXPECT_FALSE(read_process_facts(root_));
}

TEST_F(fake_proc, cpu_time_is_a_counter) {
  write_stat("x", 150);
  auto metrics = make_prometheus_registry();
  add_process_metrics(*metrics, "1.2.3", root_);
  EXPECT_THAT(metrics->serialize(), HasSubstr("process_cpu_seconds_total 2\n"));
  EXPECT_THAT(metrics->serialize(), HasSubstr("process_cpu_seconds_total 2\n"));
  write_stat("x", 250);
  const auto text = metrics->serialize();
  EXPECT_THAT(text, HasSubstr("process_cpu_seconds_total 3\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE process_cpu_seconds_total counter"));
  EXPECT_THAT(text, HasSubstr("oarlock_build_info{version=\"1.2.3\"} 1"));
  EXPECT_THAT(text, HasSubstr("process_open_fds 7"));
}

TEST(process_metrics, this_process_has_some) {
  const auto facts = read_process_facts("/proc");
  ASSERT_TRUE(facts);
  EXPECT_GT(facts->resident_bytes, 100'000U);
  EXPECT_GE(facts->threads, 1U);
  EXPECT_GE(facts->open_fds, 3U);
  EXPECT_GT(facts->start_time_seconds, 1.5e9);
}

}  // namespace
}  // namespace oarlock::metrics
