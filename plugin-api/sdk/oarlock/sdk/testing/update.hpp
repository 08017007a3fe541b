#pragma once
// Writes what a plan answers into the file of its case, where the case expects something else.
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "oarlock/sdk/testing/compare.hpp"
#include "oarlock/sdk/testing/yaml_text.hpp"

namespace oarlock::sdk::testing {
namespace detail {

/// Of `found`, what `wanted` speaks of: the same fields, with the values found; a field that is not
/// there is null. Where the shapes differ, all of `found`.
inline json::value project(const json::value& wanted, const json::value& found) {
  if (const auto* fields = wanted.as_object(); fields != nullptr && found.as_object() != nullptr) {
    json::members out;
    for (const auto& f : *fields) {
      const json::value* there = found.find(f.key);
      out.push_back({f.key, there != nullptr ? project(f.value, *there) : json::value()});
    }
    return out;
  }
  const auto *list = wanted.as_array(), *there = found.as_array();
  if (list != nullptr && there != nullptr && list->size() == there->size()) {
    json::items out;
    for (std::size_t i = 0; i < list->size(); ++i)
      out.push_back(project((*list)[i], (*there)[i]));
    return out;
  }
  return found;
}

/// `found`, its fields in the order that `wanted` has them and new ones behind: what only stands
/// elsewhere is no difference.
inline json::value ordered_as(const json::value& wanted, const json::value& found) {
  if (const auto* fields = wanted.as_object(); fields != nullptr && found.as_object() != nullptr) {
    json::members out;
    for (const auto& f : *fields) {
      const json::value* there = found.find(f.key);
      if (there != nullptr) out.push_back({f.key, ordered_as(f.value, *there)});
    }
    for (const auto& f : *found.as_object()) {
      if (wanted.find(f.key) == nullptr) out.push_back(f);
    }
    return out;
  }
  const auto *list = wanted.as_array(), *there = found.as_array();
  if (list == nullptr || there == nullptr) return found;
  json::items out;
  for (std::size_t i = 0; i < there->size(); ++i)
    out.push_back(i < list->size() ? ordered_as((*list)[i], (*there)[i]) : (*there)[i]);
  return out;
}

// Messages are expected in part: a part that is in the message stays.
inline void keep_part(const json::value& wanted, json::value& made) {
  const auto* part = wanted.find("message");
  const auto* whole = made.find("message");
  if (part == nullptr || whole == nullptr || part->as_text() == nullptr) return;
  if (whole->as_text() == nullptr) return;
  if (whole->as_text()->find(*part->as_text()) != std::string::npos) made.set("message", *part);
}

inline json::value updated_section(const std::string& key, const json::value& wanted,
                                   const json::value& found, bool whole) {
  if (whole) return ordered_as(wanted, found);
  json::value made = project(wanted, found);
  if (key == "conditions" && made.as_object() != nullptr && wanted.as_object() != nullptr) {
    for (const auto& f : *wanted.as_object()) {
      const auto* there = made.find(f.key);
      if (there == nullptr) continue;
      json::value one = *there;
      keep_part(f.value, one);
      made.set(f.key, one);
    }
  }
  const auto *old = wanted.as_array(), *now = made.as_array();
  if (key == "events" && old != nullptr && now != nullptr && old->size() == now->size()) {
    json::items all;
    for (std::size_t i = 0; i < now->size(); ++i) {
      all.push_back((*now)[i]);
      keep_part((*old)[i], all.back());
    }
    return all;
  }
  return made;
}

/// The expectation as it has to be for `got`: what it speaks of is the same, the values are those
/// that were found.
inline json::value updated(const json::value& expect, const recorded& got) {
  const json::value found = as_expectation(got, expect.find("steps") != nullptr);
  if (expect.is_null() || is_exact(expect)) {
    json::value all = ordered_as(expect, found);
    if (!expect.is_null()) all.set("match", "exact");
    return all;
  }
  json::value out = json::object({});
  const bool whole_children =
      expect.find("exact") != nullptr && *expect.find("exact") == json::value(true);
  for (const auto& f : *expect.as_object()) {
    const auto* there = found.find(f.key);
    if (f.key == "exact" || f.key == "match") {
      out.set(f.key, f.value);
    } else if (f.key == "message" && there != nullptr) {
      json::value both = json::object({{"message", *there}});
      keep_part(expect, both);
      out.set(f.key, *both.find("message"));
    } else if (there != nullptr) {
      out.set(f.key, updated_section(f.key, f.value, *there, whole_children && f.key == "apply"));
    } else if (f.key != "reason" && f.key != "message") {
      out.set(f.key, empty_section(f.key));
    }
  }
  // A verdict that was not expected is the first thing to see.
  for (const char* key : {"verdict", "reason", "message"}) {
    const auto* there = found.find(key);
    if (there != nullptr && out.find(key) == nullptr) out.set(key, *there);
  }
  return out;
}

// The lines [first, end) that belong to a key at `column` in line `first`.
inline std::size_t end_of_block(const std::vector<std::string>& lines, std::size_t first,
                                std::size_t column) {
  std::size_t end = first + 1;
  for (std::size_t i = first + 1; i < lines.size(); ++i) {
    const std::size_t text = lines[i].find_first_not_of(' ');
    if (text == std::string::npos) continue;
    // A list may stand as far left as its key.
    const bool item = text == column && lines[i].compare(text, 2, "- ") == 0;
    if (text <= column && !item) break;
    if (lines[i][text] != '#') end = i + 1;
  }
  return end;
}

/// A file of cases that is rewritten piece by piece: everything else keeps its text, comments too.
class case_file {
 public:
  explicit case_file(std::filesystem::path file) : file_(std::move(file)) {
    std::ifstream in(file_, std::ios::binary);
    std::ostringstream all;
    all << in.rdbuf();
    lines_ = split_lines(std::move(all).str());
  }

  /// Gives the case of this name a new expectation. Sections that are the same keep their text.
  void set_expect(const std::string& name, const json::value& expect) {
    std::string whole;
    for (const auto& line : lines_)
      whole += line + "\n";
    for (const auto& one : YAML::Load(whole)["cases"]) {
      if (!one["name"] || one["name"].as<std::string>() != name) continue;
      for (const auto& field : one) {
        if (field.first.as<std::string>() == "expect") return set(field, expect);
      }
      return add(one, expect);
    }
    throw std::runtime_error(file_.string() + ": found no case named " + name);
  }

  void write() const {
    std::ofstream out(file_, std::ios::binary | std::ios::trunc);
    for (const auto& line : lines_)
      out << line << "\n";
    out.close();
    if (!out) throw std::runtime_error("cannot write " + file_.string());
  }

 private:
  static std::string key_at(std::size_t column, const std::string& key, const json::value& v) {
    return std::string(column, ' ') + key + ":" +
           yaml_value(v, column + 2, column + key.size() + 2);
  }

  void replace(std::size_t first, std::size_t end, const std::string& text) {
    const auto at = lines_.begin() + static_cast<std::ptrdiff_t>(first);
    const auto next = lines_.erase(at, lines_.begin() + static_cast<std::ptrdiff_t>(end));
    const auto added = split_lines(text);
    lines_.insert(next, added.begin(), added.end());
  }

  void set(const YAML::detail::iterator_value& field, const json::value& expect) {
    const auto line = static_cast<std::size_t>(field.first.Mark().line);
    const auto column = static_cast<std::size_t>(field.first.Mark().column);
    const auto behind = lines_[line].find_first_not_of(' ', column + 7);
    const bool in_block = behind == std::string::npos || lines_[line][behind] == '#';
    if (!in_block || !field.second.IsMap()) {
      return replace(line, end_of_block(lines_, line, column), key_at(column, "expect", expect));
    }
    // From the last section to the first, so that the lines before keep their numbers.
    std::map<std::size_t, std::string, std::greater<>> sections;
    for (const auto& section : field.second) {
      sections[static_cast<std::size_t>(section.first.Mark().line)] =
          section.first.as<std::string>();
    }
    const json::value before = from_yaml(field.second);
    const auto inside = static_cast<std::size_t>(field.second.begin()->first.Mark().column);
    std::string added;
    for (const auto& f : *expect.as_object()) {
      if (before.find(f.key) == nullptr) added += key_at(inside, f.key, f.value);
    }
    const std::size_t end = end_of_block(lines_, line, column);
    if (!added.empty()) replace(end, end, added);
    for (const auto& [at, key] : sections) {
      const auto* now = expect.find(key);
      if (now != nullptr && *now == *before.find(key)) continue;
      replace(at, end_of_block(lines_, at, inside),
              now != nullptr ? key_at(inside, key, *now) : std::string());
    }
  }

  // A case without any expectation gets one at its end.
  void add(const YAML::Node& one, const json::value& expect) {
    const auto first = one.begin()->first.Mark();
    const auto column = static_cast<std::size_t>(first.column);
    std::size_t end = static_cast<std::size_t>(first.line) + 1;
    for (const auto& field : one) {
      end = std::max(
          end, end_of_block(lines_, static_cast<std::size_t>(field.first.Mark().line), column));
    }
    replace(end, end, key_at(column, "expect", expect));
  }

  std::filesystem::path file_;
  std::vector<std::string> lines_;
};

}  // namespace detail

/// The difference between what a case expects and what was found, as lines of its YAML.
[[nodiscard]] inline std::string expectation_diff(const json::value& expect, const recorded& got) {
  return line_diff(expect.is_null() ? std::string() : to_yaml(expect),
                   to_yaml(detail::updated(expect, got)));
}

/// Rewrites the expectation of a case in its file, in place: only sections that differ change.
inline void update_case(const std::filesystem::path& file, const plan_case& one,
                        const recorded& got) {
  detail::case_file text(file);
  text.set_expect(one.name, detail::updated(one.expect, got));
  text.write();
}

}  // namespace oarlock::sdk::testing
