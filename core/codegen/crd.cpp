#include <fmt/format.h>

#include <algorithm>

#include "core/codegen/errors.hpp"
#include "core/codegen/generate.hpp"
#include "core/codegen/names.hpp"
#include "core/codegen/schema_types.hpp"
#include "core/json/parse.hpp"
#include "core/plugin/yaml.hpp"

namespace oarlock::codegen {

namespace {

namespace fs = std::filesystem;
using rapidjson::Value;

constexpr std::size_t versions_max = 50;

class crd_reader {
 public:
  crd_reader(const fs::path& file, const YAML::Node& document) : file_(file), yaml_(document) {}

  result<std::vector<generated_file>> read(const Value& crd) {
    const std::string kind = word(crd, {"kind"});
    if (kind != "CustomResourceDefinition") {
      return bad({"kind"}, fmt::format("expected CustomResourceDefinition, found \"{}\"", kind));
    }
    if (const auto api = word(crd, {"apiVersion"}); api != "apiextensions.k8s.io/v1") {
      return bad({"apiVersion"}, fmt::format("expected apiextensions.k8s.io/v1, found \"{}\"; "
                                             "rewrite the older form by hand or with its project's "
                                             "newer release",
                                             api));
    }
    group_ = word(crd, {"spec", "group"});
    kind_ = word(crd, {"spec", "names", "kind"});
    plural_ = word(crd, {"spec", "names", "plural"});
    if (group_.empty()) return bad({"spec", "group"}, "expected the group's name, found none");
    if (kind_.empty()) return bad({"spec", "names", "kind"}, "expected a name, found none");
    if (plural_.empty()) return bad({"spec", "names", "plural"}, "expected a name, found none");
    const Value* versions = json::find(crd, "/spec/versions");
    if (versions == nullptr || !versions->IsArray() || versions->Empty() ||
        versions->Size() > versions_max) {
      return bad({"spec", "versions"},
                 fmt::format("expected a list of 1 to {} versions", versions_max));
    }
    std::vector<generated_file> files;
    for (rapidjson::SizeType i = 0; i < versions->Size(); ++i) {
      auto made = version((*versions)[i], {"spec", "versions", std::to_string(i)});
      if (!made) return made.error();
      files.push_back(std::move(*made));
    }
    return files;
  }

 private:
  static std::string word(const Value& of, const doc_path& path) {
    std::string pointer;
    for (const auto& part : path)
      pointer += "/" + part;
    return std::string(json::string_at(of, pointer));
  }

  error bad(const doc_path& path, const std::string& message) const {
    const auto mark = plugin::mark_of(yaml_, path);
    const auto where = plugin::path_text(path);
    return {codegen_error::bad_document,
            fmt::format("{}:{}:{}: {}{}{}", file_.string(), mark.line + 1, mark.column + 1, where,
                        where.empty() ? "" : ": ", message)};
  }

  result<generated_file> version(const Value& of, doc_path path) const {
    const std::string name = word(of, {"name"});
    const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_word)) {
      path.emplace_back("name");
      return bad(path, fmt::format("expected a version like v1alpha1, found \"{}\"", name));
    }
    const Value* schema = json::find(of, "/schema/openAPIV3Schema");
    path.insert(path.end(), {"schema", "openAPIV3Schema"});
    if (schema == nullptr || json::string_at(*schema, "/type") != "object") {
      return bad(path,
                 "expected the schema of an object (type: object); types are made of nothing "
                 "else");
    }
    const std::string root = struct_name(kind_), parts = parts_namespace(kind_);
    schema_types types({parts, true, {}});
    cpp_struct made = types.object(*schema, root, path, true, "");
    if (types.failed()) return bad(types.failed()->path, types.failed()->message);
    finish(made, name);
    types.add(std::move(made));
    const std::string ns = identifier(group_) + "::" + identifier(name);
    cpp_header header{file_.filename().string(), {}, ns, parts, types.take_types()};
    return generated_file{fs::path(group_) / name / (root + ".hpp"), text_of(header)};
  }

  // What only whole objects have.
  void finish(cpp_struct& made, const std::string& version) const {
    made.is_root = true;
    made.api_version = group_ + "/" + version;
    made.kind = kind_;
    made.resource = plural_ + "." + group_;
    const auto has = [&](const char* name) {
      return std::any_of(made.fields.begin(), made.fields.end(),
                         [&](const auto& f) { return f.json_name == name; });
    };
    if (!has("metadata")) {
      made.fields.insert(made.fields.begin(),
                         {"metadata", "metadata", "sdk::nested<sdk::object_meta>", {}, {}});
    }
  }

  const fs::path& file_;
  const YAML::Node& yaml_;
  std::string group_, kind_, plural_;
};

}  // namespace

result<std::vector<generated_file>> types_of_crd(const fs::path& file) {
  const auto document = plugin::load_yaml(file);
  if (!document) return document.error();
  const auto text = plugin::yaml_to_json(*document, file.string());
  if (!text) return text.error();
  const auto parsed = json::parse(*text);
  if (!parsed) return parsed.error().within(file.string());
  return crd_reader(file, *document).read(*parsed);
}

}  // namespace oarlock::codegen
