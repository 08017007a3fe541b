#pragma once
// YAML of trusted local files: plugin.yaml and the CRDs beside it. Cluster data and plugin images
// are JSON and never come here.
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace oarlock::plugin {

/// The one document of a file of at most limits::yaml_file_bytes_max. Errors carry file, line and
/// column.
[[nodiscard]] result<YAML::Node> load_yaml(const std::filesystem::path& file);

/// The same of a text that `file` held.
[[nodiscard]] result<YAML::Node> parse_yaml(const std::string& text,
                                            const std::filesystem::path& file);

/// The document as compact JSON, by YAML 1.2's rules for plain scalars. Words on which YAML 1.1 and
/// 1.2 disagree (yes, off, 0123) must be quoted; duplicate keys and foreign tags are errors.
[[nodiscard]] result<std::string> yaml_to_json(const YAML::Node& document, const std::string& file);

/// A place in a document: keys, and indexes as digits.
using doc_path = std::vector<std::string>;
/// "spec.versions[0].name"; empty of the whole document.
[[nodiscard]] std::string path_text(const doc_path& path);
/// Where a path stands, or the deepest part of it that is there. Null for what is from JSON.
[[nodiscard]] YAML::Mark mark_of(const YAML::Node& document, const doc_path& path);
/// The error at that place: "<file>:<line>:<column>: <message>".
[[nodiscard]] error error_at(const std::string& file, const YAML::Node& document,
                             const doc_path& path, const std::string& message);

/// Reads maps strictly and keeps the first error: the reads after it return nothing useful, so that
/// a reader checks once at its end. `file` goes in front of every message.
class yaml_reader {
 public:
  explicit yaml_reader(std::string file) : file_(std::move(file)) {}

  /// Expects a map with no other keys than these. `path` is how messages call it: "spec.abi".
  bool expect_map(const YAML::Node& node, std::string_view path,
                  std::initializer_list<std::string_view> known);
  /// Expects a list of 1 (or 0, unless `needs_one`) to `items_max` items.
  bool expect_list(const YAML::Node& node, std::string_view path, std::size_t items_max,
                   bool needs_one);
  /// A member that must be there.
  YAML::Node required(const YAML::Node& map, std::string_view path, const std::string& key);
  /// Text that must be there and match: `describe` says in words what `pattern` demands.
  std::string text(const YAML::Node& map, std::string_view path, const std::string& key,
                   bool (*matches)(std::string_view), std::string_view describe);
  /// An integer within bounds; `fallback` when it is absent, unless there is none.
  std::int64_t integer(const YAML::Node& map, std::string_view path, const std::string& key,
                       std::int64_t lowest, std::int64_t highest,
                       std::optional<std::int64_t> fallback = std::nullopt);
  /// The same of a node that is there; `where` names it.
  std::int64_t integer_at(const YAML::Node& value, std::string_view where, std::int64_t lowest,
                          std::int64_t highest);

  /// true or false; false when it is absent.
  bool flag(const YAML::Node& map, std::string_view path, const std::string& key);

  /// Records "<file>:<line>:<column>: <message>" unless an error came before.
  void fail(const YAML::Node& at, const std::string& message);
  /// Records an error that has its place already.
  void fail(const error& placed);
  [[nodiscard]] const std::optional<error>& failure() const { return failure_; }

 private:
  std::string file_;
  std::optional<error> failure_;
};

}  // namespace oarlock::plugin
