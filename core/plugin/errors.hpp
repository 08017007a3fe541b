#pragma once
#include <boost/system/error_code.hpp>

#include <type_traits>

namespace oarlock::plugin {

/// Why a plugin is not loaded. The text of each is short enough to be a metric label.
enum class plugin_error {
  missing = 1,     ///< no such file or folder, or no plugin.yaml
  bad_manifest,    ///< plugin.yaml is not what its schema says
  not_a_library,   ///< not an ELF shared object, or a damaged one
  wrong_machine,   ///< for another word size, byte order or processor
  no_entry,        ///< does not export the entry symbol
  old_libc,        ///< needs a newer libc than this system has
  needs_child,     ///< may not run inside of the daemon, only in a child
  wrong_abi,       ///< built for an ABI that this core does not offer
  bad_descriptor,  ///< the descriptor is incomplete or is not the one plugin.yaml promises
  not_mapped,      ///< the dynamic loader refused it
  not_created,     ///< its create() failed
  not_started,     ///< its start() failed
  no_sandbox,      ///< a wall of the child home could not be put up
  no_host,         ///< oarlock-plugin-host could not be started, or is of another build
  crashed,         ///< it ended its child, or did not answer, before it had started
  bad_config,      ///< its configuration is not what its schema says
  extra_exports,   ///< exports more than the entry symbol
};
[[nodiscard]] boost::system::error_code make_error_code(plugin_error e);

}  // namespace oarlock::plugin

template <>
struct boost::system::is_error_code_enum<oarlock::plugin::plugin_error> : std::true_type {};
