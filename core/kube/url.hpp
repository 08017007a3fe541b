#pragma once
// The two things that the client does with URLs: take a server's apart, and build queries.
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace oarlock::kube {

/// Everything but RFC 3986's unreserved characters becomes %XX, '/' included: one path segment or
/// one query value. A segment of only dots is encoded too, so that no proxy normalises it away.
[[nodiscard]] std::string percent_encoded(std::string_view text);

/// The other way round; nullopt when a '%' is not followed by two hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

/// "?a=1&b=2", leaving out empty values.
class query {
 public:
  query& add(std::string_view name, std::string_view value);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// A server as kubeconfig spells it: "https://host[:port][/prefix]".
struct server_url {
  bool tls = true;
  std::string host;    ///< without brackets
  std::string port;    ///< the scheme's own when the URL has none
  std::string prefix;  ///< "" or "/prefix", without a '/' at its end
};
/// Fails with kube_error::invalid.
[[nodiscard]] result<server_url> parse_server_url(std::string_view url);

}  // namespace oarlock::kube
