#include "search.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace ml {

namespace {

using axis_type = decltype(types::spec_search{}.space)::mapped_type;

// splitmix64: small, and the same everywhere, which the standard's distributions are not.
class draws {
 public:
  explicit draws(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  /// From 0 to below 1.
  double share() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

// Six digits are enough for a parameter, and the same on every machine.
json::value rounded(double value, bool is_int) {
  if (is_int) return static_cast<std::int64_t>(std::llround(value));
  char text[32];
  const int size = std::snprintf(text, sizeof(text), "%.6g", value);
  double made = value;
  std::from_chars(text, text + size, made);
  return made;
}

double at_share(const axis_type& axis, double share) {
  const double from = *axis.min, to = *axis.max;
  if (axis.log) return std::exp(std::log(from) + share * (std::log(to) - std::log(from)));
  return from + share * (to - from);
}

std::vector<json::value> grid_values(const axis_type& axis) {
  std::vector<json::value> all;
  if (!axis.values.empty()) {
    for (const auto& one : axis.values)
      all.push_back(one.value());
    return all;
  }
  const std::int32_t steps = axis.steps;
  for (std::int32_t i = 0; i < steps; ++i) {
    auto value = rounded(at_share(axis, static_cast<double>(i) / (steps - 1)), axis.int_);
    if (std::ranges::find(all, value) == all.end()) all.push_back(std::move(value));
  }
  return all;
}

json::value drawn(const axis_type& axis, draws& from) {
  const double share = from.share();
  if (!axis.values.empty()) {
    const auto at = static_cast<std::size_t>(share * static_cast<double>(axis.values.size()));
    return axis.values[std::min(at, axis.values.size() - 1)].value();
  }
  // Each whole number is as likely as the others, the two at the ends too.
  if (axis.int_ && !axis.log) {
    const double from_value = std::ceil(*axis.min), to_value = std::floor(*axis.max);
    return rounded(std::min(from_value + std::floor(share * (to_value - from_value + 1)), to_value),
                   true);
  }
  return rounded(at_share(axis, share), axis.int_);
}

void check_space(const types::spec_search& search) {
  for (const auto& [name, axis] : search.space) {
    if (axis.values.empty() != (axis.min && axis.max)) {
      throw user_mistake("ImpossibleSearch", "expected spec.search.space." + name +
                                                 " to have either values or min and max, found " +
                                                 (axis.values.empty() ? "neither" : "both"));
    }
    if (axis.int_ && axis.min && std::ceil(*axis.min) > std::floor(*axis.max)) {
      throw user_mistake("ImpossibleSearch",
                         "expected a whole number between min and max of "
                         "spec.search.space." +
                             name + ", there is none");
    }
  }
}

std::vector<json::value> grid(const types::spec_search& search, const json::value& base) {
  std::vector<json::value> all{base};
  const auto limit = static_cast<std::size_t>(*search.max_trials);
  for (const auto& [name, axis] : search.space) {
    const auto values = grid_values(axis);
    if (all.size() * values.size() > limit) {
      throw user_mistake("ImpossibleSearch", "expected a grid of at most spec.search.maxTrials (" +
                                                 std::to_string(limit) +
                                                 ") trials, found more: " + name + " alone has " +
                                                 std::to_string(values.size()) + " values");
    }
    std::vector<json::value> wider;
    for (const auto& one : all) {
      for (const auto& value : values)
        wider.push_back(json::value(one).set(name, value));
    }
    all = std::move(wider);
  }
  return all;
}

std::vector<json::value> draw(const types::spec_search& search, const json::value& base,
                              std::uint64_t seed) {
  constexpr int tries_for_each = 20;  // a small space has fewer combinations than wanted trials
  std::vector<json::value> all;
  draws from(seed * 0x2545F4914F6CDD1DU + 1);
  const auto wanted = static_cast<std::size_t>(*search.max_trials);
  for (std::size_t i = 0; i < wanted * tries_for_each && all.size() < wanted; ++i) {
    json::value one = base;
    for (const auto& [name, axis] : search.space)
      one.set(name, drawn(axis, from));
    if (std::ranges::find(all, one) == all.end()) all.push_back(std::move(one));
  }
  return all;
}

}  // namespace

std::vector<json::value> trials_of(const types::spec& spec, const std::vector<parameter>& known,
                                   std::string_view algorithm) {
  const auto& search = *spec.search;
  const json::value base = spec.params ? spec.params.value() : json::object({});
  check_space(search);
  std::vector<json::value> all;
  if (search.strategy == types::spec_search_strategy::grid) {
    all = grid(search, base);
  } else if (search.strategy == types::spec_search_strategy::random) {
    all = draw(search, base, static_cast<std::uint64_t>(*spec.seed));
  } else {
    all.push_back(base);
  }
  for (auto& one : all)
    one = checked(one, known, algorithm);
  return all;
}

}  // namespace ml
