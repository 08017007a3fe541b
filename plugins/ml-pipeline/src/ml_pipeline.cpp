// The plugin: two controllers, whose decisions are in plan.cpp and model_plan.cpp.
#include "plan.hpp"
#include "queue.hpp"
#include "report.hpp"

namespace {

// What a pipeline's plan sees beside its objects: the queue, and what pods say.
class surroundings : public ml::queue_observer {
 public:
  using ml::queue_observer::queue_observer;
  static void inbound(const oarlock::sdk::inbound_request& request,
                      oarlock::sdk::inbound_response& response) {
    ml::take_request(request, response);
  }
};

using pipelines = oarlock::sdk::planner_with<"training-pipeline", ml::plan, surroundings>;
using models = oarlock::sdk::planner<"model", ml::plan_model>;

}  // namespace

OARLOCK_PLUGIN("ml-pipeline", "0.1.0", pipelines, models)
