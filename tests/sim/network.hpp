#pragma once
// Between the processes and the model API server: delays, losses, cut watches, lagging caches; and
// the actors that a cluster has besides us (Deployment controller, garbage collector).
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/log.hpp"
#include "tests/sim/server.hpp"
#include "tests/support/scripted_transport.hpp"
#include "tests/support/timeline.hpp"

namespace oarlock::sim {

/// What goes wrong, by probability for each request or event.
struct fault_mix {
  double not_sent = 0;      ///< connecting fails
  double lost_request = 0;  ///< sent, never there
  double lost_reply = 0;    ///< the server acts, its answer does not arrive
  double refused = 0;       ///< 500, 503 or 429 instead of acting
  double slow = 0;          ///< takes seconds
  double watch_cut = 0;
  double watch_gone = 0;  ///< 410 in the stream
  duration cache_lag{0};  ///< of the watch caches, at most
};

/// One request that a test wants to meet with a fate of its own.
struct fate {
  int answer_instead = 0;  ///< a status; 0: none
  std::string retry_after = {};
};

class network {
 public:
  network(test::timeline& time, std::uint64_t seed);
  ~network();
  network(const network&) = delete;
  network& operator=(const network&) = delete;

  /// A request of the process `who`, as its transport hands it over.
  void send(const test::scripted_call_ptr& call, const std::string& who);
  /// A person or another controller: at once, without faults. Returns the status.
  int act(const std::string& who, const std::string& method, const std::string& target,
          const std::string& body = {}, const std::string& type = {});

  fault_mix faults;
  /// Asked for each request that arrives; after the mix.
  std::function<fate(const net::http_request&, const std::string& who)> decide =
      [](const auto&, const auto&) { return fate{}; };
  /// Asked after each request that the server has acted on: shall its answer be lost?
  std::function<bool()> lose_answer = [] { return false; };
  /// Called after each accepted write with the time at which its request was sent.
  std::function<void(const write_record&, steady_time sent)> on_write = [](const auto&, auto) {};

  [[nodiscard]] model_server& server() { return server_; }
  [[nodiscard]] test::seeded_random& random() { return random_; }
  [[nodiscard]] steady_time now() const { return loop_.clock.now(); }
  /// A hash of everything that happened.
  [[nodiscard]] std::uint64_t trace() const { return trace_; }
  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  void note(std::string_view text);
  /// Keeps the trace as text as well.
  std::vector<std::string>* trace_lines = nullptr;
  /// All watches end now: the server restarts.
  void cut_watches();

 private:
  struct stream {
    test::scripted_call_ptr call;
    std::shared_ptr<model_watch> watch;
    steady_time last_push;
    steady_time ends;
    bool ended = false;  ///< nothing comes after a cut
  };

  void arrive(const test::scripted_call_ptr& call, const std::string& who, steady_time sent);
  void reply(const test::scripted_call_ptr& call, server_answer answer);
  void open(const test::scripted_call_ptr& call, server_answer answer);
  void accepted(const write_record& w);
  void pump(std::string_view plural);
  void push(stream& s, std::string line);
  void keep_alive(std::weak_ptr<stream> weak);
  void run_deployments();
  void collect();
  void later(duration how_long, std::function<void()> what);
  [[nodiscard]] duration up_to(duration most);

  test::timeline& time_;
  test::test_loop loop_;
  test::seeded_random random_;
  model_server server_;
  std::vector<std::shared_ptr<stream>> streams_;
  steady_time sent_;  ///< of the request that is being handled
  std::uint64_t trace_ = 14695981039346656037U;
  std::uint64_t requests_ = 0;
  bool deployments_due_ = false;
  bool collection_due_ = false;
};

}  // namespace oarlock::sim
