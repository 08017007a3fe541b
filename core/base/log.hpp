#pragma once
// Structured logs: one line per record, JSON or text, on standard error. Thread: any.
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace oarlock {

enum class log_level { debug, info, warn, error };
enum class log_format { text, json };

/// One key and its value. The value is copied as text; numbers and booleans stay unquoted in JSON.
struct log_field {
  std::string_view key;
  std::string value;
  bool quoted = true;

  log_field(std::string_view k, std::string_view v) : key(k), value(v) {}
  log_field(std::string_view k, const std::string& v) : key(k), value(v) {}
  log_field(std::string_view k, const char* v) : key(k), value(v) {}
  log_field(std::string_view k, bool v) : key(k), value(v ? "true" : "false"), quoted(false) {}
  template <class Integer>
    requires std::is_integral_v<Integer>
  log_field(std::string_view k, Integer v) : key(k), value(std::to_string(v)), quoted(false) {}
};

void log_configure(log_level lowest, log_format format);
[[nodiscard]] bool log_enabled(log_level level);
/// Writes one record. Control characters and invalid UTF-8 in values are escaped.
void log(log_level level, std::string_view message, std::initializer_list<log_field> fields = {});

inline void log_debug(std::string_view m, std::initializer_list<log_field> f = {}) {
  if (log_enabled(log_level::debug)) log(log_level::debug, m, f);
}
inline void log_info(std::string_view m, std::initializer_list<log_field> f = {}) {
  log(log_level::info, m, f);
}
inline void log_warn(std::string_view m, std::initializer_list<log_field> f = {}) {
  log(log_level::warn, m, f);
}
inline void log_error(std::string_view m, std::initializer_list<log_field> f = {}) {
  log(log_level::error, m, f);
}

}  // namespace oarlock
