#pragma once
// What the core offers to one plugin instance over the C ABI: the host table and its extensions.
#include <string>
#include <string_view>
#include <vector>

#include "core/cache/object.hpp"
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

/// Names the object that this thread plans for, so that the plugin's log records carry it.
class plan_scope {
 public:
  explicit plan_scope(const cache::object_key& key);
  ~plan_scope();
  plan_scope(const plan_scope&) = delete;
  plan_scope& operator=(const plan_scope&) = delete;

 private:
  const cache::object_key* outer_;
};

}  // namespace oarlock::plugin
