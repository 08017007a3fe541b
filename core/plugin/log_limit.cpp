#include "core/plugin/log_limit.hpp"

#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/plugin/quota.hpp"

namespace oarlock::plugin {

namespace {

using namespace std::chrono_literals;

constexpr duration tell_period = 10s;
constexpr double burst_seconds = 10;

}  // namespace

log_limit::log_limit(const std::string& plugin, parts p) : plugin_(plugin), parts_(p) {
  if (p.lines_per_second == 0) return;
  const auto rate = static_cast<double>(p.lines_per_second);
  state_.with([&](auto& s) { s.emplace(state{token_bucket(rate, rate * burst_seconds), 0, {}}); });
  over_ = &over_quota_counter(*p.metrics, plugin, quota_name::log_lines_per_second);
}

bool log_limit::admit() {
  if (over_ == nullptr || OARLOCK_MUTANT("log_quota_ignored")) return true;
  const auto now = parts_.clock_source->now();
  std::uint64_t tell = 0;
  const bool let_pass = state_.with([&](auto& s) {
    if (s->bucket.take(now, duration::zero())) return true;
    ++s->dropped;
    if (!s->told || now >= *s->told + tell_period) {
      s->told = now;
      tell = std::exchange(s->dropped, 0);
    }
    return false;
  });
  if (let_pass) return true;
  over_->add();
  if (tell > 0) {
    log_warn("plugin is over its quota: log records are dropped",
             {{"plugin", plugin_},
              {"quota", quota_name::log_lines_per_second},
              {"limit", parts_.lines_per_second},
              {"dropped", tell}});
  }
  return false;
}

}  // namespace oarlock::plugin
