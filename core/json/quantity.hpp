#pragma once
// Kubernetes quantities ("100m", "1Gi", "2e3") as exact numbers, for telling that two spellings
// mean the same. Grammar and rounding: k8s.io/apimachinery/pkg/api/resource, type Quantity.
#include <compare>
#include <optional>
#include <string_view>

namespace oarlock::json {

/// An exact decimal in normal form, so that equal values have equal members.
class quantity {
 public:
  /// nullopt when `text` is no quantity. Finer than a nano is rounded away from zero and more than
  /// 2^63-1 is capped, as the API server does.
  [[nodiscard]] static std::optional<quantity> parse(std::string_view text);

  bool operator==(const quantity&) const = default;
  [[nodiscard]] std::strong_ordering operator<=>(const quantity& other) const;

 private:
  __extension__ typedef unsigned __int128 wide;

  /// value = (negative ? -1 : 1) * digits * 10^exponent; digits is 0 or no multiple of 10.
  wide digits_ = 0;
  int exponent_ = 0;
  bool negative_ = false;
};

}  // namespace oarlock::json
