#pragma once
#include <string>
#include <utility>
#include <vector>

#include "view.hpp"

namespace mysql_cluster {

enum class action {
  // Kubernetes
  label,              ///< `member` gets the role `text`; none when it is empty
  kill,               ///< delete the pod at once
  restart,            ///< delete the pod and let it stop by itself
  record,             ///< put `to_record` into the status, if nobody else has changed it
  draw_passwords,     ///< put new ones into the Secret, beside those that count
  publish_passwords,  ///< the new ones count; the old ones stay beside them
  forget_passwords,   ///< the old ones go
  // statements
  stop_receiver,     ///< `member` takes no more from its source: it acknowledges nothing
  catch_up,          ///< `member` executes the transactions `text`
  promote,           ///< `member` forgets its source
  follow,            ///< `member` replicates from `text` and acknowledges
  arm,               ///< `member` waits for `number` acknowledgements of each commit
  open,              ///< `member` takes writes
  close,             ///< `member` takes none
  clone,             ///< `member` becomes a copy of the server at `text`
  alter_events,      ///< `member` gets events enabled or disabled, in lines "NAME=ENABLE"
  configure,         ///< `member` gets the variables `text`, in lines "key=value"
  ensure_app,        ///< `member`, the primary, gets the application's database and account
  renew_passwords,   ///< `member`, the primary, accepts the new ones, too, and tells the others
  tell_password,     ///< `member` connects anew to its source, with the password that counts
  discard_passwords  ///< `member`, the primary, accepts the old ones no more
};

struct step {
  action what;
  std::string member;
  std::string text = {};
  int number = 0;
  record to_record = {};
};

enum class phase {
  creating,
  restoring,
  ready,
  degraded,
  failing_over,
  switching_over,
  updating,
  scaling,
  blocked
};

struct note {
  bool is_warning;
  std::string reason, message;
};

/// A condition that is "True".
struct finding {
  std::string type, reason, message;
};

struct decision {
  std::vector<step> steps;  ///< in order, each after the one before has happened
  record next;              ///< what the status shall say after them
  phase now = phase::creating;
  std::string reason = "Creating", message;
  std::vector<finding> findings;  ///< Errant, FailoverBlocked, ...
  std::vector<note> events;
  bool restores = false;  ///< there is one member, which loads the backup before it serves
  int synced = 0;         ///< replicas that have everything the primary has
  std::int64_t look_again_ms = 2000;
};

/// What is to be done next. Pure, and made anew of what is each time: a decision that was carried
/// out in part, or twice, leads to the same end.
///
/// What it keeps, whoever is killed when:
///  - An acknowledged write is in the primary and `acks` of `replicas` others (both on record).
///  - A new primary is chosen only when replicas + 1 - acks others are fenced, among them one that
///    has the write; and it is the one that has all that the fenced ones have.
///  - A server is opened only when it is the one on record and waits for `acks` of those that have
///    all it has itself.
[[nodiscard]] decision decide(const view& v);

}  // namespace mysql_cluster
