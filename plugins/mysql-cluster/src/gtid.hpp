#pragma once
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace mysql_cluster {

/// A text that is no set of GTIDs; the message says what was found where.
class gtid_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A set of transactions as MySQL names them: "uuid:1-5:9, uuid:tag:1". A value; pure.
class gtid_set {
 public:
  /// Transaction numbers first..last of one source, both included.
  struct interval {
    std::int64_t first, last;
    bool operator==(const interval&) const = default;
  };
  /// The largest number that a server gives.
  static constexpr std::int64_t number_max = INT64_MAX - 1;

  gtid_set() = default;
  /// As @@gtid_executed spells it, spaces and newlines included. Throws gtid_error.
  [[nodiscard]] static gtid_set parse(std::string_view text);

  [[nodiscard]] bool empty() const { return sources_.empty(); }
  /// How many transactions; number_max when there are more.
  [[nodiscard]] std::int64_t count() const;
  /// All of `other` is in this one.
  [[nodiscard]] bool contains(const gtid_set& other) const;
  void add(const gtid_set& other);
  void subtract(const gtid_set& other);
  /// Takes out all transactions of this server, with or without a tag.
  void drop_source(std::string_view server_uuid);
  /// Those of this server that came after all that `known` has of it.
  [[nodiscard]] gtid_set newer(std::string_view server_uuid, const gtid_set& known) const;
  /// In MySQL's own form: sources and numbers ascending, "," between sources.
  [[nodiscard]] std::string text() const;

  bool operator==(const gtid_set&) const = default;

 private:
  using intervals = std::vector<interval>;  // ascending, with a gap between any two

  // "uuid" or "uuid:tag", in lower case.
  std::map<std::string, intervals> sources_;
};

[[nodiscard]] inline gtid_set operator+(gtid_set a, const gtid_set& b) {
  a.add(b);
  return a;
}
[[nodiscard]] inline gtid_set operator-(gtid_set a, const gtid_set& b) {
  a.subtract(b);
  return a;
}

}  // namespace mysql_cluster
