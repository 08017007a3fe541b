#pragma once
// Structured logs through the host (extension oarlock.log/1). Silent when the host has none.
#include <array>
#include <charconv>
#include <concepts>
#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <vector>

#include "oarlock/ext/log.h"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

/// A key and a text, a number, or true or false: {"replicas", 3}. Lives as long as the call.
class log_pair {
 public:
  log_pair(std::string_view key, std::convertible_to<std::string_view> auto const& text)
      : key_(key), text_(text) {}
  log_pair(std::string_view key, std::same_as<bool> auto is)
      : key_(key), text_(is ? "true" : "false") {}
  template <class Number>
    requires(std::is_arithmetic_v<Number> && !std::same_as<Number, bool>)
  log_pair(std::string_view key, Number number) : key_(key) {
    size_ = static_cast<std::size_t>(
        std::to_chars(digits_.data(), digits_.data() + digits_.size(), number).ptr -
        digits_.data());
  }

  [[nodiscard]] std::string_view key() const { return key_; }
  [[nodiscard]] std::string_view value() const {
    return size_ == 0 ? text_ : std::string_view(digits_.data(), size_);
  }

 private:
  std::string_view key_, text_;
  std::array<char, 32> digits_{};  // of the longest double: 24
  std::size_t size_ = 0;
};

/// Thread: any, as long as the instance lives. Copies share the host's table.
class logger {
 public:
  using pairs = std::initializer_list<log_pair>;

  logger() = default;
  explicit logger(const oarlock_host& host)
      : ctx_(host.ctx),
        table_(static_cast<const oarlock_host_log*>(
            host.extension(host.ctx, to_view(OARLOCK_EXT_LOG)))) {}

  void debug(std::string_view message, pairs p = {}) const { write(OARLOCK_LOG_DEBUG, message, p); }
  void info(std::string_view message, pairs p = {}) const { write(OARLOCK_LOG_INFO, message, p); }
  void warn(std::string_view message, pairs p = {}) const { write(OARLOCK_LOG_WARN, message, p); }
  void error(std::string_view message, pairs p = {}) const { write(OARLOCK_LOG_ERROR, message, p); }

  /// Ask before building a costly record.
  [[nodiscard]] bool enabled(oarlock_log_level level) const {
    return table_ != nullptr && table_->enabled(ctx_, level) != 0;
  }

 private:
  void write(oarlock_log_level level, std::string_view message, pairs given) const {
    if (!enabled(level)) return;
    std::vector<oarlock_pair_view> views;
    views.reserve(given.size());
    for (const auto& pair : given)
      views.push_back({to_view(pair.key()), to_view(pair.value())});
    table_->write(ctx_, level, to_view(message), views.data(), views.size());
  }

  oarlock_host_ctx* ctx_ = nullptr;
  const oarlock_host_log* table_ = nullptr;
};

}  // namespace oarlock::sdk
