// The part of plugin_set that has plugins take requests of pods.
#include <boost/asio/post.hpp>

#include <algorithm>

#include "core/base/log.hpp"
#include "core/base/mutant.hpp"
#include "core/daemon/plugin_set.hpp"

namespace oarlock::daemon {

namespace {

using plugin::core_answer;
using plugin::inbound_answer;
using plugin::inbound_request;

// Of one plugin at a time: more would only wait for its lane.
constexpr std::size_t requests_max = 16;

inbound_answer no_leader() {
  return core_answer(503, "this replica does not lead: another one does");
}

}  // namespace

plugin_set::running* plugin_set::in_service(const std::string& plugin) const {
  const auto found = std::find_if(running_.begin(), running_.end(), [&](const auto& one) {
    return one->in_service && one->lane != nullptr && one->code->declared().name == plugin;
  });
  return found == running_.end() ? nullptr : found->get();
}

void plugin_set::take_request(const std::string& plugin, inbound_request request,
                              std::function<void(inbound_answer)> done) {
  if (!leads_) return done(no_leader());
  auto* const one = in_service(plugin);
  if (one == nullptr) return done(core_answer(404, "expected a plugin that runs here"));
  if (*one->requests >= requests_max && !OARLOCK_MUTANT("inbound_lane_unbounded")) {
    return done(core_answer(503, "the plugin has too many requests to answer"));
  }
  ++*one->requests;
  const auto until = shared_.clock_source->now() + plugin::inbound_limits::time;
  // The lane ends before the plugin does, and with all that waits for it.
  boost::asio::post(one->lane->get_executor(),
                    [this, plugin, until, code = one->code.get(), count = one->requests,
                     done = std::move(done), request = std::move(request)]() mutable {
                      auto answer = shared_.clock_source->now() < until
                                        ? code->inbound(request)
                                        : core_answer(503, "the plugin had no thread free in time");
                      boost::asio::post(shared_.loop, [this, plugin, count, done = std::move(done),
                                                       request = std::move(request),
                                                       answer = std::move(answer)]() mutable {
                        --*count;
                        done(keep_notes(plugin, request, std::move(answer)));
                      });
                    });
}

inbound_answer plugin_set::keep_notes(const std::string& plugin, const inbound_request& request,
                                      inbound_answer answer) const {
  if (!leads_) return no_leader();
  auto* const one = in_service(plugin);
  if (one == nullptr) return no_leader();
  if (!answer.why.empty() &&
      one->request_warnings.take(shared_.clock_source->now(), duration::zero())) {
    log_warn("plugin did not answer a pod as it should", {{"plugin", plugin},
                                                          {"namespace", request.ns},
                                                          {"name", request.name},
                                                          {"pod", request.pod_name},
                                                          {"why", answer.why}});
  }
  for (auto& note : answer.notes) {
    const auto of_note =
        std::find_if(one->controllers.begin(), one->controllers.end(),
                     [&](const auto& c) { return c->spec().name == note.controller; });
    if (of_note == one->controllers.end()) return no_leader();
    switch ((*of_note)->note({request.ns, request.name},
                             {std::move(note.name), std::move(note.json), request.service_account,
                              request.pod_name, request.pod_uid, request.now})) {
      case controller::note_outcome::taken:
        break;
      case controller::note_outcome::not_leading:
        return no_leader();
      case controller::note_outcome::no_object:
        return core_answer(404, "expected an object of this namespace and name");
      case controller::note_outcome::no_room:
        return core_answer(507, "this object has too many notes, or too long ones");
    }
  }
  return answer;
}

void plugin_set::enqueue_all() {
  for (auto* one : controllers())
    one->enqueue_all();
}

}  // namespace oarlock::daemon
