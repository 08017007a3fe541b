#pragma once
// Requests of pods to their plugin (oarlock.inbound/1).
#include <cstdint>
#include <string>
#include <string_view>

#include "oarlock/ext/inbound.h"
#include "oarlock/sdk/json.hpp"
#include "oarlock/sdk/json_value.hpp"
#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

/// One request. Valid during inbound().
class inbound_request {
 public:
  /// `rest`: what of the path is the handler's.
  inbound_request(const oarlock_request_view& view, std::string_view rest)
      : view_(&view), rest_(rest) {}

  [[nodiscard]] std::string_view method() const { return to_text(view_->method); }
  /// The object of the path; there may be none of this name.
  [[nodiscard]] std::string_view ns() const { return to_text(view_->object_namespace); }
  [[nodiscard]] std::string_view name() const { return to_text(view_->object_name); }
  /// "progress" of .../<namespace>/<name>/progress.
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] std::string_view query() const { return to_text(view_->query); }
  [[nodiscard]] std::string_view content_type() const { return to_text(view_->content_type); }
  /// Whatever the pod sent.
  [[nodiscard]] std::string_view body() const { return to_text(view_->body); }
  /// The body parsed; throws json::parse_error.
  [[nodiscard]] rapidjson::Document json_body() const { return json::parse(body()); }
  [[nodiscard]] std::string_view service_account() const { return to_text(view_->service_account); }
  [[nodiscard]] std::string_view pod_name() const { return to_text(view_->pod_name); }
  [[nodiscard]] std::string_view pod_uid() const { return to_text(view_->pod_uid); }
  [[nodiscard]] std::int64_t now_unix_ms() const { return view_->now_unix_ms; }

 private:
  const oarlock_request_view* view_;
  std::string_view rest_;
};

/// What a request comes to. A call that the host refuses throws terminal_error.
class inbound_response {
 public:
  inbound_response(const oarlock_inbound_out& out, std::string_view controller)
      : out_(&out), controller_(controller) {}

  /// What the pod gets: 200 to 599; without a call 204.
  void answer(int status, std::string_view body,
              std::string_view content_type = "text/plain; charset=utf-8") {
    plan_output::check(out_->answer(out_->ctx, status, to_view(content_type), to_bytes(body)),
                       "answer");
  }
  /// Leaves a value for the plans of the request's object, and has it planned: the last one of a
  /// name stays.
  void note(std::string_view name, const json::value& value) { note_text(name, value.text()); }
  /// The same of JSON text.
  void note_text(std::string_view name, std::string_view json) {
    plan_output::check(out_->note(out_->ctx, to_view(controller_), to_view(name),
                                  OARLOCK_ENCODING_JSON, to_bytes(json)),
                       "note");
  }

 private:
  const oarlock_inbound_out* out_;
  std::string_view controller_;
};

}  // namespace oarlock::sdk
