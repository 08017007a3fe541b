#pragma once
#include <boost/system/error_code.hpp>

#include <type_traits>

namespace oarlock::cli {

/// Why nothing was scaffolded.
enum class scaffold_error {
  bad_name = 1,  ///< a domain, group, version, kind or repository that Kubernetes would refuse
  exists,        ///< files are there that would be overwritten
  no_project,    ///< the folder has no PROJECT, or one that cannot be read
  bad_template,  ///< a template of this build is wrong
  not_written,   ///< the file system refused
};
[[nodiscard]] boost::system::error_code make_error_code(scaffold_error e);

}  // namespace oarlock::cli

template <>
struct boost::system::is_error_code_enum<oarlock::cli::scaffold_error> : std::true_type {};
