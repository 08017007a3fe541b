#include "core/cli/inspect.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <vector>

#include "core/json/parse.hpp"
#include "core/plugin/checks.hpp"
#include "core/plugin/config_schema.hpp"
#include "oarlock/abi.h"

namespace oarlock::cli {

namespace {

void line(std::string& out, std::string_view label, std::string_view value) {
  out += fmt::format("{:<12}{}\n", label, value);
}

std::string joined(const std::vector<std::string>& words) {
  if (words.empty()) return "none";
  std::string out;
  for (const auto& word : words)
    out.append(out.empty() ? "" : ", ").append(word);
  return out;
}

std::string kind_text(const kube::resource& r) {
  return fmt::format("{} ({})", r.name(), r.api_version());
}

std::string mapping_text(const controller::watch_spec& watch) {
  if (watch.map_by_owner) return "owner reference";
  if (!watch.map_by_pointer.empty()) return "the primary's " + watch.map_by_pointer;
  return "the label " + watch.map_by_label;
}

std::string writes_text(const controller::watch_spec& watch) {
  std::vector<std::string> writes;
  if (watch.may_patch) writes.emplace_back("patch");
  if (watch.may_delete) writes.emplace_back("delete");
  return writes.empty() ? "" : ", writes: " + joined(writes);
}

void add_controller(std::string& out, const controller::controller_spec& c) {
  line(out, "controller", c.name);
  line(out, "  primary", kind_text(c.primary));
  for (const auto& owned : c.owns)
    line(out, "  owns", kind_text(owned));
  for (const auto& owned : c.owns_uncached)
    line(out, "  owns", kind_text(owned) + ", not cached");
  if (c.finalizer) line(out, "  finalizer", "oarlock.dev/" + c.plugin);
  for (const auto& watch : c.watches) {
    line(out, "  watches",
         fmt::format("{}{}{}, mapped by {}{}", kind_text(watch.resource),
                     watch.label_selector.empty() ? "" : " with ", watch.label_selector,
                     mapping_text(watch), writes_text(watch)));
  }
}

// An image may be anybody's: what a terminal would obey is not printed.
std::string on_one_line(std::string text) {
  const auto controls = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  std::replace_if(text.begin(), text.end(), controls, ' ');
  return text;
}

// What an administrator may say to it, a line for each key.
void add_configuration(std::string& out, const plugin::manifest& declared) {
  if (declared.config_schema.empty()) return line(out, "configured", "by nothing");
  const auto schema = json::parse(declared.config_schema);
  if (!schema) return;  // read_manifest() has looked at it
  line(out, "configured", fmt::format("by --plugin-config={}=FILE, in YAML", declared.name));
  const auto keys = plugin::keys_of_schema(*schema);
  std::size_t width = 0;
  for (const auto& key : keys)
    width = std::max(width, key.path.size());
  for (const auto& key : keys) {
    const std::string told = fmt::format("{:<{}}  {}{}{}{}", key.path, width, key.type,
                                         key.is_required ? ", required" : "",
                                         key.fallback.empty() ? "" : ", default " + key.fallback,
                                         key.description.empty() ? "" : ": " + key.description);
    out += "  " + on_one_line(told) + "\n";
  }
}

// "libc.so.6 (GLIBC 2.34), libstdc++.so.6 (GLIBCXX 3.4.29, CXXABI 1.3.9)": the floors.
std::string needs_text(const plugin::elf_library& library) {
  std::vector<std::string> out;
  for (const auto& name : library.needed) {
    std::vector<std::string> floors;
    std::set<std::string> families;
    for (const auto& version : library.versions) {
      const auto cut = version.name.find('_');
      if (version.library == name && cut != std::string::npos)
        families.insert(version.name.substr(0, cut + 1));
    }
    for (const auto& family : families) {
      const auto highest = library.highest_version(family);
      if (!highest.empty()) floors.push_back(family.substr(0, family.size() - 1) + " " + highest);
    }
    out.push_back(floors.empty() ? name : fmt::format("{} ({})", name, joined(floors)));
  }
  return joined(out);
}

void add_library(std::string& out, const plugin::candidate& found) {
  const auto& library = *found.library;
  std::vector<std::string> exports;
  for (const auto& symbol : library.exports)
    exports.push_back(symbol.name);
  line(out, "machine", plugin::machine_name(library.machine));
  line(out, "exports", joined(exports));
  line(out, "needs", needs_text(library));
  const auto libc = library.highest_version("GLIBC_");
  line(out, "glibc",
       fmt::format("{} or newer; this system has {}", libc.empty() ? "any" : libc,
                   plugin::own_libc_version()));
  const bool fits_core = plugin::check_core_home(found).has_value();
  line(out, "homes", fits_core ? "core, child" : "child");
  if (!library.run_path.empty()) {
    line(out, "warning",
         "it looks for libraries in " + library.run_path +
             ", which may hold others on another system");
  }
  if (library.has_executable_stack) {
    line(out, "warning", "it asks for an executable stack; link with -z noexecstack");
  }
  for (const auto& hazard : plugin::unload_hazards(library))
    line(out, "unloading", hazard);
}

}  // namespace

report inspect(const std::filesystem::path& path, plugin::export_rule rule) {
  plugin::candidate found;
  auto checked = plugin::check_plugin(path, found);
  if (checked && rule == plugin::export_rule::refuse) checked = plugin::check_exports(found, rule);
  report r;
  r.would_load = checked.has_value();
  if (found.declared) {
    line(r.text, "name", found.declared->name);
    line(r.text, "version", found.declared->version);
    if (!found.declared->description.empty()) {
      line(r.text, "description", found.declared->description);
    }
    line(r.text, "plugin ABI",
         fmt::format("needs {}.{}, this build offers {}.{}", found.declared->abi_major,
                     found.declared->abi_minor, OARLOCK_ABI_MAJOR, OARLOCK_ABI_MINOR));
    if (const auto& ports = found.declared->connect_ports; !ports.empty()) {
      line(r.text, "network",
           fmt::format("connects to TCP port{} {}", ports.size() > 1 ? "s" : "",
                       fmt::join(ports, ", ")));
    }
    for (const auto& c : found.declared->controllers)
      add_controller(r.text, c);
    add_configuration(r.text, *found.declared);
  }
  if (!found.library_file.empty()) line(r.text, "library", found.library_file.string());
  if (!found.sha256.empty()) line(r.text, "sha256", found.sha256);
  if (found.library) add_library(r.text, found);
  line(r.text, "would load",
       checked ? "yes (none of its code was run)" : "no: " + checked.error().message);
  return r;
}

}  // namespace oarlock::cli
