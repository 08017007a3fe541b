#pragma once
// Requests of pods in tests of plugins: what a pod sends, and what the plugin makes of it.
#include <cstdint>
#include <string>
#include <vector>

#include "oarlock/ext/inbound.h"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk::testing {

/// What a request of a pod has left for plans.
struct given_note {
  std::string name, json, service_account, pod_name, pod_uid;
  std::int64_t recorded_unix_ms = 0;
};

struct given_request {
  std::string rest;  ///< "progress" of /v1/<plugin>/<namespace>/<name>/progress
  std::string body;
  std::string method = "POST";
  std::string ns = {}, name = {};
  std::string service_account = "default", pod_name = {}, pod_uid = {};
  std::int64_t now_unix_ms = 0;
};

/// What the pod gets, and the notes as a host would hand them to the next plan.
struct answered {
  oarlock_status returned = OARLOCK_OK;
  int status = 204;
  std::string body = {};
  std::vector<given_note> notes = {};
};

namespace detail {

struct request_call {
  const given_request& what;
  answered& into;
};

inline oarlock_inbound_out answer_taker(request_call& call) {
  oarlock_inbound_out out{};
  out.struct_size = sizeof(out);
  out.ctx = reinterpret_cast<oarlock_inbound_ctx*>(&call);
  out.answer = [](oarlock_inbound_ctx* ctx, std::int32_t status, oarlock_str_view,
                  oarlock_bytes_view body) -> oarlock_status {
    auto& into = reinterpret_cast<request_call*>(ctx)->into;
    into.status = status;
    into.body = to_text(body);
    return OARLOCK_OK;
  };
  out.note = [](oarlock_inbound_ctx* ctx, oarlock_str_view, oarlock_str_view name, oarlock_encoding,
                oarlock_bytes_view json) -> oarlock_status {
    const auto& [what, into] = *reinterpret_cast<request_call*>(ctx);
    into.notes.push_back({std::string(to_text(name)), std::string(to_text(json)),
                          what.service_account, what.pod_name, what.pod_uid, what.now_unix_ms});
    return OARLOCK_OK;
  };
  return out;
}

inline answered ask(const oarlock_plugin_inbound& handler, oarlock_instance* self,
                    const given_request& what) {
  oarlock_request_view view{};
  view.struct_size = sizeof(view);
  view.method = to_view(what.method);
  view.object_namespace = to_view(what.ns);
  view.object_name = to_view(what.name);
  view.rest = to_view(what.rest);
  view.content_type = to_view("application/json");
  view.body = to_bytes(what.body);
  view.service_account = to_view(what.service_account);
  view.pod_name = to_view(what.pod_name);
  view.pod_uid = to_view(what.pod_uid);
  view.now_unix_ms = what.now_unix_ms;
  answered made;
  request_call call{what, made};
  const auto out = answer_taker(call);
  constexpr std::int64_t time_ms = 5000;
  made.returned = handler.request(self, &view, time_ms, &out);
  return made;
}

}  // namespace detail

}  // namespace oarlock::sdk::testing
