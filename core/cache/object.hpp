#pragma once
// One API object as the cache keeps it: immutable, packed, shared.
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/cache/text_packer.hpp"

namespace oarlock::cache {

/// namespace/name; the namespace is empty for cluster-scoped kinds.
struct object_key {
  std::string ns;
  std::string name;
  auto operator<=>(const object_key&) const = default;
  [[nodiscard]] std::string text() const { return ns.empty() ? name : ns + "/" + name; }
};

struct owner_reference {
  std::string api_version, kind, name, uid;
  bool controller = false;
};

/// What the core itself needs of an object, read once when it is decoded.
struct object_meta {
  object_key key;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  bool deleting = false;  ///< metadata.deletionTimestamp is set
  std::map<std::string, std::string> labels;
  /// Without kubectl's last-applied-configuration, a copy of the object that nobody here reads.
  std::map<std::string, std::string> annotations;
  std::vector<owner_reference> owners;
  std::vector<std::string> finalizers;

  /// The owner with controller=true, if there is one.
  [[nodiscard]] const owner_reference* controller() const;
};

/// Immutable after construction: safe to read on any thread.
class object {
 public:
  object(object_meta meta, packed_text json) : meta_(std::move(meta)), json_(std::move(json)) {}
  object(object_meta meta, std::string json)
      : object(std::move(meta), packed_text(std::move(json))) {}
  [[nodiscard]] const object_meta& meta() const { return meta_; }
  /// The whole object as compact JSON without metadata.managedFields. apiVersion and kind are set.
  /// A copy, unpacked when it is stored packed.
  [[nodiscard]] std::string json() const { return json_.text(); }
  /// What it occupies in memory, its strings and maps included.
  [[nodiscard]] std::size_t bytes() const;

 private:
  const object_meta meta_;
  const packed_text json_;
};

using object_ptr = std::shared_ptr<const object>;

/// Compares resource versions: numerically when both are numbers (KEP-5504), else only for
/// equality. nullopt: no order is known.
[[nodiscard]] std::optional<std::strong_ordering> compare_versions(std::string_view a,
                                                                   std::string_view b);

}  // namespace oarlock::cache
