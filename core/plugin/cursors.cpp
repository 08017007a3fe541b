#include "core/plugin/cursors.hpp"

#include <algorithm>

namespace oarlock::plugin {

namespace {

// Characters of label keys and values; the API server has checked those of objects.
bool is_word(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '/';
  });
}

std::string_view trimmed(std::string_view s) {
  while (s.starts_with(' '))
    s.remove_prefix(1);
  while (s.ends_with(' '))
    s.remove_suffix(1);
  return s;
}

}  // namespace

std::optional<label_selector> label_selector::parse(std::string_view text) {
  label_selector out;
  text = trimmed(text);
  while (!text.empty()) {
    const auto comma = text.find(',');
    auto one = trimmed(text.substr(0, comma));
    if (comma == text.size() - 1) return std::nullopt;
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    term t;
    const auto equals = one.find('=');
    auto key = one.substr(0, equals);
    if (equals == std::string_view::npos) {
      t.wanted = !key.starts_with('!');
      if (!t.wanted) key.remove_prefix(1);
    } else {
      auto value = one.substr(equals + 1);
      if (value.starts_with('=')) value.remove_prefix(1);
      t.wanted = !key.ends_with('!');
      if (!t.wanted) key.remove_suffix(1);
      t.value = std::string(trimmed(value));
      if (!is_word(*t.value)) return std::nullopt;
    }
    t.key = std::string(trimmed(key));
    if (t.key.empty() || !is_word(t.key)) return std::nullopt;
    out.terms_.push_back(std::move(t));
  }
  return out;
}

bool label_selector::matches(const std::map<std::string, std::string>& labels) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const term& t) {
    const auto found = labels.find(t.key);
    const bool is_it = found != labels.end() && (!t.value || found->second == *t.value);
    return is_it == t.wanted;
  });
}

oarlock_status cursors::open(const cursor_query& what, std::uint64_t* out) {
  auto wanted = label_selector::parse(what.labels);
  const bool is_short = what.resource.size() <= text_bytes_max &&
                        what.ns.size() <= text_bytes_max && what.owner_uid.size() <= text_bytes_max;
  if (out == nullptr || kinds_ == nullptr || !wanted || !is_short) return OARLOCK_INVALID;
  if (open_.size() >= open_max) return OARLOCK_LIMIT;
  auto all = look(what);
  if (all == nullptr) return seen_.size() < questions_max ? OARLOCK_INVALID : OARLOCK_LIMIT;
  open_.emplace(next_id_, cursor{what.resource, std::move(all), 0, std::move(*wanted)});
  *out = next_id_++;
  return OARLOCK_OK;
}

// Null: the controller has no such kind, or too much was asked for.
std::shared_ptr<const cursors::objects> cursors::look(const cursor_query& what) {
  const std::tuple question{what.resource, what.ns, what.owner_uid};
  const auto known = seen_.find(question);
  if (known != seen_.end()) return known->second;
  if (seen_.size() >= questions_max) return nullptr;
  auto found = kinds_->list_cached(what.resource, what.ns, what.owner_uid);
  if (!found) return nullptr;
  return seen_.emplace(question, std::make_shared<const objects>(std::move(*found))).first->second;
}

cache::object_ptr cursors::next(std::uint64_t id, oarlock_status& status) {
  const auto found = open_.find(id);
  status = found == open_.end() ? OARLOCK_INVALID : OARLOCK_OK;
  if (found == open_.end()) return nullptr;
  auto& at = found->second;
  while (at.at < at.all->size()) {
    const auto& object = (*at.all)[at.at++];
    if (at.wanted.matches(object->meta().labels)) return object;
  }
  return nullptr;
}

std::string_view cursors::resource_of(std::uint64_t id) const {
  const auto found = open_.find(id);
  return found == open_.end() ? std::string_view() : std::string_view(found->second.resource);
}

oarlock_status cursors::close(std::uint64_t id) {
  return open_.erase(id) > 0 ? OARLOCK_OK : OARLOCK_INVALID;
}

}  // namespace oarlock::plugin
