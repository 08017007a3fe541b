#include "core/plugin/lent_input.hpp"

#include <chrono>

#include "core/base/assert.hpp"
#include "core/plugin/lent_text.hpp"

namespace oarlock::plugin {

namespace {

std::int64_t unix_ms(wall_time at) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

}  // namespace

lent_input::lent_input(const controller::plan_input& input, const std::string& controller) {
  primary_ = view_of(input.spec->primary, *input.primary);
  fill(owned_, input.owned);
  fill(watched_, input.watched);
  view_.struct_size = sizeof(view_);
  view_.object_stride = sizeof(oarlock_object_view);
  view_.controller = lend(controller);
  view_.object_namespace = lend(input.key.ns);
  view_.object_name = lend(input.key.name);
  view_.primary = &primary_;
  view_.owned = owned_.data();
  view_.owned_count = owned_.size();
  view_.watched = watched_.data();
  view_.watched_count = watched_.size();
  view_.now_unix_ms = unix_ms(input.now);
  view_.deleting = input.deleting ? 1 : 0;
  fill_inbound(input);
  if (!input.last_failure) return;
  failure_ = {sizeof(failure_), 0, lend(input.last_failure->step), lend(input.last_failure->reason),
              lend(input.last_failure->message)};
  view_.last_failure = &failure_;
}

oarlock_object_view lent_input::view_of(const kube::resource& resource,
                                        const cache::object& object) {
  std::string& name = names_[&resource];
  if (name.empty()) name = resource.name();
  const std::string& json = texts_.emplace_back(object.json());
  return {sizeof(oarlock_object_view), OARLOCK_ENCODING_JSON, lend(name), lend_bytes(json)};
}

void lent_input::fill_inbound(const controller::plan_input& input) {
  notes_.reserve(input.notes.size());
  for (const auto& note : input.notes) {
    notes_.push_back({sizeof(oarlock_note_view), OARLOCK_ENCODING_JSON, lend(note->name),
                      lend_bytes(note->json), lend(note->service_account), lend(note->pod_name),
                      lend(note->pod_uid), unix_ms(note->recorded)});
  }
  view_.notes = notes_.data();
  view_.note_count = notes_.size();
  view_.note_stride = sizeof(oarlock_note_view);
  if (input.inbound == nullptr) return;
  url_ = input.inbound->url + "/" + input.spec->plugin;
  inbound_ = {sizeof(inbound_), 0, lend(url_), lend(input.inbound->ca_pem),
              lend(input.inbound->audience)};
  view_.inbound = &inbound_;
}

void lent_input::fill(std::vector<oarlock_object_view>& views,
                      const std::vector<controller::input_object>& objects) {
  views.reserve(objects.size());
  for (const auto& given : objects) {
    OARLOCK_ASSERT(given.resource != nullptr && given.object != nullptr,
                   "an input of a plan has its resource and its object");
    views.push_back(view_of(*given.resource, *given.object));
  }
}

}  // namespace oarlock::plugin
