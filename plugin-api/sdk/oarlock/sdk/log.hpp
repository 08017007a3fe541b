#pragma once
// Structured logs through the host (extension oarlock.log/1). Silent when the host has none.
#include <initializer_list>
#include <string_view>
#include <vector>

#include "oarlock/ext/log.h"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

struct log_pair {
  std::string_view key;
  std::string_view value;
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
      views.push_back({to_view(pair.key), to_view(pair.value)});
    table_->write(ctx_, level, to_view(message), views.data(), views.size());
  }

  oarlock_host_ctx* ctx_ = nullptr;
  const oarlock_host_log* table_ = nullptr;
};

}  // namespace oarlock::sdk
