#pragma once
// How decide() is made; for its own sources only.
#include <functional>

#include "decide.hpp"

namespace mysql_cluster {

/// One decision in the making. Each part says its steps; what has to be known first ends the plan
/// early, and the next one goes on from there.
class decider {
 public:
  explicit decider(const view& v) : v_(v) { d_.next = v.known; }
  [[nodiscard]] decision run();

 private:
  // decide.cpp
  void choose_first();
  void renew_unborn();
  void with_primary(const member& p);
  [[nodiscard]] bool has_lost_data(const member& p) const;
  [[nodiscard]] bool cannot_commit(const member& p) const;
  void stop_strangers();
  bool open_primary(const member& p);
  void arm(const member& p);
  void tell(const member& p);

  // failover.cpp
  void without_primary(const member* p, bool at_once, const std::string& why);
  [[nodiscard]] int needed() const;
  [[nodiscard]] std::vector<const member*> trusted(const member* p) const;
  void fail_over(const member* p, const std::string& why);
  [[nodiscard]] std::int64_t lost_for_ms();
  [[nodiscard]] std::int64_t stall_ms() const;
  void elect(const std::vector<const member*>& fenced);
  void block(const std::string& reason, const std::string& message);

  // restore.cpp
  void restore_first();
  void load_backup(const member* first);
  void block_restore(const std::string& reason, const std::string& message);

  // replicas.cpp
  void tend_replicas(const member& p);
  void tend(const member& p, const member& m);
  bool quarantine(const member& p, const member& m);
  [[nodiscard]] bool may_be_discarded(const member& m, gtid_set more) const;
  void start_clone(const member& p, const member& m);
  void label_replica(const member& p, const member& m);

  // changes.cpp
  void change(const member& p);
  bool resize(const member& p);
  bool promise_less();
  void shrink(const member& p);
  bool switch_over(const member& p);
  bool roll(const member& p);
  void configure();
  void revive_events(const member& p);
  [[nodiscard]] std::string mismatch(const member& p) const;
  [[nodiscard]] const member* candidate(const member& p, const std::string& wanted) const;
  void hand_over(const member& p, const member& to);
  void refuse_switchover(const std::string& why);

  // passwords.cpp
  void change_passwords(const member& p);
  bool pass_on_passwords();
  void begin_passwords();
  [[nodiscard]] std::string waits_for_member(const member& p) const;
  void tell_passwords(std::string reason, std::string message);

  // Shared.
  [[nodiscard]] bool is_replica(const member& m) const { return m.name != v_.known.primary; }
  [[nodiscard]] bool is_on_record(const member& m) const { return m.ordinal <= v_.known.replicas; }
  [[nodiscard]] bool is_surplus(const member& m) const { return m.ordinal >= v_.wanted.size; }
  [[nodiscard]] bool follows(const member& p, const member& m) const;
  [[nodiscard]] bool is_caught_up(const member& p, const member& m) const;
  [[nodiscard]] gtid_set errant(const member& p, const member& m) const;
  [[nodiscard]] int count(const std::function<bool(const member&)>& which) const;
  [[nodiscard]] int attached(const member& p) const;
  [[nodiscard]] int caught_up(const member& p) const;
  void say(action what, const member& m, std::string text = {}, int number = 0);
  void label(const member& m, const std::string& role);
  void keep(record next);
  void look_again(std::int64_t ms);
  void state(phase now, std::string reason, std::string message);
  void find(std::string type, std::string reason, std::string message);
  void event(bool is_warning, std::string reason, std::string message);

  const view& v_;
  decision d_;
  bool is_switching_ = false;  // the primary is to be another one
};

}  // namespace mysql_cluster
