#include "queue.hpp"

#include <string_view>
#include <tuple>

namespace ml {

namespace {

// The smaller one comes first.
struct place {
  std::int64_t priority = 0;
  std::string_view queued_at, name;
  [[nodiscard]] auto rank() const { return std::tuple(-priority, queued_at, name); }
};

std::string_view queue_name(json::node spec) {
  return spec["queue"]["name"].text("default");
}

bool waits(std::string_view phase_name) {
  return phase_name == "Queued";
}
bool has_left(std::string_view phase_name) {
  return phase_name == "Preparing" || phase_name == "Training" || phase_name == "Evaluating" ||
         phase_name == "Publishing";
}

}  // namespace

queue_view queue_of(const input& in) {
  return {in.observation()["running"].integer(), in.observation()["ahead"].integer()};
}

std::optional<sdk::json::value> queue_observer::observe(const input& in,
                                                        std::chrono::milliseconds) const {
  const auto& mine = in.primary();
  const std::string own_time = mine.status->queued_at.text();
  const place own{*mine.spec->priority, own_time, in.name()};
  queue_view seen;
  const bool asks = !is_final(mine.status->phase);
  if (asks) {
    auto others = cache_.find({.resource = training_pipeline::resource, .ns = in.ns()});
    while (others.next()) {
      const auto& other = others.object();
      if (other.name() == in.name() || other.deleting()) continue;
      const json::node spec = other["spec"], status = other["status"];
      if (queue_name(spec) != *mine.spec->queue->name) continue;
      const auto phase_name = status["phase"].text();
      // One that was let go and has not noticed yet has left too.
      if (has_left(phase_name) || (waits(phase_name) && status["admittedAt"].exists())) {
        ++seen.running;
      } else if (waits(phase_name)) {
        const place there{spec["priority"].integer(), status["queuedAt"].text(), other.name()};
        if (there.rank() < own.rank()) ++seen.ahead;
      }
    }
  }
  return json::object({{"running", seen.running}, {"ahead", seen.ahead}});
}

}  // namespace ml
