#include "core/plugin/errors.hpp"

#include <string>

namespace oarlock::plugin {

namespace {

class category final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "oarlock.plugin"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<plugin_error>(value)) {
      case plugin_error::missing:
        return "missing";
      case plugin_error::bad_manifest:
        return "bad_manifest";
      case plugin_error::not_a_library:
        return "not_a_library";
      case plugin_error::wrong_machine:
        return "wrong_machine";
      case plugin_error::no_entry:
        return "no_entry";
      case plugin_error::old_libc:
        return "old_libc";
      case plugin_error::needs_child:
        return "needs_child";
      case plugin_error::wrong_abi:
        return "wrong_abi";
      case plugin_error::bad_descriptor:
        return "bad_descriptor";
      case plugin_error::not_mapped:
        return "not_mapped";
      case plugin_error::not_created:
        return "not_created";
      case plugin_error::not_started:
        return "not_started";
      case plugin_error::no_sandbox:
        return "no_sandbox";
      case plugin_error::no_host:
        return "no_host";
      case plugin_error::crashed:
        return "crashed";
      case plugin_error::bad_config:
        return "bad_config";
      case plugin_error::extra_exports:
        return "extra_exports";
    }
    return "unknown";
  }
};

}  // namespace

boost::system::error_code make_error_code(plugin_error e) {
  static const category instance;
  return {static_cast<int>(e), instance};
}

}  // namespace oarlock::plugin
