#include "core/kube/credentials.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/kube/fake_transport_test.hpp"

namespace oarlock::kube {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class token_file_test : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "oarlock-token-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(dir_); }
  void write(const std::string& text) { std::ofstream(dir_ / "token") << text; }

  fs::path dir_;
  testing::manual_clock clock_;
};

TEST_F(token_file_test, is_read_again_after_a_minute) {
  const auto token = make_token_file((dir_ / "token").string(), clock_);
  EXPECT_FALSE(token->bearer_token().has_value());
  write("one\n");
  EXPECT_EQ(*token->bearer_token(), "one");
  write("two\n");
  clock_.elapsed += 59s;
  EXPECT_EQ(*token->bearer_token(), "one");
  clock_.elapsed += 1s;
  EXPECT_EQ(*token->bearer_token(), "two");
}

TEST_F(token_file_test, is_read_again_at_once_when_refused) {
  write("one");
  const auto token = make_token_file((dir_ / "token").string(), clock_);
  EXPECT_EQ(*token->bearer_token(), "one");
  write("two");
  token->refused();
  EXPECT_EQ(*token->bearer_token(), "two");
}

TEST_F(token_file_test, keeps_the_last_token_while_the_file_is_away) {
  write("one");
  const auto token = make_token_file((dir_ / "token").string(), clock_);
  EXPECT_EQ(*token->bearer_token(), "one");
  fs::remove(dir_ / "token");
  clock_.elapsed += 2min;
  EXPECT_EQ(*token->bearer_token(), "one");
  write("  \n");
  clock_.elapsed += 2min;
  EXPECT_EQ(*token->bearer_token(), "one");
  write("two");
  clock_.elapsed += 1min;
  EXPECT_EQ(*token->bearer_token(), "two");
}

TEST_F(token_file_test, names_the_file_it_could_not_read) {
  const auto token = make_token_file((dir_ / "token").string(), clock_);
  EXPECT_NE(token->bearer_token().error().message.find((dir_ / "token").string()),
            std::string::npos);
  fs::create_directory(dir_ / "token");
  EXPECT_NE(token->bearer_token().error().message.find("expected a regular file"),
            std::string::npos);
}

TEST(static_token, is_null_when_empty) {
  EXPECT_EQ(make_static_token(""), nullptr);
  EXPECT_EQ(*make_static_token("t")->bearer_token(), "t");
}

}  // namespace
}  // namespace oarlock::kube
