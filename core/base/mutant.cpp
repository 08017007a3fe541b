#include "core/base/mutant.hpp"

#ifdef OARLOCK_MUTANTS
#include <cstdlib>

namespace oarlock {

bool mutant_chosen(std::string_view name) {
  static const char* const chosen = std::getenv("OARLOCK_MUTANT");
  return chosen != nullptr && name == chosen;
}

}  // namespace oarlock
#endif
