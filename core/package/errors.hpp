#pragma once
// Why an image does not become a plugin. message() of a code is the reason of a condition.
#include <boost/system/error_code.hpp>

#include <string_view>
#include <type_traits>

namespace oarlock::package {

enum class package_error {
  // Of oarlock-fetch (helper/PROTOCOL.md).
  invalid_request = 1,
  image_not_found,
  unauthorized,
  rate_limited,
  registry_unavailable,
  registry_untrusted,
  deadline_exceeded,
  digest_mismatch,
  no_such_architecture,
  invalid_image,
  image_too_large,
  unsafe_archive,
  policy_missing,
  policy_ambiguous,
  policy_invalid,
  digest_required,
  signature_missing,
  signature_invalid,
  trust_root_invalid,
  output_failed,
  // Ours.
  helper_failed,       ///< oarlock-fetch is not there, or its answer is none
  pull_secret,         ///< cannot be read, or is of another type
  name_mismatch,       ///< the Plugin object has another name than the plugin
  kind_claimed,        ///< another plugin manages this kind
  awaiting_grant,      ///< a right or a CRD is missing
  not_loaded,          ///< the library, its ABI, create() or start()
  finalizers_pending,  ///< objects that only the plugin can let go are left
  waits_for_leader,    ///< what is the leader's to do first: look up a tag, begin to run it
  waits_for_runtime,   ///< another runtime has not ended it yet
};
[[nodiscard]] boost::system::error_code make_error_code(package_error e);

/// The reason of an answer of oarlock-fetch; helper_failed for a word that is not known.
[[nodiscard]] package_error error_of(std::string_view reason);

}  // namespace oarlock::package

template <>
struct boost::system::is_error_code_enum<oarlock::package::package_error> : std::true_type {};
