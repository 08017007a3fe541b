#pragma once
// What the core offers to one plugin instance over the C ABI: the host table and its extensions.
#include <string>
#include <string_view>
#include <vector>

#include "oarlock/host.h"

namespace oarlock::plugin {

/// Lives from before create() until after destroy(). Its functions may be called on any thread.
class host_table {
 public:
  explicit host_table(std::string plugin);
  host_table(const host_table&) = delete;
  host_table& operator=(const host_table&) = delete;

  [[nodiscard]] const oarlock_host* table() const { return &table_; }
  [[nodiscard]] const std::string& plugin() const { return plugin_; }
  /// The ids that this core knows.
  [[nodiscard]] static const std::vector<std::string_view>& extensions();

 private:
  std::string plugin_;
  oarlock_host table_{};
};

}  // namespace oarlock::plugin
