#pragma once
// What a decision looks at: wishes, what is on record, and what is. Plain values, no Kubernetes.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gtid.hpp"
#include "settings.hpp"

namespace mysql_cluster {

enum class thread_state { off, connecting, on };
enum class clone_state { none, running, failed, done };

/// One pod and the server in it.
struct member {
  std::string name;  ///< of the pod: "db-0"
  int ordinal = 0;

  // What Kubernetes says.
  bool exists = false;
  bool terminating = false;
  bool outdated = false;  ///< made of an older template
  bool ready = false;
  bool down = false;     ///< the container is known not to run
  std::string role;      ///< its label: "primary", "replica", or none
  std::string address;   ///< of the pod; empty until it has one
  std::string trouble;   ///< why it does not start, in Kubernetes' words
  std::string restores;  ///< the backup that it loads before it serves; empty: none
  /// What the program that makes its data folder said when it failed last: a word and a sentence.
  std::string init_reason, init_message;

  // What the server says; as constructed when it did not answer.
  bool reachable = false;
  std::string error;  ///< why it did not answer
  std::string server_uuid, version;
  std::string certificate;  ///< the fingerprint of what it shows
  bool writable = false;    ///< neither read_only nor super_read_only
  gtid_set executed, received, purged;
  gtid_set executed_before;  ///< of the primary: before the replicas were asked

  std::string source;  ///< the address that it is told to replicate from
  thread_state receiver = thread_state::off;
  thread_state applier = thread_state::off;
  std::string receiver_error, applier_error;
  bool is_denied = false;  ///< its source does not accept the password that it has

  bool source_armed = false;  ///< semi-sync source with the settings under which it never gives up
  bool source_on = false;     ///< semi-sync source, with whatever settings
  int waits_for = 0;          ///< acknowledgements for each commit
  bool acknowledges = false;  ///< semi-sync replica

  settings variables;  ///< of those that the configuration has, or had, and that can be set
  bool has_new_passwords = false;   ///< those of the change that goes on, beside the old ones
  bool only_new_passwords = false;  ///< and the old ones are not accepted any more

  clone_state clone = clone_state::none;
  int clone_percent = 0;
  std::int64_t clone_ended_ms_ago = 0;
  std::string clone_error;

  /// All transactions that this server cannot lose: executed, or in its relay log.
  [[nodiscard]] gtid_set all() const { return executed + received; }
  /// A clone that failed leaves the name of the data behind, and not the data.
  [[nodiscard]] bool has_data() const {
    return clone != clone_state::failed && clone != clone_state::running && !all().empty();
  }
};

/// What status has on record: the only memory that decisions rely on.
struct record {
  std::string primary;              ///< the pod; empty: never chosen
  std::string primary_uuid;         ///< of its server; another one means another volume
  std::vector<std::string> former;  ///< lost primaries that have not been seen whole since; sorted
  std::int64_t epoch = 0;
  int replicas = 0;     ///< members beside the primary that may have acknowledged a write
  int acks = 0;         ///< of how many of those each acknowledged write has an acknowledgement
  bool opened = false;  ///< there may be acknowledged writes
  /// The backup that the cluster begins with was seen in the first member.
  bool restored = false;
  int leaving_to = 0;  ///< the size for which those that leave were seen fenced; 0: none
  std::optional<std::int64_t> lost_since_unix_ms;
  int failovers = 0, switchovers = 0;
  /// Since when the former primary did not answer, while the new one takes no writes yet.
  std::optional<std::int64_t> failover_since_unix_ms;
  std::int64_t last_failover_s =
      0;                        ///< from there to the first look at a primary that takes writes
  std::string switchover_done;  ///< the request that was carried out or refused last
  /// Events that somebody has disabled, as they were last seen on the primary; sorted. One "*": too
  /// many to keep.
  std::vector<std::string> disabled_events;
  std::vector<std::string> quarantined;  ///< have transactions that a primary never had; sorted
  std::string passwords_done;            ///< the request for new ones that was carried out last
  int password_changes = 0;
  /// Of a change that goes on: since when the new ones are in the Secrets, and the replicas that
  /// have connected anew since; sorted.
  std::optional<std::int64_t> passwords_published_unix_ms;
  std::vector<std::string> passwords_told;

  bool operator==(const record&) const = default;
};

/// How many acknowledgements each commit waits for in a cluster of this size.
[[nodiscard]] constexpr int acks_for(int size) {
  return size / 2;
}

struct wishes {
  int size = 1;
  int acknowledgements = 0;  ///< of each commit; 0: as many as the size says
  std::string version;       ///< that the members are to run, "9.7" or "9.7.4"; empty: any
  bool automatic_failover = true;
  std::int64_t failover_delay_ms = 10'000;
  /// A former primary loses what it alone has and told no client to be done.
  bool discards_unacknowledged = false;
  std::string backup;  ///< that the cluster begins with; empty: it begins empty
  /// Variables that are set while servers run; of those that are no longer asked for, the default.
  settings variables;
  bool is_configuration_refused = false;  ///< a server did not take a value; until it is changed
  std::string switchover;  ///< the request: a pod's name, and whatever makes it differ after "@"
  std::string passwords;   ///< the request for new ones: whatever makes it differ; empty: none
  std::int64_t keep_old_passwords_ms = 3'600'000;

  [[nodiscard]] int acks() const {
    return acknowledgements == 0 ? acks_for(size) : std::min(acknowledgements, size - 1);
  }
};

/// What the cluster's Secrets say of a change of passwords.
struct password_change {
  bool is_drawn = false;      ///< there is one: the new ones are beside those that count
  bool is_published = false;  ///< the new ones count, for the application, too
  std::string request;        ///< that it was drawn for
  std::string failure;        ///< why the last statement for it failed; empty: it did not
};

struct view {
  std::string name;
  wishes wanted;
  record known;
  std::vector<member> members;  ///< by ordinal: those on record, and pods beyond
  /// Of the primary, sorted: events that somebody has disabled, and those that do not run because
  /// they came by replication.
  std::vector<std::string> disabled_events, replicated_events;
  bool knows_events = false;  ///< it has answered that
  bool has_app = false;       ///< the application's account is there, as the primary says
  password_change passwords;
  bool close_failed = false;  ///< the last attempt to close the primary did not succeed
  std::int64_t now_unix_ms = 0;

  [[nodiscard]] const member* find(std::string_view pod) const {
    for (const auto& m : members) {
      if (m.name == pod) return &m;
    }
    return nullptr;
  }
};

}  // namespace mysql_cluster
