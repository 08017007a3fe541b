// The watch contract of etcd's robustness suite, kept under random faults: ordered, unique,
// reliable, resumable, bookmarkable. A seed and this source make the run; a failing seed prints
// itself.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/cache/scripted_cluster_test.hpp"

namespace oarlock::cache {
namespace {

// A server with a history that it compacts, and with bad habits.
class faulty_server {
 public:
  faulty_server(test::test_loop& loop, std::uint64_t seed) : loop_(loop), random_(seed) {}

  void serve(const test::scripted_call_ptr& call) {
    if (calm_ || !random_.chance(0.15)) {
      if (call->query("watch") == "true")
        open_watch(call);
      else
        answer_list(call);
      return;
    }
    switch (random_.below(5)) {
      case 0:
        call->refuse(net::net_error::not_sent);
        break;
      case 1:
        call->refuse(net::net_error::no_answer);
        break;
      case 2:
        call->reply(503, status(503, "ServiceUnavailable"));
        break;
      case 3:
        call->reply(429, "busy", {{"Retry-After", "1"}});
        break;
      default:
        call->reply(422, status(422, "Invalid"));
        break;
    }
  }

  void step() {
    const auto what = random_.below(20);
    if (what < 12)
      change_something();
    else if (what < 14)
      send_bookmark();
    else if (what == 14)
      compact();
    else if (what == 15)
      break_a_watch();
    else if (what == 16)
      replay_something();
    else
      loop_.advance(std::chrono::milliseconds(random_.below(3000)));
    if (random_.chance(0.7)) loop_.run_ready();
  }

  // No more faults: what is true now must be seen in the end.
  void calm_down() {
    calm_ = true;
    for (int n = 0; n < 5; ++n) {
      loop_.advance(2min);
      send_bookmark();
      loop_.run_ready();
    }
  }

  [[nodiscard]] const std::map<std::string, widget>& objects() const { return objects_; }
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] bool existed(const std::string& name, const std::string& version) const {
    return existed_.contains(name + "@" + version);
  }
  /// Set by the test: where the client says it is.
  std::function<std::string()> client_position;

 private:
  struct event {
    std::uint64_t version;
    std::string bytes;
    std::string name;
  };
  struct open_stream {
    test::scripted_call_ptr call;
    std::string unsent;  // of a chunk that was cut
  };

  void change_something() {
    const std::string name = "w" + std::to_string(random_.below(8));
    const auto found = objects_.find(name);
    ++version_;
    widget w{name, std::to_string(version_), "", random_.chance(0.3) ? "\xc3\xa9\xe2\x82\xac" : ""};
    std::string bytes;
    if (found == objects_.end()) {
      w.uid = "u" + std::to_string(version_);
      bytes = added(w);
      objects_[name] = w;
    } else if (random_.chance(0.3)) {
      w.uid = found->second.uid;
      bytes = deleted(w);
      objects_.erase(found);
    } else {
      w.uid = found->second.uid;
      bytes = modified(w);
      found->second = w;
    }
    existed_.insert(name + "@" + w.version);
    history_.push_back({version_, bytes, name});
    send(bytes);
  }

  // Half of a chunk may come later, whatever it cuts.
  void send(const std::string& bytes) {
    for (auto& s : streams_) {
      s.unsent += bytes;
      const std::size_t part =
          !calm_ && random_.chance(0.4) ? random_.below(s.unsent.size() + 1) : s.unsent.size();
      s.call->push(s.unsent.substr(0, part));
      s.unsent.erase(0, part);
    }
  }
  void send_bookmark() { send(bookmark(std::to_string(version_))); }
  void compact() {
    const auto keep = std::min<std::size_t>(history_.size(), random_.below(4));
    if (keep < history_.size()) compacted_ = history_[history_.size() - keep - 1].version;
    history_.erase(history_.begin(), history_.end() - static_cast<std::ptrdiff_t>(keep));
    if (random_.chance(0.5)) end_all([](auto& call) { call.push(error_event(410, "Expired")); });
  }
  void break_a_watch() {
    const bool clean = random_.chance(0.5);
    end_all([clean](auto& call) { clean ? call.finish() : call.break_off(); });
  }
  template <class End>
  void end_all(End end) {
    for (auto& s : streams_)
      end(*s.call);
    streams_.clear();
  }
  void replay_something() {
    if (history_.empty()) return;
    for (auto& s : streams_) {
      if (s.unsent.empty()) s.call->push(history_[random_.below(history_.size())].bytes);
    }
  }

  void answer_list(const test::scripted_call_ptr& call) {
    const auto offset = call->query("continue");
    if (!offset.empty() && !calm_ && random_.chance(0.2)) {
      call->reply(410, status(410, "Expired"));
      return;
    }
    // Pages of three, all of them from now: that is allowed, the first version counts.
    auto from = static_cast<std::size_t>(offset.empty() ? 0 : std::stoul(offset));
    std::vector<widget> items;
    std::size_t index = 0;
    for (const auto& [name, w] : objects_) {
      if (index >= from && index < from + 3) items.push_back(w);
      ++index;
    }
    if (offset.empty()) list_version_ = version_;
    call->reply(200, list(items, std::to_string(list_version_),
                          index > from + 3 ? std::to_string(from + 3) : ""));
  }

  void open_watch(const test::scripted_call_ptr& call) {
    const auto asked = call->query("resourceVersion");
    const bool initial = call->query("sendInitialEvents") == "true";
    if (!initial && client_position && asked != client_position()) {
      violations_.push_back("resumable: watched from " + asked + ", seen " + client_position());
    }
    const std::uint64_t from = asked.empty() ? 0 : std::stoull(asked);
    if (!initial && from < compacted_) {
      if (random_.chance(0.5)) {
        call->reply(410, status(410, "Expired"));
      } else {
        call->answer(200);
        call->push(error_event(410, "Expired"));
      }
      return;
    }
    call->answer(200);
    std::string bytes;
    if (initial) {
      for (const auto& [name, w] : objects_)
        bytes.insert(random_.chance(0.5) ? 0 : bytes.size(), added(w));
      if (!calm_ && random_.chance(0.1)) {
        call->push(bytes);
        call->break_off();
        return;
      }
      bytes += end_of_list(std::to_string(version_));
    } else {
      for (const auto& e : history_) {
        if (e.version > from) bytes += e.bytes;
      }
    }
    call->push(std::move(bytes));
    streams_.push_back({call, ""});
  }

  test::test_loop& loop_;
  test::seeded_random random_;
  std::map<std::string, widget> objects_;
  std::vector<event> history_;
  std::set<std::string> existed_;
  std::uint64_t version_ = 100;
  std::uint64_t compacted_ = 0;
  std::uint64_t list_version_ = 0;
  std::vector<open_stream> streams_;
  std::vector<std::string> violations_;
  bool calm_ = false;
};

// Checks each change as it is delivered.
class contract {
 public:
  explicit contract(const faulty_server& server) : server_(server) {}

  void take(const change& c) {
    const std::string name = (c.after ? c.after : c.before)->meta().key.name;
    const auto have = model_.find(name);
    if (c.before) {
      expect(have != model_.end() && have->second == c.before, "unique: " + text_of(c));
    } else {
      expect(have == model_.end(), "unique: " + text_of(c));
    }
    if (c.before && c.after) {
      expect(c.before->meta().uid == c.after->meta().uid, "one life at a time: " + text_of(c));
      expect(order(c.before) < order(c.after), "ordered: " + text_of(c));
    }
    if (c.after) {
      expect(server_.existed(name, c.after->meta().resource_version), "real: " + text_of(c));
      expect(order(c.after) > buried_[name], "no ghosts: " + text_of(c));
      model_[name] = c.after;
    } else {
      buried_[name] = order(c.before);
      model_.erase(name);
    }
  }
  void position(const std::string& now) {
    const std::uint64_t v = now.empty() ? 0 : std::stoull(now);
    expect(v >= position_, "bookmarkable: position went back to " + now);
    expect(v <= server_.version(), "bookmarkable: position from the future: " + now);
    position_ = v;
  }
  [[nodiscard]] const std::map<std::string, object_ptr>& model() const { return model_; }
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }

 private:
  static std::uint64_t order(const object_ptr& o) {
    return std::stoull(o->meta().resource_version);
  }
  void expect(bool holds, const std::string& what) {
    if (!holds) violations_.push_back(what);
  }

  const faulty_server& server_;
  std::map<std::string, object_ptr> model_;
  std::map<std::string, std::uint64_t> buried_;
  std::uint64_t position_ = 0;
  std::vector<std::string> violations_;
};

std::map<std::string, std::string> flat(const std::map<std::string, widget>& objects) {
  std::map<std::string, std::string> out;
  for (const auto& [name, w] : objects)
    out[name] = w.uid + "@" + w.version;
  return out;
}
std::map<std::string, std::string> flat(const std::vector<object_ptr>& objects) {
  std::map<std::string, std::string> out;
  for (const auto& o : objects)
    out[o->meta().key.name] = o->meta().uid + "@" + o->meta().resource_version;
  return out;
}

class watch_contract : public scripted_cluster {};

TEST_F(watch_contract, holds_under_random_faults) {
  std::size_t delivered = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    faulty_server server(loop, seed);
    contract checks(server);
    contract late_checks(server);
    transport.on_request = [&server](const test::scripted_call_ptr& c) { server.serve(c); };
    informer_cache subject(
        {loop.loop(), &client, &loop.clock, &loop.timers, &random, metrics.get()});
    const auto s = subject.acquire({widgets, "", ""}, {}, [&](const change& c) {
      ++delivered;
      checks.take(c);
    });
    server.client_position = [&s] { return s->view().seen_version(); };
    std::unique_ptr<subscription> late;
    for (int n = 0; n < 120; ++n) {
      server.step();
      checks.position(s->view().seen_version());
      if (n == 60) {
        late = subject.acquire({widgets, "", ""}, {},
                               [&late_checks](const change& c) { late_checks.take(c); });
      }
    }
    server.calm_down();
    checks.position(s->view().seen_version());
    EXPECT_THAT(checks.violations(), testing::IsEmpty()) << "seed " << seed;
    EXPECT_THAT(late_checks.violations(), testing::IsEmpty()) << "seed " << seed;
    EXPECT_THAT(server.violations(), testing::IsEmpty()) << "seed " << seed;
    EXPECT_EQ(flat(s->view().list()), flat(server.objects())) << "reliable, seed " << seed;
    EXPECT_EQ(s->view().seen_version(), std::to_string(server.version())) << "seed " << seed;
    EXPECT_EQ(checks.model().size(), server.objects().size()) << "seed " << seed;
    EXPECT_EQ(late_checks.model().size(), server.objects().size()) << "seed " << seed;
    loop.await(subject.stop());
    if (HasFailure()) return;
  }
  EXPECT_GT(delivered, 5000U) << "the script must have done something";
  transport.on_request = nullptr;
}

}  // namespace
}  // namespace oarlock::cache
