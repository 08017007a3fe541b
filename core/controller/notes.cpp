#include "core/controller/notes.hpp"

#include <utility>

#include "core/base/mutant.hpp"

namespace oarlock::controller {

namespace {

// About what it needs in memory.
std::size_t size_of(const input_note& note) {
  return sizeof(note) + note.name.size() + note.json.size() + note.service_account.size() +
         note.pod_name.size() + note.pod_uid.size();
}

}  // namespace

bool notes::put(const cache::object_key& key, const std::string& uid, input_note note) {
  const auto size = size_of(note);
  auto found = objects_.find(key);
  if (found != objects_.end() && found->second.uid != uid) {
    forget(key);
    found = objects_.end();
  }
  static const of_object none{};
  const auto& before = found == objects_.end() ? none : found->second;
  const auto same = before.by_name.find(note.name);
  const bool is_new = same == before.by_name.end();
  const auto freed = is_new ? 0 : size_of(*same->second);
  const bool fits = (!is_new || before.by_name.size() < names_max) &&
                    before.bytes - freed + size <= object_bytes_max &&
                    bytes_ - freed + size <= bytes_max;
  if (!fits && !OARLOCK_MUTANT("notes_unbounded")) return false;
  auto& object = objects_[key];
  object.uid = uid;
  object.bytes = object.bytes - freed + size;
  bytes_ = bytes_ - freed + size;
  auto name = note.name;
  object.by_name[std::move(name)] = std::make_shared<const input_note>(std::move(note));
  return true;
}

std::vector<std::shared_ptr<const input_note>> notes::of(const cache::object_key& key,
                                                         const std::string& uid) const {
  std::vector<std::shared_ptr<const input_note>> out;
  const auto found = objects_.find(key);
  const bool is_same = found != objects_.end() &&
                       (found->second.uid == uid || OARLOCK_MUTANT("notes_of_another_life"));
  if (!is_same) return out;
  for (const auto& [name, note] : found->second.by_name)
    out.push_back(note);
  return out;
}

void notes::forget(const cache::object_key& key) {
  const auto found = objects_.find(key);
  if (found == objects_.end()) return;
  bytes_ -= found->second.bytes;
  objects_.erase(found);
}

void notes::clear() {
  objects_.clear();
  bytes_ = 0;
}

}  // namespace oarlock::controller
