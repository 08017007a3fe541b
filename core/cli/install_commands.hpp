#pragma once
// `oarlock plugin manifest`, `install`, `uninstall` and `held`.
#include <optional>
#include <string>
#include <vector>

#include "core/cli/held.hpp"
#include "core/cli/install.hpp"

namespace CLI {
class App;
}

namespace oarlock::cli {

class install_commands {
 public:
  /// Declares them to `plugin`, which must outlive this.
  explicit install_commands(CLI::App& plugin);
  install_commands(const install_commands&) = delete;
  install_commands& operator=(const install_commands&) = delete;

  /// Carries out the one that was typed and returns the exit code; none was: nullopt.
  [[nodiscard]] std::optional<int> run() const;

 private:
  [[nodiscard]] result<> print_manifest() const;
  [[nodiscard]] result<> install() const;
  [[nodiscard]] result<> uninstall() const;
  [[nodiscard]] result<> held() const;
  [[nodiscard]] std::vector<std::string> fetch_options() const;
  void add_image_options(CLI::App& command);
  void add_grant_options(CLI::App& command);

  std::string path_;
  std::string kubeconfig_;
  std::string key_;
  std::string ca_file_;
  bool plain_http_ = false;
  install_options install_with_;
  uninstall_options uninstall_with_;
  held_options held_with_;
  int timeout_seconds_ = 120;
  CLI::App* manifest_;
  CLI::App* install_;
  CLI::App* uninstall_;
  CLI::App* held_;
};

}  // namespace oarlock::cli
