#include "core/plugin/effect_call.hpp"

#include <fmt/format.h>

#include <limits>

#include "core/base/assert.hpp"
#include "core/base/limits.hpp"
#include "core/plugin/kept_table.hpp"
#include "core/plugin/lent_pages.hpp"
#include "core/plugin/lent_text.hpp"
#include "core/plugin/plan_sink.hpp"
#include "core/plugin/read_call.hpp"

namespace oarlock::plugin {

using controller::effect_output;
using controller::plan_verdict;

namespace {

constexpr const char* default_reason = "EffectFailed";

// Used for one effect after another.
class effect_words final : public receiver {
 public:
  effect_words() {
    table_.struct_size = sizeof(table_);
    table_.ctx = reinterpret_cast<oarlock_effect_ctx*>(this);
    table_.fail = [](oarlock_effect_ctx* ctx, oarlock_str_view reason,
                     oarlock_str_view message) noexcept -> oarlock_status {
      if (ctx == nullptr) return OARLOCK_INVALID;
      auto& self = *reinterpret_cast<effect_words*>(ctx);
      try {
        return self.takes_call(stray_slot::effect_fail) ? self.take(reason, message)
                                                        : OARLOCK_INVALID;
      } catch (...) {
        return OARLOCK_LIMIT;  // out of memory
      }
    };
  }

  effect_answer ask(const oarlock_plugin& table, oarlock_instance* self,
                    const oarlock_effect_view& view, std::chrono::milliseconds time_left) {
    reason_.clear();
    message_.clear();
    const opening now(*this);
    if (!checks_views) return came_to(table.effect(self, &view, time_left.count(), &table_));
    const lent_pages lent(view);
    return came_to(table.effect(self, lent.view(), time_left.count(), &table_));
  }

 private:
  oarlock_status take(oarlock_str_view reason, oarlock_str_view message) {
    const bool is_wrong =
        !trouble_of_text(reason, "reason", plan_limits::condition_reason_bytes_max).empty() ||
        !trouble_of_text(message, "message", limits::condition_message_bytes_max).empty() ||
        !is_reason(text_of(reason));
    reason_ = is_wrong ? default_reason : text_of(reason);
    message_ = is_wrong ? "the plugin gave a reason that is none, or text that is not UTF-8"
                        : text_of(message);
    return is_wrong ? OARLOCK_INVALID : OARLOCK_OK;
  }

  effect_answer came_to(oarlock_status status) {
    if (status == OARLOCK_OK && reason_.empty()) return {};
    const auto verdict = status == OARLOCK_TERMINAL ? plan_verdict::terminal : plan_verdict::retry;
    if (!reason_.empty()) return {{verdict, std::move(reason_), std::move(message_), {}}};
    return {{verdict,
             default_reason,
             fmt::format("the plugin's effect returned status {} and did not say why", status),
             {}},
            true};
  }

  oarlock_effect_out table_{};
  std::string reason_;
  std::string message_;
};

effect_answer threw(const char* what) {
  return {{plan_verdict::terminal,
           std::string(controller::threw_reason),
           fmt::format("an exception left the plugin, which no plugin may let happen: {}", what),
           {}}};
}

}  // namespace

lent_effect::lent_effect(const controller::effect_input& input, const std::string& controller)
    : resource_(input.spec->primary.name()), json_(input.primary->json()) {
  primary_ = {sizeof(primary_), OARLOCK_ENCODING_JSON, lend(resource_), lend_bytes(json_)};
  view_.struct_size = sizeof(view_);
  view_.payload_encoding = OARLOCK_ENCODING_JSON;
  view_.controller = lend(controller);
  view_.object_namespace = lend(input.key.ns);
  view_.object_name = lend(input.key.name);
  view_.primary = &primary_;
  view_.name = lend(input.what.name);
  view_.payload = lend_bytes(input.what.payload);
  view_.observation_encoding = OARLOCK_ENCODING_JSON;
  if (input.observation) view_.observation = lend_bytes(*input.observation);
  view_.lease_valid_until_ns = std::numeric_limits<std::int64_t>::max();
  if (input.gate == nullptr) return;
  view_.lease_valid_until_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(input.gate->limit().time_since_epoch())
          .count();
}

effect_answer call_effect(const oarlock_plugin& table, oarlock_instance* self,
                          const oarlock_effect_view& view, std::chrono::milliseconds time_left,
                          controller::live_reads* reads) {
  if (!OARLOCK_HAS_FIELD(&table, oarlock_plugin, effect) || table.effect == nullptr) {
    return {{plan_verdict::terminal,
             "UnknownEffect",
             "expected a plugin whose plans record effects to have the slot effect, found none",
             {}}};
  }
  const borrowed<effect_words> words;
  const reading_scope live(reads);
  try {
    return words->ask(table, self, view, time_left);
  } catch (const std::exception& e) {
    return threw(e.what());
  } catch (...) {
    return threw("something that is not a std::exception");
  }
}

}  // namespace oarlock::plugin
