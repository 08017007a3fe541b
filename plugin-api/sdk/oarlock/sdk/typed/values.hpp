#pragma once
// Small values of Kubernetes objects that JSON has no type for. All of them may be unset, which
// `if (value)` tells, and keep the text they were read from.
#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "oarlock/sdk/json_value.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

/// JSON of any shape, as text. What is set here is written as it is: it must be valid JSON.
class any_json {
 public:
  any_json() = default;
  any_json(const json::value& value) : text_(value.text()) {}
  [[nodiscard]] static any_json of_text(std::string text) {
    any_json made;
    made.text_ = std::move(text);
    return made;
  }

  explicit operator bool() const { return !text_.empty(); }
  [[nodiscard]] const std::string& text() const { return text_; }
  /// Throws json::parse_error when it is unset or not JSON.
  [[nodiscard]] json::value value() const {
    const auto document = json::parse(text_);
    return json::copy(json::node{&document});
  }
  bool operator==(const any_json&) const = default;

 private:
  std::string text_;
};

/// A number or a text: 80, "http", "25%".
class int_or_string {
 public:
  int_or_string() = default;
  int_or_string(std::integral auto number) : data_(static_cast<std::int64_t>(number)) {}
  int_or_string(std::string text) : data_(std::move(text)) {}
  int_or_string(std::string_view text) : data_(std::string(text)) {}
  int_or_string(const char* text) : data_(std::string(text)) {}

  explicit operator bool() const { return data_.index() != 0; }
  /// Null when it is text, or unset.
  [[nodiscard]] const std::int64_t* number() const { return std::get_if<std::int64_t>(&data_); }
  /// Null when it is a number, or unset.
  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&data_); }
  bool operator==(const int_or_string&) const = default;

 private:
  std::variant<std::monostate, std::int64_t, std::string> data_;
};

/// An instant, as the API server writes it: "2026-03-01T12:00:00Z".
class timestamp {
 public:
  timestamp() = default;
  timestamp(std::string text) : text_(std::move(text)) {}
  timestamp(const char* text) : text_(text) {}
  /// Cut to the second, as metav1.Time is. Expects a year of four digits.
  [[nodiscard]] static timestamp of_unix_ms(std::int64_t ms) { return {to_utc_text(ms)}; }

  explicit operator bool() const { return !text_.empty(); }
  [[nodiscard]] const std::string& text() const { return text_; }
  /// nullopt when it is unset or another format than the API server's.
  [[nodiscard]] std::optional<std::int64_t> unix_ms() const { return to_unix_ms(text_); }
  bool operator==(const timestamp&) const = default;

 private:
  [[nodiscard]] static std::string to_utc_text(std::int64_t ms) {
    const std::chrono::sys_seconds at{
        std::chrono::floor<std::chrono::seconds>(std::chrono::milliseconds(ms))};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(at - day);
    const auto padded = [](std::int64_t number, std::size_t digits) {
      std::string text = std::to_string(number);
      return text.insert(0, digits - std::min(digits, text.size()), '0');
    };
    return padded(int(date.year()), 4) + "-" + padded(unsigned(date.month()), 2) + "-" +
           padded(unsigned(date.day()), 2) + "T" + padded(time.hours().count(), 2) + ":" +
           padded(time.minutes().count(), 2) + ":" + padded(time.seconds().count(), 2) + "Z";
  }

  std::string text_;
};

/// A resource quantity: "500m", "1Gi", 2. Grammar and rounding: type Quantity of
/// k8s.io/apimachinery/pkg/api/resource.
class quantity {
 public:
  quantity() = default;
  quantity(std::string text) : text_(std::move(text)) {}
  quantity(std::string_view text) : text_(text) {}
  quantity(const char* text) : text_(text) {}
  quantity(std::integral auto number) : text_(std::to_string(number)) {}
  /// `number_text`: a number in JSON, kept as such.
  [[nodiscard]] static quantity of_number(std::string number_text) {
    quantity made(std::move(number_text));
    made.is_number_ = true;
    return made;
  }

  explicit operator bool() const { return !text_.empty(); }
  [[nodiscard]] const std::string& text() const { return text_; }
  /// It stands as a number in JSON, without quotes.
  [[nodiscard]] bool is_number() const { return is_number_; }
  /// In units (bytes, cores), rounded up; nullopt when it is no quantity or has more than 63 bits.
  [[nodiscard]] std::optional<std::int64_t> value() const { return scaled(0); }
  /// In thousandths, rounded up.
  [[nodiscard]] std::optional<std::int64_t> milli_value() const { return scaled(3); }
  /// The same spelling. "1" and "1000m" are not equal here: compare milli_value().
  bool operator==(const quantity& other) const { return text_ == other.text_; }

 private:
  // value * 10^decimals
  [[nodiscard]] std::optional<std::int64_t> scaled(int decimals) const;

  std::string text_;
  bool is_number_ = false;
};

namespace detail {

struct quantity_suffix {
  std::string_view text;
  int ten = 0;
  int two = 0;
};

inline constexpr std::array<quantity_suffix, 16> quantity_suffixes{{{"", 0, 0},
                                                                    {"n", -9, 0},
                                                                    {"u", -6, 0},
                                                                    {"m", -3, 0},
                                                                    {"k", 3, 0},
                                                                    {"M", 6, 0},
                                                                    {"G", 9, 0},
                                                                    {"T", 12, 0},
                                                                    {"P", 15, 0},
                                                                    {"E", 18, 0},
                                                                    {"Ki", 0, 10},
                                                                    {"Mi", 0, 20},
                                                                    {"Gi", 0, 30},
                                                                    {"Ti", 0, 40},
                                                                    {"Pi", 0, 50},
                                                                    {"Ei", 0, 60}}};

// The power of ten and of two that a suffix stands for: "Mi", "k", "e3".
inline std::optional<quantity_suffix> quantity_suffix_of(std::string_view text) {
  for (const auto& known : quantity_suffixes) {
    if (known.text == text) return known;
  }
  if (text.size() < 2 || (text[0] != 'e' && text[0] != 'E')) return std::nullopt;
  text.remove_prefix(text[1] == '+' ? 2 : 1);
  quantity_suffix made;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), made.ten);
  if (bad != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return made;
}

}  // namespace detail

inline std::optional<std::int64_t> quantity::scaled(int decimals) const {
  __extension__ using wide = unsigned __int128;
  constexpr wide limit = std::uint64_t{1} << 63U;
  std::string_view rest = text_;
  const bool is_negative = rest.starts_with('-');
  if (is_negative || rest.starts_with('+')) rest.remove_prefix(1);
  wide digits = 0;
  std::size_t used = 0, points = 0, digits_seen = 0;
  int ten = decimals;
  for (; used < rest.size(); ++used) {
    const char c = rest[used];
    if (c == '.' && points++ == 0) continue;
    if (c < '0' || c > '9') break;
    ++digits_seen;
    if (points == 1 && digits >= limit) continue;  // finer than anything that counts
    digits = digits * 10 + static_cast<unsigned>(c - '0');
    if (points == 1) --ten;
    if (digits > limit * 1000) return std::nullopt;
  }
  const auto suffix = detail::quantity_suffix_of(rest.substr(used));
  if (digits_seen == 0 || points > 1 || !suffix) return std::nullopt;
  ten += suffix->ten;
  // Divide last, so that nothing is lost before the rounding; below 2^127 all along.
  wide divisor = 1;
  for (; ten < 0 && divisor < limit; ++ten)
    divisor *= 10;
  for (int two = suffix->two; two > 0 && digits > 0; --two) {
    if (digits > (limit << 50U)) return std::nullopt;
    digits *= 2;
  }
  for (; ten > 0 && digits > 0; --ten) {
    if (digits > limit) return std::nullopt;
    digits *= 10;
  }
  digits = digits / divisor + (digits % divisor != 0 && !is_negative ? 1 : 0);
  if (digits >= limit) return std::nullopt;
  const auto whole = static_cast<std::int64_t>(digits);
  return is_negative ? -whole : whole;
}

/// One of the texts that an enumeration names, or a text that is newer than this program. E has a
/// function names_of(E), which gives the texts in the order of its values.
template <class E>
class open_enum {
 public:
  open_enum() = default;
  open_enum(E value) : known_(value) {}
  [[nodiscard]] static open_enum of_text(std::string text) {
    open_enum made;
    const auto names = names_of(E{});
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == text) return open_enum(static_cast<E>(i));
    }
    made.other_ = std::move(text);
    return made;
  }

  explicit operator bool() const { return known_ || !other_.empty(); }
  /// nullopt when it is unset, or a text that E does not name.
  [[nodiscard]] std::optional<E> known() const { return known_; }
  /// As it stands in JSON; empty when it is unset.
  [[nodiscard]] std::string_view text() const {
    return known_ ? names_of(*known_)[static_cast<std::size_t>(*known_)] : std::string_view(other_);
  }
  bool operator==(const open_enum&) const = default;
  bool operator==(E value) const { return known_ == value; }

 private:
  std::optional<E> known_;
  std::string other_;
};

/// A value that the API server fills in when nobody sets it: reads as the default until then. What
/// was set is written, also when it equals the default.
template <class T>
class defaulted {
 public:
  defaulted() = default;
  defaulted(T value) : value_(std::move(value)), is_set_(true) {}
  template <class U>
    requires(std::convertible_to<U, T> && !std::same_as<std::remove_cvref_t<U>, defaulted>)
  defaulted(U&& value) : defaulted(T(std::forward<U>(value))) {}
  /// For generated headers.
  [[nodiscard]] static defaulted unset(T initial) {
    defaulted made(std::move(initial));
    made.is_set_ = false;
    return made;
  }

  [[nodiscard]] bool has_value() const { return is_set_; }
  [[nodiscard]] const T& value() const { return value_; }
  const T& operator*() const { return value_; }
  const T* operator->() const { return &value_; }
  operator const T&() const { return value_; }
  friend bool operator==(const defaulted& a, const T& b) { return a.value_ == b; }
  friend bool operator==(const defaulted& a, const defaulted& b) { return a.value_ == b.value_; }

 private:
  T value_{};
  bool is_set_ = false;
};

/// Fields that a type does not name, and what a field cannot say itself (null, an empty list). It
/// is kept and written back, so that an object that passes through loses nothing.
class unknown_fields {
 public:
  struct entry {
    std::string name;
    std::string json;  ///< empty: the field was not there, although it is written otherwise
  };

  /// JSON of the field, or null.
  [[nodiscard]] const std::string* find(std::string_view name) const {
    for (const auto& one : entries_) {
      if (one.name == name) return &one.json;
    }
    return nullptr;
  }
  /// Sets a field that the type does not name, or one that it does to null or an empty list.
  void set(std::string_view name, std::string json) {
    for (auto& one : entries_) {
      if (one.name == name) {
        one.json = std::move(json);
        return;
      }
    }
    entries_.push_back({std::string(name), std::move(json)});
  }
  void clear() { entries_.clear(); }
  [[nodiscard]] const std::vector<entry>& entries() const { return entries_; }

 private:
  std::vector<entry> entries_;
};

}  // namespace oarlock::sdk
