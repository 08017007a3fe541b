#pragma once
#include "example.com/v1alpha1/my_app.hpp"
#include "oarlock/sdk/planner.hpp"

namespace myapp {

using example_com::v1alpha1::my_app;
using input = oarlock::sdk::input<my_app>;
using output = oarlock::sdk::output<my_app>;

/// From a MyApp, its Deployment and its pods to what should be: the Deployment, and a status that
/// says how far it got. Pure. Throws terminal_error for a spec that the CRD would have refused.
void plan(const input& in, output& out);

}  // namespace myapp
