#pragma once
// Which parameters an algorithm knows, and whether given ones fit.
#include <optional>
#include <string>
#include <vector>

#include "types.hpp"

namespace ml {

struct parameter {
  std::string name;
  std::string type;  ///< integer, number, string, boolean
  std::optional<double> minimum{}, maximum{};
  std::vector<std::string> allowed{};  ///< of texts; empty: all
  bool is_required = false;
  json::value fallback{};  ///< null: the trainer's own
};

/// Those of an algorithm of the trainer image.
[[nodiscard]] std::vector<parameter> parameters_of(std::string_view algorithm);
/// Those that a template declares, sorted by name.
[[nodiscard]] std::vector<parameter> parameters_of(const algorithm_template& from);

/// The parameters with what `known` fills in. Throws user_mistake InvalidParameters, which names
/// the parameter, what was expected and what was found. `algorithm` is for the message.
[[nodiscard]] json::value checked(const json::value& given, const std::vector<parameter>& known,
                                  std::string_view algorithm);

/// A number of any spelling.
[[nodiscard]] std::optional<double> number_of(const json::value& value);

}  // namespace ml
