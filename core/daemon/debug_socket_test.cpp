#include "core/daemon/debug_socket.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <fstream>
#include <thread>

#include "core/daemon/debug_dump.hpp"
#include "core/json/parse.hpp"

namespace oarlock::daemon {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
namespace fs = std::filesystem;
using protocol = boost::asio::local::stream_protocol;

class DebugSocket : public ::testing::Test {
 protected:
  void TearDown() override {
    boost::asio::post(loop_, [this] { socket_.reset(); });
    work_.reset();
    if (thread_.joinable()) thread_.join();
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  result<> start() {
    socket_ = std::make_unique<debug_socket>(
        loop_.get_executor(), path_, []() -> task<std::string> { co_return "{\"a\":1}\n"; });
    auto started = socket_->start();
    if (!thread_.joinable()) thread_ = std::thread([this] { loop_.run(); });
    return started;
  }
  std::string ask(const std::string& request) const {
    protocol::iostream peer;
    peer.expires_after(20s);
    peer.connect(protocol::endpoint(path_.string()));
    peer << request << std::flush;
    return {std::istreambuf_iterator<char>(peer), {}};
  }

  fs::path path_ = fs::path(::testing::TempDir()) / ("debug" + std::to_string(getpid()) + ".sock");
  boost::asio::io_context loop_{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_{
      boost::asio::make_work_guard(loop_)};
  std::unique_ptr<debug_socket> socket_;
  std::thread thread_;
};

TEST_F(DebugSocket, AnswersEachGetAndOnlyThoseOfItsUser) {
  ASSERT_TRUE(start());
  struct stat found{};
  ASSERT_EQ(::lstat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  for (int i = 0; i < 2; ++i) {
    const auto text = ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(text, HasSubstr("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(text, HasSubstr("\r\n\r\n{\"a\":1}\n"));
  }
  EXPECT_THAT(ask("POST / HTTP/1.1\r\n\r\n"), HasSubstr("405"));
}

TEST_F(DebugSocket, DropsARequestWithoutEndAndServesTheNext) {
  ASSERT_TRUE(start());
  EXPECT_EQ(ask(std::string(9000, 'x')), "");
  EXPECT_THAT(ask("GET / HTTP/1.0\r\n\r\n"), HasSubstr("200 OK"));
}

TEST_F(DebugSocket, ReplacesASocketThatIsLeftBehindAndNothingElse) {
  {
    boost::asio::io_context other;
    protocol::acceptor left(other, protocol::endpoint(path_.string()));
  }
  EXPECT_TRUE(fs::exists(path_));
  EXPECT_TRUE(start());
  debug_socket second(loop_.get_executor(), path_,
                      []() -> task<std::string> { co_return std::string(); });
  const auto refused = second.start();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("another process listens there"));
}

TEST_F(DebugSocket, LeavesAFileAlone) {
  std::ofstream(path_) << "mine";
  const auto refused = start();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("found a file"));
  EXPECT_EQ(fs::file_size(path_), 4U);
}

TEST(debug_dump, says_what_there_is_and_what_did_not_answer) {
  process_view process;
  process.server = "host:1";
  process.lease = lease_view{"ns/oarlock", true, "me", 1500ms, ""};
  work_view work;
  work.controllers.push_back({"myapp", "myapp", true, true, "", {}});
  work.controllers[0].queue.delayed_count = 7;
  work.controllers[0].queue.delayed.push_back({{"ns", "a"}, 2s});
  work.informers.push_back({"pods", "", false, true, "", "42", 1, 3, 999});
  const auto doc = json::parse(dump_json(process, work));
  ASSERT_TRUE(doc) << doc.error().message;
  EXPECT_EQ(json::string_at(*doc, "/lease/holder"), "me");
  EXPECT_EQ(json::string_at(*doc, "/controllers/0/delayed/first/0/key"), "ns/a");
  EXPECT_EQ(json::int_at(*doc, "/controllers/0/delayed/count"), 7);
  EXPECT_EQ(json::int_at(*doc, "/informers/0/bytes"), 999);
  const auto without = json::parse(dump_json(process, std::nullopt));
  ASSERT_TRUE(without);
  EXPECT_THAT(std::string(json::string_at(*without, "/trouble")), HasSubstr("stream loop"));
}

}  // namespace
}  // namespace oarlock::daemon
