#pragma once
// A connection to one MySQL server. The only file behind which sockets and Boost.MySQL are.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mysql_cluster {

/// What the server or the way to it says; `code` is MySQL's own, 0 when there is none.
class sql_error : public std::runtime_error {
 public:
  sql_error(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] int code() const { return code_; }

 private:
  int code_;
};

/// MySQL's code for a password that is not, or no longer, that of the account.
inline constexpr int access_denied = 1045;

using sql_time = std::chrono::steady_clock::time_point;
/// What deadlines are counted from.
[[nodiscard]] inline sql_time sql_clock() {
  return std::chrono::steady_clock::now();
}

struct sql_target {
  std::string address;  ///< an IP address
  int port = 0;
  std::string user, password;
  std::string ca;  ///< PEM; the server's certificate must be of one of it, and may have ended
  std::vector<std::string> other_passwords = {};  ///< tried in turn when that one is refused
};

using sql_row = std::vector<std::optional<std::string>>;

/// Thread: one at a time. Every call returns by its deadline; after one that did not make it, the
/// connection is closed, and what became of the statement is unknown.
class sql_session {
 public:
  /// Connects over TLS. Throws sql_error.
  sql_session(const sql_target& to, sql_time deadline);
  ~sql_session();
  sql_session(const sql_session&) = delete;
  sql_session& operator=(const sql_session&) = delete;

  /// Runs one statement; throws sql_error. Values as text.
  std::vector<sql_row> query(std::string_view statement, sql_time deadline);
  /// The only value of the only row; empty when it is NULL or there is none.
  std::string value(std::string_view statement, sql_time deadline);
  /// Sends a statement that runs for long and closes the connection at the deadline; the server
  /// goes on with it. Throws when it fails before. False: it has ended well before.
  bool send(std::string_view statement, sql_time deadline);

  /// What the server has shown for itself.
  struct shown {
    std::string fingerprint;  ///< SHA-256 in hexadecimal
    std::int64_t ends_unix_ms = 0;
  };
  [[nodiscard]] shown certificate() const;

  [[nodiscard]] static sql_time now() { return sql_clock(); }

 private:
  struct state;
  void connect(const sql_target& to, const std::string& password, sql_time deadline);
  std::unique_ptr<state> state_;
};

/// The text in quotes, for a statement.
[[nodiscard]] std::string sql_quoted(std::string_view text);
/// The name in backquotes.
[[nodiscard]] std::string sql_name(std::string_view name);

}  // namespace mysql_cluster
