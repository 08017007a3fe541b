#include "core/daemon/demotions.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <fstream>

#include "core/base/log.hpp"

namespace oarlock::daemon {
namespace {

class demotions_test : public ::testing::Test {
 protected:
  void SetUp() override {
    log_configure(static_cast<log_level>(99), log_format::text);
    std::string name = (std::filesystem::temp_directory_path() / "oarlock-state-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
  }
  void TearDown() override {
    log_configure(log_level::info, log_format::text);
    std::filesystem::remove_all(dir_);
  }
  std::filesystem::path dir_;
};

TEST_F(demotions_test, outlive_the_process_and_end_with_the_version) {
  demotions first(dir_);
  EXPECT_FALSE(first.why("zoo", "1.0.0"));
  first.add({"zoo", "1.0.0", "SIGSEGV in plan of ns/a b"});
  first.add({"other", "2", "SIGBUS in create"});
  first.add({"zoo", "1.0.0", "SIGFPE in plan of ns/c"});
  const demotions next(dir_);
  EXPECT_EQ(next.why("zoo", "1.0.0"), "SIGFPE in plan of ns/c") << "the last one";
  EXPECT_EQ(next.why("other", "2"), "SIGBUS in create");
  EXPECT_FALSE(next.why("zoo", "1.0.1")) << "another version may be better";
}

TEST_F(demotions_test, lines_that_make_no_sense_are_left_out) {
  std::ofstream(dir_ / "demoted-plugins") << "\nzoo\nzoo 1\nzoo 2 SIGSEGV in plan\n";
  const demotions next(dir_);
  EXPECT_FALSE(next.why("zoo", "1"));
  EXPECT_EQ(next.why("zoo", "2"), "SIGSEGV in plan");
}

TEST_F(demotions_test, without_a_folder_they_last_as_long_as_the_process) {
  demotions only("");
  only.add({"zoo", "1", "exit() in plan of ns/a"});
  EXPECT_TRUE(only.why("zoo", "1"));
}

}  // namespace
}  // namespace oarlock::daemon
