#pragma once
#include <memory>
#include <string>

#include "core/base/clock.hpp"
#include "core/kube/client.hpp"

namespace oarlock::kube {

/// The same token for ever. Null for an empty one.
[[nodiscard]] std::unique_ptr<credentials> make_static_token(std::string token);

/// The token in `file`: read again after a minute, and at once when the server refused it. While
/// the file cannot be read, the last token stays. `clock_source` outlives the result.
[[nodiscard]] std::unique_ptr<credentials> make_token_file(std::string file,
                                                           const clock& clock_source);

/// A client certificate in files, which the transport presents. After a 401 it says whether they
/// were replaced since the last look, so that the request is sent once more with the new one.
[[nodiscard]] std::unique_ptr<credentials> make_certificate_files(std::string cert_file,
                                                                  std::string key_file);

}  // namespace oarlock::kube
