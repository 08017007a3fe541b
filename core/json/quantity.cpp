#include "core/json/quantity.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace oarlock::json {

namespace {

__extension__ typedef unsigned __int128 wide;

constexpr int nano_exponent = -9;
constexpr int mantissa_digits_max = 19;  // times 2^60 has 38 digits: 128 bits hold it
constexpr std::size_t text_bytes_max = 64;
constexpr int exponent_max = 999;

struct scale {
  int decimal = 0;
  int binary = 0;
};

std::optional<scale> decode_suffix(std::string_view s) {
  if (s.empty()) return scale{};
  struct row {
    std::string_view suffix;
    scale value;
  };
  static constexpr row table[] = {
      {"n", {-9, 0}},  {"u", {-6, 0}},  {"m", {-3, 0}},  {"k", {3, 0}},   {"M", {6, 0}},
      {"G", {9, 0}},   {"T", {12, 0}},  {"P", {15, 0}},  {"E", {18, 0}},  {"Ki", {0, 10}},
      {"Mi", {0, 20}}, {"Gi", {0, 30}}, {"Ti", {0, 40}}, {"Pi", {0, 50}}, {"Ei", {0, 60}}};
  for (const auto& r : table) {
    if (r.suffix == s) return r.value;
  }
  if (s.front() != 'e' && s.front() != 'E') return std::nullopt;
  s.remove_prefix(1);
  if (!s.empty() && s.front() == '+') {
    s.remove_prefix(1);
    if (!s.empty() && s.front() == '-') return std::nullopt;
  }
  int exponent = 0;
  const auto [stop, failed] = std::from_chars(s.data(), s.data() + s.size(), exponent);
  if (failed != std::errc() || stop != s.data() + s.size()) return std::nullopt;
  if (exponent > exponent_max || exponent < -exponent_max) return std::nullopt;
  return scale{exponent, 0};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int count_digits(wide v) {
  int n = 0;
  for (; v != 0; v /= 10)
    ++n;
  return n;
}

wide power_of_ten(int n) {
  wide v = 1;
  for (; n > 0; --n)
    v *= 10;
  return v;
}

void normalise(wide& digits, int& exponent) {
  if (digits == 0) exponent = 0;
  while (digits != 0 && digits % 10 == 0) {
    digits /= 10;
    ++exponent;
  }
}

void round_to_nano(wide& digits, int& exponent) {
  if (digits == 0 || exponent >= nano_exponent) return;
  const int drop = nano_exponent - exponent;
  if (drop >= count_digits(digits)) {
    digits = 1;
  } else {
    const wide unit = power_of_ten(drop);
    digits = digits / unit + (digits % unit != 0 ? 1 : 0);
  }
  exponent = nano_exponent;
  normalise(digits, exponent);
}

std::strong_ordering compare_magnitude(wide a, int a_exponent, wide b, int b_exponent) {
  if (a == 0 || b == 0)
    return a == b   ? std::strong_ordering::equal
           : a == 0 ? std::strong_ordering::less
                    : std::strong_ordering::greater;
  const int a_digits = count_digits(a);
  const int b_digits = count_digits(b);
  if (a_digits + a_exponent != b_digits + b_exponent) {
    return a_digits + a_exponent <=> b_digits + b_exponent;
  }
  // Same decimal magnitude: pad the shorter one. Both have at most 38 digits.
  if (a_digits < b_digits) a *= power_of_ten(b_digits - a_digits);
  if (b_digits < a_digits) b *= power_of_ten(a_digits - b_digits);
  return a == b  ? std::strong_ordering::equal
         : a < b ? std::strong_ordering::less
                 : std::strong_ordering::greater;
}

struct mantissa {
  wide digits = 0;
  int exponent = 0;
  std::size_t length = 0;  ///< characters read
};

// digits [ '.' digits ], with at least one digit. Zeros at either end cost nothing.
std::optional<mantissa> read_mantissa(std::string_view text) {
  mantissa m;
  int zeros = 0;  // not yet in `digits`: they count only when another digit follows
  bool any = false;
  bool point = false;
  for (; m.length < text.size(); ++m.length) {
    const char c = text[m.length];
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (!is_digit(c)) break;
    any = true;
    if (point) --m.exponent;
    if (c == '0') {
      ++zeros;
      continue;
    }
    if (m.digits != 0) {
      if (count_digits(m.digits) + zeros + 1 > mantissa_digits_max) return std::nullopt;
      m.digits *= power_of_ten(zeros + 1);
    }
    m.digits += static_cast<wide>(c - '0');
    zeros = 0;
  }
  if (!any) return std::nullopt;
  m.exponent += zeros;
  return m;
}

}  // namespace

std::optional<quantity> quantity::parse(std::string_view text) {
  if (text.empty() || text.size() > text_bytes_max) return std::nullopt;
  quantity q;
  if (text.front() == '-' || text.front() == '+') {
    q.negative_ = text.front() == '-';
    text.remove_prefix(1);
  }
  const auto number = read_mantissa(text);
  if (!number) return std::nullopt;
  const auto factor = decode_suffix(text.substr(number->length));
  if (!factor) return std::nullopt;
  q.digits_ = number->digits << static_cast<unsigned>(factor->binary);
  q.exponent_ = number->exponent + factor->decimal;
  normalise(q.digits_, q.exponent_);
  round_to_nano(q.digits_, q.exponent_);
  constexpr wide cap = static_cast<wide>(std::numeric_limits<std::int64_t>::max());
  if (compare_magnitude(q.digits_, q.exponent_, cap, 0) > 0) {
    q.digits_ = cap;
    q.exponent_ = 0;
  }
  if (q.digits_ == 0) q.negative_ = false;
  return q;
}

std::strong_ordering quantity::operator<=>(const quantity& other) const {
  if (negative_ != other.negative_) {
    return negative_ ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  const auto magnitude = compare_magnitude(digits_, exponent_, other.digits_, other.exponent_);
  if (!negative_) return magnitude;
  return magnitude == std::strong_ordering::less      ? std::strong_ordering::greater
         : magnitude == std::strong_ordering::greater ? std::strong_ordering::less
                                                      : std::strong_ordering::equal;
}

}  // namespace oarlock::json
