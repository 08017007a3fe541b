#pragma once
// An API server of a few lines for the tests of controllers: objects by kind and name, versions,
// apply, merge and JSON patch, preconditions, finalizers, watches. It knows no schema and no field
// managers: what depends on those is tested against the real server.
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>

#include <fmt/format.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/json/parse.hpp"
#include "core/kube/resource.hpp"
#include "tests/support/scripted_transport.hpp"

namespace oarlock::controller::testing {

class small_api {
 public:
  small_api(test::test_loop& loop, std::vector<kube::resource> kinds)
      : transport(loop), kinds_(std::move(kinds)) {
    transport.on_request = [this](const test::scripted_call_ptr& call) {
      if (intercept && intercept(call)) return;
      serve(call);
    };
  }

  test::scripted_transport transport;
  /// Sees each request first; true: it has answered, or will.
  std::function<bool(const test::scripted_call_ptr&)> intercept;
  /// "apply deployments ns/w", "status widgets ns/w", "patch ...", "delete ...", in order.
  std::vector<std::string> writes;
  /// Those of a new event beside them: "ReconcileTimeout: plan: expected ...".
  std::vector<std::string> told;
  std::size_t events = 0;
  /// False: watches are silent, as if they lagged.
  bool deliver = true;
  /// True: events wait for release().
  bool hold = false;
  void release() {
    hold = false;
    for (const auto& [watch, line] : std::exchange(held_, {}))
      watch->push(line);
  }

  /// As a user would: the object is made or replaced.
  void put(const kube::resource& r, const std::string& text) {
    auto made = json::parse(text);
    if (!made) throw std::invalid_argument(made.error().message);
    const auto path = r.path(json::string_at(*made, "/metadata/namespace"),
                             json::string_at(*made, "/metadata/name"));
    store(r, path, std::move(*made));
  }
  /// As `kubectl delete` would.
  void erase(const kube::resource& r, const std::string& ns, const std::string& name) {
    drop(r, r.path(ns, name));
  }
  /// A value of an object as text; empty when there is none.
  [[nodiscard]] std::string at(const kube::resource& r, const std::string& ns,
                               const std::string& name, const std::string& pointer) const {
    const auto found = objects_.find(r.path(ns, name));
    const auto* value = found == objects_.end() ? nullptr : json::find(found->second, pointer);
    if (value == nullptr) return {};
    return value->IsString() ? value->GetString() : json::write(*value);
  }
  [[nodiscard]] bool has(const kube::resource& r, const std::string& ns,
                         const std::string& name) const {
    return objects_.contains(r.path(ns, name));
  }
  void serve(const test::scripted_call_ptr& call) {
    const auto& method = call->request().method;
    if (call->path().find("/events") != std::string::npos) {
      ++events;
      const auto body = json::parse(call->request().body);
      if (body && method == "POST") {
        told.push_back(std::string(json::string_at(*body, "/reason")) + ": " +
                       std::string(json::string_at(*body, "/note")));
      }
      return call->reply(201, "{}");
    }
    const auto* r = kind_of(call->path());
    if (r == nullptr) return refuse(call, 404, "NotFound");
    if (method == "GET") return read(call, *r);
    auto path = call->path();
    const bool status = path.ends_with("/status");
    if (status) path.resize(path.size() - 7);
    if (method == "DELETE") return remove(call, *r, path);
    auto body = json::parse(call->request().body);
    if (!body) return refuse(call, 400, "BadRequest");
    if (method == "POST") return create(call, *r, std::move(*body));
    std::string type;
    for (const auto& h : call->request().headers) {
      if (h.name == "Content-Type") type = h.value;
    }
    note(status ? "status" : type.find("apply") != std::string::npos ? "apply" : "patch", *r, path);
    if (type.find("json-patch") != std::string::npos) return json_patch(call, *r, path, *body);
    const bool creates = type.find("apply") != std::string::npos && !status;
    merge(call, *r, path, *body, creates);
  }

 private:
  using document = rapidjson::Document;
  using value = rapidjson::Value;

  static std::string copy_text(const value& v) { return json::write(v); }
  static document copy(const value& v) {
    document d;
    d.CopyFrom(v, d.GetAllocator());
    return d;
  }
  static void refuse(const test::scripted_call_ptr& call, int code, const std::string& reason) {
    call->reply(code, fmt::format(R"({{"kind":"Status","status":"Failure","reason":"{}",)"
                                  R"("message":"{}","code":{}}})",
                                  reason, reason, code));
  }
  [[nodiscard]] const kube::resource* kind_of(const std::string& path) const {
    for (const auto& r : kinds_) {
      const auto whole = "/" + r.plural;
      if (path.ends_with(whole) || path.find(whole + "/") != std::string::npos) return &r;
    }
    return nullptr;
  }
  void note(const std::string& verb, const kube::resource& r, const std::string& path) {
    const auto name = path.substr(path.rfind('/') + 1);
    writes.push_back(verb + " " + r.plural + " " + name);
  }
  static void set(document& d, const char* pointer, const std::string& text) {
    rapidjson::Pointer(pointer).Set(d, text.c_str());
  }

  void read(const test::scripted_call_ptr& call, const kube::resource& r) {
    if (call->query("watch") == "true") {
      if (!call->query("sendInitialEvents").empty()) return refuse(call, 422, "Invalid");
      watches_[r.plural].push_back(call);
      return call->answer(200);
    }
    if (!call->path().ends_with("/" + r.plural)) {
      const auto found = objects_.find(call->path());
      if (found == objects_.end()) return refuse(call, 404, "NotFound");
      return call->reply(200, copy_text(found->second));
    }
    std::string items;
    for (const auto& [path, object] : objects_) {
      if (kind_of(path) != &r) continue;
      items += (items.empty() ? "" : ",") + copy_text(object);
    }
    call->reply(200, fmt::format(R"({{"kind":"{}List","metadata":{{"resourceVersion":"{}"}},)"
                                 R"("items":[{}]}})",
                                 r.kind, version_, items));
  }

  void tell(const char* type, const kube::resource& r, const document& object) {
    if (!deliver) return;
    for (const auto& watch : watches_[r.plural]) {
      const auto line = fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, copy_text(object));
      if (hold) {
        held_.emplace_back(watch, line);
      } else {
        watch->push(line);
      }
    }
  }
  // Returns what is stored now.
  const document& store(const kube::resource& r, const std::string& path, document object) {
    const bool there = objects_.contains(path);
    if (!there && json::string_at(object, "/metadata/uid").empty()) {
      set(object, "/metadata/uid", "made-" + std::to_string(version_));
    }
    if (there)
      set(object, "/metadata/uid", std::string(json::string_at(objects_[path], "/metadata/uid")));
    set(object, "/apiVersion", r.api_version());
    set(object, "/kind", r.kind);
    set(object, "/metadata/resourceVersion", std::to_string(++version_));
    objects_[path] = std::move(object);
    tell(there ? "MODIFIED" : "ADDED", r, objects_[path]);
    return objects_[path];
  }
  void drop(const kube::resource& r, const std::string& path) {
    const auto found = objects_.find(path);
    if (found == objects_.end()) return;
    set(found->second, "/metadata/resourceVersion", std::to_string(++version_));
    if (const auto* f = json::find(found->second, "/metadata/finalizers"); f && f->Size() > 0) {
      set(found->second, "/metadata/deletionTimestamp", "2026-01-01T00:00:00Z");
      return tell("MODIFIED", r, found->second);
    }
    tell("DELETED", r, found->second);
    objects_.erase(found);
  }

  void create(const test::scripted_call_ptr& call, const kube::resource& r, document body) {
    const auto path = call->path() + "/" + std::string(json::string_at(body, "/metadata/name"));
    note("create", r, path);
    if (objects_.contains(path)) return refuse(call, 409, "AlreadyExists");
    call->reply(201, copy_text(store(r, path, std::move(body))));
  }
  void remove(const test::scripted_call_ptr& call, const kube::resource& r,
              const std::string& path) {
    note("delete", r, path);
    const auto found = objects_.find(path);
    if (found == objects_.end()) return refuse(call, 404, "NotFound");
    const auto wanted = json::parse(call->request().body);
    for (const char* what : {"uid", "resourceVersion"}) {
      const auto is = json::string_at(*wanted, std::string("/preconditions/") + what);
      if (!is.empty() && is != json::string_at(found->second, std::string("/metadata/") + what)) {
        return refuse(call, 409, "Conflict");
      }
    }
    drop(r, path);
    call->reply(200, "{}");
  }
  void json_patch(const test::scripted_call_ptr& call, const kube::resource& r,
                  const std::string& path, const document& patch) {
    const auto found = objects_.find(path);
    if (found == objects_.end()) return refuse(call, 404, "NotFound");
    auto next = copy(found->second);
    for (const auto& entry : patch.GetArray()) {
      const std::string op(entry["op"].GetString());
      const rapidjson::Pointer at(entry["path"].GetString());
      const auto* there = at.Get(next);
      if (op == "test" && (there == nullptr || *there != entry["value"])) {
        return refuse(call, 422, "Invalid");
      }
      if (op == "remove" && !at.Erase(next)) return refuse(call, 422, "Invalid");
      if (op == "add") at.Set(next, copy(entry["value"]));
    }
    const auto* left = json::find(next, "/metadata/finalizers");
    const bool gone = json::find(next, "/metadata/deletionTimestamp") != nullptr &&
                      (left == nullptr || left->Size() == 0);
    const auto& stored = store(r, path, std::move(next));
    call->reply(200, copy_text(stored));
    if (gone) drop(r, path);
  }
  static void merge_into(value& target, const value& patch, document::AllocatorType& memory) {
    if (!target.IsObject()) target.SetObject();
    for (const auto& field : patch.GetObject()) {
      if (field.value.IsNull()) {
        target.RemoveMember(field.name);
        continue;
      }
      if (!target.HasMember(field.name)) {
        target.AddMember(value(field.name, memory), value(), memory);
      }
      auto& there = target[field.name];
      if (field.value.IsObject()) {
        merge_into(there, field.value, memory);
      } else {
        there.CopyFrom(field.value, memory);
      }
    }
  }
  void merge(const test::scripted_call_ptr& call, const kube::resource& r, const std::string& path,
             const document& patch, bool creates) {
    const auto found = objects_.find(path);
    const auto uid = json::string_at(patch, "/metadata/uid");
    if (found == objects_.end()) {
      if (!creates) return refuse(call, 404, "NotFound");
      if (!uid.empty()) return refuse(call, 409, "Conflict");
      return call->reply(201, copy_text(store(r, path, copy(patch))));
    }
    const auto version = json::string_at(patch, "/metadata/resourceVersion");
    if (!uid.empty() && uid != json::string_at(found->second, "/metadata/uid")) {
      return refuse(call, 409, "Conflict");
    }
    if (!version.empty() &&
        version != json::string_at(found->second, "/metadata/resourceVersion")) {
      return refuse(call, 409, "Conflict");
    }
    auto next = copy(found->second);
    merge_into(next, patch, next.GetAllocator());
    call->reply(200, copy_text(store(r, path, std::move(next))));
  }

  std::vector<kube::resource> kinds_;
  std::map<std::string, document> objects_;
  std::map<std::string, std::vector<test::scripted_call_ptr>> watches_;
  std::vector<std::pair<test::scripted_call_ptr, std::string>> held_;
  std::uint64_t version_ = 100;
};

}  // namespace oarlock::controller::testing
