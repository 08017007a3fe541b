#include "core/cache/errors.hpp"

#include <string>

#include "core/kube/errors.hpp"

namespace oarlock::cache {

namespace {

using kube::kube_error;

class cache_category final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "oarlock.cache"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<cache_error>(value)) {
      case cache_error::broken_stream:
        return "the watch broke off";
      case cache_error::silent_watch:
        return "the watch fell silent";
      case cache_error::bad_line:
        return "the watch sent what is no watch event";
      case cache_error::error_event:
        return "the watch ended with an error of the server";
      case cache_error::short_watch:
        return "the watch ended at once";
      case cache_error::list_deadline:
        return "the streaming list did not end in time";
      case cache_error::replayed_event:
        return "the watch replayed an old event";
      case cache_error::stale_list:
        return "the list is older than what was seen";
      case cache_error::bad_list:
        return "the list cannot be used";
    }
    return "unknown cache error " + std::to_string(value);
  }
};

struct row {
  boost::system::error_code code;
  std::string_view reason;
};

}  // namespace

boost::system::error_code make_error_code(cache_error e) {
  static const cache_category category;
  return {static_cast<int>(e), category};
}

std::string_view reason_of(const boost::system::error_code& code) {
  static const row table[] = {
      {cache_error::broken_stream, "broken_stream"},
      {cache_error::silent_watch, "silent_watch"},
      {cache_error::bad_line, "bad_line"},
      {cache_error::error_event, "error_event"},
      {cache_error::short_watch, "short_watch"},
      {cache_error::list_deadline, "list_deadline"},
      {cache_error::replayed_event, "replayed_event"},
      {cache_error::stale_list, "stale_list"},
      {cache_error::bad_list, "bad_list"},
      {kube_error::conflict, "conflict"},
      {kube_error::already_exists, "already_exists"},
      {kube_error::gone, "gone"},
      {kube_error::version_too_large, "version_too_large"},
      {kube_error::throttled, "throttled"},
      {kube_error::unauthorized, "unauthorized"},
      {kube_error::forbidden, "forbidden"},
      {kube_error::not_found, "not_found"},
      {kube_error::invalid, "invalid"},
      {kube_error::unavailable, "unavailable"},
      {kube_error::unknown_outcome, "unknown_outcome"},
      {kube_error::bad_answer, "bad_answer"},
      {kube_error::cancelled, "cancelled"},
      {kube_error::untrusted, "untrusted"},
  };
  for (const auto& r : table) {
    if (r.code == code) return r.reason;
  }
  return "other";
}

}  // namespace oarlock::cache
