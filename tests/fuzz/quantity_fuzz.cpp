// Quantities, one a line: their order is an order, and spellings of one value are equal.
#include <vector>

#include "core/json/quantity.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;
using json::quantity;

void check_spellings(std::string_view text, const quantity& q) {
  expect(quantity::parse(text) == q, "the same twice", text);
  if (text.front() >= '0' && text.front() <= '9') {
    expect(quantity::parse("+" + std::string(text)) == q, "a plus sign changes nothing", text);
    expect(quantity::parse("0" + std::string(text)) == q, "a zero in front changes nothing", text);
    const auto negative = quantity::parse("-" + std::string(text));
    expect(negative && *negative <= q, "below its negative", text);
    const auto zero = quantity::parse("0");
    expect((*negative == q) == (q == *zero), "only zero equals its negative", text);
    expect(q >= *zero, "not below zero", text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text_of(data, size);
  std::vector<quantity> all;
  while (!rest.empty() && all.size() < 16) {
    const auto text = fuzz::cut(rest, "\n");
    const auto q = quantity::parse(text);
    if (!q) continue;
    check_spellings(text, *q);
    all.push_back(*q);
  }
  for (const auto& a : all) {
    for (const auto& b : all) {
      expect((a == b) == ((a <=> b) == 0), "equal when neither is less");
      expect((a < b) == (b > a), "less one way is more the other");
      for (const auto& c : all)
        expect(!(a <= b && b <= c) || a <= c, "transitive");
    }
  }
  return 0;
}
