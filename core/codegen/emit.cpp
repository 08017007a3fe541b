#include <fmt/format.h>

#include <algorithm>

#include "core/codegen/model.hpp"
#include "core/codegen/names.hpp"

namespace oarlock::codegen {

namespace {

constexpr std::size_t columns_max = 100;

// `head` and `tail` on one line, or where that is too long on two.
std::string joined(const std::string& head, const std::string& tail, std::size_t indent) {
  if (head.size() + 1 + tail.size() <= columns_max) return head + ' ' + tail + '\n';
  return head + '\n' + std::string(indent, ' ') + tail + '\n';
}

std::string constant(const char* name, const std::string& value) {
  return joined(fmt::format("  static constexpr std::string_view {} =", name), literal(value) + ';',
                6);
}

std::string text_of(const cpp_enum& e) {
  std::string out = fmt::format("enum class {} {{\n", e.name);
  for (const auto& value : e.values)
    out += fmt::format("  {},\n", value.member);
  out += fmt::format("}};\ninline std::span<const std::string_view> names_of({}) {{\n", e.name);
  out += "  static constexpr std::string_view names[] = {\n";
  for (const auto& value : e.values)
    out += fmt::format("      {},\n", literal(value.text));
  return out + "  };\n  return names;\n}\n\n";
}

std::string declaration_of(const cpp_struct& s) {
  std::string out = doc_comment(s.doc, 0) + fmt::format("struct {} {{\n", s.name);
  if (!s.kind.empty()) {
    out += constant("api_version", s.api_version) + constant("kind", s.kind) +
           constant("resource", s.resource);
    if (!s.status_type.empty()) out += fmt::format("  using status_type = {};\n", s.status_type);
    out += '\n';
  }
  for (const auto& field : s.fields) {
    out += doc_comment(field.doc, 2);
    out += joined("  " + field.type, fmt::format("{}{{{}}};", field.member, field.initial), 6);
  }
  return out +
         "  sdk::unknown_fields unknown{};\n\n"
         "  static const sdk::schema::struct_type& schema();\n};\n\n";
}

// `full_name`: of the struct, as it is written in the header's namespace.
std::string table_of(const cpp_struct& s, const std::string& full_name) {
  std::string out = joined("inline const sdk::schema::struct_type&",
                           fmt::format("{}::schema() {{", full_name), 0);
  // "struct": a field may be called as its struct is, as containerPort of ContainerPort.
  out += fmt::format("  using self = struct {};\n", s.name);
  auto fields = s.fields;
  std::sort(fields.begin(), fields.end(),
            [](const auto& a, const auto& b) { return a.json_name < b.json_name; });
  if (!fields.empty()) {
    out += "  static constexpr sdk::schema::field fields[] = {\n";
    for (const auto& field : fields) {
      const std::string head = fmt::format("      OARLOCK_FIELD({},", field.member);
      const std::string name = literal(field.json_name) + ',';
      const std::string tail = fmt::format("{}, {}),", field.is_required, field.is_always_written);
      // On one line, or the member on one and the rest on the next.
      const bool fits = head.size() + name.size() + tail.size() + 2 <= columns_max;
      out += fits ? fmt::format("{} {} {}\n", head, name, tail)
                  : head + '\n' + joined(std::string(20, ' ') + name, tail, 20);
    }
    out += "  };\n";
  }
  out += "  static constexpr sdk::schema::struct_type type{\n";
  out += fmt::format("      {}, offsetof(self, unknown)", fields.empty() ? "{}" : "fields");
  if (!s.kind.empty()) out += ", api_version, kind";
  return out + "};\n  return type;\n}\n\n";
}

}  // namespace

std::string text_of(const cpp_header& header) {
  std::string out = fmt::format(
      "// Made by `oarlock generate types` from {}. Do not edit.\n#pragma once\n"
      "#include <cstdint>\n#include <map>\n#include <optional>\n#include <span>\n"
      "#include <string>\n#include <string_view>\n#include <vector>\n\n",
      header.origin);
  for (const auto& include : header.includes)
    out += fmt::format("#include \"{}\"\n", include);
  out += "#include \"oarlock/sdk/typed/object_meta.hpp\"\n";
  out += fmt::format("\nnamespace {} {{\n\nnamespace sdk = ::oarlock::sdk;\n\n", header.ns);
  const auto is_part = [&](const cpp_type& type) {
    const auto* s = std::get_if<cpp_struct>(&type);
    return !header.parts.empty() && (s == nullptr || !s->is_root);
  };
  bool in_parts = false;
  for (const auto& type : header.types) {
    if (is_part(type) != in_parts) {
      out += (in_parts ? "}  // namespace " : "namespace ") + header.parts +
             (in_parts ? "" : " {") + "\n\n";
      in_parts = !in_parts;
    }
    if (const auto* e = std::get_if<cpp_enum>(&type)) out += text_of(*e);
    if (const auto* s = std::get_if<cpp_struct>(&type)) out += declaration_of(*s);
  }
  out += "OARLOCK_TABLES_BEGIN\n\n";
  for (const auto& type : header.types) {
    if (const auto* s = std::get_if<cpp_struct>(&type)) {
      out += table_of(*s, (is_part(type) ? header.parts + "::" : "") + s->name);
    }
  }
  return out + fmt::format("OARLOCK_TABLES_END\n\n}}  // namespace {}\n", header.ns);
}

}  // namespace oarlock::codegen
