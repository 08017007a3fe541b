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

using certificate_files_test = token_file_test;

TEST_F(certificate_files_test, tell_after_a_401_whether_they_were_replaced) {
  const auto key = dir_ / "key";
  write("cert 1");
  std::ofstream(key) << "key 1";
  const auto files = make_certificate_files((dir_ / "token").string(), key.string());
  EXPECT_EQ(*files->bearer_token(), "");
  EXPECT_EQ(files->revision(), 0U);
  files->refused();
  EXPECT_EQ(files->revision(), 0U) << "the same certificate would be refused again";
  write("cert 2");
  EXPECT_EQ(files->revision(), 0U) << "nobody asked";
  files->refused();
  EXPECT_EQ(files->revision(), 1U);
  fs::remove(key);
  files->refused();
  EXPECT_EQ(files->revision(), 1U) << "half a pair is no identity";
  std::ofstream(key) << "key 2";
  files->refused();
  EXPECT_EQ(files->revision(), 2U);
}

TEST(static_token, is_null_when_empty) {
  EXPECT_EQ(make_static_token(""), nullptr);
  EXPECT_EQ(*make_static_token("t")->bearer_token(), "t");
}

}  // namespace
}  // namespace oarlock::kube
