#include <fmt/format.h>

#include <fstream>
#include <map>
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

class openapi_reader {
 public:
  openapi_reader(std::string file, const Value& document)
      : file_(std::move(file)), document_(document) {}

  result<std::vector<generated_file>> read() {
    const Value* kinds = json::find(document_, "/kinds");
    schemas_ = json::find(document_, "/components/schemas");
    if (kinds == nullptr || !kinds->IsArray() || schemas_ == nullptr || !schemas_->IsObject()) {
      return bad("expected \"kinds\" and \"components.schemas\" as `devcluster openapi` prints");
    }
    for (const auto& kind : kinds->GetArray()) {
      const std::string name(json::string_at(kind, "/schema"));
      kinds_[name] = &kind;
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

  error bad(const std::string& message) const {
    return {codegen_error::bad_document, file_ + ": " + message};
  }

  group& group_of(const type_name& t) {
    auto [at, is_new] = groups_.try_emplace(t.ns());
    if (is_new) {
      at->second.header = {"the API server's OpenAPI document", {}, t.ns(), {}};
      at->second.file = t.header();
      schema_types::settings settings{"", t.version + "::", false, {}};
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
    const Value* schema = nullptr;
    if (const auto found = schemas_->FindMember(full.c_str()); found != schemas_->MemberEnd()) {
      schema = &found->value;
    }
    if (schema == nullptr || t.name.empty()) {
      if (!failure_) failure_ = bad("components.schemas: expected " + full + ", found none");
      return {};
    }
    auto& group = group_of(t);
    const std::string name = group.types->take_name(identifier(t.name));
    added_[full] = name;
    const auto kind = kinds_.find(full);
    const bool is_root = kind != kinds_.end();
    cpp_struct made = group.types->object(*schema, name, {full}, is_root);
    if (is_root) finish(made, *kind->second);
    group.types->add(std::move(made));
    if (const auto& failed = group.types->failed(); failed && !failure_) {
      std::string path;
      for (const auto& part : failed->path)
        path += "/" + part;
      failure_ = bad(path + ": " + failed->message);
    }
    return name;
  }

  static void finish(cpp_struct& made, const Value& kind) {
    const std::string group(json::string_at(kind, "/group"));
    const std::string version(json::string_at(kind, "/version"));
    made.api_version = group.empty() ? version : group + "/" + version;
    made.kind = json::string_at(kind, "/kind");
    made.resource = json::string_at(kind, "/plural");
    if (!group.empty()) made.resource += "." + group;
  }

  std::string file_;
  const Value& document_;
  const Value* schemas_ = nullptr;
  std::map<std::string, const Value*> kinds_;
  std::map<std::string, group> groups_;
  std::map<std::string, std::string> added_;
  std::optional<error> failure_;
};

}  // namespace

result<std::vector<generated_file>> types_of_openapi(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) {
    return error{codegen_error::bad_document,
                 file.string() + ": expected an OpenAPI document, could not read it"};
  }
  const auto document = json::parse(text.view());
  if (!document) return document.error().within(file.string());
  return openapi_reader(file.string(), *document).read();
}

}  // namespace oarlock::codegen
