#include "core/plugin/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "core/json/parse.hpp"
#include "core/plugin/config_schema.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/json_node.hpp"
#include "core/plugin/yaml.hpp"

namespace oarlock::plugin {

namespace {

constexpr std::string_view manifest_version = "oarlock.dev/v1alpha1";
constexpr std::string_view manifest_kind = "PluginManifest";
constexpr std::size_t controllers_max = 32;
constexpr std::size_t kinds_max = 64;
constexpr std::size_t ports_max = 16;
constexpr std::int64_t abi_max = 65535;
constexpr std::int64_t concurrent_reconciles_max = 1000;
constexpr std::int64_t reconcile_timeout_max = 3600;
constexpr std::size_t name_max = 63;

constexpr std::string_view lower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view digit = "0123456789";

bool holds(std::string_view set, char c) {
  return set.find(c) != std::string_view::npos;
}
bool is_lower_or_digit(char c) {
  return holds(lower, c) || holds(digit, c);
}
bool is_alphanumeric(char c) {
  return is_lower_or_digit(c) || holds(upper, c);
}

// RFC 1123 label. It becomes part of field managers, finalizers and ServiceAccount names.
bool is_name(std::string_view s) {
  return !s.empty() && s.size() <= name_max && is_lower_or_digit(s.front()) &&
         is_lower_or_digit(s.back()) &&
         std::all_of(s.begin(), s.end(), [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

bool is_version(std::string_view s) {
  return !s.empty() && s.size() <= name_max && is_alphanumeric(s.front()) &&
         std::all_of(s.begin(), s.end(),
                     [](char c) { return is_alphanumeric(c) || holds(".-+", c); });
}

bool is_file_name(std::string_view s) {
  return s.size() > 3 && s.size() <= 255 && s.ends_with(".so") && s.front() != '.' &&
         std::all_of(s.begin(), s.end(),
                     [](char c) { return is_alphanumeric(c) || holds("._-+", c); });
}

bool is_dns_name(std::string_view s) {
  return !s.empty() && s.size() <= 253 && is_lower_or_digit(s.front()) &&
         is_lower_or_digit(s.back()) && s.find("..") == std::string_view::npos &&
         std::all_of(s.begin(), s.end(),
                     [](char c) { return is_lower_or_digit(c) || holds(".-", c); });
}

bool is_api_version(std::string_view s) {
  const std::size_t slash = s.find('/');
  if (slash == std::string_view::npos) return is_name(s);
  return is_dns_name(s.substr(0, slash)) && is_name(s.substr(slash + 1));
}

bool is_kind(std::string_view s) {
  return !s.empty() && s.size() <= name_max && holds(upper, s.front()) &&
         std::all_of(s.begin(), s.end(), is_alphanumeric);
}

bool is_label_key(std::string_view s) {
  const std::size_t slash = s.find('/');
  if (slash != std::string_view::npos && !is_dns_name(s.substr(0, slash))) return false;
  const std::string_view name = slash == std::string_view::npos ? s : s.substr(slash + 1);
  return !name.empty() && name.size() <= name_max && is_alphanumeric(name.front()) &&
         is_alphanumeric(name.back()) && std::all_of(name.begin(), name.end(), [](char c) {
           return is_alphanumeric(c) || holds("._-", c);
         });
}

// RFC 6901, of an object's member: not the whole document.
bool is_pointer(std::string_view s) {
  if (s.size() < 2 || s.size() > 1024 || s.front() != '/') return false;
  for (std::size_t at = s.find('~'); at != std::string_view::npos; at = s.find('~', at + 1)) {
    if (at + 1 == s.size() || (s[at + 1] != '0' && s[at + 1] != '1')) return false;
  }
  return std::all_of(s.begin(), s.end(),
                     [](char c) { return static_cast<unsigned char>(c) > 0x20; });
}

bool is_name_pattern(std::string_view s) {
  std::string filled(s);
  constexpr std::string_view hole = "{name}";
  for (auto at = filled.find(hole); at != std::string::npos; at = filled.find(hole, at))
    filled.replace(at, hole.size(), "x");
  return is_dns_name(filled);
}

bool is_line(std::string_view s) {
  return s.size() <= 1024 && std::all_of(s.begin(), s.end(), [](char c) {
           return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
         });
}

bool is_selector(std::string_view s) {
  return !s.empty() && is_line(s);
}
bool is_manifest_version(std::string_view s) {
  return s == manifest_version;
}
bool is_manifest_kind(std::string_view s) {
  return s == manifest_kind;
}
bool is_scope(std::string_view s) {
  return s == "Namespaced" || s == "Cluster";
}

class manifest_reader {
 public:
  explicit manifest_reader(const std::string& file) : file_(file), yaml_(file) {}

  result<manifest> read(const YAML::Node& root) {
    manifest m;
    if (yaml_.expect_map(root, "the manifest", {"apiVersion", "kind", "metadata", "spec"})) {
      yaml_.text(root, "manifest", "apiVersion", is_manifest_version, manifest_version);
      yaml_.text(root, "manifest", "kind", is_manifest_kind, manifest_kind);
      const YAML::Node metadata = yaml_.required(root, "the manifest", "metadata");
      if (yaml_.expect_map(metadata, "metadata", {"name"})) {
        m.name = yaml_.text(metadata, "metadata", "name", is_name, name_rule);
      }
      read_spec(yaml_.required(root, "the manifest", "spec"), m);
    }
    if (yaml_.failure()) return *yaml_.failure();
    return m;
  }

 private:
  static constexpr std::string_view name_rule =
      "at most 63 lower-case letters, digits and '-', with no '-' at either end";

  void read_spec(const YAML::Node& spec, manifest& m) {
    if (!yaml_.expect_map(spec, "spec",
                          {"version", "description", "library", "abi", "configSchema", "network",
                           "controllers"})) {
      return;
    }
    m.version = yaml_.text(spec, "spec", "version", is_version, "a version such as 0.1.0");
    if (spec["description"].IsDefined()) {
      m.description = yaml_.text(spec, "spec", "description", is_line, "one line of text");
    }
    m.library = yaml_.text(spec, "spec", "library", is_file_name,
                           "the name of a file beside plugin.yaml, such as libmyapp.so");
    const YAML::Node abi = yaml_.required(spec, "spec", "abi");
    if (yaml_.expect_map(abi, "spec.abi", {"major", "minor"})) {
      m.abi_major = static_cast<std::uint32_t>(yaml_.integer(abi, "spec.abi", "major", 0, abi_max));
      m.abi_minor = static_cast<std::uint32_t>(yaml_.integer(abi, "spec.abi", "minor", 0, abi_max));
    }
    if (spec["configSchema"].IsDefined()) m.config_schema = config_schema(spec["configSchema"]);
    if (spec["network"].IsDefined()) read_network(spec["network"], m);
    const YAML::Node controllers = yaml_.required(spec, "spec", "controllers");
    if (!yaml_.expect_list(controllers, "spec.controllers", controllers_max, true)) return;
    std::set<std::string> names;
    for (std::size_t i = 0; i < controllers.size() && !yaml_.failure(); ++i) {
      auto one = read_controller(controllers[i], fmt::format("spec.controllers[{}]", i), m.name);
      if (!names.insert(one.name).second) {
        yaml_.fail(controllers[i],
                   fmt::format("expected each controller once, found \"{}\" twice", one.name));
      }
      m.controllers.push_back(std::move(one));
    }
  }

  void read_network(const YAML::Node& network, manifest& m) {
    if (!yaml_.expect_map(network, "spec.network", {"connectPorts"})) return;
    const YAML::Node ports = yaml_.required(network, "spec.network", "connectPorts");
    if (!yaml_.expect_list(ports, "spec.network.connectPorts", ports_max, true)) return;
    std::set<std::uint16_t> all;
    for (std::size_t i = 0; i < ports.size(); ++i) {
      const auto where = fmt::format("spec.network.connectPorts[{}]", i);
      all.insert(static_cast<std::uint16_t>(yaml_.integer_at(ports[i], where, 1, 65535)));
    }
    m.connect_ports.assign(all.begin(), all.end());
  }

  // In JSON.
  std::string config_schema(const YAML::Node& node) {
    if (yaml_.failure()) return {};
    const auto json = yaml_to_json(node, file_);
    if (!json) {
      yaml_.fail(json.error());
      return {};
    }
    const auto schema = json::parse(*json);
    if (!schema) {
      yaml_.fail(node, "spec.configSchema: " + schema.error().message);
    } else if (const auto wrong = fault_of_schema(*schema)) {
      const auto where = path_text(wrong->path);
      yaml_.fail(error_at(file_, node, wrong->path,
                          fmt::format("spec.configSchema{}{}: {}", where.empty() ? "" : ".", where,
                                      wrong->message)));
    }
    return *json;
  }

  controller::controller_spec read_controller(const YAML::Node& node, const std::string& path,
                                              const std::string& plugin) {
    controller::controller_spec c;
    c.plugin = plugin;
    if (!yaml_.expect_map(node, path,
                          {"name", "primary", "owns", "watches", "reads", "maxConcurrentReconciles",
                           "finalizer", "reconcileTimeoutSeconds"})) {
      return c;
    }
    c.name = yaml_.text(node, path, "name", is_name, name_rule);
    const YAML::Node primary = yaml_.required(node, path, "primary");
    const std::string primary_path = path + ".primary";
    if (yaml_.expect_map(primary, primary_path, {"apiVersion", "kind", "plural", "scope"})) {
      c.primary = read_resource(primary, primary_path);
      refuse_secret(primary, primary_path, c.primary);
    }
    read_owns(node["owns"], path + ".owns", c);
    read_watches(node["watches"], path + ".watches", c);
    read_reads(node["reads"], path + ".reads", c);
    c.max_concurrent_reconciles = static_cast<std::size_t>(
        yaml_.integer(node, path, "maxConcurrentReconciles", 1, concurrent_reconciles_max, 16));
    c.reconcile_timeout = std::chrono::seconds(
        yaml_.integer(node, path, "reconcileTimeoutSeconds", 1, reconcile_timeout_max, 60));
    c.finalizer = yaml_.flag(node, path, "finalizer");
    return c;
  }

  // Secrets stay out of the shared cache: as children they are read by name, otherwise not at all.
  static bool is_secret(const kube::resource& r) { return r.group.empty() && r.kind == "Secret"; }

  void refuse_secret(const YAML::Node& at, const std::string& path, const kube::resource& r) {
    if (!is_secret(r)) return;
    yaml_.fail(at, fmt::format("expected {} to be another kind than Secret, which is not cached; "
                               "list it under owns",
                               path));
  }

  void read_owns(const YAML::Node& list, const std::string& path, controller::controller_spec& c) {
    if (!yaml_.expect_list(list, path, kinds_max, false)) return;
    for (std::size_t i = 0; i < list.size() && !yaml_.failure(); ++i) {
      const std::string item = fmt::format("{}[{}]", path, i);
      if (!yaml_.expect_map(list[i], item, {"apiVersion", "kind", "plural", "scope", "uncached"})) {
        return;
      }
      auto resource = read_resource(list[i], item);
      const auto in = [&](const auto& all) {
        return std::find(all.begin(), all.end(), resource) != all.end();
      };
      const bool is_twice = in(c.owns) || in(c.owns_uncached);
      if (is_twice || resource == c.primary) {
        yaml_.fail(list[i], fmt::format("expected each kind once and not the primary, found {}",
                                        resource.name()));
      }
      const bool uncached = yaml_.flag(list[i], item, "uncached") || is_secret(resource);
      (uncached ? c.owns_uncached : c.owns).push_back(std::move(resource));
    }
  }

  void read_watches(const YAML::Node& list, const std::string& path,
                    controller::controller_spec& c) {
    if (!yaml_.expect_list(list, path, kinds_max, false)) return;
    for (std::size_t i = 0; i < list.size() && !yaml_.failure(); ++i) {
      const std::string item = fmt::format("{}[{}]", path, i);
      if (!yaml_.expect_map(list[i], item,
                            {"apiVersion", "kind", "plural", "scope", "labelSelector", "mapByLabel",
                             "mapByOwner", "mapByPointer", "predicates", "writes"})) {
        return;
      }
      controller::watch_spec watch;
      watch.resource = read_resource(list[i], item);
      refuse_secret(list[i], item, watch.resource);
      if (list[i]["labelSelector"].IsDefined()) {
        watch.label_selector =
            yaml_.text(list[i], item, "labelSelector", is_selector, "a label selector");
      }
      read_mapping(list[i], item, c.primary, watch);
      read_predicates(list[i]["predicates"], item + ".predicates", watch);
      read_writes(list[i]["writes"], item + ".writes", watch);
      c.watches.push_back(std::move(watch));
    }
  }

  // Of Secrets only those whose names are given.
  void read_reads(const YAML::Node& list, const std::string& path, controller::controller_spec& c) {
    if (!yaml_.expect_list(list, path, kinds_max, false)) return;
    for (std::size_t i = 0; i < list.size() && !yaml_.failure(); ++i) {
      const std::string item = fmt::format("{}[{}]", path, i);
      if (!yaml_.expect_map(list[i], item,
                            {"apiVersion", "kind", "plural", "scope", "names", "namesFrom"})) {
        return;
      }
      controller::read_spec read;
      read.resource = read_resource(list[i], item);
      read_texts(list[i]["names"], item + ".names", is_name_pattern,
                 "a name, in which {name} is the primary's", read.names);
      read_texts(list[i]["namesFrom"], item + ".namesFrom", is_pointer,
                 "a JSON pointer such as /spec/secretName", read.pointers);
      if (is_secret(read.resource) && read.names.empty() && read.pointers.empty()) {
        yaml_.fail(list[i], fmt::format("expected names or namesFrom in {}: Secrets are read by "
                                        "names that are known",
                                        item));
      }
      const bool is_twice = std::any_of(c.reads.begin(), c.reads.end(), [&](const auto& other) {
        return other.resource.name() == read.resource.name();
      });
      if (is_twice) {
        yaml_.fail(list[i],
                   fmt::format("expected each kind once, found {} twice", read.resource.name()));
      }
      c.reads.push_back(std::move(read));
    }
  }

  void read_texts(const YAML::Node& list, const std::string& path,
                  bool (*is_well)(std::string_view), const char* rule,
                  std::vector<std::string>& out) {
    if (!list.IsDefined() || !yaml_.expect_list(list, path, kinds_max, true)) return;
    for (const auto& item : list) {
      const std::string text = item.IsScalar() ? item.Scalar() : "";
      if (!is_well(text)) {
        yaml_.fail(item, fmt::format("expected {} to list {}, found \"{}\"", path, rule, text));
      }
      out.push_back(text);
    }
  }

  // Exactly one way from the object to its primaries.
  void read_mapping(const YAML::Node& node, const std::string& path, const kube::resource& primary,
                    controller::watch_spec& watch) {
    const bool by_label = node["mapByLabel"].IsDefined();
    const bool by_pointer = node["mapByPointer"].IsDefined();
    watch.map_by_owner = yaml_.flag(node, path, "mapByOwner");
    if ((by_label ? 1 : 0) + (by_pointer ? 1 : 0) + (watch.map_by_owner ? 1 : 0) != 1) {
      yaml_.fail(node, fmt::format("expected exactly one of mapByLabel, mapByOwner: true and "
                                   "mapByPointer in {}",
                                   path));
      return;
    }
    if (by_label) {
      watch.map_by_label = yaml_.text(node, path, "mapByLabel", is_label_key,
                                      "the key of the label whose value is the primary's name");
    }
    if (!by_pointer) return;
    watch.map_by_pointer = yaml_.text(node, path, "mapByPointer", is_pointer,
                                      "a JSON pointer such as /spec/configName");
    if (watch.resource.namespaced != primary.namespaced) {
      yaml_.fail(node["mapByPointer"],
                 fmt::format("expected {} to be of the same scope as the primary: mapByPointer "
                             "names an object of the primary's own namespace",
                             path));
    }
  }

  void read_predicates(const YAML::Node& list, const std::string& path,
                       controller::watch_spec& watch) {
    if (!list.IsDefined() || !yaml_.expect_list(list, path, 3, true)) return;
    for (const auto& item : list) {
      const std::string name = item.IsScalar() ? item.Scalar() : "";
      bool* const chosen = name == "generation"    ? &watch.on_generation
                           : name == "labels"      ? &watch.on_labels
                           : name == "annotations" ? &watch.on_annotations
                                                   : nullptr;
      if (chosen != nullptr) {
        *chosen = true;
        continue;
      }
      yaml_.fail(item, fmt::format("expected {} to list generation, labels or annotations, found "
                                   "\"{}\"",
                                   path, name));
    }
  }

  void read_writes(const YAML::Node& list, const std::string& path, controller::watch_spec& watch) {
    if (!list.IsDefined() || !yaml_.expect_list(list, path, 2, true)) return;
    for (const auto& verb : list) {
      const std::string name = verb.IsScalar() ? verb.Scalar() : "";
      watch.may_patch = watch.may_patch || name == "patch";
      watch.may_delete = watch.may_delete || name == "delete";
      if (name == "patch" || name == "delete") continue;
      yaml_.fail(verb,
                 fmt::format("expected {} to list patch or delete, found \"{}\"", path, name));
    }
  }

  kube::resource read_resource(const YAML::Node& node, const std::string& path) {
    kube::resource r;
    const std::string version = yaml_.text(node, path, "apiVersion", is_api_version,
                                           "an API version such as apps/v1 or v1");
    const std::size_t slash = version.find('/');
    r.group = slash == std::string::npos ? "" : version.substr(0, slash);
    r.version = slash == std::string::npos ? version : version.substr(slash + 1);
    r.kind = yaml_.text(node, path, "kind", is_kind, "a kind such as Deployment");
    r.plural = yaml_.text(node, path, "plural", is_name, "a plural such as deployments");
    if (!yaml_.failure() && node["scope"].IsDefined()) {
      r.namespaced =
          yaml_.text(node, path, "scope", is_scope, "Namespaced or Cluster") != "Cluster";
    }
    return r;
  }

  std::string file_;
  yaml_reader yaml_;
};

}  // namespace

result<manifest> read_manifest(const std::filesystem::path& file) {
  const auto root = file.extension() == ".json" ? load_json(file) : load_yaml(file);
  if (!root) return root.error();
  try {
    return manifest_reader(file.string()).read(*root);
  } catch (const YAML::Exception& e) {
    return error{plugin_error::bad_manifest,
                 fmt::format("{}: expected a plugin manifest, found: {}", file.string(), e.what())};
  }
}

std::filesystem::path manifest_beside(const std::filesystem::path& path) {
  std::error_code none;
  if (path.filename() == "plugin.yaml" || path.filename() == "plugin.json") return path;
  const auto folder = std::filesystem::is_directory(path, none) ? path : path.parent_path();
  const bool is_image = !std::filesystem::exists(folder / "plugin.yaml", none) &&
                        std::filesystem::exists(folder / "plugin.json", none);
  return folder / (is_image ? "plugin.json" : "plugin.yaml");
}

std::vector<std::string> controllers_of(const manifest& declared) {
  std::vector<std::string> out;
  for (const auto& c : declared.controllers)
    out.push_back(c.name);
  return out;
}

}  // namespace oarlock::plugin
