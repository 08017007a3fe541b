#pragma once
// The codecs of the types that fields have.
#include <cmath>
#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "oarlock/sdk/typed/schema.hpp"

namespace oarlock::sdk::schema {

/// Reads, writes and compares one type; the codecs below are made of these.
template <class T>
struct functions;

namespace detail {

template <class T>
void read(void* into, const rapidjson::Value& from, const place& at) {
  functions<T>::read(*static_cast<T*>(into), from, at);
}
template <class T>
void write(const void* from, json_out& out) {
  functions<T>::write(*static_cast<const T*>(from), out);
}
template <class T>
bool rests(const void* value) {
  return functions<T>::rests(*static_cast<const T*>(value));
}

inline bool is_whole(const rapidjson::Value& v) {
  constexpr double limit = 9007199254740992.0;  // 2^53: above it a double skips integers
  return v.IsDouble() && std::trunc(v.GetDouble()) == v.GetDouble() &&
         std::abs(v.GetDouble()) <= limit;
}

}  // namespace detail

template <class T>
inline constexpr codec codec_of{&detail::read<T>, &detail::write<T>, &detail::rests<T>,
                                functions<T>::inner, functions<T>::form};

/// Of everything that is no object and holds none.
struct scalar_functions {
  static constexpr const struct_type& (*inner)() = nullptr;
  static constexpr codec::shape form = codec::shape::scalar;
  template <class T>
  static bool rests(const T& value) {
    return value == T{};
  }
};
/// The same of values that may be unset.
struct value_functions : scalar_functions {
  template <class T>
  static bool rests(const T& value) {
    return !value;
  }
};

template <>
struct functions<bool> : scalar_functions {
  static void read(bool& into, const rapidjson::Value& from, const place& at) {
    if (!from.IsBool()) mismatch(at, "true or false", from);
    into = from.GetBool();
  }
  static void write(bool from, json_out& out) { out.Bool(from); }
};

template <class T>
  requires(std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t>)
struct functions<T> : scalar_functions {
  static void read(T& into, const rapidjson::Value& from, const place& at) {
    constexpr bool is_small = std::same_as<T, std::int32_t>;
    if (!from.IsInt64() && !detail::is_whole(from)) {
      mismatch(at, is_small ? "a 32-bit integer" : "a 64-bit integer", from);
    }
    const std::int64_t value =
        from.IsInt64() ? from.GetInt64() : static_cast<std::int64_t>(from.GetDouble());
    if (is_small && (value < std::numeric_limits<std::int32_t>::min() ||
                     value > std::numeric_limits<std::int32_t>::max())) {
      mismatch(at, "a 32-bit integer", from);
    }
    into = static_cast<T>(value);
  }
  static void write(T from, json_out& out) { out.Int64(from); }
};

template <>
struct functions<double> : scalar_functions {
  static void read(double& into, const rapidjson::Value& from, const place& at) {
    if (!from.IsNumber()) mismatch(at, "a number", from);
    into = from.GetDouble();
  }
  static void write(double from, json_out& out) {
    if (!out.Double(from)) throw std::invalid_argument("expected a finite number");
  }
};

template <>
struct functions<std::string> : scalar_functions {
  static void read(std::string& into, const rapidjson::Value& from, const place& at) {
    if (!from.IsString()) mismatch(at, "text", from);
    into.assign(from.GetString(), from.GetStringLength());
  }
  static void write(const std::string& from, json_out& out) { write_text(from, out); }
};

template <>
struct functions<any_json> : value_functions {
  static void read(any_json& into, const rapidjson::Value& from, const place&) {
    into = any_json::of_text(detail::text_of(from));
  }
  static void write(const any_json& from, json_out& out) { write_raw(from.text(), out); }
};

template <>
struct functions<timestamp> : value_functions {
  static void read(timestamp& into, const rapidjson::Value& from, const place& at) {
    if (!from.IsString()) mismatch(at, "a time like \"2026-03-01T12:00:00Z\"", from);
    into = timestamp(std::string(from.GetString(), from.GetStringLength()));
  }
  static void write(const timestamp& from, json_out& out) { write_text(from.text(), out); }
};

template <>
struct functions<quantity> : value_functions {
  static void read(quantity& into, const rapidjson::Value& from, const place& at) {
    if (from.IsNumber()) {
      into = quantity::of_number(detail::text_of(from));
    } else if (from.IsString()) {
      into = quantity(std::string(from.GetString(), from.GetStringLength()));
    } else {
      mismatch(at, "a quantity like \"500m\" or \"1Gi\"", from);
    }
  }
  static void write(const quantity& from, json_out& out) {
    if (from.is_number()) return write_raw(from.text(), out);
    write_text(from.text(), out);
  }
};

template <>
struct functions<int_or_string> : value_functions {
  static void read(int_or_string& into, const rapidjson::Value& from, const place& at) {
    if (from.IsInt64()) {
      into = from.GetInt64();
    } else if (from.IsString()) {
      into = std::string(from.GetString(), from.GetStringLength());
    } else {
      mismatch(at, "an integer or text", from);
    }
  }
  static void write(const int_or_string& from, json_out& out) {
    if (const auto* number = from.number()) {
      out.Int64(*number);
    } else {
      write_text(from.text() == nullptr ? std::string_view{} : *from.text(), out);
    }
  }
};
template <class E>
struct functions<open_enum<E>> : value_functions {
  static void read(open_enum<E>& into, const rapidjson::Value& from, const place& at) {
    if (!from.IsString()) mismatch(at, "text", from);
    into = open_enum<E>::of_text({from.GetString(), from.GetStringLength()});
  }
  static void write(const open_enum<E>& from, json_out& out) { write_text(from.text(), out); }
};

template <described T>
struct functions<T> {
  static constexpr const struct_type& (*inner)() = &T::schema;
  static constexpr codec::shape form = codec::shape::object;
  static void read(T& into, const rapidjson::Value& from, const place& at) {
    read_struct(T::schema(), &into, from, at);
  }
  static void write(const T& from, json_out& out) { write_struct(T::schema(), &from, out); }
  static bool rests(const T&) { return false; }
};
template <class T>
struct functions<nested<T>> {
  static constexpr const struct_type& (*inner)() = &T::schema;
  static constexpr codec::shape form = codec::shape::object;
  static void read(nested<T>& into, const rapidjson::Value& from, const place& at) {
    if (!from.IsObject()) mismatch(at, "an object", from);
    if (at.lazy != nullptr) return into.lend(from, *at.lazy);
    read_struct(T::schema(), &into.emplace(), from, at);
  }
  static void write(const nested<T>& from, json_out& out) {
    if (from.lent() != nullptr) {
      from.lent()->Accept(out);
    } else {
      write_struct(T::schema(), &*from, out);
    }
  }
  static bool rests(const nested<T>& value) { return !value.has_value(); }
};

// null, where a list or a map may hold it.
template <class T>
struct functions<std::optional<T>> {
  static constexpr const struct_type& (*inner)() = functions<T>::inner;
  static constexpr codec::shape form = functions<T>::form;
  static void read(std::optional<T>& into, const rapidjson::Value& from, const place& at) {
    if (from.IsNull()) return into.reset();
    T value{};
    functions<T>::read(value, from, at);
    into = std::move(value);
  }
  static void write(const std::optional<T>& from, json_out& out) {
    if (!from) {
      out.Null();
    } else {
      functions<T>::write(*from, out);
    }
  }
  static bool rests(const std::optional<T>& value) { return !value.has_value(); }
};

template <class T>
struct functions<defaulted<T>> : scalar_functions {
  static void read(defaulted<T>& into, const rapidjson::Value& from, const place& at) {
    T value{};
    functions<T>::read(value, from, at);
    into = std::move(value);
  }
  static void write(const defaulted<T>& from, json_out& out) { functions<T>::write(*from, out); }
  static bool rests(const defaulted<T>& value) { return !value.has_value(); }
};

template <class T>
struct functions<std::vector<T>> {
  static constexpr const struct_type& (*inner)() = functions<T>::form == codec::shape::object
                                                       ? functions<T>::inner
                                                       : nullptr;
  static constexpr codec::shape form = codec::shape::list;
  static void read(std::vector<T>& into, const rapidjson::Value& from, const place& at) {
    if (!from.IsArray()) mismatch(at, "a list", from);
    // Elements are read where they lie: nothing is moved, and no code is made for it.
    std::vector<T> made(from.Size());
    for (rapidjson::SizeType i = 0; i < from.Size(); ++i) {
      if constexpr (std::same_as<T, bool>) {
        bool item = false;
        functions<bool>::read(item, from[i], at.item(i));
        made[i] = item;
      } else {
        functions<T>::read(made[i], from[i], at.item(i));
      }
    }
    into.swap(made);
  }
  static void write(const std::vector<T>& from, json_out& out) {
    out.StartArray();
    for (const auto& item : from)
      functions<T>::write(item, out);
    out.EndArray();
  }
  static bool rests(const std::vector<T>& value) { return value.empty(); }
};

template <class T>
void read_list_later(std::vector<T>& into, const rapidjson::Value& from, const source& of) {
  try {
    functions<std::vector<T>>::read(into, from, {nullptr, {}, 0, false, &of});
  } catch (const json::parse_error& e) {
    if (!of.keeps_misfits) throw_from(from, of, e.what());
  }
}

template <class T>
struct functions<list<T>> {
  static constexpr const struct_type& (*inner)() = functions<T>::inner;
  static constexpr codec::shape form = codec::shape::list;
  static void read(list<T>& into, const rapidjson::Value& from, const place& at) {
    if (!from.IsArray()) mismatch(at, "a list", from);
    if (at.lazy != nullptr) return into.lend(from, *at.lazy);
    functions<std::vector<T>>::read(into.items(), from, at);
  }
  static void write(const list<T>& from, json_out& out) {
    if (from.lent() != nullptr) {
      from.lent()->Accept(out);
    } else {
      functions<std::vector<T>>::write(from.items(), out);
    }
  }
  static bool rests(const list<T>& value) {
    return value.lent() != nullptr ? value.lent()->Empty() : value.empty();
  }
};

template <class T>
struct functions<std::map<std::string, T>> {
  static constexpr const struct_type& (*inner)() = functions<T>::form == codec::shape::object
                                                       ? functions<T>::inner
                                                       : nullptr;
  static constexpr codec::shape form = codec::shape::map;
  static void read(std::map<std::string, T>& into, const rapidjson::Value& from, const place& at) {
    if (!from.IsObject()) mismatch(at, "an object", from);
    std::map<std::string, T> made;
    for (const auto& member : from.GetObject()) {
      const std::string_view key(member.name.GetString(), member.name.GetStringLength());
      functions<T>::read(made[std::string(key)], member.value, at.field(key));
    }
    into.swap(made);
  }
  static void write(const std::map<std::string, T>& from, json_out& out) {
    out.StartObject();
    for (const auto& [key, value] : from) {
      write_key(key, out);
      functions<T>::write(value, out);
    }
    out.EndObject();
  }
  static bool rests(const std::map<std::string, T>& value) { return value.empty(); }
};

}  // namespace oarlock::sdk::schema
