#pragma once
// What requests of pods have left for a plan, and how pods reach the daemon.
#include <cstdint>
#include <memory>
#include <string_view>

#include "oarlock/plan.h"
#include "oarlock/sdk/json.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

/// The last value that inbound() left under a name, parsed when it is first looked at. Valid during
/// the plan, on its thread.
class note {
 public:
  explicit note(const oarlock_note_view& lent) : lent_(&lent) {}

  [[nodiscard]] std::string_view name() const { return to_text(lent_->name); }
  [[nodiscard]] std::string_view json_text() const { return to_text(lent_->bytes); }
  [[nodiscard]] json::node root() const {
    if (!document_) {
      document_ = std::make_unique<rapidjson::Document>(json::parse(to_text(lent_->bytes)));
    }
    return json::node{document_.get()};
  }
  [[nodiscard]] json::node operator[](std::string_view key) const { return root()[key]; }
  /// Who said it, as the API server knows the pod: compare the UID with that of the pod it is of.
  [[nodiscard]] std::string_view service_account() const { return to_text(lent_->service_account); }
  [[nodiscard]] std::string_view pod_name() const { return to_text(lent_->pod_name); }
  [[nodiscard]] std::string_view pod_uid() const { return to_text(lent_->pod_uid); }
  [[nodiscard]] std::int64_t recorded_unix_ms() const { return lent_->recorded_unix_ms; }

 private:
  const oarlock_note_view* lent_;
  mutable std::unique_ptr<rapidjson::Document> document_;
};

/// For the pods of a plan: their requests go to url + "/<namespace>/<name>/<rest>", with a
/// projected service account token of this audience. Valid during the plan.
struct inbound_endpoint {
  std::string_view url;
  std::string_view ca_pem;  ///< certificates to trust
  std::string_view audience;
};

}  // namespace oarlock::sdk
