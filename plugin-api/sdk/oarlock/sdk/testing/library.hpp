#pragma once
// A plugin for tests: the library as it was built, or the one that is linked into the test.
#include <dlfcn.h>

#include <stdexcept>
#include <string>

#include "oarlock/oarlock.h"

namespace oarlock::sdk::testing {

/// The plugin in a file. It stays loaded. Throws when it cannot be loaded.
[[nodiscard]] inline const oarlock_plugin& plugin_of(const char* file) {
  void* library = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(std::string("load ") + ::dlerror());
  using entry = const oarlock_plugin* (*)();
  const auto found = reinterpret_cast<entry>(::dlsym(library, "oarlock_plugin_entry_v0"));
  if (found == nullptr) throw std::runtime_error(std::string("load ") + ::dlerror());
  return *found();
}
[[nodiscard]] inline const oarlock_plugin& plugin_of(const oarlock_plugin* linked) {
  return *linked;
}

}  // namespace oarlock::sdk::testing
