#pragma once
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace oarlock {

/// RFC 4648 section 4, with padding.
[[nodiscard]] std::string base64_encode(std::string_view bytes);

/// Decodes standard base64 (RFC 4648 section 4). White space is skipped, so that folded and wrapped
/// text works; padding may be left out. Fails with errc::invalid_argument, never quoting the text:
/// it may be a secret.
[[nodiscard]] result<std::string> base64_decode(std::string_view text);

}  // namespace oarlock
