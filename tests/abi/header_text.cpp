#include "tests/abi/header_text.hpp"

#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>

namespace oarlock::abi {

namespace {

namespace fs = std::filesystem;

std::string whole(const fs::path& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error(file.string() + ": expected a header, found none");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string without_comments(std::string text) {
  for (auto at = text.find("/*"); at != std::string::npos; at = text.find("/*", at)) {
    text.erase(at, text.find("*/", at) + 2 - at);
  }
  return text;
}

void append(std::string& out, const fs::path& include_dir, const std::string& name,
            std::set<std::string>& seen) {
  if (!seen.insert(name).second) return;
  static const std::regex include(R"re(#include "(oarlock/[^"]+)")re");
  std::istringstream lines(without_comments(whole(include_dir / name)));
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(' ') + 1);
    std::smatch found;
    if (line.empty()) continue;
    if (std::regex_match(line, found, include)) {
      append(out, include_dir, found[1], seen);
    } else {
      out += line + "\n";
    }
  }
}

std::string one_line(const std::string& text) {
  std::string out = std::regex_replace(text, std::regex("\\s+"), " ");
  out.erase(0, out.find_first_not_of(' '));
  return out.substr(0, out.find_last_not_of(' ') + 1);
}

// "oarlock_plan_ctx* ctx, int64_t delay_ms" without the names of the parameters.
std::string types_of(const std::string& parameters) {
  std::string out;
  std::istringstream each(parameters);
  for (std::string one; std::getline(each, one, ',');) {
    one = one_line(one);
    out.append(out.empty() ? "" : ", ");
    out += one == "void" ? one : one_line(one.substr(0, one.find_last_of(" *") + 1));
  }
  return out;
}

abi_member member_of(const std::string& owner, const std::string& declaration) {
  static const std::regex slot(R"((.*?) ?\(\*(\w+)\)\((.*)\))");
  static const std::regex field(R"((.*?) ?(\w+))");
  std::smatch found;
  if (std::regex_match(declaration, found, slot)) {
    return {owner, found[2], found[1].str() + " (*)(" + types_of(found[3]) + ")"};
  }
  if (std::regex_match(declaration, found, field)) return {owner, found[2], found[1]};
  throw std::runtime_error(owner + ": expected a member, found \"" + declaration + "\"");
}

}  // namespace

std::string declarations(const fs::path& include_dir) {
  std::string out;
  std::set<std::string> seen;
  append(out, include_dir, "oarlock/oarlock.h", seen);
  return out;
}

abi_items items_of(const std::string& declared) {
  static const std::regex body(R"(typedef struct (\w+) \{([^}]*)\} \w+;)");
  static const std::regex enums(R"(enum \{([^}]*)\};)");
  static const std::regex value(R"((OARLOCK_\w+) = (-?\w+))");
  abi_items out;
  const std::sregex_iterator end;
  for (std::sregex_iterator at(declared.begin(), declared.end(), body); at != end; ++at) {
    out.structs.push_back((*at)[1]);
    std::istringstream each((*at)[2].str());
    for (std::string one; std::getline(each, one, ';');) {
      one = one_line(one);
      if (!one.empty()) out.members.push_back(member_of((*at)[1], one));
    }
  }
  for (std::sregex_iterator at(declared.begin(), declared.end(), enums); at != end; ++at) {
    const std::string text = (*at)[1];
    for (std::sregex_iterator v(text.begin(), text.end(), value); v != end; ++v) {
      out.values.push_back({(*v)[1], (*v)[2]});
    }
  }
  return out;
}

}  // namespace oarlock::abi
