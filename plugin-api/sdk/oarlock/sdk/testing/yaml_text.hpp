#pragma once
// JSON values as YAML that people like to read, and the difference of two texts.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "oarlock/sdk/testing/cases.hpp"

namespace oarlock::sdk::testing {
namespace detail {

constexpr std::size_t yaml_columns_max = 96;

/// A scalar; quoted where YAML would read something else in it.
inline std::string yaml_scalar(const json::value& v) {
  const std::string* text = v.as_text();
  if (text == nullptr) return v.text();
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-./=@%+()";
  const bool is_plain = !text->empty() && text->find_first_not_of(plain) == std::string::npos &&
                        text->front() != ' ' && text->back() != ' ' &&
                        std::string_view("-=@%.").find(text->front()) == std::string_view::npos;
  if (!is_plain) return v.text();
  return from_yaml(YAML::Load(*text)) == v ? *text : v.text();
}

/// On one line: {a: 1, b: [2, 3]}.
inline std::string yaml_flow(const json::value& v) {
  std::string out, comma;
  if (const auto* fields = v.as_object()) {
    for (const auto& f : *fields) {
      out += comma + yaml_scalar(f.key) + ": " + yaml_flow(f.value);
      comma = ", ";
    }
    return "{" + out + "}";
  }
  if (const auto* list = v.as_array()) {
    for (const auto& item : *list) {
      out += comma + yaml_flow(item);
      comma = ", ";
    }
    return "[" + out + "]";
  }
  return yaml_scalar(v);
}

inline bool is_leaf(const json::value& v) {
  return v.as_object() == nullptr && v.as_array() == nullptr;
}

// Short maps and lists of scalars stand on one line.
inline bool is_short(const json::value& v, std::size_t column) {
  if (is_leaf(v)) return true;
  bool flat = true;
  if (const auto* fields = v.as_object()) {
    for (const auto& f : *fields)
      flat = flat && is_leaf(f.value);
    flat = flat || fields->empty();
  } else {
    for (const auto& item : *v.as_array())
      flat = flat && is_leaf(item);
  }
  return flat && column + yaml_flow(v).size() <= yaml_columns_max;
}

/// What stands behind "key:": " value" or lines that are indented by `indent`. Ends with a break.
inline std::string yaml_value(const json::value& v, std::size_t indent, std::size_t column) {
  if (is_short(v, column)) return " " + yaml_flow(v) + "\n";
  const std::string space(indent, ' ');
  std::string out = "\n";
  if (const auto* fields = v.as_object()) {
    for (const auto& f : *fields) {
      const std::string key = yaml_scalar(f.key) + ":";
      out += space + key + yaml_value(f.value, indent + 2, indent + key.size() + 1);
    }
    return out;
  }
  for (const auto& item : *v.as_array()) {
    if (is_short(item, indent + 2)) {
      out += space + "-" + yaml_value(item, indent + 2, indent + 2);
      continue;
    }
    // The first field of a map stands behind the dash.
    std::string lines = yaml_value(item, indent + 2, indent + 2).substr(1);
    lines.replace(indent, 2, "- ");
    out += lines;
  }
  return out;
}

inline std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// How long the longest common part of a[i..] and b[j..] is.
inline std::vector<std::vector<std::size_t>> common_lengths(const std::vector<std::string>& a,
                                                            const std::vector<std::string>& b) {
  std::vector<std::vector<std::size_t>> common(a.size() + 1,
                                               std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;) {
      common[i][j] =
          a[i] == b[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  return common;
}

}  // namespace detail

/// A document as block YAML.
[[nodiscard]] inline std::string to_yaml(const json::value& v) {
  const std::string text = detail::yaml_value(v, 0, 0);
  return text.substr(1);
}

/// The lines of both texts: "- " only in the first, "+ " only in the second, "  " in both; of what
/// is in both, only the two lines around a change. Empty when they are equal.
[[nodiscard]] inline std::string line_diff(const std::string& before, const std::string& after) {
  const auto a = detail::split_lines(before), b = detail::split_lines(after);
  const auto common = detail::common_lengths(a, b);
  std::vector<std::string> all;
  for (std::size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      all.push_back("  " + a[i++]);
      ++j;
    } else if (j == b.size() || (i < a.size() && common[i + 1][j] >= common[i][j + 1])) {
      all.push_back("- " + a[i++]);
    } else {
      all.push_back("+ " + b[j++]);
    }
  }
  constexpr std::size_t around = 2;
  const auto is_near_change = [&all](std::size_t at) {
    const std::size_t end = std::min(at + around + 1, all.size());
    for (std::size_t k = at < around ? 0 : at - around; k < end; ++k) {
      if (all[k][0] != ' ') return true;
    }
    return false;
  };
  std::string out;
  bool skipped = false;
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (is_near_change(k)) {
      if (skipped && !out.empty()) out += "  ...\n";
      out += all[k] + "\n";
      skipped = false;
    } else {
      skipped = true;
    }
  }
  return out;
}

}  // namespace oarlock::sdk::testing
