#include "core/cli/inspect.hpp"

#include <fmt/format.h>

#include <vector>

#include "core/plugin/checks.hpp"
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
         fmt::format("{}{}{}, mapped by {}", kind_text(watch.resource),
                     watch.label_selector.empty() ? "" : " with ", watch.label_selector,
                     mapping_text(watch)));
  }
}

void add_library(std::string& out, const plugin::candidate& found) {
  std::vector<std::string> exports;
  for (const auto& symbol : found.library->exports)
    exports.push_back(symbol.name);
  line(out, "machine", plugin::machine_name(found.library->machine));
  line(out, "exports", joined(exports));
  line(out, "needs", joined(found.library->needed));
}

}  // namespace

report inspect(const std::filesystem::path& path) {
  plugin::candidate found;
  const auto checked = plugin::check_plugin(path, found);
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
    for (const auto& c : found.declared->controllers)
      add_controller(r.text, c);
  }
  if (!found.library_file.empty()) line(r.text, "library", found.library_file.string());
  if (!found.sha256.empty()) line(r.text, "sha256", found.sha256);
  if (found.library) {
    add_library(r.text, found);
    const auto extra = plugin::extra_exports(*found.library);
    if (!extra.empty()) {
      line(r.text, "warning",
           fmt::format("{} exports beside the entry symbol; link with plugin-api/plugin.map",
                       extra.size()));
    }
  }
  line(r.text, "would load",
       checked ? "yes (none of its code was run)" : "no: " + checked.error().message);
  return r;
}

}  // namespace oarlock::cli
