#pragma once
// Planted bugs, to prove that the tests see them. A point exists only in the `mutants` preset; in
// every other build it is the constant false. tests/mutants lists them and the test of each.
#ifdef OARLOCK_MUTANTS
#include <string_view>

namespace oarlock {
/// True when the environment variable OARLOCK_MUTANT names this point. Thread: any.
[[nodiscard]] bool mutant_chosen(std::string_view name);
}  // namespace oarlock
#define OARLOCK_MUTANT(name) (::oarlock::mutant_chosen(name))
#else
#define OARLOCK_MUTANT(name) (false)
#endif
