#include "core/plugin/observation.hpp"

#include "core/json/parse.hpp"
#include "core/plugin/kept_table.hpp"
#include "core/plugin/lent_pages.hpp"
#include "core/plugin/lent_text.hpp"
#include "core/plugin/plan_sink.hpp"
#include "core/plugin/read_call.hpp"

namespace oarlock::plugin {

namespace {

constexpr const char* default_reason = "ObservationFailed";
constexpr const char* refused_reason = "ObservationRefused";

// Used for one observation after another.
class observation final : public receiver {
 public:
  observation() {
    table_.struct_size = sizeof(table_);
    table_.ctx = reinterpret_cast<oarlock_observe_ctx*>(this);
    table_.answer = [](oarlock_observe_ctx* ctx, oarlock_encoding encoding,
                       oarlock_bytes_view lent) noexcept {
      return during(ctx, stray_slot::observe_answer,
                    [&](observation& o) { return o.take(encoding, lent); });
    };
    table_.fail = [](oarlock_observe_ctx* ctx, oarlock_str_view reason,
                     oarlock_str_view message) noexcept {
      return during(ctx, stray_slot::observe_fail, [&](observation& o) {
        o.reason_ = text_of(reason);
        o.message_ = text_of(message).substr(0, message_bytes_max);
        return OARLOCK_OK;
      });
    };
  }

  oarlock_status ask(const oarlock_plugin& table, oarlock_instance* self,
                     const oarlock_plan_view& view) {
    bytes_.clear();
    reason_.clear();
    message_.clear();
    refused_.clear();
    const opening now(*this);
    if (!checks_views)
      return table.observe(self, &view, controller::observe_limit.count(), &table_);
    const lent_pages lent(view);
    return table.observe(self, lent.view(), controller::observe_limit.count(), &table_);
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] const std::string& refused() const { return refused_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  static constexpr std::size_t message_bytes_max = 4096;

  template <class Work>
  static oarlock_status during(oarlock_observe_ctx* ctx, stray_slot slot, Work work) noexcept {
    if (ctx == nullptr) return OARLOCK_INVALID;
    auto& self = *reinterpret_cast<observation*>(ctx);
    try {
      return self.takes_call(slot) ? work(self) : OARLOCK_INVALID;
    } catch (...) {
      return OARLOCK_LIMIT;  // out of memory
    }
  }

  oarlock_status take(oarlock_encoding encoding, oarlock_bytes_view lent) {
    const auto refuse = [&](oarlock_status status, std::string why) {
      refused_ = "answer(): " + std::move(why);
      return status;
    };
    if (encoding != OARLOCK_ENCODING_JSON) {
      return refuse(OARLOCK_INVALID,
                    "expected encoding 1 (JSON), found " + std::to_string(encoding));
    }
    if (lent.data == nullptr) return refuse(OARLOCK_INVALID, "expected JSON, found NULL");
    if (lent.size > plan_limits::object_bytes_max) {
      return refuse(OARLOCK_LIMIT, "expected at most " +
                                       std::to_string(plan_limits::object_bytes_max) +
                                       " bytes, found " + std::to_string(lent.size));
    }
    std::string text(reinterpret_cast<const char*>(lent.data), lent.size);
    if (const auto parsed = json::parse(text); !parsed) {
      return refuse(OARLOCK_INVALID, parsed.error().message);
    }
    bytes_ = std::move(text);
    return OARLOCK_OK;
  }

  oarlock_observe_out table_{};
  std::string bytes_;
  std::string reason_;
  std::string message_;
  std::string refused_;
};

void fail(const oarlock_plan_out& out, const std::string& reason, const std::string& message) {
  (void)out.fail(out.ctx, lend(reason), lend(message));
}

oarlock_status plan_with(const oarlock_plugin& table, oarlock_instance* self,
                         const oarlock_plan_view& view, const oarlock_plan_out& out) {
  if (!checks_views) return table.plan(self, &view, &out);
  const lent_pages lent(view);
  return table.plan(self, lent.view(), &out);
}

}  // namespace

oarlock_status observe_and_plan(const oarlock_plugin& table, oarlock_instance* self,
                                const oarlock_plan_view& view, const oarlock_plan_out& out,
                                observed_outside& observed, controller::live_reads* reads) {
  observed = {};
  if (!OARLOCK_HAS_FIELD(&table, oarlock_plugin, observe) || table.observe == nullptr) {
    return plan_with(table, self, view, out);
  }
  const borrowed<observation> seen;
  const auto status = [&] {
    const reading_scope live(reads);
    return seen->ask(table, self, view);
  }();
  if (!seen->refused().empty()) {
    fail(out, refused_reason, seen->refused());
    return OARLOCK_TERMINAL;
  }
  if (status != OARLOCK_OK || !seen->reason().empty()) {
    observed.is_unexplained = seen->reason().empty() && seen->message().empty();
    const auto said = seen->message().empty() ? "the plugin's observe returned status " +
                                                    std::to_string(status) + " and did not say why"
                                              : seen->message();
    fail(out, seen->reason().empty() ? default_reason : seen->reason(), said);
    return status == OARLOCK_OK ? OARLOCK_ERROR : status;
  }
  auto with = view;
  with.observation_encoding = OARLOCK_ENCODING_JSON;
  with.observation = lend_bytes(seen->bytes());
  observed.json = seen->bytes();
  return plan_with(table, self, with, out);
}

}  // namespace oarlock::plugin
