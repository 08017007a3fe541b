#pragma once
// How structs become JSON and come from it: a table of fields for each struct, and the functions
// that walk it. Generated headers hold nothing but the structs and their tables.
#include <rapidjson/document.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "oarlock/sdk/json.hpp"
#include "oarlock/sdk/typed/list.hpp"
#include "oarlock/sdk/typed/nested.hpp"
#include "oarlock/sdk/typed/place.hpp"
#include "oarlock/sdk/typed/values.hpp"

namespace oarlock::sdk::schema {

struct struct_type;

/// How one C++ type stands in JSON. The pointers are to an object of that type.
struct codec {
  void (*read)(void* into, const rapidjson::Value& from, const place& at);
  void (*write)(const void* from, json_out& out);
  /// Nothing is set; of plain values: it is the one that T{} has.
  bool (*rests)(const void* value);
  /// What an object, or the items of a list or map, are made of; null otherwise.
  const struct_type& (*inner)() = nullptr;
  enum class shape { scalar, object, list, map } form = shape::scalar;
};

struct field {
  std::string_view name;
  std::size_t offset = 0;
  const codec* type = nullptr;
  bool is_required = false;
  /// It is written also when it rests, unless it was not there when it was read.
  bool is_always_written = false;
};

struct struct_type {
  std::span<const field> fields;  ///< in the order of their names
  std::size_t unknown_offset = 0;
  std::string_view api_version = {};  ///< of whole objects: written first, and compared
  std::string_view kind = {};
};

/// A struct of a generated header.
template <class T>
concept described = requires {
  { T::schema() } -> std::same_as<const struct_type&>;
};

/// The field of this name, or null.
inline const field* find_field(const struct_type& type, std::string_view name) {
  std::size_t low = 0, high = type.fields.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const int order = type.fields[middle].name.compare(name);
    if (order == 0) return &type.fields[middle];
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  return nullptr;
}

namespace detail {

inline void* part(void* object, std::size_t offset) {
  return static_cast<unsigned char*>(object) + offset;
}
inline const void* part(const void* object, std::size_t offset) {
  return static_cast<const unsigned char*>(object) + offset;
}

// apiVersion and kind are constants of the type: true when `name` is one of them.
inline bool is_type_name(const struct_type& type, std::string_view name,
                         const rapidjson::Value& value, const place& at) {
  if (type.kind.empty()) return false;
  const std::string_view expected = name == "kind"         ? type.kind
                                    : name == "apiVersion" ? type.api_version
                                                           : std::string_view{};
  if (expected.empty()) return false;
  if (!value.IsString() ||
      std::string_view(value.GetString(), value.GetStringLength()) != expected) {
    mismatch(at.field(name), "\"" + std::string(expected) + "\"", value);
  }
  return true;
}

}  // namespace detail

/// Reads an object into a default-constructed struct of this type. Throws json::parse_error.
inline void read_struct(const struct_type& type, void* into, const rapidjson::Value& from,
                        const place& at) {
  if (!from.IsObject()) mismatch(at, "an object", from);
  auto& unknown = *static_cast<unknown_fields*>(detail::part(into, type.unknown_offset));
  std::ptrdiff_t always_written = 0;
  for (const auto& member : from.GetObject()) {
    const std::string_view name(member.name.GetString(), member.name.GetStringLength());
    const field* known = find_field(type, name);
    if (known == nullptr) {
      if (!detail::is_type_name(type, name, member.value, at)) {
        unknown.set(name, detail::text_of(member.value));
      }
      continue;
    }
    always_written += known->is_always_written ? 1 : 0;
    if (member.value.IsNull()) {
      unknown.set(name, "null");
      continue;
    }
    void* value = detail::part(into, known->offset);
    try {
      known->type->read(value, member.value, at.field(name));
    } catch (const json::parse_error&) {
      if (at.lazy == nullptr || !at.lazy->keeps_misfits) throw;
      unknown.set(name, detail::text_of(member.value));
      continue;
    }
    if (!known->is_always_written && known->type->rests(value)) {
      unknown.set(name, detail::text_of(member.value));
    }
  }
  if (!type.kind.empty()) {
    for (const char* name : {"apiVersion", "kind"}) {
      if (!from.HasMember(name)) unknown.set(name, {});
    }
  }
  const auto plain = std::count_if(type.fields.begin(), type.fields.end(),
                                   [](const field& one) { return one.is_always_written; });
  if (plain == always_written) return;
  for (const auto& one : type.fields) {
    if (one.is_always_written &&
        !from.HasMember(rapidjson::Value(rapidjson::StringRef(one.name.data(), one.name.size())))) {
      unknown.set(one.name, {});
    }
  }
}

inline void write_text(std::string_view text, json_out& out) {
  out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}
inline void write_key(std::string_view text, json_out& out) {
  out.Key(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}
inline void write_raw(const std::string& json, json_out& out) {
  out.RawValue(json.data(), json.size(), rapidjson::kObjectType);
}

inline void write_struct(const struct_type& type, const void* from, json_out& out) {
  const auto& unknown =
      *static_cast<const unknown_fields*>(detail::part(from, type.unknown_offset));
  out.StartObject();
  if (!type.kind.empty()) {
    // Objects within objects, as volumeClaimTemplates are, may come without.
    if (unknown.find("apiVersion") == nullptr) {
      write_key("apiVersion", out);
      write_text(type.api_version, out);
    }
    if (unknown.find("kind") == nullptr) {
      write_key("kind", out);
      write_text(type.kind, out);
    }
  }
  for (const auto& one : type.fields) {
    const void* value = detail::part(from, one.offset);
    if (one.type->rests(value)) {
      const std::string* kept = unknown.find(one.name);
      if (kept != nullptr && kept->empty()) continue;
      if (kept == nullptr && !one.is_always_written) continue;
      if (kept != nullptr) {
        write_key(one.name, out);
        write_raw(*kept, out);
        continue;
      }
    }
    write_key(one.name, out);
    one.type->write(value, out);
  }
  for (const auto& kept : unknown.entries()) {
    if (kept.json.empty() || find_field(type, kept.name) != nullptr) continue;
    write_key(kept.name, out);
    write_raw(kept.json, out);
  }
  out.EndObject();
}

/// Throws json::parse_error for the first field that is required and not there. Looks at objects,
/// lists and maps of them below, not at types.
inline void check_required(const struct_type& type, const rapidjson::Value& from, const place& at) {
  if (!from.IsObject()) return;
  const auto& members = from.GetObject();
  for (const auto& one : type.fields) {
    const auto found = members.FindMember(
        rapidjson::Value(rapidjson::StringRef(one.name.data(), one.name.size())));
    if (found == members.MemberEnd() || found->value.IsNull()) {
      if (one.is_required) mismatch(at.field(one.name), "a value (it is required)", "none");
      continue;
    }
    if (one.type->inner == nullptr) continue;
    const place here = at.field(one.name);
    const auto& value = found->value;
    if (one.type->form == codec::shape::object) {
      check_required(one.type->inner(), value, here);
    } else if (one.type->form == codec::shape::list && value.IsArray()) {
      for (rapidjson::SizeType i = 0; i < value.Size(); ++i)
        check_required(one.type->inner(), value[i], here.item(i));
    } else if (one.type->form == codec::shape::map && value.IsObject()) {
      for (const auto& entry : value.GetObject()) {
        check_required(one.type->inner(), entry.value,
                       here.field({entry.name.GetString(), entry.name.GetStringLength()}));
      }
    }
  }
}

/// Throws what was thrown below `from` with the path of `from` in front: only now it is looked for.
[[noreturn]] inline void throw_from(const rapidjson::Value& from, const source& of,
                                    std::string_view message) {
  std::string path;
  detail::path_to(*of.root, from, path);
  throw json::parse_error(path.append(message.starts_with('[') ? "" : ".").append(message));
}

inline void read_later(const struct_type& type, void* into, const rapidjson::Value& from,
                       const source& of) {
  try {
    read_struct(type, into, from, {nullptr, {}, 0, false, &of});
  } catch (const json::parse_error& e) {
    throw_from(from, of, e.what());
  }
}

}  // namespace oarlock::sdk::schema

namespace oarlock::sdk {

/// A struct of a generated header.
template <class T>
concept described = schema::described<T>;

/// Throws json::parse_error: "spec.replicas: expected a 32-bit integer, found the text \"3\"".
template <described T>
[[nodiscard]] T from_json(const rapidjson::Value& value) {
  T made{};
  schema::read_struct(T::schema(), &made, value, {});
  return made;
}
template <described T>
[[nodiscard]] T from_json(std::string_view text) {
  const auto document = json::parse(text);
  return from_json<T>(static_cast<const rapidjson::Value&>(document));
}

/// Compact JSON, with what was unknown when it was read.
template <described T>
[[nodiscard]] std::string to_json(const T& object) {
  rapidjson::StringBuffer buffer;
  schema::json_out out(buffer);
  schema::write_struct(T::schema(), &object, out);
  return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace oarlock::sdk
