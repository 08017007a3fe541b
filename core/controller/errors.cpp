#include "core/controller/errors.hpp"

#include "core/kube/errors.hpp"

namespace oarlock::controller {

namespace {

class category final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "oarlock.controller"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<controller_error>(value)) {
      case controller_error::invalid_intent:
        return "invalid child";
      case controller_error::name_taken:
        return "name taken";
      case controller_error::changed_meanwhile:
        return "changed meanwhile";
      case controller_error::panicked:
        return "panicked";
      case controller_error::effect_failed:
        return "effect failed";
      case controller_error::effect_refused:
        return "effect refused";
    }
    return "unknown";
  }
};

}  // namespace

boost::system::error_code make_error_code(controller_error e) {
  static const category instance;
  return {static_cast<int>(e), instance};
}

std::string reason_of(const error& e) {
  using kube::kube_error;
  if (e.code == controller_error::invalid_intent) return "InvalidChild";
  if (e.code == controller_error::name_taken) return "NameTaken";
  if (e.code == controller_error::changed_meanwhile) return "ChangedMeanwhile";
  if (e.code == controller_error::panicked) return "ReconcilePanicked";
  if (e.code == controller_error::effect_failed) return "EffectFailed";
  if (e.code == controller_error::effect_refused) return "EffectRefused";
  if (e.code == kube_error::conflict) return "Conflict";
  if (e.code == kube_error::already_exists) return "AlreadyExists";
  if (e.code == kube_error::gone) return "Gone";
  if (e.code == kube_error::version_too_large) return "VersionTooLarge";
  if (e.code == kube_error::throttled) return "TooManyRequests";
  if (e.code == kube_error::unauthorized) return "Unauthorized";
  if (e.code == kube_error::forbidden) return "Forbidden";
  if (e.code == kube_error::not_found) return "NotFound";
  if (e.code == kube_error::invalid) return "Invalid";
  if (e.code == kube_error::unavailable) return "Unavailable";
  if (e.code == kube_error::untrusted) return "Untrusted";
  if (e.code == kube_error::unknown_outcome) return "UnknownOutcome";
  if (e.code == kube_error::bad_answer) return "BadAnswer";
  if (e.code == kube_error::cancelled) return "Cancelled";
  if (e.code == kube_error::not_declared) return "NotDeclared";
  if (e.code == kube_error::over_quota) return "OverQuota";
  return "Error";
}

bool needs_a_person(const error& e) {
  using kube::kube_error;
  return e.code == controller_error::invalid_intent || e.code == controller_error::name_taken ||
         e.code == controller_error::effect_refused || e.code == kube_error::conflict ||
         e.code == kube_error::forbidden || e.code == kube_error::invalid ||
         e.code == kube_error::not_declared;
}

}  // namespace oarlock::controller
