#include "core/cli/scaffold/templates.hpp"

#include <fmt/format.h>

#include "core/cli/scaffold/errors.hpp"

namespace oarlock::cli {

namespace {

// The name in "{{name}}" at the start of `text`; empty when something else stands there.
std::string_view name_in_braces(std::string_view text) {
  const auto end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", 2);
  const bool closed = end != std::string_view::npos && text.substr(end).starts_with("}}");
  return closed ? text.substr(2, end - 2) : std::string_view();
}

}  // namespace

result<std::string> render(std::string_view text, const template_values& values) {
  std::string out;
  while (!text.empty()) {
    const auto at = text.find("{{");
    out += text.substr(0, at);
    if (at == std::string_view::npos) break;
    text.remove_prefix(at);
    const auto name = name_in_braces(text);
    if (name.empty()) {  // braces that mean themselves
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    const auto value = values.find(name);
    if (value == values.end()) {
      return error{scaffold_error::bad_template, fmt::format("no value for {{{{{}}}}}", name)};
    }
    out += value->second;
    text.remove_prefix(name.size() + 4);
  }
  return out;
}

}  // namespace oarlock::cli
