#pragma once
// oarlock.inbound/1, in both homes: one request of a pod to a plugin, and what it answers.
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.hpp"
#include "oarlock/ext/inbound.h"

namespace oarlock::plugin {

namespace inbound_limits {
inline constexpr std::size_t body_bytes_max = 64U << 10U;  ///< of a request, and of an answer
inline constexpr std::size_t content_type_bytes_max = 256;
inline constexpr std::size_t note_name_bytes_max = 63;
inline constexpr std::size_t note_bytes_max = 16U << 10U;
inline constexpr std::size_t notes_max = 16;  ///< of one request
inline constexpr std::chrono::milliseconds time{5000};
}  // namespace inbound_limits

struct inbound_request {
  std::string method;
  std::string ns;
  std::string name;
  std::string rest;
  std::string query;
  std::string content_type;
  std::string body;
  std::string service_account;
  std::string pod_name;
  std::string pod_uid;
  wall_time now;
};

struct recorded_note {
  std::string controller;
  std::string name;
  std::string json;
};

/// What the pod gets, and what stays for plans. `why` is for the log, of an answer that the core
/// gives in the plugin's place.
struct inbound_answer {
  int status = 204;
  std::string content_type = {};
  std::string body = {};
  std::vector<recorded_note> notes = {};
  std::string why = {};
};

/// An answer of the core's: `body` is a sentence for people.
[[nodiscard]] inbound_answer core_answer(int status, std::string body, std::string why = {});

/// The C view of a request, which must outlive it.
[[nodiscard]] oarlock_request_view lent_request(const inbound_request& request);

/// Calls the plugin's handler; 404 from one that has none. Whatever it returns, says or throws is
/// in the answer. `controllers` are those of its manifest.
[[nodiscard]] inbound_answer call_inbound(const oarlock_plugin& table, oarlock_instance* self,
                                          const oarlock_request_view& view,
                                          std::chrono::milliseconds time_left,
                                          const std::vector<std::string>& controllers);

/// Whether all that a plugin said is as it may say it: for what comes from a child.
[[nodiscard]] bool is_sound(const inbound_answer& answer,
                            const std::vector<std::string>& controllers);

}  // namespace oarlock::plugin
