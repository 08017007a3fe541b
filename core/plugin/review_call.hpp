#pragma once
// oarlock.review/1, in both homes: whether an object may be, what it shall be, and what it is in
// another version. Nothing serves it to an API server yet (docs/decisions/0024).
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "oarlock/ext/review.h"

namespace oarlock::plugin {

namespace review_limits {
inline constexpr std::size_t object_bytes_max = 3U << 20U;  ///< what an API server takes
inline constexpr std::size_t field_bytes_max = 256;
inline constexpr std::size_t message_bytes_max = 1024;
inline constexpr std::size_t warning_bytes_max = 256;
inline constexpr std::size_t warnings_max = 16;
inline constexpr std::chrono::milliseconds time{5000};
}  // namespace review_limits

enum class review_task : std::uint32_t { validate = 1, mutate, convert };

struct review_request {
  review_task task = review_task::validate;
  std::string controller;
  oarlock_review_operation operation = OARLOCK_REVIEW_NONE;
  std::string object_json;      ///< empty of a deletion
  std::string old_object_json;  ///< empty of a creation and of a conversion
  std::string to_api_version;   ///< of a conversion
  wall_time now;
};

enum class review_verdict : std::int32_t { allowed, refused, failed };

struct review_answer {
  review_verdict verdict = review_verdict::failed;
  std::string field = {};  ///< of refused, perhaps
  std::string why = {};    ///< of refused for the person, of failed for the log
  std::vector<std::string> warnings = {};
  std::string object_json = {};  ///< of mutate and convert that are allowed
};

[[nodiscard]] review_answer failed_review(const std::string& why);

/// The C view of a request, which must outlive it.
[[nodiscard]] oarlock_review_view lent_review(const review_request& request);

/// Calls the plugin's slot. Whatever it returns, says or throws is in the answer, which judged()
/// has yet to see.
[[nodiscard]] review_answer call_review(const oarlock_plugin& table, oarlock_instance* self,
                                        review_task task, const oarlock_review_view& view,
                                        std::chrono::milliseconds time_left);

/// What a plugin said, or a child of its own says for it, unless it may not: then it has failed.
/// The object that comes back is still the one that was asked about.
[[nodiscard]] review_answer judged(const review_request& request, review_answer said);

}  // namespace oarlock::plugin
