#include "settings.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace mysql_cluster {
namespace {

std::string upper(std::string_view text) {
  std::string made(text);
  for (char& c : made)
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return made;
}

// "16M" as a server reads it at its start.
std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t made = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), made);
  const std::string suffix = upper(std::string_view(read.ptr, text.data() + text.size()));
  if (read.ec != std::errc() || suffix.size() > 1) return std::nullopt;
  if (suffix.empty()) return made;
  const auto power = std::string_view("KMGT").find(suffix.front());
  if (power == std::string_view::npos) return std::nullopt;
  const unsigned shift = 10U * (static_cast<unsigned>(power) + 1U);
  if (made >> (64U - shift) != 0) return std::nullopt;
  return made << shift;
}

std::optional<double> decimal(std::string_view text) {
  double made = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), made);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return made;
}

std::string word(std::string_view text) {
  std::string made = upper(text);
  if (made == "1" || made == "TRUE") return "ON";
  return made == "0" || made == "FALSE" ? "OFF" : made;
}

}  // namespace

// Global, taken at once, and nothing that a server rounds. The defaults are those of MySQL 9.7, and
// of the image's my.cnf for binlog_expire_logs_seconds; a test compares them with a server.
const std::map<std::string_view, std::string_view>& dynamic_variables() {
  static const std::map<std::string_view, std::string_view> all = {
      {"binlog_cache_size", "32768"},
      {"binlog_expire_logs_seconds", "604800"},
      {"connect_timeout", "10"},
      {"event_scheduler", "ON"},
      {"general_log", "OFF"},
      {"group_concat_max_len", "1024"},
      {"innodb_deadlock_detect", "ON"},
      {"innodb_io_capacity", "10000"},
      {"innodb_lock_wait_timeout", "50"},
      {"innodb_print_all_deadlocks", "OFF"},
      {"innodb_redo_log_capacity", "104857600"},
      {"interactive_timeout", "28800"},
      {"join_buffer_size", "262144"},
      {"lock_wait_timeout", "31536000"},
      {"log_queries_not_using_indexes", "OFF"},
      {"long_query_time", "10"},
      {"max_allowed_packet", "67108864"},
      {"max_binlog_size", "1073741824"},
      {"max_connect_errors", "100"},
      {"max_connections", "151"},
      {"max_execution_time", "0"},
      {"max_heap_table_size", "16777216"},
      {"max_user_connections", "0"},
      {"net_read_timeout", "30"},
      {"net_write_timeout", "60"},
      {"read_buffer_size", "131072"},
      {"read_rnd_buffer_size", "262144"},
      {"slow_query_log", "OFF"},
      {"sort_buffer_size", "262144"},
      {"tmp_table_size", "16777216"},
      {"transaction_isolation", "REPEATABLE-READ"},
      {"wait_timeout", "28800"}};
  return all;
}

std::string_view dynamic_default(std::string_view key) {
  const auto found = dynamic_variables().find(key);
  return found == dynamic_variables().end() ? std::string_view() : found->second;
}

settings dynamic_of(const settings& all) {
  settings made = all;
  std::erase_if(made, [](const auto& one) { return dynamic_default(one.first).empty(); });
  return made;
}

std::string plain_value(std::string_view value) {
  const auto number = whole_number(value);
  return number ? std::to_string(*number) : std::string(value);
}

bool is_same_value(std::string_view a, std::string_view b) {
  if (const auto one = whole_number(a), other = whole_number(b); one && other)
    return *one == *other;
  if (const auto one = decimal(a), other = decimal(b); one && other) return *one == *other;
  return word(a) == word(b);
}

std::string lines_of(const settings& all) {
  std::string made;
  for (const auto& [key, value] : all)
    made.append(key).append("=").append(value).append("\n");
  return made;
}

settings settings_in(std::string_view text, std::string_view begin) {
  settings made;
  if (const auto at = text.find(begin); at == std::string_view::npos) {
    return made;
  } else {
    text.remove_prefix(at + begin.size());
  }
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (const auto equals = line.find('='); equals != std::string_view::npos) {
      made[std::string(line.substr(0, equals))] = line.substr(equals + 1);
    }
  }
  return made;
}

}  // namespace mysql_cluster
