#pragma once
// metadata, as all kinds of objects have it.
#include <cstddef>

#include "oarlock/sdk/typed/codecs.hpp"

/// offsetof for structs with containers: conditionally supported, and supported by GCC and clang.
#if defined(__clang__)
#define OARLOCK_TABLES_BEGIN \
  _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Winvalid-offsetof\"")
#define OARLOCK_TABLES_END _Pragma("clang diagnostic pop")
#else
#define OARLOCK_TABLES_BEGIN \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Winvalid-offsetof\"")
#define OARLOCK_TABLES_END _Pragma("GCC diagnostic pop")
#endif

/// One line of a table: the C++ member, its name in JSON, whether it is required, whether it is
/// written also when nobody set it.
#define OARLOCK_FIELD(member, name, required, always)                                       \
  {name, offsetof(self, member), &::oarlock::sdk::schema::codec_of<decltype(self::member)>, \
   required, always}

namespace oarlock::sdk {

struct owner_reference {
  std::string api_version{};
  std::string kind{};
  std::string name{};
  std::string uid{};
  std::optional<bool> controller{};
  std::optional<bool> block_owner_deletion{};
  unknown_fields unknown{};

  static const schema::struct_type& schema();
};

struct object_meta {
  std::optional<std::string> name{};
  std::optional<std::string> namespace_{};
  std::optional<std::string> generate_name{};
  std::map<std::string, std::string> labels{};
  std::map<std::string, std::string> annotations{};
  std::optional<std::string> uid{};
  std::optional<std::string> resource_version{};
  std::optional<std::int64_t> generation{};
  timestamp creation_timestamp{};
  timestamp deletion_timestamp{};
  std::optional<std::int64_t> deletion_grace_period_seconds{};
  std::vector<std::string> finalizers{};
  list<owner_reference> owner_references{};
  unknown_fields unknown{};

  static const schema::struct_type& schema();

  /// The label's value; empty when it has none.
  [[nodiscard]] std::string_view label(const std::string& key) const {
    const auto found = labels.find(key);
    return found == labels.end() ? std::string_view{} : std::string_view(found->second);
  }
};

OARLOCK_TABLES_BEGIN

inline const schema::struct_type& owner_reference::schema() {
  using self = owner_reference;
  static constexpr schema::field fields[] = {
      OARLOCK_FIELD(api_version, "apiVersion", true, true),
      OARLOCK_FIELD(block_owner_deletion, "blockOwnerDeletion", false, false),
      OARLOCK_FIELD(controller, "controller", false, false),
      OARLOCK_FIELD(kind, "kind", true, true),
      OARLOCK_FIELD(name, "name", true, true),
      OARLOCK_FIELD(uid, "uid", true, true),
  };
  static constexpr schema::struct_type type{fields, offsetof(self, unknown)};
  return type;
}

inline const schema::struct_type& object_meta::schema() {
  using self = object_meta;
  static constexpr schema::field fields[] = {
      OARLOCK_FIELD(annotations, "annotations", false, false),
      OARLOCK_FIELD(creation_timestamp, "creationTimestamp", false, false),
      OARLOCK_FIELD(deletion_grace_period_seconds, "deletionGracePeriodSeconds", false, false),
      OARLOCK_FIELD(deletion_timestamp, "deletionTimestamp", false, false),
      OARLOCK_FIELD(finalizers, "finalizers", false, false),
      OARLOCK_FIELD(generate_name, "generateName", false, false),
      OARLOCK_FIELD(generation, "generation", false, false),
      OARLOCK_FIELD(labels, "labels", false, false),
      OARLOCK_FIELD(name, "name", false, false),
      OARLOCK_FIELD(namespace_, "namespace", false, false),
      OARLOCK_FIELD(owner_references, "ownerReferences", false, false),
      OARLOCK_FIELD(resource_version, "resourceVersion", false, false),
      OARLOCK_FIELD(uid, "uid", false, false),
  };
  static constexpr schema::struct_type type{fields, offsetof(self, unknown)};
  return type;
}

OARLOCK_TABLES_END

}  // namespace oarlock::sdk
