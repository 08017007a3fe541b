#pragma once
// Where all replicas find their authority: a Secret in the daemon's namespace.
#include <stop_token>
#include <string>

#include "core/inbound/authority.hpp"
#include "core/kube/client.hpp"

namespace oarlock::inbound {

/// Reads the Secret, makes it when there is none, and does what is due. Whoever comes first writes;
/// nobody has to lead. The client outlives the call.
[[nodiscard]] task<result<authority>> keep_authority(kube::client& client, std::string ns,
                                                     std::string name, const clock& clock_source,
                                                     std::stop_token stop);

}  // namespace oarlock::inbound
