#pragma once
// The files of core/cli/scaffold/templates, embedded by the build (cmake/OarlockEmbed.cmake).
//
//   project/     what `oarlock init` writes
//   api/         what `oarlock create api` writes for the kind; controller/ what it adds to that
//   insert/FILE/MARKER   lines that `create api` puts before the line with +oarlock:scaffold:MARKER
//
// Words in capitals in a path (GROUP, VERSION, KIND, PLURAL) and {{names}} in a text are replaced.
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace oarlock::cli {

struct template_file {
  std::string_view path;  ///< below templates/, without the ".in" at its end
  std::string_view text;
};

/// In the order of their paths.
[[nodiscard]] std::span<const template_file> template_files();

using template_values = std::map<std::string, std::string, std::less<>>;

/// Replaces each {{name}}. A name without a value is an error: the template is wrong.
[[nodiscard]] result<std::string> render(std::string_view text, const template_values& values);

}  // namespace oarlock::cli
