// Writes of the model server.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <stdexcept>

#include "tests/sim/call.hpp"

namespace oarlock::sim {

namespace {

// What the server alone writes.
constexpr std::array system_fields{"uid",
                                   "resourceVersion",
                                   "generation",
                                   "creationTimestamp",
                                   "deletionTimestamp",
                                   "deletionGracePeriodSeconds",
                                   "managedFields"};

js::object& meta_of(js::object& object) {
  return object.emplace("metadata", js::object()).first->value().as_object();
}

server_answer answer(int status, const js::object& object) {
  return {status, js::serialize(object)};
}

js::object without(js::object object, std::string_view member) {
  object.stable_erase(member);
  return object;
}

// Everything that generation counts: all but metadata and status.
js::object spec_of(const js::object& object) {
  return without(without(object, "metadata"), "status");
}

// Changes that generation counts; a Deployment's annotations are among them.
bool counts(const kind_info& kind, const js::object& before, const js::object& after) {
  if (spec_of(before) != spec_of(after)) return true;
  const auto* old_ones = object_at(before.at("metadata").as_object(), "annotations");
  const auto* new_ones = object_at(after.at("metadata").as_object(), "annotations");
  const bool same =
      old_ones == nullptr || new_ones == nullptr ? old_ones == new_ones : *old_ones == *new_ones;
  return kind.resource.kind == "Deployment" && !same;
}

// Empty fields of metadata are not there.
void drop_empty_meta(js::object& object) {
  auto& meta = meta_of(object);
  for (const auto* f : {"finalizers", "labels", "annotations", "ownerReferences"}) {
    const auto* v = meta.if_contains(f);
    if (v == nullptr) continue;
    const bool empty = v->is_null() || (v->is_array() && v->as_array().empty()) ||
                       (v->is_object() && v->as_object().empty());
    if (empty) meta.stable_erase(f);
  }
}

// Without what changes by itself.
js::object content_of(js::object object) {
  auto& meta = meta_of(object);
  meta.stable_erase("managedFields");
  meta.stable_erase("resourceVersion");
  meta.stable_erase("generation");
  return object;
}

bool has_finalizers(const js::object& object) {
  const auto* list = array_at(object.at("metadata").as_object(), "finalizers");
  return list != nullptr && !list->empty();
}

bool adds_finalizers(const js::object& before, const js::object& after) {
  const auto* old = array_at(before.at("metadata").as_object(), "finalizers");
  const auto* now = array_at(after.at("metadata").as_object(), "finalizers");
  if (now == nullptr) return false;
  return std::any_of(now->begin(), now->end(), [&](const js::value& f) {
    return old == nullptr || std::find(old->begin(), old->end(), f) == old->end();
  });
}

server_answer invalid(const js::object& details_by_kind, const std::vector<cause>& causes) {
  js::array list;
  std::string message = "the object is invalid:";
  for (const auto& c : causes) {
    list.push_back(js::object{{"reason", c.reason}, {"field", c.field}});
    message += " " + c.field;
  }
  auto details = details_by_kind;
  details.emplace("causes", std::move(list));
  return refusal(422, "Invalid", message, std::move(details));
}

}  // namespace

void model_server::written(const call& c, const char* verb, version at, const std::string& uid) {
  write_record record{c.who, verb, &c.kind(), c.name, c.subresource, uid, at};
  record.effective = at != 0;
  record.forced = c.param("force") == "true";
  record.guarded = !meta_text(c.body, "uid").empty();
  if (const auto* p = object_at(c.body, "preconditions")) {
    record.guarded = !text_at(*p, "uid").empty() && !text_at(*p, "resourceVersion").empty();
  }
  if (instant_cache) c.store->advance_cache(version_);
  on_write(record);
}

server_answer model_server::create(call& c) {
  const auto in_body = meta_text(c.body, "namespace");
  if (!in_body.empty() && in_body != c.name.ns) {
    return refusal(400, "BadRequest", "the namespace of the provided object does not match");
  }
  c.name.name = meta_text(c.body, "name");
  if (!namespaces.contains(c.name.ns)) {
    return refusal(404, "NotFound", "namespaces \"" + c.name.ns + "\" not found",
                   {{"name", c.name.ns}, {"kind", "namespaces"}});
  }
  if (c.name.name.empty()) {
    return invalid(without(c.details(true), "name"), {{"FieldValueRequired", "metadata.name"}});
  }
  if (c.store->find(c.name) != nullptr) {
    return refusal(409, "AlreadyExists", c.title() + " already exists", c.details());
  }
  auto object = c.body;
  if (c.kind().has_status) object.stable_erase("status");
  auto& meta = meta_of(object);
  for (const auto* f : system_fields)
    meta.stable_erase(f);
  apply_defaults(c.kind(), object);
  auto managers = after_update({}, {fields_of(object), {}}, c.manager, {});
  return insert(c, std::move(object), std::move(managers), "create");
}

server_answer model_server::insert(call& c, js::object object, std::vector<manager_entry> managers,
                                   const char* verb) {
  const auto& r = c.kind().resource;
  apply_defaults(c.kind(), object);
  if (const auto wrong = validate(c.kind(), object, nullptr); !wrong.empty()) {
    return invalid(c.details(true), wrong);
  }
  object["apiVersion"] = r.api_version();
  object["kind"] = r.kind;
  auto& meta = meta_of(object);
  const auto uid = "00000000-0000-4000-8000-" + std::to_string(100'000'000'000U + ++uids_);
  meta["namespace"] = c.name.ns;
  meta["name"] = c.name.name;
  meta["uid"] = uid;
  meta["resourceVersion"] = std::to_string(++version_);
  meta["creationTimestamp"] = stamp();
  if (c.kind().has_generation) meta["generation"] = 1;
  for (auto& m : managers)
    m.time = stamp();
  if (!managers.empty()) meta["managedFields"] = render_managers(managers, r.api_version());
  const auto body = std::make_shared<const js::object>(std::move(object));
  c.store->put(c.name, {body, std::move(managers)}, version_);
  written(c, verb, version_, uid);
  return answer(201, *body);
}

server_answer model_server::update(call& c) {
  const auto* live = c.store->find(c.name);
  if (live == nullptr) return refusal(404, "NotFound", c.title() + " not found", c.details());
  const auto named = meta_text(c.body, "name");
  if (named != c.name.name) {
    return refusal(400, "BadRequest", "the name of the object does not match the URL");
  }
  if (meta_text(c.body, "resourceVersion").empty() && !c.kind().blind_update) {
    return invalid(c.details(), {{"FieldValueInvalid", "metadata.resourceVersion"}});
  }
  return replace(c, c.body, "update");
}

// PUT and patches end here: `wanted` is the whole object.
server_answer model_server::replace(call& c, js::object wanted, const char* verb) {
  const auto live = *c.store->find(c.name);
  const auto& old = *live.body;
  const auto uid = meta_text(wanted, "uid");
  const auto at = meta_text(wanted, "resourceVersion");
  if (!uid.empty() && uid != meta_text(old, "uid")) {
    const bool is_patch = std::string_view(verb) == "patch";
    if (is_patch) return invalid(c.details(true), {{"FieldValueInvalid", "metadata.uid"}});
    return refusal(409, "Conflict", c.title() + ": UID in precondition: metadata.uid", c.details());
  }
  if (!at.empty() && at != meta_text(old, "resourceVersion")) {
    return refusal(409, "Conflict", c.title() + ": the object has been modified", c.details());
  }
  auto after = wanted;
  if (c.subresource == "status") {
    after = old;
    if (const auto* status = wanted.if_contains("status")) {
      after["status"] = *status;
    } else {
      after.stable_erase("status");
    }
  } else if (c.kind().has_status) {
    after.stable_erase("status");
    if (const auto* status = old.if_contains("status")) after["status"] = *status;
  }
  auto& meta = meta_of(after);
  const auto& old_meta = old.at("metadata").as_object();
  for (const auto* f : system_fields) {
    meta.stable_erase(f);
    if (const auto* v = old_meta.if_contains(f)) meta.emplace(f, *v);
  }
  meta["name"] = c.name.name;
  meta["namespace"] = c.name.ns;
  apply_defaults(c.kind(), after);
  drop_empty_meta(after);
  // Owners are not kept of an object that had none when it was created.
  auto managers = live.managers.empty()
                      ? std::vector<manager_entry>()
                      : after_update(live.managers, compare(content_of(old), content_of(after)),
                                     c.manager, c.subresource);
  return store(c, std::move(after), std::move(managers), verb);
}

server_answer model_server::store(call& c, js::object after, std::vector<manager_entry> managers,
                                  const char* verb) {
  const auto live = *c.store->find(c.name);
  const auto& old = *live.body;
  drop_empty_meta(after);
  auto wrong = validate(c.kind(), after, &old);
  const bool deleting = !meta_text(old, "deletionTimestamp").empty();
  if (deleting && adds_finalizers(old, after)) {
    wrong.push_back({"FieldValueForbidden", "metadata.finalizers"});
  }
  if (!wrong.empty()) return invalid(c.details(true), wrong);
  const auto uid = meta_text(old, "uid");
  for (auto& m : managers) {
    const auto before =
        std::find_if(live.managers.begin(), live.managers.end(), [&](const manager_entry& o) {
          return o.manager == m.manager && o.is_apply == m.is_apply &&
                 o.subresource == m.subresource;
        });
    const bool same = before != live.managers.end() && before->fields == m.fields;
    m.time = same ? before->time : stamp();
  }
  const auto rendered = render_managers(managers, c.kind().resource.api_version());
  const auto* owners = array_at(old.at("metadata").as_object(), "managedFields");
  const bool same_owners = owners == nullptr ? rendered.empty() : *owners == rendered;
  if (same_owners && content_of(old) == content_of(after)) {
    written(c, verb, 0, uid);
    return answer(200, old);
  }
  auto& meta = meta_of(after);
  if (c.kind().has_generation && c.subresource.empty() && counts(c.kind(), old, after)) {
    meta["generation"] = old.at("metadata").at("generation").as_int64() + 1;
  }
  meta.stable_erase("managedFields");
  if (!rendered.empty()) meta["managedFields"] = rendered;
  ++version_;
  // The write that removes the last finalizer is not stored any more: the event of the deletion
  // shows the object as it was before, and the answer its version.
  const bool ends = deleting && !has_finalizers(after);
  if (!ends) meta["resourceVersion"] = std::to_string(version_);
  const auto body = std::make_shared<const js::object>(std::move(after));
  if (ends) {
    c.store->erase(c.name, live.body, version_);
  } else {
    c.store->put(c.name, {body, std::move(managers)}, version_);
  }
  written(c, verb, version_, uid);
  return answer(200, *body);
}

server_answer model_server::patch(call& c) {
  const bool is_apply = c.content_type.starts_with("application/apply-patch");
  const auto* live = c.store->find(c.name);
  if (is_apply) {
    if (c.param("fieldManager").empty()) {
      return bad_options("PatchOptions", "FieldValueRequired", "fieldManager",
                         "fieldManager is required for apply patch");
    }
    return apply(c, c.body);
  }
  if (live == nullptr) return refusal(404, "NotFound", c.title() + " not found", c.details());
  js::value target(*live->body);
  if (c.content_type == "application/merge-patch+json") {
    merge_patch(target, c.body);
  } else if (c.content_type == "application/json-patch+json") {
    const auto wrong = json_patch(target, js::parse(c.request->body).as_array());
    if (wrong) return refusal(422, "Invalid", *wrong);
  } else {
    throw std::runtime_error("the model has no patch of type " + c.content_type);
  }
  return replace(c, target.as_object(), "patch");
}

server_answer model_server::apply(call& c, js::object intent) {
  const auto* found = c.store->find(c.name);
  const auto uid = meta_text(intent, "uid");
  const auto at = meta_text(intent, "resourceVersion");
  if (c.subresource == "status") {
    js::object only;
    if (const auto* status = intent.if_contains("status")) only.emplace("status", *status);
    intent = std::move(only);
  } else if (c.kind().has_status) {
    intent.stable_erase("status");
  }
  if (found == nullptr) {
    if (c.subresource == "status") {
      return refusal(404, "NotFound", c.title() + " not found", c.details());
    }
    if (!namespaces.contains(c.name.ns)) {
      return refusal(404, "NotFound", "namespaces \"" + c.name.ns + "\" not found",
                     {{"name", c.name.ns}, {"kind", "namespaces"}});
    }
    if (!uid.empty()) {
      return refusal(409, "Conflict", c.title() + ": uid mismatch: metadata.uid", c.details());
    }
    auto made = apply_intent({}, {}, intent, c.manager, {}, true);
    return insert(c, std::move(made.object), std::move(made.managers), "apply");
  }
  const auto live = *found;
  if (auto* meta = object_at(intent, "metadata")) {
    for (const auto* f : system_fields)
      meta->stable_erase(f);
  }
  auto made = apply_intent(*live.body, live.managers, intent, c.manager, c.subresource,
                           c.param("force") == "true");
  if (!made.conflicts.empty()) {
    js::array causes;
    for (const auto& x : made.conflicts) {
      causes.push_back(js::object{{"reason", "FieldManagerConflict"},
                                  {"message", "conflict with \"" + x.manager + "\""},
                                  {"field", x.field}});
    }
    return refusal(409, "Conflict", "Apply failed: conflict",
                   object_of("causes", std::move(causes)));
  }
  if (!at.empty() && at != meta_text(*live.body, "resourceVersion")) {
    return refusal(409, "Conflict", c.title() + ": the object has been modified", c.details());
  }
  auto& meta = meta_of(made.object);
  if (!uid.empty()) meta["uid"] = uid;  // another one is found out by validation
  apply_defaults(c.kind(), made.object);
  return store(c, std::move(made.object), std::move(made.managers), "apply");
}

server_answer model_server::remove(call& c) {
  const auto* found = c.store->find(c.name);
  if (found == nullptr) return refusal(404, "NotFound", c.title() + " not found", c.details());
  const auto& policy = text_at(c.body, "propagationPolicy");
  if (!policy.empty() && policy != "Background") {
    throw std::runtime_error("the model deletes only in the background");
  }
  if (const auto* p = object_at(c.body, "preconditions")) {
    const auto differs = [&](const char* f, const char* field) {
      const auto wanted = text_at(*p, f);
      return !wanted.empty() && wanted != meta_text(*found->body, field);
    };
    if (differs("uid", "uid") || differs("resourceVersion", "resourceVersion")) {
      return refusal(409, "Conflict", c.title() + ": a precondition failed", c.details(true));
    }
  }
  return erase(c, "delete");
}

server_answer model_server::erase(call& c, const char* verb) {
  const auto live = *c.store->find(c.name);
  const auto uid = meta_text(*live.body, "uid");
  if (!has_finalizers(*live.body)) {
    ++version_;
    c.store->erase(c.name, live.body, version_);
    written(c, verb, version_, uid);
    auto details = c.details();
    details.emplace("uid", uid);
    return answer(200, {{"kind", "Status"},
                        {"apiVersion", "v1"},
                        {"metadata", js::object()},
                        {"status", "Success"},
                        {"details", std::move(details)}});
  }
  if (!meta_text(*live.body, "deletionTimestamp").empty()) return answer(200, *live.body);
  auto after = *live.body;
  auto& meta = meta_of(after);
  meta["deletionTimestamp"] = stamp();
  meta["deletionGracePeriodSeconds"] = 0;
  if (c.kind().has_generation) meta["generation"] = meta.at("generation").as_int64() + 1;
  meta["resourceVersion"] = std::to_string(++version_);
  const auto body = std::make_shared<const js::object>(std::move(after));
  c.store->put(c.name, {body, live.managers}, version_);
  written(c, verb, version_, uid);
  return answer(200, *body);
}

bool model_server::collect_garbage() {
  std::set<std::string> uids;
  for (const auto& k : kinds_) {
    for (const auto& [name, object] : k->live())
      uids.insert(meta_text(*object.body, "uid"));
  }
  for (const auto& k : kinds_) {
    for (const auto& [name, object] : k->live()) {
      const auto* owners = array_at(object.body->at("metadata").as_object(), "ownerReferences");
      if (owners == nullptr || owners->empty()) continue;
      const bool orphan = std::none_of(owners->begin(), owners->end(), [&](const js::value& o) {
        return uids.contains(text_at(o.as_object(), "uid"));
      });
      if (!orphan || !meta_text(*object.body, "deletionTimestamp").empty()) continue;
      call c;
      c.who = "gc";
      c.store = k.get();
      c.name = name;
      (void)erase(c, "delete");
      return true;
    }
  }
  return false;
}

}  // namespace oarlock::sim
