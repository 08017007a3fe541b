#pragma once
// What every log record of one reconcile carries: controller-runtime's keys, plus `plugin`.
#include <utility>

#include "core/base/log.hpp"
#include "core/base/uuid.hpp"
#include "core/cache/object.hpp"
#include "core/controller/spec.hpp"

namespace oarlock::controller {

/// Outlived by `spec`.
class reconcile_log final : public log_context {
 public:
  reconcile_log(const controller_spec& spec, cache::object_key key, random_source& random)
      : spec_(spec), key_(std::move(key)), id_(random) {}

  void add_to(std::vector<log_field>& fields) const override {
    fields.emplace_back("plugin", spec_.plugin);
    fields.emplace_back("controller", spec_.name);
    fields.emplace_back("controllerGroup", spec_.primary.group);
    fields.emplace_back("controllerKind", spec_.primary.kind);
    fields.emplace_back("namespace", key_.ns);
    fields.emplace_back("name", key_.name);
    fields.emplace_back("reconcileID", id_.text());
  }

 private:
  const controller_spec& spec_;
  const cache::object_key key_;
  const uuid id_;
};

}  // namespace oarlock::controller
