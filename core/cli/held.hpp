#pragma once
// `oarlock plugin held`: whether a daemon may go for good, or objects would be left that nobody
// else can let go.
#include <string>

#include "core/cli/install.hpp"

namespace oarlock::cli {

struct held_options {
  std::string runtime = "oarlock";
  std::string scope_ns;  ///< of a daemon with --namespace; empty: all namespaces
};

/// Tells of each Plugin of the runtime whose finalizer is on objects; an error if there is one.
[[nodiscard]] result<> check_held(install_cluster& cluster, const held_options& options,
                                  const progress& tell);

}  // namespace oarlock::cli
