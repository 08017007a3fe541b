#pragma once
// One plan of one run: the stages in their order. plan.cpp has what is around them.
#include <optional>
#include <string>
#include <vector>

#include "publish.hpp"
#include "units.hpp"

namespace ml {

/// Ends the run for good.
void fail_run(record& status, std::string_view reason, std::string_view class_name,
              const std::string& message);

/// The stages of a run that has left the queue.
class stages {
 public:
  explicit stages(unit_desk& desk) : desk_(desk) {}
  void go();

 private:
  bool prepare();
  bool train();
  bool evaluate();
  bool pass_gates();
  void publish_model();
  void succeed(const std::string& message);

  struct tally {
    std::int32_t running = 0, succeeded = 0, failed = 0;
  };
  /// Advances the trials that may run now.
  tally advance_trials();
  void fail_by(const unit& entry);
  void stop_the_rest();

  unit_desk& desk_;
};

}  // namespace ml
