#include "core/codegen/schema_types.hpp"

#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/codegen/names.hpp"
#include "core/json/parse.hpp"

namespace oarlock::codegen {

namespace {

using rapidjson::Value;

constexpr std::size_t depth_max = 64;
constexpr std::size_t types_max = 20'000;
constexpr std::size_t name_bytes_max = 48;
constexpr std::size_t enum_values_max = 1000;
// How controller-gen writes resource.Quantity.
constexpr std::string_view quantity_pattern =
    R"(^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i))";

doc_path below(const doc_path& path, std::initializer_list<std::string> more) {
  doc_path out = path;
  out.insert(out.end(), more);
  return out;
}

const Value* member(const Value& of, std::string_view key) {
  if (!of.IsObject()) return nullptr;
  const auto found = of.FindMember(Value(rapidjson::StringRef(key.data(), key.size())));
  return found == of.MemberEnd() ? nullptr : &found->value;
}
std::string text(const Value& of, std::string_view key) {
  const Value* found = member(of, key);
  return found != nullptr && found->IsString()
             ? std::string(found->GetString(), found->GetStringLength())
             : std::string();
}
bool flag(const Value& of, std::string_view key) {
  const Value* found = member(of, key);
  return found != nullptr && found->IsBool() && found->GetBool();
}

std::string what_is(const Value& value) {
  constexpr std::size_t bytes_max = 60;
  if (value.IsObject()) return "an object";
  if (value.IsArray()) return "a list";
  std::string out = json::write(value);
  if (out.size() > bytes_max) out = out.substr(0, bytes_max) + "...";
  return out;
}

bool is_int_or_string(const Value& schema) {
  return flag(schema, "x-kubernetes-int-or-string") || text(schema, "format") == "int-or-string";
}

bool is_quantity(const Value& schema) {
  return text(schema, "pattern").starts_with(quantity_pattern);
}

}  // namespace

void schema_types::fail(const doc_path& path, std::string message) {
  if (!failure_) failure_ = failure{path, std::move(message)};
}

std::string schema_types::take_name(const std::string& name) {
  return unused_name(name, names_);
}

// The whole path, or as much of its end as fits.
std::string schema_types::new_name(const std::string& wanted) {
  if (types_.size() > types_max) fail({}, fmt::format("expected at most {} types", types_max));
  if (wanted.size() <= name_bytes_max) return take_name(wanted);
  const std::size_t longest = wanted.size() - name_bytes_max;
  const std::size_t shortest = wanted.size() - name_bytes_max / 2;
  return take_name(identifier(wanted.substr(std::min(wanted.find('_', longest), shortest))));
}

schema_types::type schema_types::ref_type(const std::string& ref, const doc_path& path) {
  if (!settings_.refs) {
    fail(path, "expected a schema in place, found $ref; a CustomResourceDefinition has none");
    return {"sdk::any_json", form::unset};
  }
  const auto found = settings_.refs(ref);
  if (!found) {
    fail(path, fmt::format("expected a schema of this document, found \"{}\"", ref));
    return {"sdk::any_json", form::unset};
  }
  if (found->is_struct) return {found->type, form::object};
  return {found->type, form::unset};
}

schema_types::type schema_types::text_type(const Value& schema, const std::string& name,
                                           const doc_path& path) {
  const std::string format = text(schema, "format");
  if (format == "date-time" || format == "dateTime") return {"sdk::timestamp", form::unset};
  if (is_quantity(schema)) return {"sdk::quantity", form::unset};
  const Value* values = member(schema, "enum");
  if (values == nullptr) return {"std::string"};
  if (!values->IsArray() || values->Empty() || values->Size() > enum_values_max) {
    fail(below(path, {"enum"}), fmt::format("expected a list of 1 to {} values, found {}",
                                            enum_values_max, what_is(*values)));
    return {"std::string"};
  }
  cpp_enum made;
  std::set<std::string> members;
  for (rapidjson::SizeType i = 0; i < values->Size(); ++i) {
    const Value& value = (*values)[i];
    if (value.IsNull()) continue;  // of a nullable field
    if (!value.IsString()) {
      fail(below(path, {"enum", std::to_string(i)}),
           "expected text, found " + what_is(value) + "; put it into quotes");
      return {"std::string"};
    }
    const std::string word(value.GetString(), value.GetStringLength());
    made.values.push_back({unused_name(identifier(word), members), word});
  }
  if (made.values.empty()) return {"std::string"};
  made.name = new_name(name);
  const std::string full = fmt::format("sdk::open_enum<{}::{}>", settings_.scope, made.name);
  const auto names = made.values;
  types_.emplace_back(std::move(made));
  return {full, form::unset, names};
}

schema_types::type schema_types::number_type(const Value& schema, const std::string& word,
                                             const doc_path& path) {
  const std::string format = text(schema, "format");
  if (word == "number") return {"double"};
  if (format == "int32") return {"std::int32_t"};
  if (format.empty() || format == "int64" || format.starts_with("uint")) return {"std::int64_t"};
  fail(below(path, {"format"}), fmt::format("expected int32 or int64, found \"{}\"", format));
  return {"std::int64_t"};
}

// A list, or a map, whose items have this schema.
schema_types::type schema_types::container_of(const std::string& head, const Value& schema,
                                              const std::string& name, const doc_path& path) {
  const type t = type_of(schema, name, path);
  const bool may_be_null = flag(schema, "nullable");
  const bool is_list_of_objects = head == "std::vector<" && t.held == form::object && !may_be_null;
  const std::string item = may_be_null ? fmt::format("std::optional<{}>", t.text) : t.text;
  return {(is_list_of_objects ? "sdk::list<" : head) + item + ">", form::container};
}

schema_types::type schema_types::object_type(const Value& schema, const std::string& name,
                                             const doc_path& path) {
  const type any{"sdk::any_json", form::unset};
  if (flag(schema, "x-kubernetes-embedded-resource")) return any;
  if (const Value* fields = member(schema, "properties");
      fields != nullptr && fields->IsObject() && !fields->ObjectEmpty()) {
    const std::string own = new_name(name);
    add(object(schema, own, path, false, own));
    return {settings_.scope + "::" + own, form::object};
  }
  const Value* more = member(schema, "additionalProperties");
  if (more == nullptr || (more->IsBool() && !more->GetBool())) return any;
  if (more->IsBool()) return {"std::map<std::string, sdk::any_json>", form::container};
  return container_of("std::map<std::string, ", *more, part_name(name, "value"),
                      below(path, {"additionalProperties"}));
}

schema_types::type schema_types::type_of(const Value& schema, const std::string& name,
                                         const doc_path& path) {
  const type any{"sdk::any_json", form::unset};
  if (!schema.IsObject()) {
    fail(path, "expected a schema, found " + what_is(schema));
    return any;
  }
  if (failure_) return any;
  if (const std::string ref = text(schema, "$ref"); !ref.empty()) return ref_type(ref, path);
  if (const Value* all = member(schema, "allOf");
      all != nullptr && all->IsArray() && all->Size() == 1 && !member(schema, "type")) {
    return type_of((*all)[0], name, below(path, {"allOf", "0"}));
  }
  if (is_int_or_string(schema)) {
    return {is_quantity(schema) ? "sdk::quantity" : "sdk::int_or_string", form::unset};
  }
  const std::string word = text(schema, "type");
  if (word == "string") return text_type(schema, name, path);
  if (word == "boolean") return {"bool"};
  if (word == "integer" || word == "number") return number_type(schema, word, path);
  if (word == "array") {
    const Value* items = member(schema, "items");
    if (items == nullptr) return {"std::vector<sdk::any_json>", form::container};
    return container_of("std::vector<", *items, part_name(name, "item"), below(path, {"items"}));
  }
  if (word == "object" || (word.empty() && member(schema, "properties") != nullptr)) {
    return object_type(schema, name, path);
  }
  if (const Value* given = member(schema, "type"); given != nullptr) {
    fail(below(path, {"type"}),
         "expected string, boolean, integer, number, array or object, found " + what_is(*given));
  }
  return any;
}

void schema_types::set_default(cpp_field& made, const type& t, const Value& value) {
  if (settings_.with_docs) {
    made.doc += fmt::format("{}Default: {}.", made.doc.empty() ? "" : " ", what_is(value));
  }
  if (settings_.is_input && value.IsString()) {
    const std::string_view word(value.GetString(), value.GetStringLength());
    for (const auto& one : t.values) {
      constexpr std::string_view head = "sdk::open_enum<";
      if (one.text != word) continue;
      made.initial =
          t.text.substr(head.size(), t.text.size() - head.size() - 1) + "::" + one.member;
    }
  }
  std::string initial;
  if (t.text == "std::string" && value.IsString()) {
    initial = literal({value.GetString(), value.GetStringLength()});
  } else if (t.text == "bool" && value.IsBool()) {
    initial = value.GetBool() ? "true" : "false";
  } else if (t.text.starts_with("std::int") && value.IsInt64()) {
    // The lowest one has no literal of its own.
    const bool fits = value.GetInt64() != std::numeric_limits<std::int64_t>::min() &&
                      (t.text == "std::int64_t" || value.IsInt());
    if (fits) initial = std::to_string(value.GetInt64());
  } else if (t.text == "double" && value.IsNumber()) {
    initial = fmt::format("{}", value.GetDouble());
  }
  if (initial.empty()) return;
  // Go's zero values, which the API server's own types all have as a "default".
  const bool is_zero = initial == "\"\"" || initial == "0" || initial == "false";
  if (made.is_required && is_zero) return;
  made.type = fmt::format("sdk::defaulted<{}>", t.text);
  made.initial = fmt::format("sdk::defaulted<{}>::unset({})", t.text, initial);
  made.is_always_written = false;
}

cpp_field schema_types::field(const std::string& json_name, const Value& schema, bool is_required,
                              const std::string& owner, const doc_path& path) {
  const type t = type_of(schema, part_name(owner, json_name), path);
  cpp_field made{json_name, {}, t.text, {}, {}, is_required, false};
  if (settings_.with_docs) made.doc = text(schema, "description");
  const bool may_be_null = flag(schema, "nullable");
  if (t.held == form::object) made.type = fmt::format("sdk::nested<{}>", t.text);
  if (t.held == form::scalar && (!is_required || may_be_null)) {
    made.type = fmt::format("std::optional<{}>", t.text);
  }
  made.is_always_written =
      is_required && !may_be_null && (t.held == form::scalar || t.held == form::container);
  const Value* fallback = member(schema, "default");
  if (fallback != nullptr && !may_be_null) set_default(made, t, *fallback);
  if (is_required && settings_.with_docs) {
    made.doc += made.doc.empty() ? "Required." : " Required.";
  }
  return made;
}

cpp_struct schema_types::object(const Value& schema, const std::string& name, const doc_path& path,
                                bool is_root, const std::string& prefix) {
  cpp_struct made{name, settings_.with_docs ? text(schema, "description") : std::string(), {}};
  if (++depth_ > depth_max) {
    fail(path, fmt::format("expected at most {} levels of objects", depth_max));
  }
  std::set<std::string> required;
  if (const Value* names = member(schema, "required"); names != nullptr && names->IsArray()) {
    for (const auto& one : names->GetArray()) {
      if (one.IsString()) required.insert({one.GetString(), one.GetStringLength()});
    }
  }
  std::set<std::string> members{settings_.scope};
  if (is_root) members.insert({"api_version", "kind", "resource", "status_type"});
  const Value* fields = member(schema, "properties");
  if (fields != nullptr && fields->IsObject() && !failure_) {
    for (const auto& one : fields->GetObject()) {
      const std::string json_name(one.name.GetString(), one.name.GetStringLength());
      if (is_root && (json_name == "apiVersion" || json_name == "kind")) continue;
      cpp_field f;
      if (is_root && json_name == "metadata") {
        f = {json_name, {}, "sdk::nested<sdk::object_meta>", {}, {}};
      } else {
        f = field(json_name, one.value, required.contains(json_name), prefix,
                  below(path, {"properties", json_name}));
      }
      f.member = unused_name(identifier(json_name), members);
      constexpr std::string_view head = "sdk::nested<";
      if (is_root && json_name == "status" && f.type.starts_with(head)) {
        made.status_type = f.type.substr(head.size(), f.type.size() - head.size() - 1);
      }
      made.fields.push_back(std::move(f));
    }
  }
  --depth_;
  return made;
}

}  // namespace oarlock::codegen
