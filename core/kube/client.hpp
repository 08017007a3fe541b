#pragma once
// Calls to the API server: typed paths and errors over the transport seam. Bodies are JSON bytes.
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/base/clock.hpp"
#include "core/base/log.hpp"
#include "core/base/metric_registry.hpp"
#include "core/base/timers.hpp"
#include "core/kube/errors.hpp"
#include "core/kube/rate_limit.hpp"
#include "core/kube/resource.hpp"
#include "core/kube/write_gate.hpp"
#include "core/kube/write_policy.hpp"
#include "core/net/transport.hpp"

namespace oarlock::kube {

struct list_options {
  std::string ns;  ///< empty: all namespaces
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;        ///< empty: the most recent (a quorum read)
  std::string resource_version_match;  ///< "", "Exact" or "NotOlderThan"
  std::size_t limit = 0;               ///< objects per page; 0: all
  std::string continue_token;
  bool metadata_only = false;  ///< PartialObjectMetadata instead of whole objects
};

struct watch_options {
  std::string ns;
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;
  std::chrono::seconds timeout{300};  ///< asked of the server
  bool bookmarks = true;
  bool send_initial_events = false;
  bool metadata_only = false;  ///< PartialObjectMetadata instead of whole objects
};

struct log_options {
  std::string container;  ///< empty: the only one
  bool follow = false;
  bool previous = false;  ///< of the container's last run
  bool timestamps = false;
  std::optional<std::int64_t> tail_lines;
  std::optional<std::int64_t> since_seconds;
  std::optional<std::int64_t> bytes_max;
};

struct apply_options {
  std::string field_manager{};
  bool force = false;
  std::string subresource{};  ///< "", "status"
  bool dry_run = false;
};

/// Of a create, an update or a patch.
struct write_options {
  std::string field_manager{};  ///< empty: the server takes the program's name
  bool dry_run = false;         ///< everything happens but the storing
};

struct delete_options {
  std::string uid;               ///< precondition
  std::string resource_version;  ///< precondition; empty: none
  std::string propagation = "Background";
  std::optional<std::int64_t> grace_seconds{};
  bool dry_run = false;
};

/// What a write came back with: the HTTP status (201 created, 200 changed) and the object.
struct write_answer {
  int status = 0;
  std::string body;
};

/// Who the client is: a bearer token, asked for with each request; empty for none.
class credentials {
 public:
  virtual ~credentials() = default;
  /// Makes sure that there is an identity to send; may take seconds. Thread: the client's loop.
  [[nodiscard]] virtual task<result<>> prepare() { co_return result<>(); }
  /// Thread: the client's loop.
  [[nodiscard]] virtual result<std::string> bearer_token() = 0;
  /// Another number means another identity, also where the token is the same: a new certificate.
  [[nodiscard]] virtual std::uint64_t revision() const { return 0; }
  /// The server answered 401: the next prepare() and bearer_token() look for a newer one.
  virtual void refused() {}
};

/// Thread: any. Every call hops to the loop of the transport and back to the caller's executor.
/// Reads are retried on `unavailable` and `throttled` until their deadline; writes only where
/// nothing was sent or the server said 429.
class client {
 public:
  struct parts {
    executor loop;
    net::transport* transport;
    credentials* identity;  ///< may be null
    const clock* clock_source;
    timers* timer_source;
    metric_registry* metrics;
    const write_gate* gate;          ///< may be null: no gate
    write_policy* policy = nullptr;  ///< null: whatever the API server allows
    rate_limit* limit = nullptr;     ///< null: none. Watches have none, as in client-go
  };
  explicit client(parts p);
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  task<result<std::string>> get(resource r, std::string ns, std::string name,
                                std::stop_token stop = {});
  task<result<std::string>> list_page(resource r, list_options options, std::stop_token stop = {});
  /// Any GET by path: discovery, /version, /readyz.
  task<result<std::string>> get_path(std::string path, std::stop_token stop = {},
                                     std::string accept = "application/json");
  /// POST to the collection: 409 AlreadyExists when it is there.
  task<result<write_answer>> create(resource r, std::string ns, std::string body,
                                    std::stop_token stop = {}, write_options how = {});
  /// POST to a subresource of one object: "eviction", "token", "binding".
  task<result<write_answer>> create_for(resource r, std::string ns, std::string name,
                                        std::string subresource, std::string body,
                                        std::stop_token stop = {}, write_options how = {});
  /// PUT: `body` carries the resourceVersion it replaces.
  task<result<write_answer>> update(resource r, std::string ns, std::string name, std::string body,
                                    std::stop_token stop = {}, write_options how = {});
  /// Server-side apply (PATCH application/apply-patch+yaml with a JSON body).
  task<result<write_answer>> apply(resource r, std::string ns, std::string name, std::string body,
                                   apply_options options, std::stop_token stop = {});
  /// PATCH application/json-patch+json.
  task<result<write_answer>> json_patch(resource r, std::string ns, std::string name,
                                        std::string body, std::string subresource = {},
                                        std::stop_token stop = {}, write_options how = {});
  /// PATCH application/merge-patch+json.
  task<result<write_answer>> merge_patch(resource r, std::string ns, std::string name,
                                         std::string body, std::string subresource = {},
                                         std::stop_token stop = {}, write_options how = {});
  task<result<write_answer>> remove(resource r, std::string ns, std::string name,
                                    delete_options options, std::stop_token stop = {});
  /// Opens a watch on a connection of its own. The exchange lives on the loop: read it there.
  task<result<std::unique_ptr<net::http_exchange>>> watch(resource r, watch_options options,
                                                          std::stop_token stop = {});
  /// The log of a pod as it comes, on a connection of its own. Read it on the loop; each read has
  /// its deadline, also while nothing is logged.
  task<result<std::unique_ptr<net::http_exchange>>> pod_log(std::string ns, std::string pod,
                                                            log_options options,
                                                            std::stop_token stop = {});

  /// The same client on behalf of a plugin: flows share the connections fairly, and the log records
  /// about its calls carry `context`.
  [[nodiscard]] client on_behalf_of(std::string flow, log_context_ptr context) const;

 private:
  struct state;
  struct caller {
    std::string flow;
    log_context_ptr log;
  };
  client(std::shared_ptr<state> shared, caller on_behalf);
  std::shared_ptr<state> state_;
  caller for_;
};

}  // namespace oarlock::kube
