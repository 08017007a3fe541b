#include "core/metrics/server_tls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <fstream>

#include "core/base/log.hpp"
#include "core/metrics/errors.hpp"

namespace oarlock::metrics {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class tls_clock final : public clock {
 public:
  steady_time steady{1000s};
  [[nodiscard]] steady_time now() const override { return steady; }
  [[nodiscard]] wall_time wall_now() const override { return wall_time(1'700'000'000s); }
};

class cert_folder : public ::testing::Test {
 protected:
  void SetUp() override {
    log_configure(log_level::error, log_format::text);
    folder_ = std::filesystem::path(::testing::TempDir()) / ("tls" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& file, const std::string& text) const {
    std::ofstream(folder_ / file) << text;
  }
  // A certificate and its key, as cert-manager mounts them.
  void write_pair() {
    auto made = tls_self_signed({"127.0.0.1"}, time_);
    ASSERT_TRUE(made);
    write("tls.crt", (*made)->certificate_pem());
    auto* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, SSL_CTX_get0_privatekey((*made)->current()), nullptr, nullptr, 0,
                             nullptr, nullptr);
    char* bytes = nullptr;
    const auto length = BIO_get_mem_data(bio, &bytes);
    write("tls.key", std::string(bytes, static_cast<std::size_t>(length)));
    BIO_free(bio);
  }
  bool counted(const std::string& line) const {
    return metrics_->serialize().find("\n" + line + "\n") != std::string::npos;
  }
  tls_clock time_;
  std::filesystem::path folder_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
};

TEST_F(cert_folder, reloads_a_changed_pair_after_10_seconds) {
  write_pair();
  auto tls = tls_from_files(folder_, time_, *metrics_);
  ASSERT_TRUE(tls) << tls.error().message;
  const auto first = (*tls)->certificate_pem();
  write_pair();
  time_.steady += 9s;
  static_cast<void>((*tls)->current());
  EXPECT_EQ((*tls)->certificate_pem(), first);
  time_.steady += 1s;
  static_cast<void>((*tls)->current());
  EXPECT_NE((*tls)->certificate_pem(), first);
  EXPECT_TRUE(counted("certwatcher_read_certificate_total 2"));
  EXPECT_TRUE(counted("certwatcher_read_certificate_errors_total 0"));
}

TEST_F(cert_folder, keeps_the_old_pair_when_the_new_one_is_bad) {
  write_pair();
  auto tls = tls_from_files(folder_, time_, *metrics_);
  ASSERT_TRUE(tls);
  const auto first = (*tls)->certificate_pem();
  auto* context = (*tls)->current();
  write("tls.crt", "half writ");
  time_.steady += 11s;
  EXPECT_EQ((*tls)->current(), context);
  EXPECT_EQ((*tls)->certificate_pem(), first);
  EXPECT_TRUE(counted("certwatcher_read_certificate_total 2"));
  EXPECT_TRUE(counted("certwatcher_read_certificate_errors_total 1"));
}

TEST_F(cert_folder, refuses_what_does_not_fit) {
  const auto expect_refused = [&](const char* text) {
    const auto tls = tls_from_files(folder_, time_, *metrics_);
    ASSERT_FALSE(tls) << text;
    EXPECT_EQ(tls.error().code, metrics_error::bad_certificate);
    EXPECT_THAT(tls.error().message, HasSubstr(text));
  };
  expect_refused("tls.crt");  // missing
  write_pair();
  write("tls.key", "no key");
  expect_refused("expected a PEM key");
  write_pair();
  auto other = tls_self_signed({"x"}, time_);
  write("tls.crt", (*other)->certificate_pem());
  expect_refused("expected the key of the certificate");
  write("tls.crt", "");
  expect_refused("expected a PEM certificate");
}

}  // namespace
}  // namespace oarlock::metrics
