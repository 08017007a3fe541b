#pragma once
#include "types.hpp"

namespace ml {

/// From a TrainingPipeline, its Jobs, their pods, the Model and the template to what should be: the
/// Jobs of the stage that the run is in, new entries of the Model, and a status that says how far
/// it is. Pure. The queue comes in as the observation.
void plan(const input& in, output& out);

using model_input = sdk::input<model>;
using model_output = sdk::output<model>;
/// From a Model to the Deployment and the Service that answer for one of its versions. Pure.
void plan_model(const model_input& in, model_output& out);

}  // namespace ml
