#include <gmock/gmock.h>
#include <poll.h>
#include <unistd.h>

#include <fstream>

#include "core/cli/run/log_line.hpp"
#include "core/cli/run/watched_files.hpp"

namespace oarlock::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* record =
    R"({"time":"2026-03-01T12:00:10.500Z","level":"warn","msg":"not ready","plugin":"myapp",)"
    R"("reconcileID":"1-2","why":"no image","count":3,"empty":""})";

TEST(log_line, is_for_people) {
  EXPECT_THAT(readable_log_line(record, false),
              EndsWith(R"(:10 WARN  not ready  plugin=myapp why="no image" count=3 empty="")"));
  EXPECT_THAT(readable_log_line(record, true), HasSubstr("\x1b[33mWARN \x1b[0m not ready"));
  EXPECT_EQ(readable_log_line("oarlockd: no such flag", true), "oarlockd: no such flag");
  EXPECT_EQ(readable_log_line("{\"a\":1}", false), "{\"a\":1}");
  EXPECT_EQ(readable_log_line("", false), "");
}

TEST(log_line, a_terminal_obeys_no_log) {
  const auto line = readable_log_line(
      R"({"time":"x","level":"info","msg":"a\u001b[2Jb\nc\u0085d","k\u0007":"v\u007f"})", false);
  EXPECT_THAT(line, HasSubstr("a\\x1b[2Jb\\nc\\x85d"));
  EXPECT_THAT(line, HasSubstr("k\\x07=v\\x7f"));
  EXPECT_THAT(readable_log_line("raw \x1b[31m", true), Not(HasSubstr("\x1b")));
}

TEST(log_line, no_colours_but_on_a_terminal) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_FALSE(wants_colours(ends[1]));
  close(ends[0]);
  close(ends[1]);
}

class watched : public ::testing::Test {
 protected:
  watched() {
    auto pattern = (std::filesystem::temp_directory_path() / "oarlock-run-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~watched() override { std::filesystem::remove_all(folder_); }
  void write(const char* name) const { std::ofstream(folder_ / name) << "x"; }
  static bool readable(int fd, int limit_ms) {
    pollfd one{fd, POLLIN, 0};
    return ::poll(&one, 1, limit_ms) == 1;
  }
  std::filesystem::path folder_;
};

TEST_F(watched, files_that_count_start_a_wait_for_quiet) {
  watched_files files(folder_, {"lib.so"});
  ASSERT_EQ(files.trouble(), "");
  write("lib.so");
  ASSERT_TRUE(readable(files.changes(), 10000));
  files.take_changes();
  ASSERT_TRUE(readable(files.quiet(), 10000));
  files.take_quiet();
  EXPECT_FALSE(readable(files.quiet(), 0));
  // As a linker replaces it.
  write("lib.so.tmp");
  std::filesystem::rename(folder_ / "lib.so.tmp", folder_ / "lib.so");
  ASSERT_TRUE(readable(files.changes(), 10000));
  files.take_changes();
  EXPECT_TRUE(readable(files.quiet(), 10000));
}

TEST_F(watched, other_files_do_not) {
  watched_files files(folder_, {"lib.so"});
  write("other");
  ASSERT_TRUE(readable(files.changes(), 10000));
  files.take_changes();
  // The timer has not been set: no wait can show it, only that nothing is due.
  EXPECT_FALSE(readable(files.quiet(), 400));
}

TEST(watched_files, a_folder_that_is_not_there) {
  const watched_files files("/no/such/folder", {"a"});
  EXPECT_THAT(files.trouble(), HasSubstr("/no/such/folder: No such file"));
}

}  // namespace
}  // namespace oarlock::cli
