#pragma once
// What an administrator configures for a plugin, on its way to create(). Thread: any.
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/plugin/manifest.hpp"

namespace oarlock::plugin {

/// A configuration that nobody has looked at yet.
struct given_config {
  given_config(std::string json = "{}") : text(std::move(json)) {}
  given_config(const char* json) : text(json) {}

  std::string text;            ///< JSON, or YAML of `file`
  std::filesystem::path file;  ///< empty: it is JSON
};

/// The configuration as JSON, with the defaults of the manifest's schema filled in. The error names
/// the file with line and column, the field, what was expected and what was found.
[[nodiscard]] result<std::string> check_config(const manifest& declared, const given_config& given);

/// The files of --plugin-config, by plugin.
class config_table {
 public:
  /// An entry is "myapp=/etc/oarlock/myapp.yaml"; a later one wins. The error says what was
  /// expected and found.
  [[nodiscard]] result<> add(const std::string& entry);
  /// What the plugin's file holds by now, or `otherwise` for one that has no file here. Blocks.
  [[nodiscard]] result<given_config> of(std::string_view plugin,
                                        const given_config& otherwise) const;
  /// The same for comparisons: empty where there is no file, or it cannot be read.
  [[nodiscard]] std::string text_of(std::string_view plugin) const;
  /// Of all files.
  [[nodiscard]] std::string all_texts() const;
  /// The entries as they were added.
  [[nodiscard]] const std::vector<std::string>& entries() const { return entries_; }

 private:
  std::vector<std::string> entries_;
  std::map<std::string, std::filesystem::path, std::less<>> files_;
};

}  // namespace oarlock::plugin
