#pragma once
// Whole objects: structs that know their kind, and how they come from what the host lends.
#include <concepts>
#include <memory>
#include <string>
#include <string_view>

#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/typed/object_meta.hpp"

namespace oarlock::sdk {

/// The struct of a whole object: it says its apiVersion and kind, and has metadata.
template <class T>
concept kubernetes_kind = described<T> && requires(const T& object) {
  { T::api_version } -> std::convertible_to<std::string_view>;
  { T::kind } -> std::convertible_to<std::string_view>;
  { T::resource } -> std::convertible_to<std::string_view>;
  { *object.metadata } -> std::same_as<const object_meta&>;
};

/// A kind whose schema has a status.
template <class T>
concept has_status = kubernetes_kind<T> && described<typename T::status_type>;

namespace detail {

struct any_typed {
  virtual ~any_typed() = default;
  const schema::struct_type* type = nullptr;
};

/// An object of the input, converted field by field as it is looked at.
template <kubernetes_kind Kind>
struct typed_object final : any_typed {
  schema::source source;
  Kind value{};

  explicit typed_object(const object& from) : source{from.root().raw(), true} {
    type = &Kind::schema();
    if (!source.root->IsObject()) return;
    schema::read_struct(*type, &value, *source.root, {nullptr, {}, 0, false, &source});
  }
};

template <kubernetes_kind Kind>
const Kind& typed(const object& from, std::unique_ptr<any_typed>& slot) {
  if (slot == nullptr || slot->type != &Kind::schema()) {
    try {
      slot = std::make_unique<typed_object<Kind>>(from);
    } catch (const json::parse_error& e) {
      throw terminal_error("InvalidObject", std::string(from.resource())
                                                .append(" ")
                                                .append(from.name())
                                                .append(": ")
                                                .append(e.what()));
    }
  }
  return static_cast<const typed_object<Kind>&>(*slot).value;
}

}  // namespace detail
}  // namespace oarlock::sdk
