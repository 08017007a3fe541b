#include "core/plugin/quota.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

namespace oarlock::plugin {

namespace {

struct field {
  const char* name;
  std::uint64_t plugin_quota::* member;
};

constexpr std::array<field, 8> fields = {{
    {quota_name::writes_per_second, &plugin_quota::writes_per_second},
    {quota_name::writes_in_flight, &plugin_quota::writes_in_flight},
    {quota_name::concurrent_reconciles, &plugin_quota::concurrent_reconciles},
    {quota_name::cache_bytes, &plugin_quota::cache_bytes},
    {quota_name::log_lines_per_second, &plugin_quota::log_lines_per_second},
    {quota_name::enqueues_per_second, &plugin_quota::enqueues_per_second},
    {quota_name::metric_series, &plugin_quota::metric_series},
    {quota_name::child_memory_bytes, &plugin_quota::child_memory_bytes},
}};

const field* find_field(std::string_view name) {
  const auto* found =
      std::find_if(fields.begin(), fields.end(), [&](const field& f) { return name == f.name; });
  return found == fields.end() ? nullptr : found;
}

std::string all_names() {
  std::string out;
  for (const auto& f : fields)
    out.append(out.empty() ? "" : ", ").append(f.name);
  return out;
}

// "64", "64Ki", "64Mi", "64Gi".
std::optional<std::uint64_t> parse_amount(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, value);
  if (ec != std::errc() || stop == text.data()) return std::nullopt;
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  unsigned shift = 0;
  if (unit == "Ki") shift = 10;
  if (unit == "Mi") shift = 20;
  if (unit == "Gi") shift = 30;
  if (shift == 0 && !unit.empty()) return std::nullopt;
  if (value > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
  return value << shift;
}

error refuse(const std::string& expected, std::string_view found) {
  return {make_error_code(boost::system::errc::invalid_argument),
          fmt::format("expected {}, found \"{}\"", expected, found)};
}

}  // namespace

counter& over_quota_counter(metric_registry& metrics, const std::string& plugin,
                            const char* quota) {
  return metrics.make_counter("oarlock_plugin_over_quota_total",
                              "Times that a quota held back, dropped or refused what a plugin does",
                              {{"plugin", plugin}, {"quota", quota}});
}

result<> quota_table::add(const std::string& entry) {
  const auto colon = entry.find(':');
  if (colon == 0 || colon == std::string::npos) {
    return refuse("PLUGIN:QUOTA=VALUE[,QUOTA=VALUE...] with * for all plugins", entry);
  }
  std::vector<std::pair<std::string, std::uint64_t>> said;
  std::string_view rest = std::string_view(entry).substr(colon + 1);
  do {
    const auto one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    const auto equals = std::min(one.find('='), one.size());
    const auto name = one.substr(0, equals);
    if (find_field(name) == nullptr) return refuse("one of " + all_names(), name);
    const auto value = one.substr(std::min(equals + 1, one.size()));
    const auto amount = parse_amount(value);
    if (!amount) {
      return refuse(std::string(name) + " as a number, perhaps with Ki, Mi or Gi", value);
    }
    said.emplace_back(name, *amount);
  } while (!rest.empty());
  entries_.push_back(entry);
  auto& of = values_[entry.substr(0, colon)];
  of.insert(of.end(), said.begin(), said.end());
  return {};
}

plugin_quota quota_table::of(std::string_view plugin) const {
  plugin_quota out;
  for (const auto who : {std::string_view("*"), plugin}) {
    const auto found = values_.find(who);
    if (found == values_.end()) continue;
    for (const auto& [name, amount] : found->second)
      out.*find_field(name)->member = amount;
  }
  return out;
}

}  // namespace oarlock::plugin
