#pragma once
// Requests of the client as plain data. Pure: what is sent can be read here in one place.
#include <optional>
#include <string>
#include <string_view>

#include "core/kube/client.hpp"

namespace oarlock::kube {

struct api_request {
  std::string method;
  std::string target;
  std::string body{};
  std::string content_type = "application/json";
  std::string accept = "application/json";
  std::optional<write_intent> intent{};  ///< set by the client, for writes

  [[nodiscard]] bool is_write() const { return method != "GET"; }
};

[[nodiscard]] api_request get_request(const resource& r, std::string_view ns,
                                      std::string_view name);
[[nodiscard]] api_request list_request(const resource& r, const list_options& options);
[[nodiscard]] api_request watch_request(const resource& r, const watch_options& options);
[[nodiscard]] api_request log_request(std::string_view ns, std::string_view pod,
                                      const log_options& options);
/// `path` is that of a collection or of a subresource.
[[nodiscard]] api_request create_request(std::string path, std::string body,
                                         const write_options& how);
[[nodiscard]] api_request update_request(const resource& r, std::string_view ns,
                                         std::string_view name, std::string body,
                                         const write_options& how);
[[nodiscard]] api_request apply_request(const resource& r, std::string_view ns,
                                        std::string_view name, std::string body,
                                        const apply_options& options);
/// `content_type` is that of the patch.
[[nodiscard]] api_request patch_request(std::string path, std::string body,
                                        std::string content_type, const write_options& how);
[[nodiscard]] api_request delete_request(const resource& r, std::string_view ns,
                                         std::string_view name, const delete_options& options);

}  // namespace oarlock::kube
