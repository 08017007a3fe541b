#pragma once
// From OpenAPI v3 schemas to structs and enumerations.
#include <rapidjson/document.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/codegen/model.hpp"
#include "core/plugin/yaml.hpp"

namespace oarlock::codegen {

using plugin::doc_path;

struct failure {
  doc_path path;
  std::string message;  ///< expected, found, what to do
};

/// Turns schemas into types of one namespace and keeps the first failure: what comes after it is of
/// no use, so that a caller checks once at the end.
class schema_types {
 public:
  /// What a $ref stands for: a C++ type, and whether it is a struct.
  struct referred {
    std::string type;
    bool is_struct = false;
  };
  using resolver = std::function<std::optional<referred>(const std::string& ref)>;

  struct settings {
    std::string scope;  ///< how types of the namespace are written: "v1", "my_app_types"
    bool with_docs = true;
    resolver refs = {};     ///< none: a $ref is a failure
    bool is_input = false;  ///< never written as JSON: enumerations begin with their defaults
  };
  explicit schema_types(settings s) : settings_(std::move(s)) { names_.insert(settings_.scope); }

  /// A struct of this name; what it is made of is added. The types of its fields begin with
  /// `prefix`. `is_root`: the field metadata is sdk::object_meta.
  cpp_struct object(const rapidjson::Value& schema, const std::string& name, const doc_path& path,
                    bool is_root, const std::string& prefix);
  void add(cpp_struct s) { types_.emplace_back(std::move(s)); }
  /// Takes a name that types of this namespace must not have.
  std::string take_name(const std::string& name);

  void fail(const doc_path& path, std::string message);
  [[nodiscard]] const std::optional<failure>& failed() const { return failure_; }
  [[nodiscard]] std::vector<cpp_type> take_types() { return std::move(types_); }

 private:
  // How a value is held: as it is, in std::optional, or in nested<>; unset values hold themselves.
  enum class form { scalar, unset, object, container };
  struct type {
    std::string text;
    form held = form::scalar;
    std::vector<cpp_enum::value> values = {};  // of an enumeration, for its default
  };

  type type_of(const rapidjson::Value& schema, const std::string& name, const doc_path& path);
  type text_type(const rapidjson::Value& schema, const std::string& name, const doc_path& path);
  type object_type(const rapidjson::Value& schema, const std::string& name, const doc_path& path);
  type number_type(const rapidjson::Value& schema, const std::string& word, const doc_path& path);
  type ref_type(const std::string& ref, const doc_path& path);
  type container_of(const std::string& head, const rapidjson::Value& schema,
                    const std::string& name, const doc_path& path);
  cpp_field field(const std::string& json_name, const rapidjson::Value& schema, bool is_required,
                  const std::string& owner, const doc_path& path);
  void set_default(cpp_field& made, const type& t, const rapidjson::Value& value);
  std::string new_name(const std::string& wanted);

  settings settings_;
  std::set<std::string> names_{"sdk", "oarlock", "std", "names_of"};
  std::vector<cpp_type> types_;
  std::optional<failure> failure_;
  std::size_t depth_ = 0;
};

}  // namespace oarlock::codegen
