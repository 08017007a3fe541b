#pragma once
// Servers, a network, Kubernetes and clients in a few hundred lines, so that decisions can be
// carried out under any fault and any death of the operator, without a clock or a socket.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "plugins/mysql-cluster/src/decide.hpp"

namespace mysql_cluster::testing {

/// A mysqld and its volume, which outlives it.
struct server {
  std::string uuid;
  bool is_up = false;
  bool is_frozen = false;  ///< answers nobody, and goes on where it was when it is let go
  bool writable = false;
  gtid_set executed, received, purged;
  gtid_set waiting;  ///< in the binary log, and no client was told
  std::string source;
  bool receiver_on = false, applier_on = false;
  int receiver_password = 0;  ///< that it connects to its source with
  int start_password = 0;     ///< of the operator's account: a start gives it the Secret's
  std::string applier_error;
  bool is_applier_slow = false;  ///< executes only when it is told to catch up
  bool source_on = false, source_armed = false, acknowledges = false;
  int waits_for = 0;
  clone_state clone = clone_state::none;
  std::string clone_donor;
  int clone_ticks_left = 0;
  bool close_hangs = false;
  bool terminating = false, outdated = false, exists = false;
  std::string role;
  int generation = 0;         ///< of the template it runs
  std::string restores;       ///< its pod loads this backup before it serves
  bool initialising = false;  ///< its data folder is being made
  int load_ticks_left = 0;
  std::string init_reason;  ///< why that failed last
  std::string made_of;      ///< of the volume: the backup that was loaded into it
};

/// Which of the numbered passwords a server accepts; all accounts have the same number. Changes are
/// transactions, and go wherever those go.
struct passwords {
  int present = 1, old = 0;  ///< 0: none
  bool operator==(const passwords&) const = default;
  [[nodiscard]] bool accept(int one) const { return one == present || (one == old && old != 0); }
};

/// What the Secret NAME-accounts has, with the same numbers; 0: none.
struct passwords_secret {
  int present = 1, next = 0, old = 0;
  std::string request;
};

/// Something that must never be; the text says what.
struct broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class model {
 public:
  /// `backup`: what the cluster begins with.
  explicit model(int size, std::string backup = {});

  /// A client's writes, replication, Kubernetes: one second passes.
  void tick();
  /// One decision, carried out until the operator dies: after `steps_left` steps when that is not
  /// negative. False when it has died.
  bool operate();
  /// Ticks and decisions until nothing changes and all is whole; throws broken after `limit`.
  void settle(int limit = 200);
  void run(int ticks);

  // Faults.
  server& at(int ordinal) { return servers_.at(ordinal); }
  void crash(int ordinal) { stop(at(ordinal)); }
  void restart(int ordinal);
  void lose_volume(int ordinal);
  /// A volume of a former cluster is there before the pod is.
  void leave_volume(int ordinal, const gtid_set& with);
  void cut(int a, int b) { cuts_.insert({std::min(a, b), std::max(a, b)}); }
  void hide_from_operator(int ordinal) { hidden_.insert(ordinal); }
  [[nodiscard]] int servers_ever() const { return static_cast<int>(servers_.size()); }
  /// Nothing is frozen or slow any more.
  void thaw() {
    for (auto& [ordinal, s] : servers_)
      s.is_frozen = s.is_applier_slow = false;
  }
  void heal() {
    cuts_.clear();
    hidden_.clear();
  }
  void errant_write(int ordinal);
  [[nodiscard]] passwords accepted(int ordinal) const;

  [[nodiscard]] int primary() const;  ///< the one on record; -1: none
  [[nodiscard]] const decision& last() const { return last_; }
  [[nodiscard]] bool is_whole() const;
  /// All that a client was told to be done is in the primary. Throws broken.
  void check_history() const;

  [[nodiscard]] std::string describe() const;

  wishes wanted;
  record known;
  bool restarts_by_itself = true;  ///< Kubernetes starts what has crashed, after 3 s
  bool clients_write = true;
  bool clone_fails = false;
  gtid_set backup_set;                               ///< what is in every backup
  std::map<std::string, std::string> backup_faults;  ///< why one cannot be loaded
  int steps_left = -1;                               ///< until the operator dies
  bool dies_after_step = true;  ///< the step has happened, and nobody knows; or it has not
  int steps_done = 0;
  int template_generation = 0;
  gtid_set acknowledged;
  std::vector<std::string> events;
  passwords_secret secret;

 private:
  [[nodiscard]] view look() const;
  void look_at_passwords(int ordinal, member& m) const;
  void carry_out_passwords(const step& s, server& m);
  void alter_users(server& on, const passwords& to);
  void check_passwords() const;
  void carry_out(const step& s);
  void check_now();
  void stop(server& s);
  void replicate();
  void write();
  void commit_waiting(int ordinal);
  void kubernetes();
  void start_pod(int ordinal);
  void initialise(int ordinal);
  bool apply_template();
  [[nodiscard]] bool can_reach(int a, int b) const;
  [[nodiscard]] int acks_of(int ordinal, const gtid_set& what) const;
  [[nodiscard]] std::string name(int ordinal) const { return "db-" + std::to_string(ordinal); }
  [[nodiscard]] int ordinal_of(const std::string& pod) const { return std::stoi(pod.substr(3)); }

  std::map<int, server> servers_;
  std::map<int, int> down_for_;
  std::set<std::pair<int, int>> cuts_;
  std::set<int> hidden_;
  std::int64_t now_ms_ = 1'000'000;
  std::map<std::string, std::int64_t> written_;
  std::int64_t epoch_seen_ = 0;
  int uuids_ = 0;
  bool has_app_ = false;
  bool close_failed_ = false;
  bool has_set_ = false;         // the StatefulSet was made
  std::string template_backup_;  // what its pods load before they serve
  decision last_;
  std::vector<std::pair<gtid_set, passwords>> altered_;  // in the order in which it was done
  int passwords_drawn_ = 1;
  int app_password_ = 1;                  // in the Secret NAME-app
  int app_reads_ = 1, app_reads_in_ = 0;  // what the application has read, and when it reads again
};

}  // namespace mysql_cluster::testing
