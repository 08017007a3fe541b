#pragma once
// Reviews of objects (oarlock.review/1, a draft): validate, mutate, convert.
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "oarlock/ext/review.h"
#include "oarlock/sdk/guarded.hpp"
#include "oarlock/sdk/json.hpp"
#include "oarlock/sdk/json_value.hpp"
#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

/// What is reviewed. Valid during the call.
class review_request {
 public:
  explicit review_request(const oarlock_review_view& view) : view_(&view) {}

  [[nodiscard]] oarlock_review_operation operation() const { return view_->operation; }
  /// As it shall be; empty of a deletion.
  [[nodiscard]] std::string_view object_json() const { return to_text(view_->object); }
  /// As it is; empty of a creation and of convert().
  [[nodiscard]] std::string_view old_object_json() const { return to_text(view_->old_object); }
  /// The object parsed; throws json::parse_error.
  [[nodiscard]] rapidjson::Document object() const { return json::parse(object_json()); }
  /// Of convert(): "example.com/v2".
  [[nodiscard]] std::string_view to_api_version() const { return to_text(view_->to_api_version); }
  [[nodiscard]] std::int64_t now_unix_ms() const { return view_->now_unix_ms; }

 private:
  const oarlock_review_view* view_;
};

/// What a review comes to. A call that the host refuses throws terminal_error.
class review_response {
 public:
  explicit review_response(const oarlock_review_out& out) : out_(&out) {}

  /// It may not be, and why: `field_path` as kubectl shows it, "spec.replicas", or empty.
  void refuse(std::string_view field_path, std::string_view message) {
    plan_output::check(out_->refuse(out_->ctx, to_view(field_path), to_view(message)), "refuse");
  }
  /// For the person who wants the object; it may be all the same.
  void warn(std::string_view message) {
    plan_output::check(out_->warn(out_->ctx, to_view(message)), "warn");
  }
  /// The whole object as it shall be, of mutate() and convert().
  void object(const json::value& whole) { object_text(whole.text()); }
  /// The same as JSON text.
  void object_text(std::string_view whole) {
    plan_output::check(out_->object(out_->ctx, OARLOCK_ENCODING_JSON, to_bytes(whole)), "object");
  }

 private:
  const oarlock_review_out* out_;
};

/// What a reconciler is, too, that reviews its objects. No I/O; within 5 s; several threads at
/// once. What throws has failed, and allows nothing; so has what is not overridden.
class reviewer {
 public:
  virtual ~reviewer() = default;
  /// Whether an object may be.
  virtual void validate(const review_request& /*request*/, review_response& /*response*/) {
    throw terminal_error("NoReview", "this controller does not validate");
  }
  /// What it shall be before it is stored.
  virtual void mutate(const review_request& /*request*/, review_response& /*response*/) {
    throw terminal_error("NoReview", "this controller does not mutate");
  }
  /// What it is in another version of its kind.
  virtual void convert(const review_request& /*request*/, review_response& /*response*/) {
    throw terminal_error("NoReview", "this controller does not convert");
  }
};

namespace detail {

template <class Reconciler>
inline constexpr bool reviews = std::derived_from<Reconciler, reviewer>;

template <auto Task, auto Find>
oarlock_status review(oarlock_instance* self, const oarlock_review_view* view,
                      std::int64_t /*time_left_ms*/, const oarlock_review_out* out) noexcept {
  return guarded(
      [&] {
        auto* const one = dynamic_cast<reviewer*>(&Find(self, to_text(view->controller)));
        if (one == nullptr) throw terminal_error("NoReview", "this controller reviews nothing");
        review_response response(*out);
        (one->*Task)(review_request(*view), response);
      },
      [](std::string_view, std::string_view) {});
}

/// `Find` gives the reconciler of an instance and a controller.
template <auto Find>
inline constexpr oarlock_plugin_review review_table{
    sizeof(oarlock_plugin_review), 0, &review<&reviewer::validate, Find>,
    &review<&reviewer::mutate, Find>, &review<&reviewer::convert, Find>};

}  // namespace detail
}  // namespace oarlock::sdk
