#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "core/codegen/errors.hpp"
#include "core/codegen/generate.hpp"
#include "core/codegen/names.hpp"
#include "core/codegen/schema_types.hpp"
#include "core/json/parse.hpp"

namespace oarlock::codegen {

namespace {

namespace fs = std::filesystem;
using rapidjson::Value;

// Types of the SDK's own.
const std::map<std::string, schema_types::referred>& sdk_types() {
  static const std::map<std::string, schema_types::referred> known{
      {"io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", {"sdk::object_meta", true}},
      {"io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference", {"sdk::owner_reference", true}},
      {"io.k8s.apimachinery.pkg.apis.meta.v1.Time", {"sdk::timestamp", false}},
      {"io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", {"sdk::timestamp", false}},
      {"io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", {"sdk::any_json", false}},
      {"io.k8s.apimachinery.pkg.api.resource.Quantity", {"sdk::quantity", false}},
      {"io.k8s.apimachinery.pkg.util.intstr.IntOrString", {"sdk::int_or_string", false}},
      {"io.k8s.apimachinery.pkg.runtime.RawExtension", {"sdk::any_json", false}},
  };
  return known;
}

// "io.k8s.api.apps.v1.Deployment" -> apps, v1, Deployment
struct type_name {
  std::string group, version, name;
  [[nodiscard]] std::string ns() const { return "oarlock::k8s::" + group + "::" + version; }
  [[nodiscard]] std::string header() const {
    return "oarlock/k8s/" + group + "/" + version + ".hpp";
  }
};
type_name split(const std::string& full) {
  const auto last = full.rfind('.');
  const auto second = full.rfind('.', last - 1);
  const auto third = full.rfind('.', second - 1);
  if (last == std::string::npos || second == std::string::npos || third == std::string::npos) {
    return {};
  }
  return {identifier(full.substr(third + 1, second - third - 1)),
          identifier(full.substr(second + 1, last - second - 1)), full.substr(last + 1)};
}

// "apps/v1/Deployment" -> apps, v1, Deployment
type_name parts_of(const std::string& kind) {
  const auto last = kind.rfind('/');
  if (last == std::string::npos) return {};
  const auto first = kind.rfind('/', last - 1);
  if (first == std::string::npos) return {"", kind.substr(0, last), kind.substr(last + 1)};
  return {kind.substr(0, first), kind.substr(first + 1, last - first - 1), kind.substr(last + 1)};
}

bool is_of(const Value& schema, const type_name& kind) {
  const Value* names = json::find(schema, "/x-kubernetes-group-version-kind");
  if (names == nullptr) return false;
  const auto matches = [&](const Value& gvk) {
    return json::string_at(gvk, "/group") == kind.group &&
           json::string_at(gvk, "/version") == kind.version &&
           json::string_at(gvk, "/kind") == kind.name;
  };
  return names->IsArray() ? names->Size() == 1 && matches((*names)[0]) : matches(*names);
}

class openapi_reader {
 public:
  explicit openapi_reader(fs::path folder) : folder_(std::move(folder)) {}

  result<std::vector<generated_file>> read(const std::vector<std::string>& kinds) {
    for (const auto& kind : kinds) {
      if (const auto found = find(kind); !found) return found.error();
    }
    for (const auto& [name, kind] : kinds_)
      add(name);
    if (failure_) return *failure_;
    std::vector<generated_file> files;
    for (auto& [ns, group] : groups_) {
      group.header.types = group.types->take_types();
      group.header.includes.assign(group.includes.begin(), group.includes.end());
      files.push_back({group.file, text_of(group.header)});
    }
    return files;
  }

 private:
  struct group {
    cpp_header header;
    std::string file;
    std::set<std::string> includes;
    std::unique_ptr<schema_types> types;
  };

  // What only whole objects have.
  struct kind_names {
    std::string api_version, kind, resource;
  };

  static error bad(const std::string& message) { return {codegen_error::bad_document, message}; }

  result<const Value*> document(const type_name& kind) {
    const std::string name =
        kind.group.empty() ? fmt::format("api__{}_openapi.json", kind.version)
                           : fmt::format("apis__{}__{}_openapi.json", kind.group, kind.version);
    if (const auto there = documents_.find(name); there != documents_.end()) return &there->second;
    const fs::path file = folder_ / name;
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (!in) return bad(file.string() + ": expected an OpenAPI document, could not read it");
    auto parsed = json::parse(text.view());
    if (!parsed) return parsed.error().within(file.string());
    const Value* schemas = json::find(*parsed, "/components/schemas");
    const Value* paths = json::find(*parsed, "/paths");
    if (schemas == nullptr || !schemas->IsObject() || paths == nullptr || !paths->IsObject()) {
      return bad(file.string() + ": expected paths and components.schemas, as in OpenAPI v3");
    }
    return &documents_.emplace(name, std::move(*parsed)).first->second;
  }

  // Remembers under which name a kind's schema is found, and how the kind is called elsewhere.
  result<> find(const std::string& text) {
    const type_name kind = parts_of(text);
    const auto in = document(kind);
    if (!in) return in.error();
    const Value& schemas = *json::find(**in, "/components/schemas");
    const auto schema = std::find_if(schemas.MemberBegin(), schemas.MemberEnd(),
                                     [&](const auto& one) { return is_of(one.value, kind); });
    const auto resource = resource_of(*json::find(**in, "/paths"), kind);
    if (schema == schemas.MemberEnd() || resource.empty()) {
      return bad(
          fmt::format("expected a kind of its document, as \"apps/v1/Deployment\", found "
                      "\"{}\"",
                      text));
    }
    const std::string group = kind.group.empty() ? "" : kind.group + "/";
    kinds_[schema->name.GetString()] = {group + kind.version, kind.name,
                                        resource + (kind.group.empty() ? "" : "." + kind.group)};
    return {};
  }

  // The path that lists a kind ends in the name of its resource.
  static std::string resource_of(const Value& paths, const type_name& kind) {
    for (const auto& path : paths.GetObject()) {
      const Value* get = json::find(path.value, "/get");
      if (get == nullptr || json::string_at(*get, "/x-kubernetes-action") != "list") continue;
      const Value* gvk = json::find(*get, "/x-kubernetes-group-version-kind");
      if (gvk == nullptr || !is_of(*get, kind)) continue;
      const std::string text = path.name.GetString();
      return text.substr(text.rfind('/') + 1);
    }
    return {};
  }

  const Value* schema(const std::string& full) const {
    for (const auto& [name, document] : documents_) {
      const Value& schemas = *json::find(document, "/components/schemas");
      const auto found = schemas.FindMember(full.c_str());
      if (found != schemas.MemberEnd()) return &found->value;
    }
    return nullptr;
  }

  group& group_of(const type_name& t) {
    auto [at, is_new] = groups_.try_emplace(t.ns());
    if (is_new) {
      at->second.header = {"the API server's OpenAPI document", {}, t.ns(), {}, {}};
      at->second.file = t.header();
      schema_types::settings settings{t.version, false, {}};
      settings.refs = [this, ns = t.ns()](const std::string& ref) { return refer(ns, ref); };
      at->second.types = std::make_unique<schema_types>(std::move(settings));
    }
    return at->second;
  }

  // A type of another namespace is written in full, and its header is included.
  std::optional<schema_types::referred> refer(const std::string& from_ns, const std::string& ref) {
    constexpr std::string_view head = "#/components/schemas/";
    if (!ref.starts_with(head)) return std::nullopt;
    const std::string full = ref.substr(head.size());
    if (const auto own = sdk_types().find(full); own != sdk_types().end()) return own->second;
    const auto name = add(full);
    if (name.empty()) return std::nullopt;
    const auto t = split(full);
    if (t.ns() == from_ns) return schema_types::referred{t.version + "::" + name, true};
    groups_.at(from_ns).includes.insert(t.header());
    return schema_types::referred{"::" + t.ns() + "::" + name, true};
  }

  // The C++ name of a schema, which is added with all it is made of when it is new.
  std::string add(const std::string& full) {
    if (const auto there = added_.find(full); there != added_.end()) return there->second;
    const auto t = split(full);
    const Value* found = schema(full);
    if (found == nullptr || t.name.empty()) {
      if (!failure_) failure_ = bad("components.schemas: expected " + full + ", found none");
      return {};
    }
    auto& group = group_of(t);
    const std::string name = group.types->take_name(identifier(t.name));
    added_[full] = name;
    const auto kind = kinds_.find(full);
    const bool is_root = kind != kinds_.end();
    cpp_struct made = group.types->object(*found, name, {full}, is_root, name);
    if (is_root) {
      made.api_version = kind->second.api_version;
      made.kind = kind->second.kind;
      made.resource = kind->second.resource;
    }
    group.types->add(std::move(made));
    if (const auto& failed = group.types->failed(); failed && !failure_) {
      std::string path;
      for (const auto& part : failed->path)
        path += "/" + part;
      failure_ = bad(path + ": " + failed->message);
    }
    return name;
  }

  fs::path folder_;
  std::map<std::string, rapidjson::Document> documents_;  // by file name
  std::map<std::string, kind_names> kinds_;               // by the name of their schemas
  std::map<std::string, group> groups_;                   // by namespace
  std::map<std::string, std::string> added_;              // schemas, and what they became
  std::optional<error> failure_;
};

}  // namespace

result<std::vector<generated_file>> types_of_openapi(const fs::path& folder,
                                                     const std::vector<std::string>& kinds) {
  return openapi_reader(folder).read(kinds);
}

}  // namespace oarlock::codegen
