#pragma once
// What an effect sees, in C++.
#include <chrono>
#include <memory>
#include <string_view>

#include "oarlock/sdk/plan.hpp"

namespace oarlock::sdk {

/// One effect whose turn has come. Valid during effect().
class effect_input {
 public:
  explicit effect_input(const oarlock_effect_view& view) : view_(&view), primary_(*view.primary) {}

  [[nodiscard]] std::string_view controller() const { return to_text(view_->controller); }
  [[nodiscard]] std::string_view ns() const { return to_text(view_->object_namespace); }
  [[nodiscard]] std::string_view name() const { return to_text(view_->object_name); }
  [[nodiscard]] const object& primary() const { return primary_; }
  /// What the plan said to effect().
  [[nodiscard]] std::string_view what() const { return to_text(view_->name); }
  /// Nowhere when the plan gave none.
  [[nodiscard]] json::node payload() const { return parsed(view_->payload, payload_); }
  /// What the plan saw; nowhere when observe() did not answer.
  [[nodiscard]] json::node observation() const { return parsed(view_->observation, observation_); }
  /// Until when no other process can be the leader, as of the call; max(): for ever.
  [[nodiscard]] std::chrono::steady_clock::time_point lease_valid_until() const {
    return std::chrono::steady_clock::time_point(
        std::chrono::nanoseconds(view_->lease_valid_until_ns));
  }

 private:
  static json::node parsed(oarlock_bytes_view from, std::unique_ptr<rapidjson::Document>& kept) {
    if (from.size == 0) return {};
    if (!kept) kept = std::make_unique<rapidjson::Document>(json::parse(to_text(from)));
    return json::node{kept.get()};
  }

  const oarlock_effect_view* view_;
  object primary_;
  mutable std::unique_ptr<rapidjson::Document> payload_;
  mutable std::unique_ptr<rapidjson::Document> observation_;
};

}  // namespace oarlock::sdk
