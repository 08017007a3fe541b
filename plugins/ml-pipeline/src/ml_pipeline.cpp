// The plugin: two controllers, whose decisions are in plan.cpp and model_plan.cpp.
#include "plan.hpp"
#include "queue.hpp"

namespace {

using pipelines = oarlock::sdk::planner_with<"training-pipeline", ml::plan, ml::queue_observer>;
using models = oarlock::sdk::planner<"model", ml::plan_model>;

}  // namespace

OARLOCK_PLUGIN("ml-pipeline", "0.1.0", pipelines, models)
