#pragma once
// The kinds that the model API server knows: what is special about each. An unknown kind is an
// error of the test, never a guess.
#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "core/kube/resource.hpp"

namespace oarlock::sim {

namespace js = boost::json;

struct kind_info {
  kube::resource resource;
  bool has_status = false;      ///< a status subresource
  bool has_generation = false;  ///< metadata.generation counts changes of the spec
  bool blind_update = true;     ///< PUT without a resourceVersion is legal
  bool is_custom = false;       ///< of a CRD
};

/// Null when the model does not have it.
[[nodiscard]] const kind_info* find_kind(std::string_view group, std::string_view version,
                                         std::string_view plural);
[[nodiscard]] const std::vector<kind_info>& all_kinds();

enum class list_type { atomic, map, set };
struct list_shape {
  list_type type = list_type::atomic;
  std::vector<std::string> keys;  ///< of a map; a missing "protocol" is "TCP"
  bool atomic_items = false;      ///< items have one owner for all of their fields
};
/// How server-side apply sees the list at `path` ("spec.template.spec.containers").
[[nodiscard]] list_shape shape_of(std::string_view path);
/// Objects that are replaced as a whole.
[[nodiscard]] bool is_atomic_object(std::string_view path);

/// Fills in what the server fills in.
void apply_defaults(const kind_info& kind, js::object& object);

/// One reason for a 422.
struct cause {
  std::string reason;  ///< "FieldValueRequired", ...
  std::string field;
};
[[nodiscard]] std::vector<cause> validate(const kind_info& kind, const js::object& object,
                                          const js::object* before);

/// {key: value}. Braces would do, but two texts in them pass for a pair of iterators.
[[nodiscard]] js::object object_of(std::string_view key, js::value value);
/// The member `name` as an object or array; null when absent or of another type.
[[nodiscard]] const js::object* object_at(const js::object& parent, std::string_view name);
[[nodiscard]] js::object* object_at(js::object& parent, std::string_view name);
[[nodiscard]] const js::array* array_at(const js::object& parent, std::string_view name);
/// The string member `name`, empty when there is none.
[[nodiscard]] std::string text_at(const js::object& parent, std::string_view name);
/// The string metadata.<name>.
[[nodiscard]] std::string meta_text(const js::object& object, std::string_view name);

}  // namespace oarlock::sim
