#include "core/plugin/descriptor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/plugin/errors.hpp"
#include "core/plugin/host_table.hpp"

namespace oarlock::plugin {

namespace {

constexpr std::uint64_t extensions_max = 64;
// What comes behind destroy is optional.
constexpr std::size_t least_bytes = offsetof(oarlock_plugin, observe);

class descriptor_check {
 public:
  descriptor_check(const candidate& found, const oarlock_plugin* table)
      : found_(found), file_(found.library_file.string()), table_(table) {}

  result<> run() {
    if (table_ == nullptr)
      return bad("expected the entry function to return a descriptor, found NULL");
    // struct_size and the ABI come first in every version, so that they can be told apart.
    constexpr std::size_t head = offsetof(oarlock_plugin, reserved);
    if (table_->struct_size < head) return too_small();
    if (auto ok = check_abi(file_, {table_->abi_major, table_->abi_minor}); !ok) return ok.error();
    if (!OARLOCK_HAS_FIELD(table_, oarlock_plugin, destroy)) return too_small();
    if (auto ok = check_slots(); !ok) return ok.error();
    if (auto ok = check_identity("name", table_->name, found_.declared->name); !ok)
      return ok.error();
    if (auto ok = check_identity("version", table_->version, found_.declared->version); !ok) {
      return ok.error();
    }
    return check_extensions();
  }

 private:
  [[nodiscard]] error bad(const std::string& what) const {
    return {plugin_error::bad_descriptor, file_ + ": " + what};
  }

  [[nodiscard]] error too_small() const {
    return bad(
        fmt::format("expected a descriptor of struct_size >= {}, found {}; build the plugin "
                    "with this release's plugin-api",
                    least_bytes, table_->struct_size));
  }

  [[nodiscard]] result<> check_slots() const {
    const std::pair<const char*, bool> slots[] = {
        {"create", table_->create != nullptr}, {"start", table_->start != nullptr},
        {"plan", table_->plan != nullptr},     {"drain", table_->drain != nullptr},
        {"stop", table_->stop != nullptr},     {"destroy", table_->destroy != nullptr}};
    for (const auto& [name, is_there] : slots) {
      if (!is_there) {
        return bad(
            fmt::format("expected the descriptor's slot {} to be a function, found NULL; every "
                        "slot must be filled",
                        name));
      }
    }
    return {};
  }

  [[nodiscard]] result<> check_identity(const char* what, oarlock_str_view lent,
                                        const std::string& declared) const {
    constexpr std::uint64_t bytes_max = 253;
    const bool is_readable = lent.data != nullptr && lent.size <= bytes_max;
    const std::string_view found =
        is_readable ? std::string_view(lent.data, lent.size) : std::string_view{};
    if (is_readable && found == declared) return {};
    return bad(
        fmt::format("expected {} \"{}\", as {} says, found \"{}\" in the library; one of the "
                    "two is of another build",
                    what, declared, found_.manifest_file.string(), found));
  }

  [[nodiscard]] result<> check_extensions() const {
    const std::uint64_t count = table_->required_extension_count;
    if (count > extensions_max || (count > 0 && table_->required_extensions == nullptr)) {
      return bad(fmt::format("expected a list of at most {} required extensions, found {} at {}",
                             extensions_max, count,
                             table_->required_extensions == nullptr ? "NULL" : "an address"));
    }
    const auto& offered = host_table::extensions();
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto& lent = table_->required_extensions[i];
      const std::string_view id =
          lent.data == nullptr ? std::string_view{} : std::string_view(lent.data, lent.size);
      if (std::find(offered.begin(), offered.end(), id) != offered.end()) continue;
      return bad(
          fmt::format("expected only required extensions that this core offers ({}), found "
                      "\"{}\"; run a newer oarlockd",
                      offered_text(), id));
    }
    return {};
  }

  static std::string offered_text() {
    std::string text;
    for (const auto id : host_table::extensions())
      text.append(text.empty() ? "" : ", ").append(id);
    return text;
  }

  const candidate& found_;
  const std::string file_;
  const oarlock_plugin* table_;
};

}  // namespace

result<> check_abi(const std::string& where, const abi_version& needed,
                   const abi_version& offered) {
  // While the major is 0 nothing is frozen: host and plugin must be of one build.
  const bool fits =
      needed.major == offered.major &&
      (offered.major == 0 ? needed.minor == offered.minor : needed.minor <= offered.minor);
  if (fits) return {};
  const bool is_newer = needed.major > offered.major ||
                        (needed.major == offered.major && needed.minor > offered.minor);
  return error{plugin_error::wrong_abi,
               fmt::format("{}: expected plugin ABI {}.{}, which this core offers, found {}.{}, "
                           "which is too {}; {}",
                           where, offered.major, offered.minor, needed.major, needed.minor,
                           is_newer ? "new" : "old",
                           is_newer ? "run a newer oarlockd, or build the plugin with this "
                                      "release's plugin-api"
                                    : "build the plugin again with this release's plugin-api")};
}

result<> check_descriptor(const candidate& found, const oarlock_plugin* table) {
  return descriptor_check(found, table).run();
}

}  // namespace oarlock::plugin
