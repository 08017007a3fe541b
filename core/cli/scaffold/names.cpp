#include "core/cli/scaffold/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/cli/scaffold/errors.hpp"
#include "core/codegen/names.hpp"

namespace oarlock::cli {

namespace {

constexpr std::size_t label_chars_max = 63;
constexpr std::size_t subdomain_chars_max = 253;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_label(std::string_view s) {
  const auto inside = [](char c) { return is_lower(c) || is_digit(c) || c == '-'; };
  return !s.empty() && s.size() <= label_chars_max && s.front() != '-' && s.back() != '-' &&
         std::all_of(s.begin(), s.end(), inside);
}

// Labels between dots.
bool is_subdomain(std::string_view s) {
  if (s.size() > subdomain_chars_max) return false;
  for (;;) {
    const auto dot = s.find('.');
    if (!is_label(s.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    s.remove_prefix(dot + 1);
  }
}

error bad_name(const char* flag, const std::string& expected, std::string_view found) {
  return {scaffold_error::bad_name,
          fmt::format("{}: expected {}, found \"{}\"", flag, expected, found)};
}

// v1, v1alpha1, v2beta3: what Kubernetes sorts by stability.
bool is_version(std::string_view s) {
  const auto digits = [&s] {
    std::size_t n = 0;
    while (n < s.size() && is_digit(s[n]))
      ++n;
    const bool number = n > 0 && s[0] != '0';
    s.remove_prefix(n);
    return number;
  };
  if (!s.starts_with('v')) return false;
  s.remove_prefix(1);
  if (!digits()) return false;
  if (s.empty()) return true;
  for (const std::string_view stage : {"alpha", "beta"}) {
    if (!s.starts_with(stage)) continue;
    s.remove_prefix(stage.size());
    return digits() && s.empty();
  }
  return false;
}

// "my-app", "myApp" and "my_app" as a kind: MyApp.
std::string camel_case(std::string_view text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    const bool letter = is_lower(c) || is_upper(c);
    if (!letter && !is_digit(c)) {
      begins = true;
      continue;
    }
    if (out.empty() && !letter) continue;
    out += begins && is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
    begins = false;
  }
  return out;
}

result<> check_kind(const std::string& kind) {
  const auto inside = [](char c) { return is_lower(c) || is_upper(c) || is_digit(c); };
  const bool shouts = kind.size() > 1 && std::none_of(kind.begin(), kind.end(), is_lower);
  if (!kind.empty() && kind.size() <= label_chars_max && is_upper(kind.front()) && !shouts &&
      std::all_of(kind.begin(), kind.end(), inside)) {
    return {};
  }
  const auto better = shouts ? std::string() : camel_case(kind);
  return bad_name("--kind",
                  "a name in CamelCase of at most 63 letters and digits, such as " +
                      (better.empty() || better.size() > label_chars_max ? "MyApp" : better),
                  kind);
}

// Groups of Kubernetes itself need an approval that only its community gives.
result<> check_reserved(const std::string& group) {
  for (const std::string_view owner : {"k8s.io", "kubernetes.io"}) {
    if (group != owner && !group.ends_with("." + std::string(owner))) continue;
    return bad_name(
        "--group",
        fmt::format("a group of your own: {} and all below it belong to Kubernetes", owner), group);
  }
  return {};
}

std::string without_suffix(const std::string& name) {
  constexpr std::string_view suffix = "-operator";
  const bool has = name.size() > suffix.size() && name.ends_with(suffix);
  return has ? name.substr(0, name.size() - suffix.size()) : name;
}

bool is_repo(std::string_view s) {
  const auto inside = [](char c) {
    return is_lower(c) || is_upper(c) || is_digit(c) ||
           std::string_view("-._~/").find(c) != std::string_view::npos;
  };
  return !s.empty() && s.front() != '/' && s.back() != '/' && s.find("//") == s.npos &&
         s.find("..") == s.npos && std::all_of(s.begin(), s.end(), inside);
}

}  // namespace

std::string plural_of(std::string_view kind) {
  std::string s(kind);
  const auto ends = [&s](std::string_view with) { return s.ends_with(with); };
  if (ends("s") || ends("x") || ends("z") || ends("ch") || ends("sh")) return s + "es";
  constexpr std::string_view vowels = "aeiou";
  const bool vowel = s.size() > 1 && vowels.find(s[s.size() - 2]) != vowels.npos;
  if (ends("y") && s.size() > 1 && !vowel) return s.substr(0, s.size() - 1) + "ies";
  return s + "s";
}

std::string namespace_of(std::string_view lower_kind) {
  static constexpr std::array<std::string_view, 60> words = {
      "alignas",  "and",      "asm",      "auto",     "bool",     "break",   "case",    "catch",
      "char",     "class",    "concept",  "const",    "continue", "default", "delete",  "do",
      "double",   "else",     "enum",     "explicit", "export",   "extern",  "false",   "float",
      "for",      "friend",   "goto",     "if",       "inline",   "int",     "json",    "long",
      "mutable",  "new",      "not",      "oarlock",  "operator", "or",      "private", "public",
      "register", "requires", "return",   "sdk",      "short",    "signed",  "sizeof",  "static",
      "std",      "struct",   "switch",   "template", "testing",  "this",    "throw",   "try",
      "typename", "union",    "unsigned", "void"};
  static constexpr std::array<std::string_view, 9> more = {
      "namespace", "nullptr", "override", "plan", "protected", "true", "using", "virtual", "while"};
  const auto is_in = [&](const auto& list) {
    return std::find(list.begin(), list.end(), lower_kind) != list.end();
  };
  return std::string(lower_kind) + (is_in(words) || is_in(more) ? "_" : "");
}

std::string type_of_kind(std::string_view kind) {
  // Of templates/controller/src/KIND.
  static constexpr std::array<std::string_view, 10> taken = {
      "deployment",    "deployment_for", "found", "in",     "input",
      "is_rolled_out", "name",           "out",   "output", "plan"};
  const std::string type = codegen::struct_name(kind);
  return type + (std::find(taken.begin(), taken.end(), type) != taken.end() ? "_" : "");
}

result<project_names> name_project(const std::string& domain, const std::string& repo,
                                   const std::string& project, const std::string& folder) {
  constexpr const char* a_label = "at most 63 lower-case letters, digits and '-'";
  if (!is_subdomain(domain) || domain.find('.') == std::string::npos) {
    return bad_name("--domain", "a DNS name with a dot, such as example.com", domain);
  }
  if (!repo.empty() && !is_repo(repo)) {
    return bad_name("--repo", "a path such as github.com/example/myapp-operator", repo);
  }
  project_names out{domain, repo, project, {}};
  if (out.project.empty()) {
    out.project = repo.empty() ? lower(folder) : repo.substr(repo.rfind('/') + 1);
  }
  if (!is_label(out.project)) {
    const char* flag = !project.empty() ? "--project-name"
                       : repo.empty()   ? "the folder's name (or give --project-name)"
                                        : "the last part of --repo (or give --project-name)";
    return bad_name(flag, a_label, out.project);
  }
  if (out.repo.empty()) out.repo = domain + "/" + out.project;
  out.plugin = without_suffix(out.project);
  return out;
}

result<api_names> name_api(const std::string& domain, const std::string& group,
                           const std::string& version, const std::string& kind,
                           const std::string& plural) {
  if (!group.empty() && !is_subdomain(group)) {
    return bad_name("--group",
                    "a DNS label of lower-case letters, digits and '-' (or several with dots)",
                    group);
  }
  if (!is_version(version)) {
    return bad_name("--version", "v1, v1alpha1, v2beta1 or the like", version);
  }
  if (auto ok = check_kind(kind); !ok) return ok.error();
  api_names out{group + "." + domain, version, kind, lower(kind), plural, {}};
  if (group.empty()) {
    out.group = domain;
  } else if (group == domain.substr(0, domain.find('.'))) {
    out.group = domain;
    out.notice = fmt::format(
        "the group \"{}\" repeats the domain's first label: the API group is {}, not {}.{}", group,
        domain, group, domain);
  } else if (group == domain || group.ends_with("." + domain)) {
    out.group = group;
    out.notice = fmt::format("the group \"{}\" has the domain in it: it is taken as it is", group);
  }
  if (out.group.size() > subdomain_chars_max) {
    return bad_name("--group", "at most 253 characters together with the domain", out.group);
  }
  if (auto ok = check_reserved(out.group); !ok) return ok.error();
  if (out.plural.empty()) out.plural = plural_of(out.lower);
  if (!is_label(out.plural)) {
    return bad_name("--plural", "at most 63 lower-case letters, digits and '-'", out.plural);
  }
  return out;
}

}  // namespace oarlock::cli
