#include "tests/sim/fields.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <optional>

namespace oarlock::sim {

namespace {

const std::set<std::string, std::less<>> unowned{
    "f:apiVersion\n",
    "f:kind\n",
    "f:metadata\n",
    "f:metadata\nf:name\n",
    "f:metadata\nf:namespace\n",
    "f:metadata\nf:uid\n",
    "f:metadata\nf:resourceVersion\n",
    "f:metadata\nf:generation\n",
    "f:metadata\nf:creationTimestamp\n",
    "f:metadata\nf:deletionTimestamp\n",
    "f:metadata\nf:deletionGracePeriodSeconds\n",
};

std::string joined(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

js::object keys_of(const js::object& item, const list_shape& shape) {
  js::object keys;
  for (const auto& name : shape.keys) {
    const auto* v = item.if_contains(name);
    keys.emplace(name, v != nullptr ? *v : js::value(name == "protocol" ? "TCP" : ""));
  }
  return keys;
}

std::string element_of(const js::value& item, const list_shape& shape) {
  if (shape.type == list_type::set) return "v:" + js::serialize(item) + "\n";
  return "k:" + js::serialize(keys_of(item.as_object(), shape)) + "\n";
}

void collect(const js::value& v, const std::string& path, const std::string& prefix,
             field_set& out) {
  if (const auto* object = v.if_object(); object != nullptr && !is_atomic_object(path)) {
    if (object->empty()) out.insert(prefix);
    for (const auto& member : *object) {
      collect(member.value(), joined(path, member.key()),
              prefix + "f:" + std::string(member.key()) + "\n", out);
    }
    return;
  }
  const auto shape = shape_of(path);
  if (const auto* list = v.if_array(); list != nullptr && shape.type != list_type::atomic) {
    for (const auto& item : *list) {
      const auto at = prefix + element_of(item, shape);
      out.insert(at);
      if (shape.type == list_type::map && !shape.atomic_items) collect(item, path, at, out);
    }
    if (!list->empty()) return;
  }
  out.insert(prefix);
}

std::vector<std::string> elements(const std::string& path) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < path.size();) {
    const auto end = path.find('\n', begin);
    out.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

// The item of `list` that `element` ("k:..." or "v:...") names.
js::array::iterator item_of(js::array& list, const std::string& element, const list_shape& shape) {
  return std::find_if(list.begin(), list.end(), [&](const js::value& item) {
    return element_of(item, shape) == element + "\n";
  });
}

// The value at `path` in `root`; null when absent. `upto`: so many elements of it.
js::value* value_at(js::value& root, const std::vector<std::string>& path, std::size_t upto) {
  js::value* at = &root;
  std::string dotted;
  for (std::size_t i = 0; i < upto; ++i) {
    const auto& e = path[i];
    if (e.starts_with("f:")) {
      if (!at->is_object()) return nullptr;
      dotted = joined(dotted, e.substr(2));
      at = at->as_object().if_contains(e.substr(2));
      if (at == nullptr) return nullptr;
    } else {
      if (!at->is_array()) return nullptr;
      auto& list = at->as_array();
      const auto found = item_of(list, e, shape_of(dotted));
      if (found == list.end()) return nullptr;
      at = &*found;
    }
  }
  return at;
}

void remove_field(js::value& root, const std::string& path_text) {
  const auto path = elements(path_text);
  auto* parent = value_at(root, path, path.size() - 1);
  if (parent == nullptr) return;
  const auto& last = path.back();
  if (last.starts_with("f:")) {
    if (!parent->is_object()) return;
    parent->as_object().stable_erase(last.substr(2));
  } else if (parent->is_array()) {
    std::string dotted;
    for (const auto& e : path) {
      if (e.starts_with("f:")) dotted = joined(dotted, e.substr(2));
    }
    auto& list = parent->as_array();
    if (const auto found = item_of(list, last, shape_of(dotted)); found != list.end()) {
      list.erase(found);
    }
  }
  // What it leaves empty goes as well: labels, annotations, a list of owners.
  const bool empty = parent->is_object() ? parent->as_object().empty()
                                         : parent->is_array() && parent->as_array().empty();
  std::string parent_path;
  for (std::size_t i = 0; i + 1 < path.size(); ++i)
    parent_path += path[i] + "\n";
  if (empty && path.size() > 2) remove_field(root, parent_path);
}

void merge(js::value& live, const js::value& intent, const std::string& path) {
  const bool objects = live.is_object() && intent.is_object() && !is_atomic_object(path);
  if (objects) {
    auto& into = live.as_object();
    for (const auto& member : intent.as_object()) {
      auto [slot, added] = into.emplace(member.key(), member.value());
      if (!added) merge(slot->value(), member.value(), joined(path, member.key()));
    }
    return;
  }
  const auto shape = shape_of(path);
  const bool lists = live.is_array() && intent.is_array() && shape.type != list_type::atomic;
  if (!lists) {
    live = intent;
    return;
  }
  auto& into = live.as_array();
  for (const auto& item : intent.as_array()) {
    auto element = element_of(item, shape);
    element.pop_back();
    const auto found = item_of(into, element, shape);
    if (found == into.end()) {
      into.push_back(item);
    } else if (shape.atomic_items) {
      *found = item;
    } else if (shape.type == list_type::map) {
      merge(*found, item, path);
    }
  }
}

bool same_value(js::value& a, js::value& b, const std::string& path_text) {
  const auto path = elements(path_text);
  const auto* in_a = value_at(a, path, path.size());
  const auto* in_b = value_at(b, path, path.size());
  if (in_a == nullptr || in_b == nullptr) return in_a == in_b;
  // An item of a list as such: its fields are paths of their own.
  if (path.back().starts_with("k:") && path[1] != "f:ownerReferences") return true;
  return *in_a == *in_b;
}

// ".spec.template.spec.containers[name="app"].image"
std::string field_text(const std::string& path_text) {
  std::string out;
  for (const auto& e : elements(path_text)) {
    if (e.starts_with("f:")) {
      out += "." + e.substr(2);
      continue;
    }
    if (e.starts_with("v:")) {
      out += "[=" + e.substr(2) + "]";
      continue;
    }
    std::string keys;
    const auto named = js::parse(e.substr(2));
    for (const auto& k : named.as_object()) {
      keys += (keys.empty() ? "" : ",") + std::string(k.key()) + "=" + js::serialize(k.value());
    }
    out += "[" + keys + "]";
  }
  return out;
}

bool owned(const std::vector<manager_entry>& managers, const std::string& path) {
  return std::any_of(managers.begin(), managers.end(), [&](const manager_entry& m) {
    const auto at = m.fields.lower_bound(path);
    return at != m.fields.end() && at->starts_with(path);
  });
}

void drop_empty(std::vector<manager_entry>& managers) {
  std::erase_if(managers, [](const manager_entry& m) { return m.fields.empty(); });
}

manager_entry* entry_of(std::vector<manager_entry>& managers, const std::string& manager,
                        bool is_apply, const std::string& subresource) {
  const auto found = std::find_if(managers.begin(), managers.end(), [&](const manager_entry& m) {
    return m.manager == manager && m.is_apply == is_apply && m.subresource == subresource;
  });
  return found == managers.end() ? nullptr : &*found;
}

}  // namespace

field_set fields_of(const js::object& object) {
  field_set out;
  for (const auto& member : object) {
    collect(member.value(), std::string(member.key()), "f:" + std::string(member.key()) + "\n",
            out);
  }
  std::erase_if(out, [](const std::string& path) {
    return unowned.contains(path) || path.starts_with("f:metadata\nf:managedFields\n");
  });
  return out;
}

field_changes compare(const js::object& before, const js::object& after) {
  const auto old_fields = fields_of(before);
  const auto new_fields = fields_of(after);
  js::value a(before);
  js::value b(after);
  field_changes out;
  for (const auto& path : new_fields) {
    if (!old_fields.contains(path) || !same_value(a, b, path)) out.changed.insert(path);
  }
  for (const auto& path : old_fields) {
    if (!new_fields.contains(path)) out.removed.insert(path);
  }
  return out;
}

apply_result apply_intent(const js::object& live, const std::vector<manager_entry>& managers,
                          const js::object& intent, const std::string& manager,
                          const std::string& subresource, bool force) {
  apply_result out{{}, managers, {}};
  js::value live_value(live);
  js::value wanted(intent);
  auto fields = fields_of(intent);
  for (auto& m : out.managers) {
    if (m.manager == manager && m.is_apply && m.subresource == subresource) continue;
    field_set lost;
    for (const auto& path : m.fields) {
      if (fields.contains(path) && !same_value(live_value, wanted, path)) lost.insert(path);
    }
    for (const auto& path : lost) {
      if (!force) out.conflicts.push_back({m.manager, field_text(path)});
      m.fields.erase(path);
    }
  }
  if (!out.conflicts.empty()) return out;
  js::value merged(live);
  merge(merged, wanted, "");
  auto* mine = entry_of(out.managers, manager, true, subresource);
  const auto before = mine == nullptr ? field_set() : mine->fields;
  if (mine == nullptr) {
    out.managers.push_back({manager, true, subresource, {}, {}});
    mine = &out.managers.back();
  }
  mine->fields = std::move(fields);
  drop_empty(out.managers);
  for (const auto& path : before) {
    if (!owned(out.managers, path)) remove_field(merged, path);
  }
  out.object = std::move(merged.as_object());
  return out;
}

std::vector<manager_entry> after_update(std::vector<manager_entry> managers,
                                        const field_changes& changes, const std::string& manager,
                                        const std::string& subresource) {
  for (auto& m : managers) {
    for (const auto& path : changes.removed)
      m.fields.erase(path);
    if (m.manager == manager && !m.is_apply && m.subresource == subresource) continue;
    for (const auto& path : changes.changed) {
      if (!path.ends_with("}\n") && !path.ends_with(".\n")) m.fields.erase(path);
    }
  }
  if (!changes.changed.empty()) {
    auto* mine = entry_of(managers, manager, false, subresource);
    if (mine == nullptr) {
      managers.push_back({manager, false, subresource, {}, {}});
      mine = &managers.back();
    }
    mine->fields.insert(changes.changed.begin(), changes.changed.end());
  }
  drop_empty(managers);
  return managers;
}

js::array render_managers(const std::vector<manager_entry>& managers,
                          const std::string& api_version) {
  js::array out;
  for (const auto& m : managers) {
    js::object tree;
    for (const auto& path : m.fields) {
      js::object* at = &tree;
      for (const auto& e : elements(path))
        at = &at->emplace(e, js::object()).first->value().as_object();
      const auto next = m.fields.upper_bound(path);
      const bool has_children = next != m.fields.end() && next->starts_with(path);
      if (has_children) at->emplace(".", js::object());
    }
    js::object entry{{"manager", m.manager},      {"operation", m.is_apply ? "Apply" : "Update"},
                     {"apiVersion", api_version}, {"time", m.time},
                     {"fieldsType", "FieldsV1"},  {"fieldsV1", std::move(tree)}};
    if (!m.subresource.empty()) entry.emplace("subresource", m.subresource);
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace oarlock::sim
