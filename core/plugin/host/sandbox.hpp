#pragma once
// The walls around a plugin, put up by the child itself before it maps the plugin's library.
#include <string>

#include "core/plugin/load_request.hpp"

namespace oarlock::plugin::host {

/// Nothing of what the daemon had open but the channel; dies with the daemon. First of all.
/// False: the daemon is gone.
[[nodiscard]] bool leave_parent(std::uint32_t workers, std::int32_t parent);

/// All walls. Returns what could not be put up, in words, "; " between; empty: all stand.
/// After it the process can read the system's libraries and nothing else.
[[nodiscard]] std::string put_up_walls(const wire::load_request& request);

/// After the library is mapped: no file can be opened any more. Returns as put_up_walls().
[[nodiscard]] std::string close_files();

}  // namespace oarlock::plugin::host
