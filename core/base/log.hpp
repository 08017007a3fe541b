#pragma once
// Structured logs: one line per record, JSON or text, on standard error. Thread: any.
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

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

/// What the records of one piece of work have in common: its names and its id.
class log_context {
 public:
  virtual ~log_context() = default;
  /// Thread: any. Called only for records that are written.
  virtual void add_to(std::vector<log_field>& fields) const = 0;
};
using log_context_ptr = std::shared_ptr<const log_context>;

/// While it lives, the records of this thread carry the context's fields behind their own; a field
/// of the same key wins over the context's. Never across a co_await. Null: no context.
class log_scope {
 public:
  explicit log_scope(log_context_ptr context);
  ~log_scope();
  log_scope(const log_scope&) = delete;
  log_scope& operator=(const log_scope&) = delete;

 private:
  log_context_ptr outer_;
};

/// Writes one record. Control characters and invalid UTF-8 in values are escaped; keys are written
/// as they are.
void log(log_level level, std::string_view message, std::span<const log_field> fields);
inline void log(log_level level, std::string_view message,
                std::initializer_list<log_field> fields = {}) {
  log(level, message, std::span<const log_field>(fields.begin(), fields.size()));
}

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
