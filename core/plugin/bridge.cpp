#include "core/plugin/bridge.hpp"

#include <chrono>
#include <exception>
#include <map>
#include <vector>

#include "core/base/assert.hpp"
#include "core/plugin/host_table.hpp"

namespace oarlock::plugin {

using controller::plan_input;
using controller::plan_output;
using controller::plan_verdict;

namespace {

oarlock_str_view lend(std::string_view text) {
  return {text.data(), text.size()};
}

// The C view of a plan's inputs. The objects' JSON is lent as it lies in the cache: nothing is
// copied.
class lent_input {
 public:
  lent_input(const plan_input& input, const std::string& controller) {
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
    view_.now_unix_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(input.now.time_since_epoch()).count();
    view_.deleting = input.deleting ? 1 : 0;
    if (!input.last_failure) return;
    failure_ = {sizeof(failure_), 0, lend(input.last_failure->step),
                lend(input.last_failure->reason), lend(input.last_failure->message)};
    view_.last_failure = &failure_;
  }
  lent_input(const lent_input&) = delete;
  lent_input& operator=(const lent_input&) = delete;

  [[nodiscard]] const oarlock_plan_view* view() const { return &view_; }

 private:
  oarlock_object_view view_of(const kube::resource& resource, const cache::object& object) {
    std::string& name = names_[&resource];
    if (name.empty()) name = resource.name();
    const std::string_view json = object.json();
    return {sizeof(oarlock_object_view),
            OARLOCK_ENCODING_JSON,
            lend(name),
            {reinterpret_cast<const std::uint8_t*>(json.data()), json.size()}};
  }

  void fill(std::vector<oarlock_object_view>& views,
            const std::vector<controller::input_object>& objects) {
    views.reserve(objects.size());
    for (const auto& given : objects) {
      OARLOCK_ASSERT(given.resource != nullptr && given.object != nullptr,
                     "an input of a plan has its resource and its object");
      views.push_back(view_of(*given.resource, *given.object));
    }
  }

  std::map<const kube::resource*, std::string> names_;  // a map's nodes stay where they are
  oarlock_object_view primary_{};
  std::vector<oarlock_object_view> owned_;
  std::vector<oarlock_object_view> watched_;
  oarlock_failure_view failure_{};
  oarlock_plan_view view_{};
};

plan_output call(const instance_parts& parts, const oarlock_plan_view* view,
                 const plan_input& input, plan_sink& sink) {
  const plan_scope scope(input.key);
  const oarlock_plan_out* out = sink.open(input);
  try {
    return sink.close(parts.table->plan(parts.self, view, out));
  } catch (const std::exception& e) {
    return sink.close_after_throw(e.what());
  } catch (...) {
    return sink.close_after_throw("something that is not a std::exception");
  }
}

plan_output failed(plan_verdict verdict, const char* reason, std::string message) {
  plan_output out;
  out.verdict = verdict;
  out.fail_reason = reason;
  out.fail_message = std::move(message);
  return out;
}

}  // namespace

plan_output bridge::plan(const plan_input& input) {
  if (!parts_->is_running) {
    return failed(plan_verdict::retry, "PluginNotRunning",
                  "expected plugin " + parts_->plugin + " to be started and not stopped");
  }
  OARLOCK_ASSERT(input.spec != nullptr && input.primary != nullptr,
                 "a plan has a controller and a primary object");
  try {
    const lent_input lent(input, controller_);
    plan_sink& sink = parts_->sinks->borrow();
    plan_output output = call(*parts_, lent.view(), input, sink);
    parts_->sinks->give_back(sink);
    return output;
  } catch (const std::exception& e) {
    return failed(plan_verdict::retry, "PlanFailed", e.what());  // out of memory
  }
}

}  // namespace oarlock::plugin
