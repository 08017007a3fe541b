#pragma once
// A gate between Oarlock and a real API server: it lets requests through, and breaks those that a
// test names, down to the byte. It speaks TLS with a certificate of its own towards Oarlock, and
// with the identity of a kubeconfig towards the server.
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/certificates.hpp"

namespace oarlock::testing {

/// One request as it came.
struct gate_request {
  std::string method;
  std::string target;
  std::string head;  ///< start line and headers
  std::string body;
  std::chrono::steady_clock::time_point when;
  [[nodiscard]] bool is_write() const { return method != "GET" && method != "HEAD"; }
  [[nodiscard]] bool is_watch() const { return target.find("watch=true") != std::string::npos; }
};

/// What happens to a request. The fields work together, in this order. Functions are called on the
/// gate's thread.
struct gate_fault {
  std::chrono::milliseconds delay{0};  ///< before the server gets the request
  bool forward = true;                 ///< the server gets the request
  std::function<void()> then;          ///< when the server has begun to answer
  bool hold = false;                   ///< the answer waits for release()
  bool drop = false;                   ///< no answer: the connection is closed
  std::string answer;                  ///< goes out instead of the server's; whole HTTP bytes
  bool stay = false;                   ///< after `answer` the connection stays open, silent
  /// Each line of the body (a watch event, or a whole list) becomes these.
  std::function<std::vector<std::string>(const std::string&)> edit;
  std::shared_ptr<std::string> record;   ///< gets a copy of the server's body
  std::chrono::milliseconds lag{0};      ///< each piece of the body goes out so much later
  std::optional<std::size_t> cut_after;  ///< so many bytes of the answer, then it is cut
  std::size_t bytes_per_second = 0;      ///< 0: as fast as it goes
};

/// Faults by name.
namespace gate {
/// Never reaches the server.
[[nodiscard]] gate_fault answer(int status, const std::string& body,
                                const std::string& headers = {});
/// The same, byte for byte.
[[nodiscard]] gate_fault raw(std::string bytes);
/// A watch that sends `lines` and stays open; the server does not know of it.
[[nodiscard]] gate_fault watch_of(const std::string& lines);
/// The server acts, and nobody hears of it.
[[nodiscard]] gate_fault swallow_reply();
/// The connection is closed and the server gets nothing.
[[nodiscard]] gate_fault close();
/// The server acts; its answer waits for release().
[[nodiscard]] gate_fault hold();
[[nodiscard]] gate_fault delay(std::chrono::milliseconds by);
[[nodiscard]] gate_fault lag(std::chrono::milliseconds by);
[[nodiscard]] gate_fault cut_after(std::size_t bytes);
[[nodiscard]] gate_fault throttle(std::size_t bytes_per_second);
[[nodiscard]] gate_fault edit(std::function<std::vector<std::string>(const std::string&)> lines);
/// A Status object as the API server sends it.
[[nodiscard]] std::string status_body(int code, const std::string& reason,
                                      const std::string& message = "said the gate");
}  // namespace gate

/// Which requests, and what to do with them.
struct gate_rule {
  std::string method;  ///< empty: any; "WRITE": all but GET
  std::string path;    ///< the target starts with it
  std::string has;     ///< the target contains it
  std::string lacks;   ///< the target does not contain it; empty: whatever it contains
  int skip = 0;        ///< so many that match go through first
  int times = 1;       ///< then so many are caught; 0: all
  gate_fault what;
  std::string has_too{};  ///< the target contains this as well
};

/// How the gate meets new connections.
enum class gate_door {
  open,
  closed,         ///< closes at once
  silent,         ///< accepts and never says a word
  cut_handshake,  ///< closes in the middle of the TLS handshake
};

/// Thread: any. Runs on a thread of its own.
class fault_gate {
 public:
  /// `kubeconfig`: the server, and who the gate is to it.
  explicit fault_gate(const std::filesystem::path& kubeconfig);
  ~fault_gate();
  fault_gate(const fault_gate&) = delete;
  fault_gate& operator=(const fault_gate&) = delete;

  /// Leads to the gate and trusts its authority; its token is "gate".
  [[nodiscard]] const std::filesystem::path& kubeconfig() const;
  [[nodiscard]] std::string port() const;

  /// The first rule that matches catches a request. The number names the rule below.
  int add(gate_rule rule);
  void remove(int rule);
  void clear();
  /// How often it caught something.
  [[nodiscard]] int hits(int rule) const;
  /// Asked about requests that no rule catches, on the gate's thread: for faults by a seed.
  void choose(std::function<std::optional<gate_fault>(const gate_request&)> by);

  /// What is held goes on.
  void release();
  /// While frozen no byte goes out on any connection, and none is closed: the peer has vanished.
  void freeze(bool frozen);
  /// Cuts every connection there is.
  void cut_all();
  void set_door(gate_door how);
  /// The certificate for new connections; the gate's own to begin with.
  void present(const test::identity& own);
  [[nodiscard]] test::authority_for_tests& authority();

  [[nodiscard]] std::vector<gate_request> requests() const;
  void forget_requests();
  /// Accepted up to now, and open now.
  [[nodiscard]] int accepted() const;
  [[nodiscard]] int open() const;

 private:
  struct impl;
  struct session;
  std::unique_ptr<impl> impl_;
};

}  // namespace oarlock::testing
