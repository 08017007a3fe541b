#pragma once
// The Lease object: the part of it that elections read and write, as client-go writes it
// (tools/leaderelection/resourcelock).
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/base/result.hpp"
#include "core/kube/resource.hpp"

namespace oarlock::election {

/// spec of a Lease. Times stay text: they are written for people and never compared, because the
/// clocks of two machines disagree.
struct lease_record {
  std::string holder;  ///< empty: nobody
  std::int64_t duration_seconds = 0;
  std::string acquire_time;
  std::string renew_time;
  std::int64_t transitions = 0;

  auto operator<=>(const lease_record&) const = default;
};

/// A Lease as the API server answered it.
struct lease {
  lease_record record;
  std::string
      json;  ///< the whole object: labels, annotations and resourceVersion survive an update
};

[[nodiscard]] const kube::resource& lease_resource();
/// Errors: election_error::bad_lease.
[[nodiscard]] result<lease> parse_lease(std::string_view body);
/// The body that creates a lease.
[[nodiscard]] std::string new_lease_json(const std::string& ns, const std::string& name,
                                         const lease_record& record);
/// The body that replaces the record of `found`, at the resourceVersion it was read.
[[nodiscard]] result<std::string> with_record(const lease& found, const lease_record& record);
/// A metav1.MicroTime: "2006-01-02T15:04:05.000000Z".
[[nodiscard]] std::string micro_time(wall_time t);

}  // namespace oarlock::election
