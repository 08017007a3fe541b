#include "gtid.hpp"

#include <algorithm>
#include <charconv>

namespace mysql_cluster {
namespace {

using interval = gtid_set::interval;
using intervals = std::vector<interval>;

constexpr std::size_t tag_length_max = 32;

[[noreturn]] void bad(std::string_view found, const char* expected) {
  throw gtid_error(std::string("expected ") + expected + ", found \"" +
                   std::string(found.substr(0, 80)) + "\"");
}

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_space(text.back()))
    text.remove_suffix(1);
  return text;
}

std::string_view cut(std::string_view& rest, char mark) {
  const auto at = rest.find(mark);
  const auto first = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return trimmed(first);
}

std::string uuid_of(std::string_view text) {
  static constexpr std::string_view form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  std::string made;
  for (const char c : text)
    made += lower(c);
  bool fits = made.size() == form.size();
  for (std::size_t i = 0; fits && i < form.size(); ++i) {
    const char c = made[i];
    fits = form[i] == '-' ? c == '-' : is_digit(c) || (c >= 'a' && c <= 'f');
  }
  if (!fits) bad(text, "a UUID of 36 characters");
  return made;
}

bool is_tag(std::string_view text) {
  return !text.empty() && !is_digit(text.front());
}

std::string tag_of(std::string_view text) {
  std::string made;
  for (const char c : text)
    made += lower(c);
  const bool fits = made.size() <= tag_length_max && std::ranges::all_of(made, [](char c) {
                      return c == '_' || is_digit(c) || (c >= 'a' && c <= 'z');
                    });
  if (!fits) bad(text, "a tag of at most 32 letters, digits and _");
  return made;
}

std::int64_t number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || number < 1 || number > gtid_set::number_max) {
    bad(text, "a transaction number from 1 to 2^63-2");
  }
  return number;
}

interval interval_of(std::string_view text) {
  std::string_view rest = text;
  const auto first = number_of(cut(rest, '-'));
  const bool is_range = text.find('-') != std::string_view::npos;
  const interval made{first, is_range ? number_of(trimmed(rest)) : first};
  if (made.last < made.first) bad(text, "a range whose end is not before its start");
  return made;
}

void merge(intervals& into, const intervals& more) {
  into.insert(into.end(), more.begin(), more.end());
  std::ranges::sort(into, {}, &interval::first);
  intervals joined;
  for (const auto& one : into) {
    if (!joined.empty() && one.first <= joined.back().last + 1) {
      joined.back().last = std::max(joined.back().last, one.last);
    } else {
      joined.push_back(one);
    }
  }
  into = std::move(joined);
}

intervals without(const intervals& from, const intervals& less) {
  intervals left;
  auto cutter = less.begin();
  for (interval one : from) {
    while (cutter != less.end() && cutter->last < one.first)
      ++cutter;
    for (auto c = cutter; c != less.end() && c->first <= one.last; ++c) {
      if (c->first > one.first) left.push_back({one.first, c->first - 1});
      one.first = c->last + 1;
    }
    if (one.first <= one.last) left.push_back(one);
  }
  return left;
}

}  // namespace

gtid_set gtid_set::parse(std::string_view text) {
  gtid_set made;
  while (!text.empty()) {
    std::string_view rest = cut(text, ',');
    if (rest.empty()) continue;  // MySQL takes "a:1,,b:1" too
    const std::string uuid = uuid_of(cut(rest, ':'));
    if (rest.empty()) bad(uuid, "a transaction number after the UUID");
    std::string source = uuid;
    bool has_number = true;  // of the tag that came last
    while (!rest.empty()) {
      const auto part = cut(rest, ':');
      if (is_tag(part)) {
        if (!has_number) bad(part, "a transaction number after the tag before");
        source = uuid + ":" + tag_of(part);
        has_number = false;
      } else {
        merge(made.sources_[source], {interval_of(part)});
        has_number = true;
      }
    }
    if (!has_number) bad(source, "a transaction number after the tag");
  }
  return made;
}

std::int64_t gtid_set::count() const {
  std::int64_t total = 0;
  for (const auto& [source, all] : sources_) {
    for (const auto& one : all) {
      const std::int64_t more = one.last - one.first + 1;
      if (more > number_max - total) return number_max;
      total += more;
    }
  }
  return total;
}

bool gtid_set::contains(const gtid_set& other) const {
  return (other - *this).empty();
}

void gtid_set::add(const gtid_set& other) {
  for (const auto& [source, all] : other.sources_)
    merge(sources_[source], intervals(all));
}

void gtid_set::subtract(const gtid_set& other) {
  for (const auto& [source, all] : other.sources_) {
    const auto found = sources_.find(source);
    if (found == sources_.end()) continue;
    found->second = without(found->second, intervals(all));
    if (found->second.empty()) sources_.erase(found);
  }
}

namespace {

bool is_of(const std::string& source, std::string_view server_uuid) {
  return std::string_view(source).substr(0, source.find(':')) == server_uuid;
}

}  // namespace

void gtid_set::drop_source(std::string_view server_uuid) {
  std::erase_if(sources_, [&](const auto& one) { return is_of(one.first, server_uuid); });
}

gtid_set gtid_set::newer(std::string_view server_uuid, const gtid_set& known) const {
  gtid_set made;
  for (const auto& [source, all] : sources_) {
    if (!is_of(source, server_uuid)) continue;
    const auto before = known.sources_.find(source);
    const std::int64_t last = before == known.sources_.end() ? 0 : before->second.back().last;
    auto& left = made.sources_[source];
    left = last == 0 ? all : without(all, {{1, last}});
    if (left.empty()) made.sources_.erase(source);
  }
  return made;
}

std::string gtid_set::text() const {
  std::string made, uuid_before;
  for (const auto& [source, all] : sources_) {
    const std::string uuid = source.substr(0, source.find(':'));
    if (uuid == uuid_before) {
      made += source.substr(uuid.size());  // ":tag" behind the numbers without one
    } else {
      made += (made.empty() ? "" : ",") + source;
      uuid_before = uuid;
    }
    for (const auto& one : all) {
      made += ":" + std::to_string(one.first);
      if (one.last != one.first) made += "-" + std::to_string(one.last);
    }
  }
  return made;
}

}  // namespace mysql_cluster
