#pragma once
// What a generated header holds, before it is text.
#include <cstdint>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace oarlock::codegen {

struct cpp_field {
  std::string json_name;
  std::string member;
  std::string type;     ///< C++ text
  std::string initial;  ///< between the braces of its initializer
  std::string doc;
  bool is_required = false;
  bool is_always_written = false;
};

struct cpp_struct {
  std::string name;
  std::string doc;
  std::vector<cpp_field> fields;  ///< in the order of the schema
  bool is_root = false;           ///< of the header, beside its parts
  // Of whole objects only:
  std::string api_version = {};
  std::string kind = {};
  std::string resource = {};     ///< "deployments.apps"
  std::string status_type = {};  ///< of the member `status`, if it is an object
};

struct cpp_enum {
  struct value {
    std::string member;
    std::string text;
  };
  std::string name;
  std::vector<value> values;
};

using cpp_type = std::variant<cpp_struct, cpp_enum>;

struct cpp_header {
  std::string origin;                 ///< for the first line: what it was made from
  std::vector<std::string> includes;  ///< beside the SDK's
  std::string ns;                     ///< "example_com::v1"
  std::string parts;            ///< "my_app_types": inside ns, for all but whole objects; none
  std::vector<cpp_type> types;  ///< each after those it is made of
};

/// The text of a header. The same model gives the same text.
[[nodiscard]] std::string text_of(const cpp_header& header);

}  // namespace oarlock::codegen
