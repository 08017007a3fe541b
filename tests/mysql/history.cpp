#include "tests/mysql/history.hpp"

#include <algorithm>
#include <sstream>

#include "plugins/mysql-cluster/src/gtid.hpp"

namespace mysql_cluster::testing {
namespace {

constexpr int sentences_max = 20;

gtid_set set_of(const std::string& text) {
  return gtid_set::parse(text);
}

const server_state* find(const look& l, const std::string& name) {
  for (const auto& s : l.servers) {
    if (s.name == name) return &s;
  }
  return nullptr;
}

class checker {
 public:
  explicit checker(const history& h) : h_(h) {
    for (const auto& w : h.writes) {
      tried_.insert(w.id);
      if (w.is_acknowledged) acknowledged_.push_back(&w);
    }
    std::ranges::sort(acknowledged_, {}, &write::end_ns);
  }

  std::vector<std::string> run() {
    check_rows();
    check_alternation();
    for (std::size_t i = 0; i < h_.looks.size(); ++i)
      check_look(i);
    check_between_looks();
    check_sources();
    check_end();
    for (const auto& r : h_.restores)
      check_restore(r);
    return std::move(found_);
  }

 private:
  template <class... Parts>
  void broken(const char* name, const Parts&... parts) {
    if (++count_[name] > sentences_max) return;
    std::ostringstream text;
    text << name << ": ";
    (text << ... << parts);
    found_.push_back(std::move(text).str());
  }

  void check_rows() {
    if (h_.rows.empty()) broken("I1", "no member's rows were read at the end");
    for (const auto& [member, rows] : h_.rows) {
      for (const write* w : acknowledged_) {
        if (!rows.contains(w->id)) {
          broken("I1", "write ", w->id, " was acknowledged by ", w->server, " and is not on ",
                 member);
        }
      }
      for (const std::int64_t id : rows) {
        if (!tried_.contains(id)) broken("I1", "row ", id, " on ", member, " is of no client");
      }
    }
  }

  // In the order of time: a write of another server that began after the last one was acknowledged.
  void check_alternation() {
    std::int64_t first = 0, last = 0;
    for (const auto& l : h_.looks) {
      if (l.epoch == 0) continue;
      if (first == 0) first = l.epoch;
      last = std::max(last, l.epoch);
    }
    std::int64_t changes = 0;
    const write* before = nullptr;
    for (const write* w : acknowledged_) {
      const bool is_first = before == nullptr;
      const bool is_same = !is_first && before->server == w->server;
      const bool is_later = !is_first && before->end_ns < w->begin_ns;
      if (is_later && !is_same) ++changes;
      if (is_first || is_same || is_later) before = w;
    }
    if (changes > last - first) {
      broken("I2", "the server that acknowledges writes changed ", changes,
             " times, and the epoch grew by ", last - first);
    }
  }

  void check_look(std::size_t i) {
    const look& l = h_.looks[i];
    check_writable(i, l);
    const server_state* p = find(l, l.primary);
    if (p == nullptr) return;
    if (p->is_writable && l.acks > 0) check_semi_sync(i, l, *p);
    if (p->is_writable && p->attached > l.replicas) {
      broken("I5", "look ", i, ": ", p->attached, " replicas acknowledge, ", l.replicas,
             " are on record");
    }
    const gtid_set executed = set_of(p->executed), purged = set_of(p->purged);
    for (const auto& s : l.servers) {
      if (s.name == p->name || !s.replicates || s.is_quarantined || !p->is_writable) continue;
      gtid_set more = set_of(s.executed) - executed;
      more.drop_source(p->server);
      if (!more.empty()) {
        broken("I3", "look ", i, ": ", s.name, " has executed ", more.text(), ", ", p->name,
               " has not");
      }
      const gtid_set lacks = purged - (set_of(s.executed) + set_of(s.received));
      if (!lacks.empty()) {
        broken("I6", "look ", i, ": ", s.name, " lacks ", lacks.text(), ", which ", p->name,
               " has purged");
      }
    }
  }

  void check_writable(std::size_t i, const look& l) {
    std::string able, labelled;
    int able_count = 0, labelled_count = 0;
    for (const auto& s : l.servers) {
      const bool gathers = s.is_writable && (!s.source_on || s.attached >= s.waits_for);
      if (gathers) {
        ++able_count;
        able += " " + s.name;
      }
      if (s.role == "primary") {
        ++labelled_count;
        labelled += " " + s.name;
        if (s.is_writable && s.name != l.primary && gathers) {
          broken("I2", "look ", i, ": ", s.name, " is labelled and takes writes, ", l.primary,
                 " is on record");
        }
      }
    }
    if (able_count > 1) broken("I2", "look ", i, ": several can acknowledge writes:", able);
    if (labelled_count > 1) broken("I2", "look ", i, ": several are labelled primary:", labelled);
  }

  void check_semi_sync(std::size_t i, const look& l, const server_state& p) {
    if (!p.source_on) {
      broken("I4", "look ", i, ": ", p.name, " takes writes without waiting for acknowledgements");
    }
    if (p.source_on && p.waits_for < l.acks) {
      broken("I5", "look ", i, ": ", l.acks, " acknowledgements are on record, ", p.name,
             " waits for ", p.waits_for);
    }
  }

  void check_between_looks() {
    const look* before = nullptr;
    std::map<std::string, const server_state*> servers;
    for (std::size_t i = 0; i < h_.looks.size(); ++i) {
      const look& l = h_.looks[i];
      if (before != nullptr && l.epoch < before->epoch) {
        broken("I7", "look ", i, ": the epoch fell from ", before->epoch, " to ", l.epoch);
      }
      if (before != nullptr && !before->primary.empty() && l.primary != before->primary &&
          l.epoch <= before->epoch) {
        broken("I7", "look ", i, ": the primary changed to ", l.primary, " in epoch ", l.epoch);
      }
      before = &l;
      for (const auto& s : l.servers) {
        const server_state* last = servers[s.name];
        const bool same = last != nullptr && last->started == s.started;
        if (same && l.acks > 0 && last->source_on && s.source_on &&
            s.unacknowledged > last->unacknowledged) {
          broken("I4", "look ", i, ": ", s.name, " has reported ",
                 s.unacknowledged - last->unacknowledged, " commits that nobody acknowledged");
        }
        servers[s.name] = &s;
      }
    }
  }

  void check_sources() {
    std::set<std::string> primaries = h_.written_by_hand;
    gtid_set all;
    const auto take = [&](const look& l) {
      for (const auto& s : l.servers) {
        if (s.name == l.primary) primaries.insert(s.server);
        all.add(set_of(s.executed));
      }
    };
    for (const auto& l : h_.looks)
      take(l);
    if (h_.end) take(*h_.end);
    for (const auto& server : primaries)
      all.drop_source(server);
    if (!all.empty()) broken("I8", "no primary has made ", all.text());
  }

  void check_end() {
    if (!h_.end) return broken("I9", "the end was not looked at");
    const look& l = *h_.end;
    const server_state* p = find(l, l.primary);
    if (p == nullptr || !p->is_writable) {
      return broken("I9", "at the end the primary on record, '", l.primary, "', takes no writes");
    }
    int whole = 1;
    for (const auto& s : l.servers) {
      if (s.name == p->name || s.is_quarantined) continue;
      ++whole;
      if (!s.replicates) broken("I9", "at the end ", s.name, " does not replicate");
      if (set_of(s.executed) != set_of(p->executed)) {
        broken("I9", "at the end ", s.name, " has executed ", s.executed, ", ", p->name, " has ",
               p->executed);
      }
    }
    if (whole != h_.members) {
      broken("I9", "at the end ", whole, " members are whole, expected ", h_.members);
    }
  }

  void check_restore(const restore& r) {
    for (const write* w : acknowledged_) {
      if (w->end_ns < r.begin_ns && !r.rows.contains(w->id)) {
        broken("I10", "write ", w->id, " was acknowledged before backup ", r.backup,
               " began and is not in what was restored");
      }
    }
    std::map<std::int64_t, const write*> by_id;
    for (const auto& w : h_.writes)
      by_id[w.id] = &w;
    for (const std::int64_t id : r.rows) {
      const auto at = by_id.find(id);
      if (at == by_id.end() || at->second->begin_ns > r.end_ns) {
        broken("I10", "row ", id, " of backup ", r.backup, " was written by nobody before its end");
      }
    }
  }

  const history& h_;
  std::set<std::int64_t> tried_;
  std::vector<const write*> acknowledged_;
  std::map<std::string, int> count_;
  std::vector<std::string> found_;
};

void print(std::ostream& out, const look& l) {
  out << "look primary=" << l.primary << " epoch=" << l.epoch << " W=" << l.acks
      << " N=" << l.replicas << '\n';
  for (const auto& s : l.servers) {
    out << "  " << s.name << ' ' << s.server << (s.is_writable ? " writable" : "")
        << (s.replicates ? " replicates" : "") << (s.is_quarantined ? " quarantined" : "")
        << " role=" << s.role << " source=" << s.source_on << " waits=" << s.waits_for
        << " attached=" << s.attached << " no_tx=" << s.unacknowledged << " executed=" << s.executed
        << " received=" << s.received << " purged=" << s.purged << '\n';
  }
}

}  // namespace

std::vector<std::string> broken_invariants(const history& h) {
  return checker(h).run();
}

std::string text_of(const history& h) {
  std::ostringstream out;
  for (const auto& w : h.writes) {
    out << "write " << w.id << ' ' << w.begin_ns << ' ' << w.end_ns << ' '
        << (w.is_acknowledged ? "acknowledged" : "unknown") << ' ' << w.server << '\n';
  }
  for (const auto& l : h.looks)
    print(out, l);
  if (h.end) print(out << "end ", *h.end);
  return std::move(out).str();
}

}  // namespace mysql_cluster::testing
