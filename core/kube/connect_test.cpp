#include "core/kube/connect.hpp"

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "core/base/asio_timers.hpp"
#include "core/base/system_clock.hpp"

namespace oarlock::kube {
namespace {

class connect_test : public ::testing::Test {
 protected:
  result<connection> make(cluster_config config) {
    return connect(io_.get_executor(), clock_, timers_, config);
  }
  // The message of the error of one GET.
  std::string failure(net::transport& t) {
    std::string out;
    boost::asio::co_spawn(
        io_, t.open({"GET", "/", {}, ""}, {clock_.now() + std::chrono::seconds(10), {}}),
        [&](std::exception_ptr, result<std::unique_ptr<net::http_exchange>> got) {
          out = got ? "" : got.error().message;
        });
    io_.restart();
    io_.run();
    return out;
  }
  boost::asio::io_context io_;
  system_clock clock_;
  asio_timers timers_;
};

TEST_F(connect_test, takes_the_server_and_the_token) {
  cluster_config config;
  config.server = "https://[::1]:6443/prefix";
  config.token = "t";
  const auto got = make(config);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->transport->host(), "[::1]:6443");
  EXPECT_EQ(*got->identity->bearer_token(), "t");
  config.token.clear();
  EXPECT_EQ(make(config)->identity, nullptr);
  config.client_cert_file = "tls.crt";
  ASSERT_NE(make(config)->identity, nullptr) << "it looks at the files after a 401";
  EXPECT_EQ(*make(config)->identity->bearer_token(), "");
}

TEST_F(connect_test, asks_the_credential_plugin_rather_than_the_static_token) {
  cluster_config config;
  config.server = "https://127.0.0.1:1";
  config.token = "static";
  config.exec.emplace();
  config.exec->api_version = "client.authentication.k8s.io/v1";
  config.exec->command = "/bin/sh";
  config.exec->args = {"-c", R"(echo '{"kind":"ExecCredential","apiVersion":)"
                             R"("client.authentication.k8s.io/v1","status":{"token":"made"}}')"};
  const auto got = make(config);
  ASSERT_TRUE(got.has_value());
  std::string trouble = "not asked";
  boost::asio::co_spawn(io_, got->identity->prepare(), [&](std::exception_ptr, result<> outcome) {
    trouble = outcome ? "" : outcome.error().message;
  });
  io_.run();
  EXPECT_EQ(trouble, "");
  EXPECT_EQ(*got->identity->bearer_token(), "made");
  config.ca_file = "/nonexistent/ca.crt";
  const auto no_ca = make(config);
  ASSERT_FALSE(no_ca.has_value());
  EXPECT_NE(no_ca.error().message.find("certificate authority"), std::string::npos);
}

TEST_F(connect_test, refuses_a_bad_server) {
  EXPECT_FALSE(make({}).has_value());
}

TEST_F(connect_test, names_what_it_could_not_reach) {
  cluster_config config;
  config.server = "http://127.0.0.1:1";
  const auto got = make(config);
  ASSERT_TRUE(got.has_value());
  EXPECT_NE(failure(*got->transport).find("127.0.0.1:1"), std::string::npos);
}

}  // namespace
}  // namespace oarlock::kube
