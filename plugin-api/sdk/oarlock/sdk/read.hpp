#pragma once
// Objects as the API server has them now (extension oarlock.read/1), for observe() and effect().
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "oarlock/ext/read.h"
#include "oarlock/sdk/json.hpp"
#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/text.hpp"

namespace oarlock::sdk {

/// Thread: that of an observe() or effect().
class live_reader {
 public:
  live_reader() = default;
  explicit live_reader(const oarlock_host& host)
      : ctx_(host.ctx),
        table_(static_cast<const oarlock_host_read*>(
            host.extension(host.ctx, to_view(OARLOCK_EXT_READ)))) {}

  /// The object of this name in the namespace of the object that the call is about, if there is
  /// one; `reads` of plugin.yaml has to allow it. Throws retry_error and terminal_error.
  [[nodiscard]] std::optional<rapidjson::Document> get(std::string_view resource,
                                                       std::string_view name) const {
    if (table_ == nullptr) throw terminal_error("NoReads", "this host has no live reads");
    answer found;
    const oarlock_read_out out{sizeof(out), 0, reinterpret_cast<oarlock_reader*>(&found),
                               &take_object, &take_failure};
    const auto status = table_->get(ctx_, to_view(resource), to_view(name), &out);
    if (status == OARLOCK_ERROR) throw retry_error(found.reason, found.message);
    if (status != OARLOCK_OK) throw terminal_error(found.reason, found.message);
    if (!found.json) return std::nullopt;
    auto parsed = json::parse(*found.json);
    // It may be a secret: only the parsed one is left.
    std::fill(found.json->begin(), found.json->end(), '\0');
    return parsed;
  }

 private:
  struct answer {
    std::optional<std::string> json;
    std::string reason = "ReadFailed";
    std::string message = "the host did not say why";
  };
  static answer& of(oarlock_reader* ctx) { return *reinterpret_cast<answer*>(ctx); }
  static void take_object(oarlock_reader* ctx, const oarlock_object_view* object) {
    of(ctx).json = to_text(object->bytes);
  }
  static void take_failure(oarlock_reader* ctx, oarlock_str_view reason, oarlock_str_view message) {
    of(ctx).reason = to_text(reason);
    of(ctx).message = to_text(message);
  }

  oarlock_host_ctx* ctx_ = nullptr;
  const oarlock_host_read* table_ = nullptr;
};

}  // namespace oarlock::sdk
