#pragma once
// System variables that a server takes while it runs. Pure.
#include <map>
#include <string>
#include <string_view>

namespace mysql_cluster {

using settings = std::map<std::string, std::string>;

/// All of them, and what a server has without them.
[[nodiscard]] const std::map<std::string_view, std::string_view>& dynamic_variables();
/// What a server has without it; empty: it is not one of these variables, and a new value of it
/// needs a server that starts anew.
[[nodiscard]] std::string_view dynamic_default(std::string_view key);
/// Those of `all` that can be set while servers run.
[[nodiscard]] settings dynamic_of(const settings& all);

/// As a statement needs it: "1G" becomes a number, other text stays.
[[nodiscard]] std::string plain_value(std::string_view value);
/// my.cnf and a server spell values in different ways: "1K" and "1024", "on" and "ON", "2.50".
[[nodiscard]] bool is_same_value(std::string_view a, std::string_view b);

/// Lines "key=value", of my.cnf and of what a step is told.
[[nodiscard]] std::string lines_of(const settings& all);
/// The lines of these behind the line `begin`, or all without it.
[[nodiscard]] settings settings_in(std::string_view text, std::string_view begin = {});

}  // namespace mysql_cluster
