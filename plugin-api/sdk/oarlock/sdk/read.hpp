#pragma once
// Objects as the API server has them now (extension oarlock.read/1), for observe() and effect():
//
//   const auto settings = s.reads.get<config_map>("settings");
//   const auto account = s.reads.secret(name + "-root");
//   if (account) log_in(account->at("password"));
//
// A class that keeps `s.reads` says `reads.get<...>` likewise.
#include <optional>
#include <string>
#include <string_view>

#include "oarlock/ext/read.h"
#include "oarlock/sdk/json.hpp"
#include "oarlock/sdk/plan.hpp"
#include "oarlock/sdk/secret.hpp"
#include "oarlock/sdk/text.hpp"
#include "oarlock/sdk/typed/kind.hpp"

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
    detail::wipe(found.json->data(), found.json->size());
    return parsed;
  }
  /// The same as a struct. Also throws terminal_error InvalidObject, for an object that is not what
  /// the struct says.
  template <kubernetes_kind Kind>
  [[nodiscard]] std::optional<Kind> get(std::string_view name) const {
    const auto found = get(Kind::resource, name);
    if (!found) return std::nullopt;
    try {
      return from_json<Kind>(static_cast<const rapidjson::Value&>(*found));
    } catch (const json::parse_error& e) {
      throw terminal_error(
          "InvalidObject",
          std::string(Kind::resource).append(" ").append(name).append(": ").append(e.what()));
    }
  }
  /// The values of a Secret; `names` or `namesFrom` under `reads` of plugin.yaml has to allow it.
  [[nodiscard]] std::optional<secret_data> secret(std::string_view name) const {
    auto found = get("secrets", name);
    if (!found) return std::nullopt;
    return secret_data(*found);
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
