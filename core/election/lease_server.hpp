#pragma once
// For tests: the part of the API server that elections use.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/election/lease.hpp"
#include "core/json/parse.hpp"
#include "core/net/transport.hpp"

namespace oarlock::election::testing {

/// One namespace, optimistic locking, and a log of what was asked.
class lease_server {
 public:
  bool namespace_exists = true;
  std::optional<std::string> stored;  ///< the Lease's JSON
  std::vector<std::string> log;       ///< "PUT a 200": method, holder asked for, status
  std::function<void()> on_change;    ///< after each change of `stored`

  struct answer {
    int status;
    std::string body;
  };

  answer handle(const net::http_request& request) {
    auto reply = decide(request);
    std::string holder;
    if (auto doc = json::parse(request.body)) {
      holder = std::string(json::string_at(*doc, "/spec/holderIdentity"));
    }
    log.push_back(request.method + " " + holder + " " + std::to_string(reply.status));
    return reply;
  }
  void put(const lease_record& record) {
    store(*json::parse(new_lease_json("ns", "lease", record)));
  }
  [[nodiscard]] lease_record record() const { return parse_lease(*stored)->record; }
  [[nodiscard]] std::size_t count(const std::string& line) const {
    return static_cast<std::size_t>(std::count(log.begin(), log.end(), line));
  }

 private:
  static answer refuse(int code, const std::string& reason, const std::string& message) {
    return {code, R"({"kind":"Status","apiVersion":"v1","status":"Failure","message":")" + message +
                      R"(","reason":")" + reason + R"(","code":)" + std::to_string(code) + "}"};
  }
  void store(rapidjson::Document doc) {
    auto& allocator = doc.GetAllocator();
    auto& metadata = doc["metadata"];
    metadata.RemoveMember("resourceVersion");
    metadata.AddMember("resourceVersion", rapidjson::Value(std::to_string(++version_), allocator),
                       allocator);
    stored = json::write(doc);
    if (on_change) on_change();
  }
  answer decide(const net::http_request& request) {
    const std::string all = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";
    if (!request.target.starts_with(all)) return refuse(400, "BadRequest", "unexpected path");
    if (request.method == "GET") {
      if (!stored) return refuse(404, "NotFound", "leases \\\"lease\\\" not found");
      return {200, *stored};
    }
    auto doc = json::parse(request.body);
    if (!doc) return refuse(400, "BadRequest", "not JSON");
    if (request.method == "POST") {
      if (!namespace_exists) return refuse(404, "NotFound", "namespaces \\\"ns\\\" not found");
      if (stored) return refuse(409, "AlreadyExists", "leases \\\"lease\\\" already exists");
      store(std::move(*doc));
      return {201, *stored};
    }
    if (!stored) return refuse(404, "NotFound", "leases \\\"lease\\\" not found");
    const auto now = json::parse(*stored);
    if (json::string_at(*doc, "/metadata/resourceVersion") !=
        json::string_at(*now, "/metadata/resourceVersion")) {
      return refuse(409, "Conflict", "the object has been modified");
    }
    store(std::move(*doc));
    return {200, *stored};
  }

  std::uint64_t version_ = 100;
};

}  // namespace oarlock::election::testing
