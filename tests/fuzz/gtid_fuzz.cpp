// Sets of GTIDs, one a line: what is read is written and read again, and the algebra holds.
#include <vector>

#include "plugins/mysql-cluster/src/gtid.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using mysql_cluster::gtid_error;
using mysql_cluster::gtid_set;
using oarlock::fuzz::expect;

void check_pair(const gtid_set& a, const gtid_set& b) {
  const gtid_set both = a + b, less = a - b;
  expect(both == b + a, "a sum in either order", both.text());
  expect(both.contains(a) && both.contains(b), "a sum has its parts", both.text());
  expect(a.contains(less), "a difference is a part", less.text());
  expect((less - b) == less, "what was taken away is gone", less.text());
  expect((less + b) == both, "a difference and what was taken away are the sum", less.text());
  expect(a.contains(b) == (b - a).empty(), "a part leaves nothing", a.text());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = oarlock::fuzz::text_of(data, size);
  std::vector<gtid_set> all;
  while (!rest.empty() && all.size() < 8) {
    const auto text = oarlock::fuzz::cut(rest, ";");
    try {
      all.push_back(gtid_set::parse(text));
    } catch (const gtid_error&) {
      continue;
    }
    expect(gtid_set::parse(all.back().text()) == all.back(), "written and read again", text);
    expect(all.back().empty() == (all.back().count() == 0), "empty has no transaction", text);
  }
  for (const auto& a : all) {
    for (const auto& b : all)
      check_pair(a, b);
  }
  return 0;
}
