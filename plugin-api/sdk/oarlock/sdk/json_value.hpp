#pragma once
// JSON to write: a small value type, so that a child reads like its YAML.
//
//   json::object({{"kind", "Deployment"},
//                 {"spec", json::object({{"replicas", 3}, {"args", json::array({"-v"})}})}})
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "oarlock/sdk/json.hpp"

namespace oarlock::sdk::json {

// A template only so that it is completed when it is first used, after `value`.
template <class Value>
struct basic_member {
  std::string key;
  Value value;
  bool operator==(const basic_member&) const = default;
};

class value;
using member = basic_member<value>;
using items = std::vector<value>;
using members = std::vector<member>;

/// Null, boolean, integer, number, text, array or object. Objects keep the order of their keys.
class value {
 public:
  value() = default;
  value(std::nullptr_t) {}
  value(std::same_as<bool> auto b) : data_(b) {}
  template <class Integer>
    requires(std::integral<Integer> && !std::same_as<Integer, bool>)
  value(Integer i) : data_(static_cast<std::int64_t>(i)) {}
  value(double d) : data_(d) {}
  value(const char* text) : data_(std::string(text)) {}
  value(std::string_view text) : data_(std::string(text)) {}
  value(std::string text) : data_(std::move(text)) {}
  value(items list);
  value(members fields);

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  [[nodiscard]] const items* as_array() const { return std::get_if<items>(&data_); }
  [[nodiscard]] const members* as_object() const { return std::get_if<members>(&data_); }
  [[nodiscard]] const std::string* as_text() const { return std::get_if<std::string>(&data_); }
  [[nodiscard]] const std::int64_t* as_integer() const { return std::get_if<std::int64_t>(&data_); }

  /// The field of an object, or null when it has none.
  [[nodiscard]] const value* find(std::string_view key) const;
  /// Sets a field; a value that is not an object becomes one.
  value& set(std::string_view key, value field);
  /// Removes a field if it is there.
  void erase(std::string_view key);
  /// Appends to an array; a value that is not an array becomes one.
  value& push(value item);

  bool operator==(const value& other) const;
  /// Compact JSON.
  [[nodiscard]] std::string text() const;

 private:
  template <class Writer>
  void write(Writer& out) const;

  std::variant<std::monostate, bool, std::int64_t, double, std::string, items, members> data_;
};

[[nodiscard]] inline value object(std::initializer_list<member> fields) {
  return value(members(fields));
}
[[nodiscard]] inline value array(std::initializer_list<value> list) {
  return value(items(list));
}

inline value::value(items list) : data_(std::move(list)) {}
inline value::value(members fields) : data_(std::move(fields)) {}

inline const value* value::find(std::string_view key) const {
  if (const auto* fields = as_object()) {
    for (const auto& field : *fields) {
      if (field.key == key) return &field.value;
    }
  }
  return nullptr;
}

inline value& value::set(std::string_view key, value field) {
  if (as_object() == nullptr) data_ = members{};
  auto& fields = std::get<members>(data_);
  for (auto& there : fields) {
    if (there.key == key) {
      there.value = std::move(field);
      return *this;
    }
  }
  fields.push_back({std::string(key), std::move(field)});
  return *this;
}

inline void value::erase(std::string_view key) {
  if (auto* fields = std::get_if<members>(&data_)) {
    std::erase_if(*fields, [&](const member& field) { return field.key == key; });
  }
}

inline value& value::push(value item) {
  if (as_array() == nullptr) data_ = items{};
  std::get<items>(data_).push_back(std::move(item));
  return *this;
}

inline bool value::operator==(const value& other) const {
  return data_ == other.data_;
}

template <class Writer>
void value::write(Writer& out) const {
  const auto text = [](const std::string& s) { return static_cast<rapidjson::SizeType>(s.size()); };
  switch (data_.index()) {
    case 0:
      out.Null();
      return;
    case 1:
      out.Bool(std::get<bool>(data_));
      return;
    case 2:
      out.Int64(std::get<std::int64_t>(data_));
      return;
    case 3:
      out.Double(std::get<double>(data_));
      return;
    case 4: {
      const auto& s = std::get<std::string>(data_);
      out.String(s.data(), text(s));
      return;
    }
    case 5:
      out.StartArray();
      for (const auto& item : std::get<items>(data_))
        item.write(out);
      out.EndArray();
      return;
    default:
      out.StartObject();
      for (const auto& field : std::get<members>(data_)) {
        out.Key(field.key.data(), text(field.key));
        field.value.write(out);
      }
      out.EndObject();
  }
}

inline std::string value::text() const {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  write(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

/// A copy of what is at `from`, to change or compare.
[[nodiscard]] inline value copy(node from) {
  const rapidjson::Value* raw = from.raw();
  if (raw == nullptr || raw->IsNull()) return {};
  if (raw->IsBool()) return raw->GetBool();
  if (raw->IsInt64()) return raw->GetInt64();
  if (raw->IsNumber()) return raw->GetDouble();
  if (raw->IsString()) return from.text();
  if (raw->IsArray()) {
    items list;
    for (const node item : from)
      list.push_back(copy(item));
    return list;
  }
  members fields;
  for (const auto& field : raw->GetObject()) {
    fields.push_back(
        {{field.name.GetString(), field.name.GetStringLength()}, copy(node{&field.value})});
  }
  return fields;
}

}  // namespace oarlock::sdk::json
