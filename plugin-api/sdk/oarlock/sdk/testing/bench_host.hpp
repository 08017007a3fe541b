#pragma once
// A host of a few lines for tests of plugins: hands a plan its inputs over the C ABI and records
// what it answers; observe(), effect() and requests of pods likewise. No cluster, no core.
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "oarlock/oarlock.h"
#include "oarlock/sdk/testing/bench_world.hpp"
#include "oarlock/sdk/testing/recorder.hpp"
#include "oarlock/sdk/testing/requests.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk::testing {

struct given_failure {
  std::string step, reason, message;
};

struct given_inbound {
  std::string url, ca_pem, audience;
};

/// The inputs of one plan.
struct given {
  std::string controller;
  given_object primary;
  std::string ns, name;
  std::vector<given_object> owned;
  std::vector<given_object> watched;
  std::int64_t now_unix_ms = 0;
  std::optional<given_failure> last_failure;
  bool deleting = false;
  std::string observation;  ///< JSON; empty: none
  std::vector<given_note> notes = {};
  std::optional<given_inbound> inbound = {};
};

/// How an effect ended.
struct done {
  oarlock_status returned = OARLOCK_OK;
  std::string fail_reason, fail_message;
};
/// The answer of observe().
struct observed : done {
  std::string json;  ///< empty: none; else what `given::observation` is for the plan
};

namespace detail {

inline oarlock_object_view lend(const given_object& object) {
  return {sizeof(oarlock_object_view), OARLOCK_ENCODING_JSON, to_view(object.resource),
          to_bytes(object.json)};
}

inline oarlock_note_view lend(const given_note& note) {
  return {sizeof(oarlock_note_view), OARLOCK_ENCODING_JSON,         to_view(note.name),
          to_bytes(note.json),       to_view(note.service_account), to_view(note.pod_name),
          to_view(note.pod_uid),     note.recorded_unix_ms};
}

// The inputs of a call as the host lends them; the texts are those of `what`.
struct lent_inputs {
  explicit lent_inputs(const given& what) : primary(lend(what.primary)) {
    for (const auto& one : what.owned)
      owned.push_back(lend(one));
    for (const auto& one : what.watched)
      watched.push_back(lend(one));
    if (what.last_failure) {
      failure = {sizeof(failure), 0, to_view(what.last_failure->step),
                 to_view(what.last_failure->reason), to_view(what.last_failure->message)};
    }
    for (const auto& one : what.notes)
      notes.push_back(lend(one));
    if (what.inbound) {
      inbound = {sizeof(inbound), 0, to_view(what.inbound->url), to_view(what.inbound->ca_pem),
                 to_view(what.inbound->audience)};
    }
    view = {sizeof(view),
            sizeof(oarlock_object_view),
            to_view(what.controller),
            to_view(what.ns),
            to_view(what.name),
            &primary,
            owned.data(),
            owned.size(),
            watched.data(),
            watched.size(),
            what.now_unix_ms,
            what.last_failure ? &failure : nullptr,
            what.deleting ? 1 : 0,
            OARLOCK_ENCODING_JSON,
            to_bytes(what.observation),
            notes.data(),
            notes.size(),
            sizeof(oarlock_note_view),
            0,
            what.inbound ? &inbound : nullptr};
  }
  lent_inputs(const lent_inputs&) = delete;
  lent_inputs& operator=(const lent_inputs&) = delete;

  oarlock_object_view primary;
  std::vector<oarlock_object_view> owned, watched;
  oarlock_failure_view failure{};
  std::vector<oarlock_note_view> notes;
  oarlock_inbound_view inbound{};
  oarlock_plan_view view{};
};

inline oarlock_observe_out observation_taker(observed& into) {
  oarlock_observe_out out{};
  out.struct_size = sizeof(out);
  out.ctx = reinterpret_cast<oarlock_observe_ctx*>(&into);
  out.answer = [](oarlock_observe_ctx* ctx, oarlock_encoding,
                  oarlock_bytes_view json) -> oarlock_status {
    reinterpret_cast<observed*>(ctx)->json = to_text(json);
    return OARLOCK_OK;
  };
  out.fail = [](oarlock_observe_ctx* ctx, oarlock_str_view reason,
                oarlock_str_view message) -> oarlock_status {
    reinterpret_cast<observed*>(ctx)->fail_reason = to_text(reason);
    reinterpret_cast<observed*>(ctx)->fail_message = to_text(message);
    return OARLOCK_OK;
  };
  return out;
}

inline oarlock_effect_out failure_taker(done& into) {
  oarlock_effect_out out{};
  out.struct_size = sizeof(out);
  out.ctx = reinterpret_cast<oarlock_effect_ctx*>(&into);
  out.fail = [](oarlock_effect_ctx* ctx, oarlock_str_view reason,
                oarlock_str_view message) -> oarlock_status {
    reinterpret_cast<done*>(ctx)->fail_reason = to_text(reason);
    reinterpret_cast<done*>(ctx)->fail_message = to_text(message);
    return OARLOCK_OK;
  };
  return out;
}

}  // namespace detail

/// One instance of a plugin, alive as long as this. Thread: one.
class bench_host {
 public:
  /// Throws when the plugin cannot be created or started. `config_json`: what an administrator
  /// would configure. `world`: what its extensions show.
  explicit bench_host(const oarlock_plugin& plugin, const std::string& config_json = "{}",
                      bench_world world = {})
      : plugin_(&plugin) {
    state_.world = std::move(world);
    host_.struct_size = sizeof(host_);
    host_.abi_major = OARLOCK_ABI_MAJOR;
    host_.abi_minor = OARLOCK_ABI_MINOR;
    host_.version = to_view("test");
    host_.ctx = reinterpret_cast<oarlock_host_ctx*>(&state_);
    host_.extension = &detail::bench_extension;
    std::string error;
    oarlock_error_out error_out{};
    error_out.struct_size = sizeof(error_out);
    error_out.ctx = reinterpret_cast<oarlock_host_ctx*>(&error);
    error_out.set = [](oarlock_host_ctx* ctx, oarlock_str_view message) {
      *reinterpret_cast<std::string*>(ctx) = to_text(message);
    };
    const oarlock_create_view view{sizeof(view), OARLOCK_ENCODING_JSON, to_bytes(config_json)};
    if (plugin_->create(&host_, &view, &error_out, &instance_) != OARLOCK_OK) {
      throw std::runtime_error("create: " + error);
    }
    if (plugin_->start(instance_, &error_out) != OARLOCK_OK) {
      plugin_->destroy(instance_);
      throw std::runtime_error("start: " + error);
    }
  }
  ~bench_host() {
    plugin_->drain(instance_);
    plugin_->stop(instance_);
    plugin_->destroy(instance_);
  }
  bench_host(const bench_host&) = delete;
  bench_host& operator=(const bench_host&) = delete;

  [[nodiscard]] recorded plan(const given& what) {
    const detail::lent_inputs lent(what);
    recorded answer;
    const oarlock_plan_out out = detail::recorder(answer);
    answer.returned = plugin_->plan(instance_, &lent.view, &out);
    state_.cursors.clear();
    return answer;
  }
  /// Throws when the plugin has no observe().
  [[nodiscard]] observed observe(const given& what,
                                 std::chrono::milliseconds time_left = std::chrono::seconds(5)) {
    if (plugin_->observe == nullptr) throw std::logic_error("the plugin has no observe()");
    const detail::lent_inputs lent(what);
    observed answer;
    const oarlock_observe_out out = detail::observation_taker(answer);
    state_.is_call_under_way = true;
    answer.returned = plugin_->observe(instance_, &lent.view, time_left.count(), &out);
    state_.is_call_under_way = false;
    state_.cursors.clear();
    return answer;
  }
  /// Does one effect, such as a step of recorded whose `what` is "effect", about the primary of
  /// `about`. Throws when the plugin has no effect().
  [[nodiscard]] done effect(const given& about, const std::string& name, const std::string& payload,
                            std::chrono::milliseconds time_left = std::chrono::seconds(30)) {
    if (plugin_->effect == nullptr) throw std::logic_error("the plugin has no effect()");
    const auto primary = detail::lend(about.primary);
    const oarlock_effect_view view{sizeof(view),
                                   OARLOCK_ENCODING_JSON,
                                   to_view(about.controller),
                                   to_view(about.ns),
                                   to_view(about.name),
                                   &primary,
                                   to_view(name),
                                   to_bytes(payload),
                                   to_bytes(about.observation),
                                   OARLOCK_ENCODING_JSON,
                                   0,
                                   state_.world.lease_valid_until_ns};
    done answer;
    const oarlock_effect_out out = detail::failure_taker(answer);
    state_.is_call_under_way = true;
    answer.returned = plugin_->effect(instance_, &view, time_left.count(), &out);
    state_.is_call_under_way = false;
    return answer;
  }
  /// A request of a pod. Throws when the plugin takes none.
  [[nodiscard]] answered request(const given_request& what) {
    const void* table = plugin_->extension == nullptr
                            ? nullptr
                            : plugin_->extension(instance_, to_view(OARLOCK_EXT_INBOUND));
    if (table == nullptr) throw std::logic_error("the plugin takes no requests of pods");
    return detail::ask(*static_cast<const oarlock_plugin_inbound*>(table), instance_, what);
  }
  /// What the plugin finds through its extensions, and what it did with them.
  [[nodiscard]] bench_world& world() { return state_.world; }

 private:
  const oarlock_plugin* plugin_;
  detail::bench_state state_;
  oarlock_host host_{};
  oarlock_instance* instance_ = nullptr;
};

}  // namespace oarlock::sdk::testing
