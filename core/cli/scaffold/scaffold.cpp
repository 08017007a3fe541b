#include "core/cli/scaffold/scaffold.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/cli/scaffold/errors.hpp"
#include "core/cli/scaffold/file_set.hpp"
#include "core/cli/scaffold/names.hpp"
#include "core/cli/scaffold/templates.hpp"
#include "core/codegen/names.hpp"
#include "core/plugin/version.hpp"
#include "core/plugin/yaml.hpp"
#include "oarlock/abi.h"

namespace oarlock::cli {

namespace fs = std::filesystem;

namespace {

constexpr const char* project_file = "PROJECT";
constexpr const char* marker_prefix = "+oarlock:scaffold:";

struct project {
  project_names names;
  std::vector<api_names> apis;
};

template_values values_of(const project_names& p) {
  // "0.1.0" -> "0.1": what find_package is asked for.
  const std::string version(plugin::core_version());
  return {{"domain", p.domain},
          {"repo", p.repo},
          {"project", p.project},
          {"plugin", p.plugin},
          {"plugin_ns", codegen::identifier(p.plugin)},
          {"oarlock_version", version.substr(0, version.rfind('.'))},
          {"abi_major", std::to_string(OARLOCK_ABI_MAJOR)},
          {"abi_minor", std::to_string(OARLOCK_ABI_MINOR)}};
}

void add_values(const api_names& a, template_values& values) {
  values["group"] = a.group;
  values["version"] = a.version;
  values["kind"] = a.kind;
  values["lower"] = a.lower;
  values["plural"] = a.plural;
  values["ns"] = namespace_of(a.lower);
  values["group_ns"] = codegen::identifier(a.group);
  values["struct"] = codegen::struct_name(a.kind);
  values["type"] = type_of_kind(a.kind);
}

std::string replace_word(std::string path, std::string_view word, const std::string& by) {
  for (auto at = path.find(word); at != std::string::npos; at = path.find(word, at + by.size()))
    path.replace(at, word.size(), by);
  return path;
}

std::string path_for(std::string_view path, const api_names& a) {
  auto out = replace_word(std::string(path), "GROUP", a.group);
  out = replace_word(std::move(out), "VERSION", a.version);
  out = replace_word(std::move(out), "PLURAL", a.plural);
  return replace_word(std::move(out), "KIND", a.lower);
}

// The templates below `part`, rendered to their paths in the project.
result<> put_all(std::string_view part, const api_names& api, const template_values& values,
                 file_set& files) {
  for (const auto& file : template_files()) {
    if (!file.path.starts_with(part)) continue;
    auto text = render(file.text, values);
    if (!text) return text.error().within(std::string(file.path));
    files.put(path_for(file.path.substr(part.size()), api), *std::move(text));
  }
  return {};
}

// Puts `lines` before the line with the marker, once.
result<std::string> insert_lines(const std::string& path, std::string text,
                                 const std::string& marker, const std::string& lines) {
  if (text.find(lines) != std::string::npos) return text;
  const auto at = text.find(marker_prefix + marker + "\n");
  if (at == std::string::npos) {
    return error{scaffold_error::no_project,
                 fmt::format("{}: expected a line with {}{}, where these lines belong, found none; "
                             "put it back or add them by hand:\n{}",
                             path, marker_prefix, marker, lines)};
  }
  const auto line = text.rfind('\n', at);
  text.insert(line == std::string::npos ? 0 : line + 1, lines);
  return text;
}

// `insert/FILE/MARKER` of the templates. `which` says whether a FILE is wanted.
result<> insert_all(bool (*which)(std::string_view file), const template_values& values,
                    file_set& files) {
  constexpr std::string_view part = "insert/";
  for (const auto& file : template_files()) {
    if (!file.path.starts_with(part)) continue;
    const auto rest = file.path.substr(part.size());
    const std::string path(rest.substr(0, rest.rfind('/')));
    const std::string marker(rest.substr(rest.rfind('/') + 1));
    if (!which(path)) continue;
    const auto lines = render(file.text, values);
    if (!lines) return lines.error().within(std::string(file.path));
    auto before = files.text_of(path);
    if (!before) return before.error();
    auto after = insert_lines(path, *std::move(before), marker, *lines);
    if (!after) return after.error();
    files.put(path, *std::move(after));
  }
  return {};
}

result<> refuse_conflicts(const file_set& files, const std::vector<std::string>& except, bool force,
                          scaffolded& done) {
  for (auto& path : files.conflicts()) {
    if (std::find(except.begin(), except.end(), path) != except.end()) {
      done.changed.push_back(path);
    } else {
      done.overwritten.push_back(path);
    }
  }
  if (force || done.overwritten.empty()) return {};
  return error{scaffold_error::exists,
               fmt::format("these files are there already and would be overwritten: {}; nothing "
                           "was written. Move them away, or say --force",
                           fmt::join(done.overwritten, ", "))};
}

result<project> read_project(const fs::path& folder) {
  const auto file = folder / project_file;
  std::error_code none;
  if (!fs::exists(file, none)) {
    return error{scaffold_error::no_project,
                 fmt::format("expected a project (a file PROJECT) in {}, found none; `oarlock "
                             "init` makes one",
                             folder.string())};
  }
  const auto document = plugin::load_yaml(file);
  if (!document) return error{scaffold_error::no_project, document.error().message};
  plugin::yaml_reader read(file.string());
  const auto any = [](std::string_view) { return true; };
  read.expect_map(*document, "PROJECT",
                  {"layout", "domain", "repo", "projectName", "pluginName", "resources"});
  project found;
  found.names.domain = read.text(*document, "PROJECT", "domain", any, "text");
  found.names.repo = read.text(*document, "PROJECT", "repo", any, "text");
  found.names.project = read.text(*document, "PROJECT", "projectName", any, "text");
  found.names.plugin = read.text(*document, "PROJECT", "pluginName", any, "text");
  if (!read.failure()) {
    for (const auto& r : (*document)["resources"]) {
      read.expect_map(r, "resources", {"group", "version", "kind", "plural", "controller"});
      found.apis.push_back({read.text(r, "resources", "group", any, "text"),
                            read.text(r, "resources", "version", any, "text"),
                            read.text(r, "resources", "kind", any, "text"),
                            {},
                            {},
                            {}});
    }
  }
  if (read.failure()) return error{scaffold_error::no_project, read.failure()->message};
  return found;
}

// One kind once: its files are named after it.
result<bool> is_known(const project& p, const api_names& api, bool force) {
  for (const auto& known : p.apis) {
    if (known.kind != api.kind) continue;
    if (known.group != api.group || known.version != api.version) {
      return error{scaffold_error::exists,
                   fmt::format("the project has the kind {} already, as {}/{}; another version of "
                               "it goes into its CRD by hand, another group into a project of its "
                               "own",
                               known.kind, known.group, known.version)};
    }
    if (force) return true;
    return error{scaffold_error::exists,
                 fmt::format("the project has {}/{}, kind {}, already; --force writes its files "
                             "anew",
                             api.group, api.version, api.kind)};
  }
  return false;
}

std::vector<std::string> paths_with_markers() {
  std::vector<std::string> paths;
  for (const auto& file : template_files()) {
    if (!file.path.starts_with("insert/")) continue;
    const auto rest = file.path.substr(7);
    paths.emplace_back(rest.substr(0, rest.rfind('/')));
  }
  return paths;
}

result<> put_api(const api_names& api, const api_options& options, const template_values& values,
                 file_set& files) {
  if (options.resource) {
    if (auto ok = put_all("api/", api, values, files); !ok) return ok.error();
  }
  if (options.controller) {
    if (auto ok = put_all("controller/", api, values, files); !ok) return ok.error();
    const auto all_but_project = [](std::string_view file) { return file != project_file; };
    if (auto ok = insert_all(all_but_project, values, files); !ok) return ok.error();
  }
  if (options.resource && options.controller)
    return put_all("kind_and_controller/", api, values, files);
  return {};
}

}  // namespace

result<scaffolded> init_project(const fs::path& folder, const init_options& options) {
  const auto here = fs::absolute(folder).lexically_normal();
  const auto last = here.has_filename() ? here.filename() : here.parent_path().filename();
  const auto names =
      name_project(options.domain, options.repo, options.project_name, last.string());
  if (!names) return names.error();
  file_set files(folder);
  if (auto ok = put_all("project/", {}, values_of(*names), files); !ok) return ok.error();
  scaffolded done;
  if (files.exists(project_file) && !options.force) {
    return error{scaffold_error::exists,
                 "there is a project here already (a file PROJECT): `oarlock create api` adds a "
                 "kind to it"};
  }
  if (auto ok = refuse_conflicts(files, {}, options.force, done); !ok) return ok.error();
  done.created = files.missing();
  if (auto ok = files.write(); !ok) return ok.error();
  return done;
}

result<scaffolded> create_api(const fs::path& folder, const api_options& options) {
  const auto project = read_project(folder);
  if (!project) return project.error();
  const auto api =
      name_api(project->names.domain, options.group, options.version, options.kind, options.plural);
  if (!api) return api.error();
  const auto known = is_known(*project, *api, options.force);
  if (!known) return known.error();
  auto values = values_of(project->names);
  add_values(*api, values);
  values["has_controller"] = options.controller ? "true" : "false";
  file_set files(folder);
  if (auto ok = put_api(*api, options, values, files); !ok) return ok.error();
  if (!*known) {
    const auto only_project = [](std::string_view file) { return file == project_file; };
    if (auto ok = insert_all(only_project, values, files); !ok) return ok.error();
  }
  scaffolded done;
  if (!api->notice.empty()) done.notices.push_back(api->notice);
  if (options.controller && !options.resource) {
    done.notices.push_back(fmt::format(
        "src/{}/plan.hpp includes the structs that the build makes of the kind's CRD: put that "
        "into crds/, or write it with --resource",
        api->lower));
  }
  if (auto ok = refuse_conflicts(files, paths_with_markers(), options.force, done); !ok)
    return ok.error();
  done.created = files.missing();
  if (auto ok = files.write(); !ok) return ok.error();
  return done;
}

}  // namespace oarlock::cli
