#include "core/controller/finalizer.hpp"

#include <algorithm>
#include <utility>

#include "core/base/assert.hpp"
#include "core/controller/json_text.hpp"
#include "core/json/parse.hpp"

namespace oarlock::controller {

namespace {

using rapidjson::Value;

// A JSON patch in the making.
class patch {
 public:
  void add(const char* op, const std::string& path, Value value = Value()) {
    Value entry(rapidjson::kObjectType);
    entry.AddMember("op", text(op, memory()), memory());
    entry.AddMember("path", text(path, memory()), memory());
    if (!value.IsNull()) entry.AddMember("value", value, memory());
    body_.PushBack(entry, memory());
  }
  void test(const std::string& path, const std::string& value) {
    add("test", path, text(value, memory()));
  }
  [[nodiscard]] rapidjson::Document::AllocatorType& memory() { return body_.GetAllocator(); }
  [[nodiscard]] std::string write() const { return json::write(body_); }

 private:
  rapidjson::Document body_{rapidjson::kArrayType};
};

}  // namespace

std::string finalizer_name(const controller_spec& spec) {
  return "oarlock.dev/" + spec.plugin;
}

bool has_finalizer(const controller_spec& spec, const cache::object& primary) {
  const auto& all = primary.meta().finalizers;
  return std::find(all.begin(), all.end(), finalizer_name(spec)) != all.end();
}

std::string add_finalizer_patch(const controller_spec& spec, const cache::object& primary) {
  patch p;
  p.test("/metadata/uid", primary.meta().uid);
  // The list may have come or gone since: "add" would replace somebody else's.
  p.test("/metadata/resourceVersion", primary.meta().resource_version);
  if (primary.meta().finalizers.empty()) {
    Value list(rapidjson::kArrayType);
    list.PushBack(text(finalizer_name(spec), p.memory()), p.memory());
    p.add("add", "/metadata/finalizers", std::move(list));
  } else {
    p.add("add", "/metadata/finalizers/-", text(finalizer_name(spec), p.memory()));
  }
  return p.write();
}

std::string remove_finalizer_patch(const controller_spec& spec, const cache::object& primary) {
  const auto& all = primary.meta().finalizers;
  const auto name = finalizer_name(spec);
  const auto found = std::find(all.begin(), all.end(), name);
  OARLOCK_ASSERT(found != all.end(), "only a finalizer that is there is removed");
  const auto path = "/metadata/finalizers/" + std::to_string(found - all.begin());
  patch p;
  p.test("/metadata/uid", primary.meta().uid);
  p.test(path, name);
  p.add("remove", path);
  return p.write();
}

}  // namespace oarlock::controller
