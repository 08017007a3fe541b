// The plugin: one controller, whose decisions are in plan.cpp.
#include "plan.hpp"

OARLOCK_PLUGIN("myapp", "0.1.0", oarlock::sdk::planner<"myapp", myapp::plan>)
