#include "core/plugin/checks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gnu/libc-version.h>

#include <algorithm>
#include <span>

#include "core/base/limits.hpp"
#include "core/base/log.hpp"
#include "core/base/sha256.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/file.hpp"
#include "core/plugin/plugin_host.hpp"
#include "oarlock/abi.h"

namespace oarlock::plugin {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t library_bytes_max = 512U << 20U;
constexpr const char* manifest_name = "plugin.yaml";
constexpr const char* image_manifest_name = "plugin.json";  // what an image has instead

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// The dynamic loader would say it too, but in a sentence that names no remedy.
result<> check_libc(const std::string& file, const elf_library& library) {
  const auto needed = library.highest_version("GLIBC_");
  const auto own = own_libc_version();
  if (needed.empty() || compare_versions(needed, own) <= 0) return {};
  return error{plugin_error::old_libc,
               fmt::format("{}: expected a library for glibc {} or older, which this system has, "
                           "found one that needs glibc {}; build the plugin on the oldest system "
                           "that it shall run on, or run oarlockd on a newer one",
                           file, own, needed)};
}

result<> read_library(candidate& found) {
  const std::string file = found.library_file.string();
  auto bytes = read_file(found.library_file, library_bytes_max);
  if (!bytes) return bytes.error();
  found.sha256 = sha256_hex(*bytes);
  auto library = read_elf(std::as_bytes(std::span(bytes->data(), bytes->size())));
  if (!library) return library.error().within(file);
  found.library = std::move(*library);
  if (auto ok = check_libc(file, *found.library); !ok) return ok.error();
  found.library_bytes = std::move(*bytes);
  if (!found.library->exports_function(OARLOCK_ENTRY_SYMBOL)) {
    return error{
        plugin_error::no_entry,
        fmt::format("{}: expected the exported function {}, found {}; write "
                    "OARLOCK_PLUGIN(...) once and build with oarlock_add_plugin()",
                    file, OARLOCK_ENTRY_SYMBOL,
                    found.library->exports.empty()
                        ? "no exported symbol"
                        : fmt::format("{} other exported symbols", found.library->exports.size()))};
  }
  return {};
}

// Where the manifest and the library of `path` are. A library without a manifest is looked at all
// the same, because what is wrong with it says more than the missing file does.
result<> locate(const fs::path& path, candidate& found) {
  std::error_code failed;
  const auto status = fs::status(path, failed);
  if (!fs::exists(status)) {
    return error{plugin_error::missing,
                 fmt::format("{}: expected a plugin folder or its library, found nothing; check "
                             "the path given to --plugin",
                             path.string())};
  }
  const bool is_folder = fs::is_directory(status);
  const bool is_manifest =
      path.filename() == manifest_name || path.filename() == image_manifest_name;
  found.manifest_file = is_folder     ? path / manifest_name
                        : is_manifest ? path
                                      : path.parent_path() / manifest_name;
  if (!is_folder && !is_manifest) found.library_file = path;
  if (is_there(found.manifest_file)) return {};
  const auto of_image = found.manifest_file.parent_path() / image_manifest_name;
  if (is_there(of_image)) {
    found.manifest_file = of_image;
    return {};
  }
  if (!found.library_file.empty()) {
    if (auto ok = read_library(found); !ok) return ok.error();
  }
  return error{
      plugin_error::missing,
      fmt::format("{}: expected the plugin's manifest {}, found none; a plugin is a folder "
                  "with plugin.yaml and the library that it names",
                  is_folder ? path.string() : found.manifest_file.parent_path().string(),
                  manifest_name)};
}

}  // namespace

std::string fingerprint_of(const fs::path& path) {
  candidate found;
  (void)check_plugin(path, found);
  return found.fingerprint();
}

std::string own_libc_version() {
  return ::gnu_get_libc_version();
}

result<> check_fingerprint(const candidate& found, const std::string& verified) {
  if (verified.empty() || found.fingerprint() == verified) return {};
  return error{plugin_error::not_a_library,
               fmt::format("{}: expected the bytes of the image that was verified, found others; "
                           "somebody else writes to this folder",
                           found.library_file.string())};
}

result<std::string> config_for(const candidate& found, const given_config& given,
                               const config_table* table, std::string& file_text) {
  const auto chosen =
      table == nullptr ? result<given_config>(given) : table->of(found.declared->name, given);
  if (!chosen) return chosen.error();
  if (!chosen->file.empty()) file_text = chosen->text;
  return check_config(*found.declared, *chosen);
}

result<> check_core_home(const candidate& found) {
  if (!found.library->has_go_runtime) return {};
  return error{plugin_error::needs_child,
               fmt::format("{}: expected a plugin that can share a process with others, found one "
                           "in Go, whose runtime cannot; run it with --plugin-home=child",
                           found.library_file.string())};
}

std::vector<std::string> unload_hazards(const elf_library& library) {
  std::vector<std::string> out;
  if (library.unique_symbols > 0) {
    out.push_back(
        fmt::format("{} unique symbols are never unmapped; link with plugin-api/plugin.map "
                    "or compile with -fno-gnu-unique",
                    library.unique_symbols));
  }
  if (library.is_never_unmapped)
    out.emplace_back("it is marked as never to be unmapped (nodelete)");
  if (library.has_go_runtime) out.emplace_back("a Go runtime cannot be stopped");
  for (const char* name : {"__cxa_thread_atexit_impl", "__cxa_thread_atexit"}) {
    if (!library.imports_symbol(name)) continue;
    out.emplace_back(
        "thread-local objects with destructors keep it mapped as long as their threads");
    break;
  }
  const auto starts_threads = [](const std::string& name) {
    return name == "pthread_create" || name.starts_with("_ZNSt6thread15_M_start_thread");
  };
  if (std::any_of(library.imports.begin(), library.imports.end(), starts_threads)) {
    out.emplace_back("it can start threads, which must have ended when stop() returns");
  }
  return out;
}

std::vector<std::string> extra_exports(const elf_library& library) {
  std::vector<std::string> names;
  for (const auto& symbol : library.exports) {
    if (symbol.name != OARLOCK_ENTRY_SYMBOL) names.push_back(symbol.name);
  }
  return names;
}

result<> check_exports(const candidate& found, export_rule rule) {
  const auto extra = extra_exports(*found.library);
  if (extra.empty() || found.library->has_go_runtime) return {};
  constexpr std::size_t named_max = 3;
  const auto named = std::span(extra).first(std::min(extra.size(), named_max));
  auto why = fmt::format(
      "{}: expected no exported symbol beside {}, found {}{}, which other libraries may pick up; "
      "link with plugin.map, as oarlock_add_plugin() does, or for development run oarlockd with "
      "--plugin-exports=warn",
      found.library_file.string(), OARLOCK_ENTRY_SYMBOL, fmt::join(named, ", "),
      extra.size() > named_max ? fmt::format(" and {} more", extra.size() - named_max) : "");
  if (rule == export_rule::refuse) return error{plugin_error::extra_exports, std::move(why)};
  log_warn("plugin is taken for development only",
           {{"plugin", found.declared->name}, {"why", why}});
  return {};
}

result<> check_plugin(const fs::path& path, candidate& found) {
  if (auto ok = locate(path, found); !ok) return ok.error();
  // Hashed first: should it change in between, then it counts as changed.
  const auto text = read_file(found.manifest_file, limits::yaml_file_bytes_max);
  if (text) found.manifest_sha256 = sha256_hex(*text);
  auto declared = read_manifest(found.manifest_file);
  if (!declared) return declared.error();
  found.declared = std::move(*declared);
  const fs::path named = found.manifest_file.parent_path() / found.declared->library;
  if (found.library_file.empty()) found.library_file = named;
  if (!is_there(found.library_file)) {
    return error{plugin_error::missing,
                 fmt::format("{}: expected the library that {} names, found none; build the plugin "
                             "or copy its whole folder",
                             found.library_file.string(), found.manifest_file.string())};
  }
  if (auto ok = read_library(found); !ok) return ok.error();
  const std::string manifest_file = found.manifest_file.string();
  if (auto ok = check_abi(manifest_file, {found.declared->abi_major, found.declared->abi_minor});
      !ok) {
    return ok.error();
  }
  if (found.library_file.filename() != named.filename()) {
    return error{plugin_error::bad_manifest,
                 fmt::format("{}: expected spec.library to be {}, found {}; give the folder to "
                             "--plugin, or name the library as its manifest does",
                             manifest_file, found.library_file.filename().string(),
                             found.declared->library)};
  }
  return {};
}

}  // namespace oarlock::plugin
