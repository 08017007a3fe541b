#pragma once
// Rules about what code may call. The core runs in one thread, under a seed, against a model API
// server only if nothing below core/daemon reads a clock, sleeps, opens a socket or draws a random
// number except through the adapters listed here.
#include "tests/tidy/text.hpp"

namespace oarlock::tidy {

/// True for the few files that implement the seams.
[[nodiscard]] bool is_adapter(std::string_view path);
/// Clocks, sleeps, timers, sockets and random numbers outside the adapters, in core and plugins.
[[nodiscard]] findings check_seams(const source_file& file);
/// Calls that are wrong everywhere.
[[nodiscard]] findings check_banned_words(const source_file& file);

}  // namespace oarlock::tidy
