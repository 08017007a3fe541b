#pragma once
// What the headers of the C ABI declare, read from their text.
#include <filesystem>
#include <string>
#include <vector>

namespace oarlock::abi {

/// oarlock/oarlock.h below `include_dir` with all that it includes, each header once, without
/// comments and empty lines.
[[nodiscard]] std::string declarations(const std::filesystem::path& include_dir);

struct abi_member {
  std::string owner;  ///< the struct
  std::string name;
  std::string type;  ///< "uint64_t", or "void (*)(oarlock_instance*)"
};
struct abi_value {
  std::string name;
  std::string value;
};
struct abi_items {
  std::vector<std::string> structs;  ///< those with members
  std::vector<abi_member> members;
  std::vector<abi_value> values;  ///< of the enums
};
[[nodiscard]] abi_items items_of(const std::string& declared);

}  // namespace oarlock::abi
