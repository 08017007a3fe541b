#pragma once
// A plugin in C++: one class per controller, and one line that exports them.
//
//   class myapp : public oarlock::sdk::reconciler {
//    public:
//     static constexpr std::string_view controller = "myapp";  // as in plugin.yaml
//     void plan(const plan_input& input, plan_output& output) override;
//   };
//   OARLOCK_PLUGIN("myapp", "0.1.0", myapp)
//
// No exception leaves the plugin: each slot of the C table is a noexcept barrier.
#include <algorithm>
#include <chrono>
#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oarlock/oarlock.h"
#include "oarlock/sdk/cache.hpp"
#include "oarlock/sdk/clock.hpp"
#include "oarlock/sdk/effect.hpp"
#include "oarlock/sdk/event_source.hpp"
#include "oarlock/sdk/guarded.hpp"
#include "oarlock/sdk/inbound.hpp"
#include "oarlock/sdk/leadership.hpp"
#include "oarlock/sdk/log.hpp"
#include "oarlock/sdk/metrics.hpp"
#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/read.hpp"
#include "oarlock/sdk/review.hpp"
#include "oarlock/sdk/threads.hpp"
#include "oarlock/sdk/typed/kind.hpp"

namespace oarlock::sdk {

/// What a reconciler may keep from its creation.
struct setup {
  logger log;
  json::node config;  ///< the administrator's configuration; valid during construction only
  std::string_view config_json = {};  ///< the same as it was written
  event_source events = {};           ///< for threads that start() begins
  live_reader reads = {};             ///< for observe() and effect()
  sdk::metrics metrics = {};
  sdk::cache cache = {};  ///< for observe() and plan()
  sdk::leadership leadership = {};
  sdk::clock clock = {};  ///< not for plan()
  sdk::threads threads = {};

  /// The configuration as the struct that is made of configSchema of plugin.yaml. The host has
  /// checked it against that and filled in what is missing.
  template <described Config>
  [[nodiscard]] Config config_as() const {
    return config.is_object() ? from_json<Config>(*config.raw()) : Config{};
  }
};

/// Several threads call plan() at the same time, for different objects: keep it free of state.
class reconciler {
 public:
  virtual ~reconciler() = default;
  /// Pure: same input, same output; no I/O and no clock but the input's. May throw retry_error or
  /// terminal_error; whatever else it throws counts as terminal.
  virtual void plan(const plan_input& input, plan_output& output) = 0;

  /// Looks at what is outside of Kubernetes, before each plan, which gets the answer as
  /// input.observation(). May do I/O, but returns within `time_left`. Throws as plan() does; then
  /// there is no plan. Overriding it is what makes the host call it.
  [[nodiscard]] virtual std::optional<json::value> observe(
      const plan_input& /*input*/, std::chrono::milliseconds /*time_left*/) {
    return std::nullopt;
  }

  /// Does one effect that plan() recorded. May do I/O, but returns within `time_left`; throws as
  /// plan() does, and then the steps behind it are dropped. Overriding it is what makes the host
  /// call it.
  virtual void effect(const effect_input& input, std::chrono::milliseconds /*time_left*/) {
    throw terminal_error("UnknownEffect", "this plugin has no effect " + std::string(input.what()));
  }

  /// Takes a request of a pod: /v1/<plugin>/<namespace>/<name>/<rest>; of several controllers that
  /// override it, the first part of <rest> names one. What it throws is a 500 for the pod, and its
  /// notes are dropped; a json::parse_error is a 400. Returns within 5 s. Overriding it is what
  /// makes the host call it.
  virtual void inbound(const inbound_request& /*request*/, inbound_response& response) {
    response.answer(404, "this controller takes no requests\n");
  }

  /// Plans may come from now on. What it throws is the reason why the plugin does not run.
  virtual void start() {}
  /// No new plan() will come; those under way are still running.
  virtual void drain() {}
  /// No plan() is running any more: end what start() began.
  virtual void stop() {}
};

namespace detail {

struct named_reconciler {
  std::string_view controller;
  std::unique_ptr<reconciler> code;
};

struct instance {
  std::vector<named_reconciler> reconcilers;
};

inline instance* of(oarlock_instance* self) {
  return reinterpret_cast<instance*>(self);
}

template <class Reconciler>
std::unique_ptr<reconciler> make(const setup& s) {
  if constexpr (std::constructible_from<Reconciler, const setup&>) {
    return std::make_unique<Reconciler>(s);
  } else {
    return std::make_unique<Reconciler>();
  }
}

template <class... Reconcilers>
oarlock_status create(const oarlock_host* host, const oarlock_create_view* view,
                      const oarlock_error_out* error_out, oarlock_instance** out) noexcept {
  return guarded(
      [&] {
        const std::string_view text = to_text(view->config);
        const auto config = json::parse(text.empty() ? std::string_view("{}") : text);
        const setup s{logger(*host),       json::node{&config},    text,
                      event_source(*host), live_reader(*host),     sdk::metrics(*host),
                      sdk::cache(*host),   sdk::leadership(*host), sdk::clock(*host),
                      sdk::threads(*host)};
        auto made = std::make_unique<instance>();
        (made->reconcilers.push_back({Reconcilers::controller, make<Reconcilers>(s)}), ...);
        *out = reinterpret_cast<oarlock_instance*>(made.release());
      },
      report_to(*error_out));
}

inline oarlock_status start(oarlock_instance* self, const oarlock_error_out* error_out) noexcept {
  std::size_t begun = 0;
  auto& all = of(self)->reconcilers;
  const auto status = guarded(
      [&] {
        for (; begun < all.size(); ++begun)
          all[begun].code->start();
      },
      report_to(*error_out));
  // What did not start is destroyed without a stop().
  while (status != OARLOCK_OK && begun > 0)
    silently([&] { all[--begun].code->stop(); });
  return status;
}

inline reconciler& reconciler_of(oarlock_instance* self, std::string_view controller) {
  for (const auto& candidate : of(self)->reconcilers) {
    if (candidate.controller == controller) return *candidate.code;
  }
  throw terminal_error("UnknownController", "plugin.yaml names the controller " +
                                                std::string(controller) +
                                                ", the library has no reconciler of that name");
}

inline oarlock_status observe(oarlock_instance* self, const oarlock_plan_view* view,
                              std::int64_t time_left_ms, const oarlock_observe_out* out) noexcept {
  return guarded(
      [&] {
        const plan_input input(*view);
        const auto seen = reconciler_of(self, input.controller())
                              .observe(input, std::chrono::milliseconds(time_left_ms));
        if (!seen) return;
        const std::string text = seen->text();
        if (out->answer(out->ctx, OARLOCK_ENCODING_JSON, to_bytes(text)) != OARLOCK_OK) {
          throw terminal_error("ObservationRefused", "the host refused the answer of observe()");
        }
      },
      [&](std::string_view reason, std::string_view message) {
        out->fail(out->ctx, to_view(reason), to_view(message));
      });
}

/// Whether it overrides observe(): otherwise the host need not call it.
template <class Reconciler>
inline constexpr bool observes =
    !std::same_as<decltype(&Reconciler::observe), decltype(&reconciler::observe)>;

inline oarlock_status effect(oarlock_instance* self, const oarlock_effect_view* view,
                             std::int64_t time_left_ms, const oarlock_effect_out* out) noexcept {
  return guarded(
      [&] {
        const effect_input input(*view);
        reconciler_of(self, input.controller())
            .effect(input, std::chrono::milliseconds(time_left_ms));
      },
      [&](std::string_view reason, std::string_view message) {
        out->fail(out->ctx, to_view(reason), to_view(message));
      });
}

template <class Reconciler>
inline constexpr bool acts =
    !std::same_as<decltype(&Reconciler::effect), decltype(&reconciler::effect)>;
template <class Reconciler>
inline constexpr bool listens =
    !std::same_as<decltype(&Reconciler::inbound), decltype(&reconciler::inbound)>;

template <class... Reconcilers>
oarlock_status take_request(oarlock_instance* self, const oarlock_request_view* view,
                            std::int64_t /*time_left_ms*/,
                            const oarlock_inbound_out* out) noexcept {
  static constexpr std::size_t count = (std::size_t{listens<Reconcilers>} + ... + 0);
  return guarded(
      [&] {
        std::string_view rest = to_text(view->rest);
        const auto first = rest.substr(0, rest.find('/'));
        std::string_view chosen;
        ((chosen = listens<Reconcilers> && (count == 1 || first == Reconcilers::controller)
                       ? Reconcilers::controller
                       : chosen),
         ...);
        if (count > 1) rest.remove_prefix(std::min(rest.size(), first.size() + 1));
        inbound_response response(*out, chosen);
        if (chosen.empty()) return response.answer(404, "no such controller takes requests\n");
        try {
          reconciler_of(self, chosen).inbound(inbound_request(*view, rest), response);
        } catch (const json::parse_error& e) {
          response.answer(400, std::string(e.what()) + "\n");
        }
      },
      [](std::string_view, std::string_view) {});
}

/// What the plugin offers beside its slots.
template <class... Reconcilers>
const void* extension(oarlock_instance*, oarlock_str_view id) noexcept {
  static constexpr oarlock_plugin_inbound table{sizeof(table), 0, &take_request<Reconcilers...>};
  if (to_text(id) == OARLOCK_EXT_REVIEW)
    return (reviews<Reconcilers> || ...) ? &review_table<&reconciler_of> : nullptr;
  return (listens<Reconcilers> || ...) && to_text(id) == OARLOCK_EXT_INBOUND ? &table : nullptr;
}

inline oarlock_status plan(oarlock_instance* self, const oarlock_plan_view* view,
                           const oarlock_plan_out* out) noexcept {
  return guarded(
      [&] {
        const plan_input input(*view);
        plan_output output(*out);
        reconciler_of(self, input.controller()).plan(input, output);
      },
      [&](std::string_view reason, std::string_view message) {
        out->fail(out->ctx, to_view(reason), to_view(message));
      });
}

inline void drain(oarlock_instance* self) noexcept {
  for (const auto& one : of(self)->reconcilers)
    silently([&] { one.code->drain(); });
}
inline void stop(oarlock_instance* self) noexcept {
  for (const auto& one : of(self)->reconcilers)
    silently([&] { one.code->stop(); });
}
inline void destroy(oarlock_instance* self) noexcept {
  delete of(self);
}

template <std::derived_from<reconciler>... Reconcilers>
constexpr oarlock_plugin describe(std::string_view name, std::string_view version) {
  return {sizeof(oarlock_plugin),
          OARLOCK_ABI_MAJOR,
          OARLOCK_ABI_MINOR,
          0,
          to_view(name),
          to_view(version),
          nullptr,
          0,
          &create<Reconcilers...>,
          &start,
          &plan,
          &drain,
          &stop,
          &destroy,
          (observes<Reconcilers> || ...) ? &observe : nullptr,
          (acts<Reconcilers> || ...) ? &effect : nullptr,
          ((listens<Reconcilers> || reviews<Reconcilers>) || ...) ? &extension<Reconcilers...>
                                                                  : nullptr};
}

}  // namespace detail
}  // namespace oarlock::sdk

/// The plugin's one exported symbol: OARLOCK_PLUGIN(name, version, reconciler classes...). Name and
/// version are those of plugin.yaml.
#define OARLOCK_PLUGIN(name, version, ...)                                \
  extern "C" const oarlock_plugin* oarlock_plugin_entry_v0(void) {        \
    static constexpr oarlock_plugin description =                         \
        ::oarlock::sdk::detail::describe<__VA_ARGS__>((name), (version)); \
    return &description;                                                  \
  }
