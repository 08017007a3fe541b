#pragma once
// Names of Kubernetes as names of C++.
#include <set>
#include <string>
#include <string_view>

namespace oarlock::codegen {

/// "clusterIPs" -> "cluster_ips", "x-y" -> "x_y", "template" -> "template_", "3scale" -> "n3scale".
/// Always an identifier that is no keyword and no macro of the standard library.
[[nodiscard]] std::string identifier(std::string_view name);

/// Takes the first of `name`, `name`_2, `name`_3... that is not in `taken`, and adds it.
[[nodiscard]] std::string unused_name(const std::string& name, std::set<std::string>& taken);

/// `text` as a string literal in quotes.
[[nodiscard]] std::string literal(std::string_view text);

/// `text` as lines of a doc comment of at most 100 columns, each ended by a line break. Empty for
/// empty text. More than so many lines are cut.
[[nodiscard]] std::string doc_comment(std::string_view text, std::size_t indent);

}  // namespace oarlock::codegen
