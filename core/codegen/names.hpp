#pragma once
// Names of Kubernetes as names of C++.
#include <set>
#include <string>
#include <string_view>

namespace oarlock::codegen {

/// "clusterIPs" -> "cluster_ips", "x-y" -> "x_y", "template" -> "template_", "3scale" -> "n3scale".
/// Always an identifier that is no keyword and no macro of the standard library.
[[nodiscard]] std::string identifier(std::string_view name);

/// The struct of a kind, "MyApp" -> "my_app", and its header is called so too. Kinds of a group and
/// version never meet what other kinds of it are made of, which parts_namespace(kind) holds: no
/// struct of a kind ends in "_types".
[[nodiscard]] std::string struct_name(std::string_view kind);
[[nodiscard]] std::string parts_namespace(std::string_view kind);

/// The type of a field that has one of its own: "spec" and "template" -> "spec_template".
[[nodiscard]] std::string part_name(const std::string& owner, std::string_view field);

/// Takes the first of `name`, `name`_2, `name`_3... that is not in `taken`, and adds it.
[[nodiscard]] std::string unused_name(const std::string& name, std::set<std::string>& taken);

/// `text` as a string literal in quotes.
[[nodiscard]] std::string literal(std::string_view text);

/// `text` as lines of a doc comment of at most 100 columns, each ended by a line break. Empty for
/// empty text. More than so many lines are cut.
[[nodiscard]] std::string doc_comment(std::string_view text, std::size_t indent);

}  // namespace oarlock::codegen
