#pragma once
#include "core/base/result.hpp"
#include "core/plugin/checks.hpp"
#include "oarlock/plugin.h"

namespace oarlock::plugin {

/// Checks what the entry function returned before any other function of the plugin is called: it is
/// there, whole, of an ABI that this core offers, needs no extension that this core lacks, and is
/// the plugin that plugin.yaml describes.
[[nodiscard]] result<> check_descriptor(const candidate& found, const oarlock_plugin* table);

}  // namespace oarlock::plugin
