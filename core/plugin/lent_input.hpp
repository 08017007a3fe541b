#pragma once
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "core/controller/reconciler.hpp"
#include "oarlock/plan.h"

namespace oarlock::plugin {

/// The C view of a plan's inputs. Holds the objects' JSON, which may lie packed in the cache;
/// the rest is lent: both arguments must outlive it.
class lent_input {
 public:
  lent_input(const controller::plan_input& input, const std::string& controller);
  lent_input(const lent_input&) = delete;
  lent_input& operator=(const lent_input&) = delete;

  [[nodiscard]] const oarlock_plan_view* view() const { return &view_; }

 private:
  oarlock_object_view view_of(const kube::resource& resource, const cache::object& object);
  void fill(std::vector<oarlock_object_view>& views,
            const std::vector<controller::input_object>& objects);
  void fill_inbound(const controller::plan_input& input);

  std::deque<std::string> texts_;  // stay where they are, as do a map's nodes
  std::map<const kube::resource*, std::string> names_;
  oarlock_object_view primary_{};
  std::vector<oarlock_object_view> owned_;
  std::vector<oarlock_object_view> watched_;
  oarlock_failure_view failure_{};
  std::vector<oarlock_note_view> notes_;
  std::string url_;
  oarlock_inbound_view inbound_{};
  oarlock_plan_view view_{};
};

}  // namespace oarlock::plugin
