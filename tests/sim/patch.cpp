// JSON merge patch and JSON patch, as far as Kubernetes clients use them.
#include <charconv>

#include "tests/sim/server.hpp"

namespace oarlock::sim {

namespace {

struct place {
  js::value* parent;
  std::string last;
};

std::string unescaped(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size()) {
      out += token[++i] == '1' ? '/' : '~';
    } else {
      out += token[i];
    }
  }
  return out;
}

std::optional<std::size_t> index_of(const std::string& token, std::size_t size) {
  std::size_t i = 0;
  const auto* end = token.data() + token.size();
  const auto [at, ec] = std::from_chars(token.data(), end, i);
  if (ec != std::errc() || at != end || i >= size) return std::nullopt;
  return i;
}

js::value* child(js::value& parent, const std::string& token) {
  if (auto* object = parent.if_object()) return object->if_contains(token);
  if (auto* list = parent.if_array()) {
    const auto i = index_of(token, list->size());
    return i ? &(*list)[*i] : nullptr;
  }
  return nullptr;
}

std::optional<place> find_place(js::value& root, std::string_view pointer) {
  if (pointer.empty() || pointer[0] != '/') return std::nullopt;
  js::value* at = &root;
  pointer.remove_prefix(1);
  while (true) {
    const auto slash = pointer.find('/');
    const auto token = unescaped(pointer.substr(0, slash));
    if (slash == std::string_view::npos) return place{at, token};
    at = child(*at, token);
    if (at == nullptr) return std::nullopt;
    pointer.remove_prefix(slash + 1);
  }
}

bool add(const place& where, const js::value& v) {
  if (auto* object = where.parent->if_object()) {
    (*object)[where.last] = v;
    return true;
  }
  auto* list = where.parent->if_array();
  if (list == nullptr) return false;
  const auto i = where.last == "-" ? list->size() : index_of(where.last, list->size() + 1);
  if (!i) return false;
  list->insert(list->begin() + static_cast<std::ptrdiff_t>(*i), v);
  return true;
}

bool remove(const place& where) {
  if (child(*where.parent, where.last) == nullptr) return false;
  if (auto* object = where.parent->if_object()) {
    object->stable_erase(where.last);
  } else {
    auto& list = where.parent->as_array();
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(*index_of(where.last, list.size())));
  }
  return true;
}

}  // namespace

void merge_patch(js::value& target, const js::value& patch) {
  const auto* fields = patch.if_object();
  if (fields == nullptr) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = js::object();
  for (const auto& f : *fields) {
    if (f.value().is_null()) {
      target.as_object().stable_erase(f.key());
    } else {
      merge_patch(target.as_object()[f.key()], f.value());
    }
  }
}

std::optional<std::string> json_patch(js::value& target, const js::array& patch) {
  for (const auto& entry : patch) {
    const auto& op = entry.as_object();
    const auto what = text_at(op, "op");
    const auto path = text_at(op, "path");
    const auto where = find_place(target, path);
    const auto* v = op.if_contains("value");
    bool done = false;
    if (!where) return what + " " + path + ": no such path";
    if (what == "test") {
      const auto* found = child(*where->parent, where->last);
      done = found != nullptr && v != nullptr && *found == *v;
    } else if (what == "remove") {
      done = remove(*where);
    } else if (what == "add" || (what == "replace" && child(*where->parent, where->last))) {
      if (what == "replace" && where->parent->is_array()) (void)remove(*where);
      done = v != nullptr && add(*where, *v);
    }
    if (!done) return what + " " + path + ": failed";
  }
  return std::nullopt;
}

}  // namespace oarlock::sim
