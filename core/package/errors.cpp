#include "core/package/errors.hpp"

#include <array>
#include <string>

namespace oarlock::package {

namespace {

// In the order of the enum.
constexpr std::array<std::string_view, 29> reasons = {
    "InvalidRequest",      "ImageNotFound",     "Unauthorized",      "RateLimited",
    "RegistryUnavailable", "RegistryUntrusted", "DeadlineExceeded",  "DigestMismatch",
    "NoSuchArchitecture",  "InvalidImage",      "ImageTooLarge",     "UnsafeArchive",
    "PolicyMissing",       "PolicyAmbiguous",   "PolicyInvalid",     "DigestRequired",
    "SignatureMissing",    "SignatureInvalid",  "TrustRootInvalid",  "OutputFailed",
    "HelperFailed",        "PullSecret",        "NameMismatch",      "KindClaimed",
    "AwaitingGrant",       "NotLoaded",         "FinalizersPending", "WaitsForLeader",
    "WaitsForRuntime"};
static_assert(reasons.size() == static_cast<std::size_t>(package_error::waits_for_runtime));

class category final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "oarlock.package"; }
  [[nodiscard]] std::string message(int value) const override {
    const auto index = static_cast<std::size_t>(value) - 1;
    return std::string(index < reasons.size() ? reasons[index] : "Unknown");
  }
};

}  // namespace

boost::system::error_code make_error_code(package_error e) {
  static const category instance;
  return {static_cast<int>(e), instance};
}

package_error error_of(std::string_view reason) {
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    if (reasons[i] == reason) return static_cast<package_error>(i + 1);
  }
  return package_error::helper_failed;
}

}  // namespace oarlock::package
