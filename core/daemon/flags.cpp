#include "core/daemon/flags.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <sstream>

#include "core/base/limits.hpp"
#include "core/json/utf8.hpp"

namespace oarlock::daemon {

namespace {

constexpr int usage_error = 2;
constexpr std::size_t near_chars_max = 100;

error bad_file(const std::filesystem::path& file, const YAML::Mark& at, const std::string& why) {
  // YAML-cpp counts from 0, people and editors from 1.
  return {option_error::bad_value,
          fmt::format("{}:{}:{}: {}", file.string(), at.line + 1, at.column + 1, why)};
}

const setting* find_setting(const std::string& name) {
  for (const auto& s : all_settings()) {
    if (name == s.name) return &s;
  }
  return nullptr;
}

// How many letters must be typed, left out or replaced to get from `a` to `b` (Levenshtein).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0U);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto replaced = diagonal + (a[i] == b[j] ? 0U : 1U);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// "; did you mean X?", or nothing when no name is near.
std::string nearest_name(const std::string& typed) {
  if (typed.size() > near_chars_max) return {};
  const setting* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(2, typed.size() / 3) + 1;
  for (const auto& s : all_settings()) {
    const auto distance = edit_distance(typed, s.name);
    if (distance >= best_distance) continue;
    best = &s;
    best_distance = distance;
  }
  return best == nullptr ? std::string() : fmt::format("; did you mean {}?", best->name);
}

std::string known_names() {
  std::string names;
  for (const auto& s : all_settings())
    names += (names.empty() ? "" : ", ") + std::string(s.name);
  return names;
}

result<std::string> slurp(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::error_code ec;
  if (!in || std::filesystem::is_directory(file, ec)) {
    return error{option_error::bad_value,
                 fmt::format("config: expected a readable file, found none at {}", file.string())};
  }
  std::ostringstream text;
  text << in.rdbuf();
  if (text.view().size() > limits::yaml_file_bytes_max) {
    return error{option_error::bad_value,
                 fmt::format("config: expected at most {} bytes in {}, found {}",
                             limits::yaml_file_bytes_max, file.string(), text.view().size())};
  }
  return std::move(text).str();
}

result<> apply_scalar(const std::filesystem::path& file, const setting& s, const YAML::Node& value,
                      options& o) {
  if (!value.IsScalar()) {
    return bad_file(file, value.Mark(), fmt::format("{}: expected one value", s.name));
  }
  auto done = s.set(o, value.Scalar());
  if (!done) {
    return bad_file(file, value.Mark(), fmt::format("{}: {}", s.name, done.error().message));
  }
  return {};
}

result<> apply_entry(const std::filesystem::path& file, const setting& s, const YAML::Node& value,
                     options& o) {
  if (s.kind != setting_kind::list) return apply_scalar(file, s, value, o);
  if (!value.IsSequence()) {
    return bad_file(file, value.Mark(), fmt::format("{}: expected a list", s.name));
  }
  for (const auto& item : value) {
    if (auto done = apply_scalar(file, s, item, o); !done) return done;
  }
  return {};
}

// A command line as CLI11 read it: the text of each setting that was given.
struct raw_flags {
  std::string config;
  bool print_config = false;
  std::map<std::string, std::string> texts;
  std::map<std::string, std::vector<std::string>> lists;
};

void declare(CLI::App& app, raw_flags& raw) {
  app.add_option("--config", raw.config, "YAML file with the settings below as keys; flags win")
      ->type_name("FILE");
  for (const auto& s : all_settings()) {
    const auto flag = std::string("--") + s.name;
    if (s.kind == setting_kind::boolean) {
      app.add_flag(flag, raw.texts[s.name], s.help)->type_name("true|false");
    } else if (s.kind == setting_kind::list) {
      // One value per flag, or it would swallow what follows.
      app.add_option(flag, raw.lists[s.name], s.help)
          ->type_name(s.value_name)
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    } else {
      app.add_option(flag, raw.texts[s.name], s.help)->type_name(s.value_name);
    }
  }
  app.add_flag("--print-config", raw.print_config, "Print the effective configuration and exit");
}

result<> apply_flags(const CLI::App& app, const raw_flags& raw, std::vector<std::string>& given,
                     options& o) {
  for (const auto& s : all_settings()) {
    if (app.get_option(std::string("--") + s.name)->count() == 0) continue;
    given.emplace_back(s.name);
    const auto list = raw.lists.find(s.name);
    const auto values =
        list != raw.lists.end() ? list->second : std::vector<std::string>{raw.texts.at(s.name)};
    for (const auto& value : values) {
      // A file cannot say it otherwise, and what is printed has to read back.
      if (const auto at = json::first_not_utf8(value)) {
        return error{option_error::bad_value,
                     fmt::format("--{}: expected UTF-8, found byte 0x{:02x} at offset {}", s.name,
                                 static_cast<unsigned char>(value[*at]), *at)};
      }
      if (auto done = s.set(o, value); !done) {
        return error{option_error::bad_value,
                     fmt::format("--{}: {}", s.name, done.error().message)};
      }
    }
  }
  return {};
}

parsed_flags fail(const std::string& why) {
  return {.exit_code = usage_error, .err = "oarlockd: " + why + "\n"};
}

}  // namespace

result<> read_config_file(const std::filesystem::path& file, const std::vector<std::string>& except,
                          options& o) {
  auto text = slurp(file);
  if (!text) return text.error();
  if (!json::is_yaml_text(*text)) {
    return bad_file(file, {}, "expected UTF-8 text without control characters");
  }
  YAML::Node root;
  try {
    root = YAML::Load(*text);
  } catch (const YAML::Exception& e) {
    return bad_file(file, e.mark, "expected YAML, found: " + e.msg);
  }
  if (root.IsNull()) return {};
  if (!root.IsMap()) return bad_file(file, root.Mark(), "expected a map of settings");
  std::set<std::string> seen;
  for (const auto& entry : root) {
    const auto name = entry.first.IsScalar() ? entry.first.Scalar() : std::string();
    const auto* s = find_setting(name);
    if (s == nullptr) {
      return bad_file(file, entry.first.Mark(),
                      fmt::format("expected one of {}; found \"{}\"{}", known_names(), name,
                                  nearest_name(name)));
    }
    if (!seen.insert(name).second) {
      return bad_file(file, entry.first.Mark(),
                      fmt::format("{}: expected once, found again", name));
    }
    // A mistake in an entry that a flag overrides is still a mistake.
    options unused;
    const bool overridden = std::find(except.begin(), except.end(), name) != except.end();
    if (auto done = apply_entry(file, *s, entry.second, overridden ? unused : o); !done)
      return done;
  }
  return {};
}

parsed_flags parse_flags(const std::vector<std::string>& args, const std::string& version,
                         const std::string& pod_namespace) {
  CLI::App app("Runs Kubernetes operators that are plugins.", "oarlockd");
  app.set_version_flag("--version", "oarlockd " + version);
  raw_flags raw;
  declare(app, raw);
  try {
    std::vector<std::string> reversed(args.rbegin(), args.rend());  // as CLI11 wants it
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& e) {
    std::ostringstream out;
    std::ostringstream err;
    const bool asked = app.exit(e, out, err) == 0;  // --help and --version arrive here too
    return {.exit_code = asked ? 0 : usage_error, .out = out.str(), .err = err.str()};
  }
  options o;
  o.config_file = raw.config;
  std::vector<std::string> given;
  if (auto done = apply_flags(app, raw, given, o); !done) return fail(done.error().message);
  if (!raw.config.empty()) {
    if (auto done = read_config_file(raw.config, given, o); !done) {
      return fail(done.error().message);
    }
  }
  if (auto done = complete(o, pod_namespace); !done) return fail(done.error().message);
  if (raw.print_config) return {.out = to_yaml(o)};
  return {.run = std::move(o)};
}

}  // namespace oarlock::daemon
