#pragma once
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/net/transport.hpp"

namespace oarlock::kube {

/// The texts of an answer's Warning headers with code 299, the only one the API server sends
/// (RFC 7234 section 5.5): `299 - "text"`.
[[nodiscard]] std::vector<std::string> warning_texts(const net::http_head& head);

/// Which warnings were logged already. Bounded: a full memory starts anew. Thread: one.
class warning_memory {
 public:
  static constexpr std::size_t texts_max = 256;
  /// True the first time.
  [[nodiscard]] bool is_new(const std::string& text);

 private:
  std::unordered_set<std::string> seen_;
};

}  // namespace oarlock::kube
