#pragma once
#include <boost/system/error_code.hpp>

#include <type_traits>

namespace oarlock::codegen {

enum class codegen_error {
  bad_document = 1,  ///< no CustomResourceDefinition, or not one that types can be made of
  not_written,       ///< a file could not be written
};
[[nodiscard]] boost::system::error_code make_error_code(codegen_error e);

}  // namespace oarlock::codegen

template <>
struct boost::system::is_error_code_enum<oarlock::codegen::codegen_error> : std::true_type {};
