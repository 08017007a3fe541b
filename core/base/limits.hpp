#pragma once
// The limits of the core in one place: every queue, body, depth and label set has one.
#include <chrono>
#include <cstddef>

namespace oarlock::limits {

using namespace std::chrono_literals;

/// The API server refuses bodies above 3 MiB; an object in etcd is at most 1.5 MiB. Lists are
/// paged.
inline constexpr std::size_t response_body_bytes_max = 64U << 20U;
inline constexpr std::size_t watch_line_bytes_max = 8U << 20U;
inline constexpr std::size_t response_header_bytes_max = 64U << 10U;
inline constexpr std::size_t json_depth_max = 128;
inline constexpr std::size_t list_page_objects = 500;
inline constexpr std::size_t yaml_file_bytes_max = 4U << 20U;
/// So many requests are in flight at once, watches apart; one plugin has at most half of them.
inline constexpr std::size_t connections_max = 64;
inline constexpr std::size_t event_queue_max = 1000;
inline constexpr std::size_t log_field_bytes_max = 4096;
inline constexpr std::size_t condition_message_bytes_max = 32768;
inline constexpr std::size_t apply_intents_max = 256;

inline constexpr auto request_timeout = 30s;
inline constexpr auto connect_timeout = 10s;
inline constexpr auto shutdown_grace = 30s;

}  // namespace oarlock::limits
