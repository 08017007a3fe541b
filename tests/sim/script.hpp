#pragma once
// Scripts: sequences of requests as data, replayed on the model and on the real API server. What
// comes back is made comparable: UIDs, versions and times get names by the order of appearance.
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/net/transport.hpp"
#include "tests/sim/kinds.hpp"

namespace oarlock::sim {

struct script_reply {
  int status = 0;
  std::string body;
  std::string retry_after;
};

/// A server that a script can be replayed on.
class script_target {
 public:
  virtual ~script_target() = default;
  virtual script_reply send(const net::http_request& request) = 0;
  /// The lines of a watch: bookmarks but the one that ends the initial events are left out. At most
  /// `events`, fewer when the stream ends; a refusal is one line with the Status.
  virtual std::vector<std::string> watch(const net::http_request& request, std::size_t events) = 0;
  /// Compacts everything before the present version away.
  virtual void compact() = 0;
  virtual void make_namespace(const std::string& name) = 0;
};

struct script {
  std::string name;
  js::object content;  ///< see README.md
};
/// Every script of a folder, by name.
[[nodiscard]] std::vector<script> load_scripts(const std::filesystem::path& folder);
/// Replays it in the namespace `ns`; one outcome per step.
[[nodiscard]] js::array replay(const script& s, script_target& target, const std::string& ns);
/// JSON with line breaks, for files that people read.
[[nodiscard]] std::string pretty(const js::value& v, int indent = 0);

}  // namespace oarlock::sim
