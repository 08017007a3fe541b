#pragma once
// What clients did and what servers said while things went wrong, and what of it must never be.
// Pure: no server, no clock. The clients are in writer.hpp, the servers are asked by watch.hpp.
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace mysql_cluster::testing {

/// One INSERT. Times are of one monotonic clock, in ns, taken by the client just before it sends
/// and just after it has the answer.
struct write {
  std::int64_t id = 0;  ///< the row's key, never used twice
  std::int64_t begin_ns = 0, end_ns = 0;
  bool is_acknowledged = false;  ///< else it failed, or nobody knows
  std::string server;            ///< server_uuid of the connection
};

/// One server as it said itself. GTID sets as MySQL spells them.
struct server_state {
  std::string name;    ///< of the pod
  std::string server;  ///< server_uuid
  bool is_writable = false;
  std::string executed, received, purged;
  std::string role;                 ///< the pod's label at that time, empty: none
  bool replicates = false;          ///< its receiver and its applier run
  bool is_quarantined = false;      ///< the status says so
  bool source_on = false;           ///< semi-sync source
  int waits_for = 0;                ///< acknowledgements for each commit
  int attached = 0;                 ///< semi-sync replicas that are connected to it
  std::int64_t unacknowledged = 0;  ///< Rpl_semi_sync_source_no_tx since its start
  std::int64_t started = 0;         ///< changes when the server starts anew
};

/// One look: the record first, then the replicas, then the primary, as the plugin looks.
struct look {
  std::string primary;  ///< the pod on record, empty: none yet
  std::int64_t epoch = 0;
  int acks = 0;                       ///< W on record
  int replicas = 0;                   ///< N on record
  std::vector<server_state> servers;  ///< those that answered
};

/// A backup that was called Succeeded, and the rows of what was restored from it.
struct restore {
  std::string backup;
  std::int64_t begin_ns = 0, end_ns = 0;  ///< of the backup
  std::set<std::int64_t> rows;
};

struct history {
  std::vector<write> writes;
  std::vector<look> looks;
  /// When all is quiet again, each member's rows, by pod.
  std::map<std::string, std::set<std::int64_t>> rows;
  /// The cluster at the end: the operator had time, nobody writes. As `looks`.
  std::optional<look> end;
  int members = 0;  ///< that there shall be at the end, quarantined ones left out
  std::vector<restore> restores;
  /// server_uuid of those where a person wrote by hand, past the operator.
  std::set<std::string> written_by_hand;
};

/// One sentence for each broken invariant, beginning with its name: "I1: ...". Empty: all is well.
/// At most 20 for each of them.
///
///  I1  an acknowledged write is in every member's rows at the end, and no row is there that nobody
///      wrote
///  I2  at most one server is writable and can gather its acknowledgements; one label says primary,
///      and it is that of the record; acknowledgements of two servers do not alternate more often
///      than the epoch grows
///  I3  what a replica has executed, the primary has, but for what it is just committing
///  I4  a writable primary waits for acknowledgements, of as many as are on record, and has given
///      up on none
///  I5  the record promises no more than servers give: W, and N
///  I6  no replica lacks what its primary has purged
///  I7  the epoch never falls, and no primary changes without a new one
///  I8  every transaction is of a server that was the primary, or of one written by hand
///  I9  at the end all members are there, replicate, and have the same
///  I10 what is restored has all that was acknowledged before the backup began, and nothing else
[[nodiscard]] std::vector<std::string> broken_invariants(const history& h);

/// For a file beside the test's log: a line for each write and each look.
[[nodiscard]] std::string text_of(const history& h);

}  // namespace mysql_cluster::testing
