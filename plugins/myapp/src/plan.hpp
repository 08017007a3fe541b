#pragma once
#include "oarlock/sdk/plan.hpp"

namespace myapp {

/// From a MyApp, its Deployment and its pods to what should be: the Deployment, and a status that
/// says how far it got. Pure. Throws terminal_error for a spec that the CRD would have refused.
void plan(const oarlock::sdk::plan_input& input, oarlock::sdk::plan_output& output);

}  // namespace myapp
