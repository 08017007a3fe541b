#define BOOST_DLL_USE_STD_FS
#include "core/plugin/library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <boost/dll/shared_library.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <vector>

#include "core/base/guarded.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/sealed_file.hpp"

namespace oarlock::plugin {

namespace {

using boost::dll::shared_library;

// Never destroyed: the destructor of a handle unloads, and there is no way to release one.
guarded<std::vector<shared_library>>& mapped_libraries() {
  static auto& libraries = *new guarded<std::vector<shared_library>>;
  return libraries;
}

struct mapped_bytes {
  std::string sha256;
  wire::descriptor file;  // open for good: the dynamic loader knows libraries by their path
  oarlock_plugin_entry entry = nullptr;
  std::weak_ptr<void> use;
};

guarded<std::vector<mapped_bytes>>& all_bytes() {
  static auto& all = *new guarded<std::vector<mapped_bytes>>;
  return all;
}

// For the signal handler: filled from the front, never taken away.
constexpr std::size_t shown_max = 64;
std::array<std::atomic<const char*>, shown_max> shown_lines;

void keep_line(const std::string& line) {
  for (auto& slot : shown_lines) {
    if (slot.load() != nullptr) continue;
    char* const copy = new char[line.size() + 1];  // never freed
    std::memcpy(copy, line.c_str(), line.size() + 1);
    slot = copy;
    return;
  }
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

result<library_use> map_bytes(const std::filesystem::path& file, const std::string& bytes,
                              const std::string& sha256) {
  return all_bytes().with([&](auto& all) -> result<library_use> {
    auto found = std::find_if(all.begin(), all.end(),
                              [&](const mapped_bytes& one) { return one.sha256 == sha256; });
    if (found == all.end()) {
      auto sealed = sealed_file(file.filename().string(), bytes);
      if (!sealed) return sealed.error();
      const auto path = "/proc/self/fd/" + std::to_string(sealed->get());
      const auto entry = map_library(path);
      if (!entry) return entry.error().within(file.string());
      keep_line(fmt::format("{} is {} sha256 {}\n", path, file.string(), sha256));
      all.push_back({sha256, std::move(*sealed), *entry, {}});
      found = all.end() - 1;
    }
    auto use = found->use.lock();
    if (!use) {
      use = std::make_shared<int>();
      found->use = use;
    }
    return library_use(found->entry, std::move(use));
  });
}

library_counts count_libraries() {
  return all_bytes().with([](const auto& all) {
    const auto unused = std::count_if(all.begin(), all.end(),
                                      [](const mapped_bytes& one) { return one.use.expired(); });
    return library_counts{all.size(), static_cast<std::size_t>(unused)};
  });
}

void show_libraries(void (*show)(const char* line)) {
  for (const auto& slot : shown_lines) {
    const char* line = slot.load();
    if (line == nullptr) return;
    show(line);
  }
}

}  // namespace oarlock::plugin
