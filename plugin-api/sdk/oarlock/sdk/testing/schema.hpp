#pragma once
// The structural schema of a CustomResourceDefinition, for tests: what it refuses, and values that
// it accepts. Rules in CEL (x-kubernetes-validations) are the API server's alone.
#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <string_view>

#include "oarlock/sdk/testing/expectation.hpp"

namespace oarlock::sdk::testing {

/// One version of a CRD.
struct crd_version {
  std::string group, version, kind, plural;
  json::value schema;  ///< openAPIV3Schema
};

/// Reads a CRD. `version` empty: the one that is stored. Throws when there is none.
[[nodiscard]] inline crd_version read_crd(const std::filesystem::path& file,
                                          const std::string& version = {}) {
  const json::value crd = from_yaml(YAML::LoadFile(file.string()));
  const auto* spec = crd.find("spec");
  const auto* all = spec != nullptr ? spec->find("versions") : nullptr;
  if (all != nullptr && all->as_array() != nullptr) {
    for (const auto& one : *all->as_array()) {
      const auto* stored = one.find("storage");
      const std::string name = detail::text_at(one, {"name"});
      const bool wanted =
          version.empty() ? stored != nullptr && *stored == json::value(true) : name == version;
      const auto* schema = one.find("schema");
      if (!wanted || schema == nullptr || schema->find("openAPIV3Schema") == nullptr) continue;
      return {detail::text_at(*spec, {"group"}), name, detail::text_at(*spec, {"names", "kind"}),
              detail::text_at(*spec, {"names", "plural"}), *schema->find("openAPIV3Schema")};
    }
  }
  throw std::runtime_error(file.string() + ": expected a CRD with the version " +
                           (version.empty() ? "that is stored" : version));
}

namespace detail {

inline std::optional<std::int64_t> number_at(const json::value& schema, std::string_view key) {
  const auto* found = schema.find(key);
  if (found == nullptr || found->as_integer() == nullptr) return std::nullopt;
  return *found->as_integer();
}

inline bool flag_at(const json::value& schema, std::string_view key) {
  const auto* found = schema.find(key);
  return found != nullptr && *found == json::value(true);
}

inline std::string type_of(const json::value& schema) {
  if (flag_at(schema, "x-kubernetes-int-or-string")) return "int-or-string";
  if (flag_at(schema, "x-kubernetes-preserve-unknown-fields")) return "anything";
  return text_at(schema, {"type"});
}

inline bool is_boolean(const json::value& v) {
  return v == json::value(true) || v == json::value(false);
}

inline bool has_type(const std::string& type, const json::value& v) {
  const bool integer = v.as_integer() != nullptr, text = v.as_text() != nullptr;
  if (type == "object") return v.as_object() != nullptr;
  if (type == "array") return v.as_array() != nullptr;
  if (type == "string") return text;
  if (type == "integer") return integer;
  if (type == "boolean") return is_boolean(v);
  if (type == "int-or-string") return integer || text;
  const bool other = text || v.is_null() || is_boolean(v) || v.as_object() || v.as_array();
  return type != "number" || !other;
}

inline bool matches(const std::string& pattern, const std::string& text) {
  try {
    return std::regex_search(text, std::regex(pattern, std::regex::ECMAScript));
  } catch (const std::regex_error&) {
    return true;  // of another dialect: the API server knows
  }
}

// How many characters, not bytes.
inline std::int64_t length_of(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

inline std::string out_of(const json::value& schema, const char* low, const char* high,
                          std::int64_t found, const std::string& what) {
  const auto least = number_at(schema, low), most = number_at(schema, high);
  if (least && found < *least) return what + " is below " + low + " " + std::to_string(*least);
  if (most && found > *most) return what + " is above " + high + " " + std::to_string(*most);
  return {};
}

}  // namespace detail

/// Why the schema refuses a value; empty when it accepts it.
[[nodiscard]] inline std::string refusal(const json::value& schema, const json::value& v,
                                         const std::string& path = {}) {
  if (v.is_null() && detail::flag_at(schema, "nullable")) return {};
  const std::string type = detail::type_of(schema);
  if (type == "anything" || type.empty()) return {};
  if (!detail::has_type(type, v)) return path + ": expected " + type + ", found " + v.text();
  if (const auto* choice = schema.find("enum"); choice != nullptr && choice->as_array()) {
    const auto& all = *choice->as_array();
    if (std::find(all.begin(), all.end(), v) == all.end()) return path + " is not in its enum";
  }
  std::string why;
  if (const auto* integer = v.as_integer()) {
    why = detail::out_of(schema, "minimum", "maximum", *integer, path);
  } else if (const auto* text = v.as_text()) {
    why = detail::out_of(schema, "minLength", "maxLength", detail::length_of(*text), path);
    const std::string pattern = detail::text_at(schema, {"pattern"});
    if (!detail::matches(pattern, *text)) why = path + " does not match " + pattern;
  } else if (const auto* list = v.as_array()) {
    const auto size = static_cast<std::int64_t>(list->size());
    why = detail::out_of(schema, "minItems", "maxItems", size, path);
    const auto* items = schema.find("items");
    for (std::size_t i = 0; items != nullptr && why.empty() && i < list->size(); ++i)
      why = refusal(*items, (*list)[i], path + "[" + std::to_string(i) + "]");
  } else if (const auto* fields = v.as_object()) {
    const auto *known = schema.find("properties"), *more = schema.find("additionalProperties");
    for (const auto& f : *fields) {
      const auto* its = known != nullptr ? known->find(f.key) : nullptr;
      if (its == nullptr) its = more;
      if (its != nullptr && its->as_object() && why.empty())
        why = refusal(*its, f.value, path + "." + f.key);
    }
    if (const auto* required = schema.find("required"); required && required->as_array()) {
      for (const auto& key : *required->as_array()) {
        if (v.find(*key.as_text()) == nullptr) why = path + " lacks " + *key.as_text();
      }
    }
  }
  return why;
}

/// A value that the schema accepts, as small as it goes; nullopt where none can be guessed (a
/// pattern).
[[nodiscard]] inline std::optional<json::value> sample_of(const json::value& schema) {
  if (const auto* given = schema.find("default")) return *given;
  if (const auto* choice = schema.find("enum"); choice != nullptr && choice->as_array()) {
    return choice->as_array()->front();
  }
  const std::string type = detail::type_of(schema);
  json::value made;
  if (type == "integer" || type == "number" || type == "int-or-string") {
    const auto least = detail::number_at(schema, "minimum");
    const auto most = detail::number_at(schema, "maximum");
    made = std::min(std::max<std::int64_t>(1, least.value_or(1)), most.value_or(INT64_MAX));
  } else if (type == "boolean") {
    made = true;
  } else if (type == "string") {
    const bool is_time = detail::text_at(schema, {"format"}) == "date-time";
    const auto least = detail::number_at(schema, "minLength").value_or(1);
    made = is_time ? std::string("2026-03-01T12:00:00Z")
                   : std::string(static_cast<std::size_t>(std::max<std::int64_t>(1, least)), 'a');
  } else if (type == "array") {
    json::items list;
    for (std::int64_t i = detail::number_at(schema, "minItems").value_or(0); i > 0; --i) {
      const auto* items = schema.find("items");
      const auto one = items != nullptr ? sample_of(*items) : std::nullopt;
      if (!one) return std::nullopt;
      list.push_back(*one);
    }
    made = list;
  } else {
    made = json::object({});
    const auto *required = schema.find("required"), *known = schema.find("properties");
    for (const auto& key : required != nullptr ? *required->as_array() : json::items{}) {
      const auto* its = known != nullptr ? known->find(*key.as_text()) : nullptr;
      const auto one = its != nullptr ? sample_of(*its) : std::nullopt;
      if (!one) return std::nullopt;
      made.set(*key.as_text(), *one);
    }
  }
  if (!refusal(schema, made).empty()) return std::nullopt;
  return made;
}

}  // namespace oarlock::sdk::testing
