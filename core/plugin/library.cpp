#define BOOST_DLL_USE_STD_FS
#include "core/plugin/library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <boost/dll/shared_library.hpp>

#include <vector>

#include "core/base/guarded.hpp"
#include "core/plugin/errors.hpp"

namespace oarlock::plugin {

namespace {

using boost::dll::shared_library;

// Never destroyed: the destructor of a handle unloads, and there is no way to release one.
guarded<std::vector<shared_library>>& mapped_libraries() {
  static auto& libraries = *new guarded<std::vector<shared_library>>;
  return libraries;
}

}  // namespace

result<oarlock_plugin_entry> map_library(const std::filesystem::path& file) {
  const auto refused = [&](const std::string& why) {
    return error{
        plugin_error::not_mapped,
        fmt::format("{}: expected a library that the dynamic loader takes, found: {}; build "
                    "the plugin for this system, with everything it needs in the image",
                    file.string(), why)};
  };
  // Without a slash the dynamic loader would search its own folders.
  std::error_code failed;
  const auto whole_path = std::filesystem::absolute(file, failed);
  if (failed) return refused(failed.message());
  shared_library library;
  ::dlerror();
  library.load(whole_path, failed,
               boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  if (failed) {
    const char* detail = ::dlerror();
    return refused(detail != nullptr ? std::string(detail) : failed.message());
  }
  if (!library.has(OARLOCK_ENTRY_SYMBOL)) {
    return error{plugin_error::no_entry,
                 fmt::format("{}: expected the exported function {}, found none after mapping",
                             file.string(), OARLOCK_ENTRY_SYMBOL)};
  }
  const oarlock_plugin_entry entry = &library.get<const oarlock_plugin*()>(OARLOCK_ENTRY_SYMBOL);
  mapped_libraries().with([&](auto& all) { all.push_back(std::move(library)); });
  return entry;
}

}  // namespace oarlock::plugin
