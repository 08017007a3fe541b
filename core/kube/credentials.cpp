#include "core/kube/credentials.hpp"

#include <array>

#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/kube/errors.hpp"
#include "core/kube/files.hpp"

namespace oarlock::kube {

namespace {

// client-go's period; projected tokens are replaced long before they expire.
constexpr duration token_age_max = std::chrono::minutes(1);
constexpr std::size_t token_bytes_max = 64U << 10U;
constexpr std::size_t pem_bytes_max = 1U << 20U;

class static_token final : public credentials {
 public:
  explicit static_token(std::string token) : token_(std::move(token)) {}
  [[nodiscard]] result<std::string> bearer_token() override { return token_; }

 private:
  std::string token_;
};

class token_file final : public credentials {
 public:
  token_file(std::string file, const clock& clock_source)
      : file_(std::move(file)), clock_(clock_source) {}

  [[nodiscard]] result<std::string> bearer_token() override {
    const auto now = clock_.now();
    const bool fresh =
        !token_.empty() && (now < read_at_ + token_age_max || OARLOCK_MUTANT("token_read_once"));
    if (fresh && !refused_) return token_;
    refused_ = false;
    const auto text = read_small_file(file_, token_bytes_max);
    auto token = text ? trimmed(*text) : std::string();
    if (!token.empty()) {
      token_ = std::move(token);
      read_at_ = now;
      return token_;
    }
    const error why =
        text ? error{kube_error::invalid, file_ + ": expected a token, found an empty file"}
             : text.error();
    if (token_.empty()) return why.within("token");
    log_warn("token file not readable, keeping the last token", {{"error", why.message}});
    read_at_ = now;
    return token_;
  }
  void refused() override { refused_ = true; }

 private:
  std::string file_;
  const clock& clock_;
  std::string token_;
  steady_time read_at_{};
  bool refused_ = false;
};

class certificate_files final : public credentials {
 public:
  certificate_files(std::string cert_file, std::string key_file)
      : files_{std::move(cert_file), std::move(key_file)}, seen_(read()) {}

  [[nodiscard]] result<std::string> bearer_token() override { return std::string(); }
  [[nodiscard]] std::uint64_t revision() const override { return revision_; }
  void refused() override {
    auto now = read();
    if (now.empty() || now == seen_) return;
    seen_ = std::move(now);
    ++revision_;
  }

 private:
  // Both files; empty while one is away.
  [[nodiscard]] std::string read() const {
    std::string all;
    for (const auto& file : files_) {
      const auto text = file.empty() ? std::string() : read_small_file(file, pem_bytes_max);
      if (!text) return {};
      all += *text;
    }
    return all;
  }

  const std::array<std::string, 2> files_;
  std::string seen_;
  std::uint64_t revision_ = 0;
};

}  // namespace

std::unique_ptr<credentials> make_certificate_files(std::string cert_file, std::string key_file) {
  return std::make_unique<certificate_files>(std::move(cert_file), std::move(key_file));
}

std::unique_ptr<credentials> make_static_token(std::string token) {
  if (token.empty()) return nullptr;
  return std::make_unique<static_token>(std::move(token));
}

std::unique_ptr<credentials> make_token_file(std::string file, const clock& clock_source) {
  return std::make_unique<token_file>(std::move(file), clock_source);
}

}  // namespace oarlock::kube
