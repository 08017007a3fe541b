#pragma once
// The commands for a plugin project: `oarlock init`, `oarlock create api` and `oarlock run`.
#include <optional>

#include "core/cli/run/run.hpp"
#include "core/cli/scaffold/scaffold.hpp"

namespace CLI {
class App;
}

namespace oarlock::cli {

class project_commands {
 public:
  /// Declares them to `app`, which must outlive this.
  explicit project_commands(CLI::App& app);
  project_commands(const project_commands&) = delete;
  project_commands& operator=(const project_commands&) = delete;

  /// Carries out the one that was typed and returns the exit code; none was: nullopt.
  [[nodiscard]] std::optional<int> run() const;

 private:
  init_options project_;
  api_options kind_;
  run_options plugin_;
  CLI::App* init_;
  CLI::App* api_;
  CLI::App* run_;
};

}  // namespace oarlock::cli
