#pragma once
// The hostile plugin of tests/abi/zoo for the whole daemon: the name of an Animal says what it does
// when it plans it.
#include <filesystem>
#include <string>

namespace oarlock::testing {

/// The CRD of Animal.
[[nodiscard]] std::string animals_crd();
/// A manifest of Animal `name`.
[[nodiscard]] std::string animal(const std::string& name);
/// Makes the plugin "zoo" in `folder`, which is there, of that library of tests/abi/zoo; with a
/// schema of its configuration, if there is one.
void make_zoo(const std::filesystem::path& folder, const std::string& library = "hostile",
              const std::string& config_schema = {});

}  // namespace oarlock::testing
