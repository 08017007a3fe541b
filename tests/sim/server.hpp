#pragma once
// A model of the Kubernetes API server: requests in, answers out, no time of its own. It is held to
// the real one by scripts/ (see README.md). What it does not model throws std::runtime_error.
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/base/clock.hpp"
#include "core/net/transport.hpp"
#include "tests/sim/store.hpp"

namespace oarlock::sim {

struct server_answer {
  int status = 200;
  std::string body;
  std::vector<net::header> headers = {};
  std::shared_ptr<model_watch> watch = {};  ///< instead of a body
  std::chrono::seconds watch_timeout{0};
};

/// What one accepted write did.
struct write_record {
  std::string by;    ///< who sent it
  std::string verb;  ///< create, update, patch, apply, delete; "gc" for the collector
  const kind_info* kind = nullptr;
  object_name name;
  std::string subresource;
  std::string uid;
  version at = 0;         ///< 0: it changed nothing
  bool effective = true;  ///< false: the object was as it is before
  bool guarded = false;   ///< it named the UID it was meant for
  bool forced = false;
};

class model_server {
 public:
  explicit model_server(std::function<wall_time()> now);

  /// `who` sends it: a process, a person, an actor.
  [[nodiscard]] server_answer handle(const net::http_request& request, const std::string& who);

  std::set<std::string> namespaces{"default"};
  /// Called after every accepted write, the collector's too.
  std::function<void(const write_record&)> on_write = [](const auto&) {};
  /// Watch caches follow writes at once; off: advance_cache() says when.
  bool instant_cache = true;

  [[nodiscard]] version now_at() const { return version_; }
  [[nodiscard]] kind_store& kind(std::string_view plural);
  void advance_cache(std::string_view plural, version upto);
  /// Versions before the present one cannot be watched or listed from any more.
  void compact() { oldest_ = version_; }
  /// Garbage collection: deletes what one object whose controller is gone. True: it deleted.
  bool collect_garbage();

 private:
  struct call;
  [[nodiscard]] server_answer route(call c);
  [[nodiscard]] server_answer get(const call& c);
  [[nodiscard]] server_answer list(const call& c);
  [[nodiscard]] server_answer watch(const call& c);
  [[nodiscard]] server_answer create(call& c);
  [[nodiscard]] server_answer update(call& c);
  [[nodiscard]] server_answer patch(call& c);
  [[nodiscard]] server_answer apply(call& c, js::object intent);
  [[nodiscard]] server_answer remove(call& c);
  /// Stores `after` as what became of the object, or nothing if that is the same.
  [[nodiscard]] server_answer store(call& c, js::object after, std::vector<manager_entry> managers,
                                    const char* verb);
  [[nodiscard]] server_answer replace(call& c, js::object wanted, const char* verb);
  [[nodiscard]] server_answer insert(call& c, js::object object,
                                     std::vector<manager_entry> managers, const char* verb);
  server_answer erase(call& c, const char* verb);
  void written(const call& c, const char* verb, version at, const std::string& uid);
  [[nodiscard]] server_answer page(const call& c, const snapshot& state, version at);
  [[nodiscard]] std::string stamp() const;

  std::function<wall_time()> now_;
  std::vector<std::unique_ptr<kind_store>> kinds_;
  version version_ = 1000;
  version oldest_ = 1;
  std::uint64_t uids_ = 0;
};

/// A Status that says no.
[[nodiscard]] server_answer refusal(int code, const char* reason, std::string message,
                                    js::object details = {});

/// RFC 7386.
void merge_patch(js::value& target, const js::value& patch);
/// RFC 6902; what is wrong with it, or nothing.
[[nodiscard]] std::optional<std::string> json_patch(js::value& target, const js::array& patch);

}  // namespace oarlock::sim
