#pragma once
// The barrier between a plugin's C++ and the C table: nothing is thrown across it.
#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "oarlock/host.h"
#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk::detail {

/// Runs `work`; whatever it throws goes to `report(reason, message)` and becomes a status.
template <class Work, class Report>
oarlock_status guarded(Work work, Report report) noexcept {
  try {
    try {
      work();
      return OARLOCK_OK;
    } catch (const terminal_error& e) {
      report(e.reason(), e.what());
      return OARLOCK_TERMINAL;
    } catch (const retry_error& e) {
      report(e.reason(), e.what());
      return OARLOCK_ERROR;
    } catch (const std::bad_alloc&) {
      report("OutOfMemory", "the plugin got no memory");
      return OARLOCK_ERROR;
    } catch (const std::exception& e) {
      report("PluginThrew", e.what());
    } catch (...) {
      report("PluginThrew", "something that is not a std::exception");
    }
  } catch (...) {
    // Even the report failed: the status alone has to do.
  }
  return OARLOCK_TERMINAL;
}

/// The reason of a life-cycle call that failed.
inline auto report_to(const oarlock_error_out& out) {
  return [&out](std::string_view reason, std::string_view message) {
    const std::string whole = std::string(reason).append(": ").append(message);
    out.set(out.ctx, to_view(whole));
  };
}

/// For calls that cannot fail.
template <class Work>
void silently(Work work) noexcept {
  try {
    work();
  } catch (...) {
    // Nobody is told: the host asks for no answer.
  }
}

}  // namespace oarlock::sdk::detail
