#include "core/plugin/config_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <regex>
#include <set>
#include <string_view>

#include "core/json/parse.hpp"

namespace oarlock::plugin {

namespace {

using rapidjson::Value;

constexpr std::size_t levels_max = 16;
constexpr std::size_t fields_max = 1000;
constexpr std::size_t pattern_bytes_max = 512;
// std::regex recurses once for each byte.
constexpr std::size_t matched_bytes_max = 4096;
constexpr std::size_t shown_bytes_max = 80;
constexpr const char* free_form = "x-kubernetes-preserve-unknown-fields";

std::string_view string_of(const Value& v) {
  return {v.GetString(), v.GetStringLength()};
}

const Value* member(const Value& of, std::string_view key) {
  const auto found = of.FindMember(Value(rapidjson::StringRef(key.data(), key.size())));
  return found == of.MemberEnd() ? nullptr : &found->value;
}

std::string_view word(const Value& of, std::string_view key) {
  const Value* found = member(of, key);
  return found != nullptr && found->IsString() ? string_of(*found) : std::string_view{};
}

bool is_free(const Value& schema) {
  const Value* found = member(schema, free_form);
  return found != nullptr && found->IsTrue();
}

std::string shown(const Value& v) {
  if (v.IsObject()) return "a map";
  if (v.IsArray()) return "a list";
  std::string out = json::write(v);
  return out.size() <= shown_bytes_max ? out : out.substr(0, shown_bytes_max) + "...";
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

// " from 1 to 3", " of at least 1"; nothing without bounds.
std::string between(const Value& schema, const char* low, const char* high) {
  const Value *least = member(schema, low), *most = member(schema, high);
  if (least != nullptr && most != nullptr) {
    return fmt::format(" from {} to {}", json::write(*least), json::write(*most));
  }
  if (least != nullptr) return " of at least " + json::write(*least);
  return most == nullptr ? "" : " of at most " + json::write(*most);
}

std::string counted(const Value& schema, const char* low, const char* high, const char* what) {
  const auto bounds = between(schema, low, high);
  return bounds.empty() ? "" : fmt::format(" ({}{})", what, bounds);
}

// What a schema wants, in words.
std::string wanted(const Value& schema) {
  const auto type = word(schema, "type");
  if (type == "boolean") return "true or false";
  if (type == "integer") {
    const char* kind = word(schema, "format") == "int32" ? "a 32-bit integer" : "an integer";
    return kind + between(schema, "minimum", "maximum");
  }
  if (type == "number") return "a number" + between(schema, "minimum", "maximum");
  if (type == "array") return "a list" + counted(schema, "minItems", "maxItems", "items");
  if (type == "object") return "a map";
  if (const Value* choices = member(schema, "enum")) {
    std::string out;
    for (const auto& one : choices->GetArray())
      out += (out.empty() ? "one of " : ", ") + std::string(string_of(one));
    return out;
  }
  const auto pattern = word(schema, "pattern");
  return "text" + counted(schema, "minLength", "maxLength", "characters") +
         (pattern.empty() ? "" : fmt::format(" that matches {}", pattern));
}

std::string known_keys(const Value& properties) {
  std::string out;
  for (const auto& one : properties.GetObject())
    out += (out.empty() ? "" : ", ") + std::string(string_of(one.name));
  return out;
}

bool is_within(const Value& schema, const char* low, const char* high, std::size_t count) {
  const Value *least = member(schema, low), *most = member(schema, high);
  return (least == nullptr || count >= least->GetUint64()) &&
         (most == nullptr || count <= most->GetUint64());
}

bool is_integer_within(const Value& schema, const Value& v) {
  if (!v.IsInt64()) return false;
  if (word(schema, "format") == "int32" && !v.IsInt()) return false;
  const Value *least = member(schema, "minimum"), *most = member(schema, "maximum");
  return (least == nullptr || v.GetInt64() >= least->GetInt64()) &&
         (most == nullptr || v.GetInt64() <= most->GetInt64());
}

bool is_number_within(const Value& schema, const Value& v) {
  if (!v.IsNumber()) return false;
  const Value *least = member(schema, "minimum"), *most = member(schema, "maximum");
  return (least == nullptr || v.GetDouble() >= least->GetDouble()) &&
         (most == nullptr || v.GetDouble() <= most->GetDouble());
}

bool is_text_within(const Value& schema, const Value& v) {
  if (!v.IsString()) return false;
  const auto text = string_of(v);
  if (!is_within(schema, "minLength", "maxLength", characters(text))) return false;
  if (const Value* choices = member(schema, "enum")) {
    const auto& all = choices->GetArray();
    return std::find(all.begin(), all.end(), v) != all.end();
  }
  const auto pattern = word(schema, "pattern");
  if (pattern.empty()) return true;
  if (text.size() > matched_bytes_max) return false;
  try {
    return std::regex_search(text.begin(), text.end(), std::regex(pattern.begin(), pattern.end()));
  } catch (const std::regex_error&) {
    return false;  // it takes too much
  }
}

class completer {
 public:
  explicit completer(rapidjson::Document::AllocatorType& memory) : memory_(memory) {}

  std::optional<config_fault> run(Value& v, const Value& schema) {
    complete(v, schema);
    return std::move(fault_);
  }

 private:
  void fail(std::string message) {
    if (!fault_) fault_ = config_fault{path_, std::move(message)};
  }
  [[nodiscard]] std::string here() const {
    return path_.empty() ? "the configuration" : path_text(path_);
  }
  void mismatch(const Value& schema, const Value& v) {
    fail(fmt::format("expected {} to be {}, found {}", here(), wanted(schema), shown(v)));
  }

  // As deep as the schema.
  void complete(Value& v, const Value& schema) {
    if (fault_) return;
    const auto type = word(schema, "type");
    const bool fits = type == "object"    ? v.IsObject()
                      : type == "array"   ? v.IsArray() && is_within(schema, "minItems", "maxItems",
                                                                   v.IsArray() ? v.Size() : 0)
                      : type == "string"  ? is_text_within(schema, v)
                      : type == "integer" ? is_integer_within(schema, v)
                      : type == "number"  ? is_number_within(schema, v)
                                          : v.IsBool();
    if (!fits) return mismatch(schema, v);
    if (type == "object" && !is_free(schema)) complete_fields(v, schema);
    if (type != "array") return;
    for (rapidjson::SizeType i = 0; i < v.Size(); ++i)
      below(std::to_string(i), v[i], *member(schema, "items"));
  }

  void below(std::string key, Value& v, const Value& schema) {
    path_.push_back(std::move(key));
    complete(v, schema);
    path_.pop_back();
  }

  void complete_fields(Value& v, const Value& schema) {
    const Value* more = member(schema, "additionalProperties");
    static const Value none(rapidjson::kObjectType);
    const Value* listed = member(schema, "properties");
    const Value& properties = listed == nullptr ? none : *listed;
    for (auto& field : v.GetObject()) {
      const Value* its = member(properties, string_of(field.name));
      if (its == nullptr) its = more;
      const std::string key(string_of(field.name));
      if (its != nullptr) {
        below(key, field.value, *its);
        continue;
      }
      path_.push_back(key);
      fail(fmt::format("unknown key \"{}\"; known here are {}", key,
                       properties.ObjectEmpty() ? "none" : known_keys(properties)));
    }
    for (const auto& one : properties.GetObject()) {
      const Value* fallback = member(one.value, "default");
      if (fallback == nullptr || v.HasMember(one.name)) continue;
      Value made(*fallback, memory_);
      below(std::string(string_of(one.name)), made, one.value);
      v.AddMember(Value(one.name, memory_), made, memory_);
    }
    const Value* required = member(schema, "required");
    if (required == nullptr) return;
    for (const auto& key : required->GetArray()) {
      if (!v.HasMember(key)) {
        fail(fmt::format("expected the key \"{}\" in {}, found none", string_of(key), here()));
      }
    }
  }

  rapidjson::Document::AllocatorType& memory_;
  doc_path path_;
  std::optional<config_fault> fault_;
};

// The words that a schema of each type may have, beside type, description and default.
struct type_words {
  std::string_view type;
  std::array<std::string_view, 4> words;
};
constexpr std::array<type_words, 6> vocabulary = {{
    {"object", {"properties", "required", "additionalProperties", free_form}},
    {"array", {"items", "minItems", "maxItems"}},
    {"string", {"enum", "minLength", "maxLength", "pattern"}},
    {"integer", {"minimum", "maximum", "format"}},
    {"number", {"minimum", "maximum", "format"}},
    {"boolean", {}},
}};

class schema_checker {
 public:
  std::optional<config_fault> run(const Value& schema) {
    check(schema);
    if (!fault_ && word(schema, "type") != "object") {
      path_ = {"type"};
      fail("expected type: object, as a configuration is a map");
    }
    return std::move(fault_);
  }

 private:
  void fail(std::string message) {
    if (!fault_) fault_ = config_fault{path_, std::move(message)};
  }
  void fail_at(std::string key, std::string message) {
    path_.push_back(std::move(key));
    fail(std::move(message));
    path_.pop_back();
  }

  // As deep as levels_max.
  void check(const Value& schema) {
    if (fault_) return;
    if (!schema.IsObject()) return fail("expected a schema, found " + shown(schema));
    if (++fields_ > fields_max) return fail(fmt::format("expected at most {} fields", fields_max));
    if (path_.size() > levels_max * 2) {
      return fail(fmt::format("expected at most {} levels", levels_max));
    }
    const auto type = word(schema, "type");
    const auto* known = std::find_if(vocabulary.begin(), vocabulary.end(),
                                     [&](const auto& one) { return one.type == type; });
    if (known == vocabulary.end()) {
      return fail_at("type", "expected object, array, string, integer, number or boolean" +
                                 (type.empty() ? "" : fmt::format(", found \"{}\"", type)));
    }
    check_words(schema, *known);
    if (fault_) return;
    if (type == "object") check_object(schema);
    if (type == "array") check_array(schema);
    if (type == "string") check_text(schema);
    if (type == "integer" || type == "number") check_number(schema, type == "integer");
    if (!fault_) check_default(schema);
  }

  void below(std::string key, const Value& schema) {
    path_.push_back(std::move(key));
    check(schema);
    path_.pop_back();
  }

  void check_words(const Value& schema, const type_words& known) {
    static constexpr std::array<std::string_view, 3> always = {"type", "description", "default"};
    for (const auto& one : schema.GetObject()) {
      const auto key = string_of(one.name);
      const bool is_known = std::find(always.begin(), always.end(), key) != always.end() ||
                            (!key.empty() && std::find(known.words.begin(), known.words.end(),
                                                       key) != known.words.end());
      if (is_known) continue;
      std::string all = "type, description, default";
      for (const auto& w : known.words)
        all.append(w.empty() ? "" : ", ").append(w);
      return fail_at(std::string(key),
                     fmt::format("unknown word \"{}\" in the schema of a configuration; of type {} "
                                 "it may have {}",
                                 key, known.type, all));
    }
  }

  void check_object(const Value& schema) {
    const Value *fields = member(schema, "properties"),
                *more = member(schema, "additionalProperties"), *open = member(schema, free_form);
    if (open != nullptr && !open->IsBool()) return fail_at(free_form, "expected true or false");
    if ((fields != nullptr ? 1 : 0) + (more != nullptr ? 1 : 0) + (is_free(schema) ? 1 : 0) > 1) {
      return fail(fmt::format("expected one of properties, additionalProperties and {}",
                              std::string_view(free_form)));
    }
    if (more != nullptr) return below("additionalProperties", *more);
    static const Value none(rapidjson::kObjectType);
    if (fields == nullptr) fields = &none;
    if (!fields->IsObject()) return fail_at("properties", "expected a map of schemas");
    path_.emplace_back("properties");
    for (const auto& one : fields->GetObject())
      below(std::string(string_of(one.name)), one.value);
    path_.pop_back();
    const Value* required = member(schema, "required");
    if (required == nullptr) return;
    const bool is_list = required->IsArray() && !required->Empty();
    if (!is_list) return fail_at("required", "expected a list of names of properties");
    for (const auto& one : required->GetArray()) {
      if (one.IsString() && fields->HasMember(one)) continue;
      return fail_at("required", fmt::format("expected names of properties ({}), found {}",
                                             known_keys(*fields), shown(one)));
    }
  }

  void check_array(const Value& schema) {
    const Value* items = member(schema, "items");
    if (items == nullptr) return fail("expected items, the schema of what is in the list");
    check_counts(schema, "minItems", "maxItems");
    below("items", *items);
  }

  void check_counts(const Value& schema, const char* low, const char* high) {
    const Value *least = member(schema, low), *most = member(schema, high);
    if (least != nullptr && !least->IsUint()) return fail_at(low, "expected a number from 0 on");
    if (most != nullptr && !most->IsUint()) return fail_at(high, "expected a number from 0 on");
    if (least != nullptr && most != nullptr && least->GetUint() > most->GetUint()) {
      fail_at(high, fmt::format("expected at least {}", low));
    }
  }

  void check_text(const Value& schema) {
    check_counts(schema, "minLength", "maxLength");
    if (const Value* choices = member(schema, "enum")) {
      const bool fits = choices->IsArray() && !choices->Empty() &&
                        std::all_of(choices->Begin(), choices->End(),
                                    [](const Value& one) { return one.IsString(); });
      if (!fits) return fail_at("enum", "expected a list of texts; put them into quotes");
    }
    const Value* pattern = member(schema, "pattern");
    if (pattern == nullptr) return;
    if (!pattern->IsString() || pattern->GetStringLength() > pattern_bytes_max) {
      return fail_at("pattern", fmt::format("expected a regular expression of at most {} bytes",
                                            pattern_bytes_max));
    }
    try {
      const std::regex compiles(std::string(string_of(*pattern)));
    } catch (const std::regex_error& e) {
      fail_at("pattern", fmt::format("expected an ECMAScript regular expression, found {}: {}",
                                     shown(*pattern), e.what()));
    }
  }

  void check_number(const Value& schema, bool is_integer) {
    const auto fits = [&](const Value* v) {
      return v == nullptr || (is_integer ? v->IsInt64() : v->IsNumber());
    };
    const char* kind = is_integer ? "expected an integer" : "expected a number";
    const Value *least = member(schema, "minimum"), *most = member(schema, "maximum");
    if (!fits(least)) return fail_at("minimum", kind);
    if (!fits(most)) return fail_at("maximum", kind);
    if (least != nullptr && most != nullptr && least->GetDouble() > most->GetDouble()) {
      return fail_at("maximum", "expected at least minimum");
    }
    const Value* format = member(schema, "format");
    if (format == nullptr) return;
    const auto name = word(schema, "format");
    const bool is_known = is_integer ? name == "int32" || name == "int64" : name == "double";
    if (!is_known) fail_at("format", is_integer ? "expected int32 or int64" : "expected double");
  }

  // Each field's default by itself: what it has below is filled in too.
  void check_default(const Value& schema) {
    const Value* fallback = member(schema, "default");
    if (fallback == nullptr) return;
    rapidjson::Document copy;
    copy.CopyFrom(*fallback, copy.GetAllocator());
    auto wrong = complete_config(copy, schema);
    if (!wrong) return;
    path_.emplace_back("default");
    path_.insert(path_.end(), wrong->path.begin(), wrong->path.end());
    fail(std::move(wrong->message));
  }

  doc_path path_;
  std::size_t fields_ = 0;
  std::optional<config_fault> fault_;
};

class key_lister {
 public:
  std::vector<config_key> run(const Value& schema) {
    list_fields(schema, "");
    return std::move(keys_);
  }

 private:
  // As deep as levels_max.
  void list_fields(const Value& schema, const std::string& prefix) {
    const Value* properties = member(schema, "properties");
    if (properties == nullptr) return;
    const Value* required = member(schema, "required");
    for (const auto& one : properties->GetObject()) {
      bool is_required = false;
      if (required != nullptr) {
        const auto& all = required->GetArray();
        is_required = std::find(all.begin(), all.end(), one.name) != all.end();
      }
      list(one.value, prefix + std::string(string_of(one.name)), is_required);
    }
  }

  void list(const Value& schema, const std::string& path, bool is_required) {
    const auto type = word(schema, "type");
    if (type != "object" || is_free(schema)) {
      const Value* fallback = member(schema, "default");
      keys_.push_back({path, is_free(schema) ? "a map of anything" : wanted(schema), is_required,
                       fallback == nullptr ? "" : shown(*fallback),
                       std::string(word(schema, "description"))});
    }
    if (const Value* items = member(schema, "items")) list(*items, path + "[]", false);
    if (const Value* more = member(schema, "additionalProperties")) {
      list(*more, path + ".<key>", false);
    }
    list_fields(schema, path + ".");
  }

  std::vector<config_key> keys_;
};

}  // namespace

std::vector<config_key> keys_of_schema(const Value& schema) {
  return key_lister().run(schema);
}

std::optional<config_fault> fault_of_schema(const Value& schema) {
  return schema_checker().run(schema);
}

std::optional<config_fault> complete_config(rapidjson::Document& config, const Value& schema) {
  return completer(config.GetAllocator()).run(config, schema);
}

}  // namespace oarlock::plugin
