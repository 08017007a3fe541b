// The cache and client-go's informer look at the same churn on the same API server: they must end
// with the same store, tell the same story of each object, and cost the server no more requests.
#include <gtest/gtest.h>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <csignal>
#include <fstream>
#include <future>
#include <mutex>
#include <random>
#include <sstream>
#include <thread>

#include "core/base/guarded.hpp"
#include "core/cache/standalone.hpp"
#include "core/json/parse.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;

const kube::resource config_maps{"", "v1", "ConfigMap", "configmaps", true};
constexpr const char* ns = "differential";
constexpr const char* selector = "app=web";

// What an observer was told of each object, by name: "added UID@VERSION", "deleted UID".
using story = std::map<std::string, std::vector<std::string>>;
// UID@VERSION of each object by name.
using contents = std::map<std::string, std::string>;

std::string told(const std::string& what, const std::string& uid, const std::string& version) {
  // Of a deletion, one observer shows the last state that it knew, the other the state at the end.
  return what + " " + uid + (what == "deleted" ? "" : "@" + version);
}

kube::config_sources from(const std::filesystem::path& kubeconfig) {
  kube::config_sources out;
  out.flag_path = kubeconfig.string();
  return out;
}

/// Our cache, on a loop and thread of its own.
class our_cache {
 public:
  explicit our_cache(const std::filesystem::path& kubeconfig)
      : api_(cache::standalone::open(io_.get_executor(), from(kubeconfig)).value()),
        share_(api_->cache().acquire({config_maps, ns, selector}, {},
                                     [this](const cache::change& c) { note(c); })),
        thread_([this] { io_.run(); }) {}
  ~our_cache() {
    boost::asio::co_spawn(io_, api_->cache().stop(), [this](std::exception_ptr) { io_.stop(); });
    thread_.join();
  }
  our_cache(const our_cache&) = delete;
  our_cache& operator=(const our_cache&) = delete;

  /// Until resume() nothing moves here, like a stopped process.
  void pause() {
    still_.lock();
    std::promise<void> reached;
    boost::asio::post(io_, [this, &reached] {
      reached.set_value();
      const std::lock_guard wait(still_);
    });
    reached.get_future().wait();
  }
  void resume() { still_.unlock(); }
  [[nodiscard]] story seen() const {
    return seen_.with([](const story& s) { return s; });
  }
  [[nodiscard]] contents stored() const {
    contents out;
    for (const auto& o : share_->view().list())
      out[o->meta().key.name] = o->meta().uid + "@" + o->meta().resource_version;
    return out;
  }

 private:
  void note(const cache::change& c) {
    const auto& meta = (c.after ? c.after : c.before)->meta();
    const char* what = !c.before ? "added" : c.after ? "updated" : "deleted";
    const auto text = told(what, meta.uid, meta.resource_version);
    seen_.with([&](story& s) { s[meta.key.name].push_back(text); });
  }

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  std::mutex still_;
  mutable guarded<story> seen_;
  std::unique_ptr<cache::standalone> api_;
  std::unique_ptr<cache::subscription> share_;
  std::thread thread_;
};

/// client-go's informer, in a process of its own.
class client_go {
 public:
  explicit client_go(const std::filesystem::path& kubeconfig)
      : process_({devcluster_tool(), "observe", "--kubeconfig", kubeconfig, "--namespace", ns,
                  "--selector", selector},
                 dir_.path() / "log") {}
  void pause() const { process_.send(SIGSTOP); }
  void resume() const { process_.send(SIGCONT); }
  [[nodiscard]] story seen() const {
    story out;
    std::map<std::string, std::string> present;  // name to UID
    each_line([&](const std::string& what, const std::string& name, const std::string& uid,
                  const std::string& version) {
      if (what == "stored") return;
      auto& of = out[name];
      auto& known = present[name];
      // Where it learns by a list that another object has the name, it calls that an update; we
      // promise a delete and an add.
      const bool another = what == "updated" && uid != known;
      if (another) of.push_back(told("deleted", known, {}));
      of.push_back(told(another ? "added" : what, uid, version));
      known = uid;
    });
    return out;
  }
  /// Ends it.
  contents stored() {
    process_.send(SIGTERM);
    EXPECT_EQ(process_.wait(30s), 0) << process_.log();
    contents out;
    each_line([&](const std::string& what, const std::string& name, const std::string& uid,
                  const std::string& version) {
      if (what == "stored") out[name] = uid + "@" + version;
    });
    return out;
  }
  [[nodiscard]] std::string log() const { return process_.log(); }

 private:
  template <class Take>
  void each_line(Take take) const {
    std::istringstream lines(process_.log());
    for (std::string line; std::getline(lines, line) && !lines.eof();) {
      const auto parsed = json::parse(line);
      if (!parsed) continue;  // a remark of the library
      const auto text = [&](const char* at) { return std::string(json::string_at(*parsed, at)); };
      take(text("/type"), text("/name"), text("/uid"), text("/version"));
    }
  }

  scratch_dir dir_;
  background process_;
};

/// Changes ConfigMaps, one call after the other.
class writer {
 public:
  explicit writer(const std::filesystem::path& kubeconfig)
      : api_(cache::standalone::open(io_.get_executor(), from(kubeconfig)).value()) {}

  std::string create(const std::string& name, bool labelled, bool finalizer) {
    const std::string body = R"({"metadata":{"name":")" + name + R"(","labels":{"app":")" +
                             (labelled ? "web" : "other") + R"("},"finalizers":[)" +
                             (finalizer ? R"("oarlock.test/hold")" : "") +
                             R"(]},"data":{"n":"0"}})";
    return must(api_->client().create(config_maps, ns, body));
  }
  std::string patch(const std::string& name, const std::string& body) {
    return must(api_->client().merge_patch(config_maps, ns, name, body));
  }
  void remove(const std::string& name) {
    must(api_->client().remove(config_maps, ns, name, kube::delete_options{}));
  }

 private:
  // The version that the write made.
  std::string must(task<result<kube::write_answer>> call) {
    std::string version;
    boost::asio::co_spawn(io_, std::move(call), [&](std::exception_ptr, auto got) {
      if (!got) ADD_FAILURE() << got.error().message;
      const auto parsed = json::parse(got ? got->body : "{}");
      if (parsed) version = json::string_at(*parsed, "/metadata/resourceVersion");
      io_.stop();
    });
    io_.restart();
    io_.run();
    return version;
  }

  boost::asio::io_context io_{1};
  std::unique_ptr<cache::standalone> api_;
};

/// Steps that a seed chooses: the same for everybody who looks.
class churn {
 public:
  churn(writer& w, unsigned seed) : writer_(w), random_(seed) {}

  void run(int steps) {
    for (int n = 0; n < steps && !::testing::Test::HasFailure(); ++n)
      step("m" + std::to_string(random_() % 12), std::to_string(n));
  }

 private:
  struct known {
    bool there = false, labelled = false, finalizer = false, deleting = false;
  };

  void step(const std::string& name, const std::string& mark) {
    auto& k = objects_[name];
    if (!k.there) {
      k = {true, random_() % 4 != 0, random_() % 4 == 0, false};
      writer_.create(name, k.labelled, k.finalizer);
      return;
    }
    if (k.deleting) {  // lets it go
      writer_.patch(name, R"({"metadata":{"finalizers":null}})");
      k = {};
      return;
    }
    switch (random_() % 6) {
      case 0:
        k.labelled = !k.labelled;
        writer_.patch(name, std::string(R"({"metadata":{"labels":{"app":")") +
                                (k.labelled ? "web" : "other") + R"("}}})");
        break;
      case 1:
        writer_.remove(name);
        k.deleting = k.finalizer;
        k.there = k.finalizer;
        break;
      case 2:
        if (k.finalizer) break;
        writer_.remove(name);
        writer_.create(name, k.labelled, false);
        break;
      default:
        writer_.patch(name, R"({"data":{"n":")" + mark + R"("}})");
    }
  }

  writer& writer_;
  std::mt19937 random_;
  std::map<std::string, known> objects_;
};

struct cost {
  std::set<std::string> requests;
  std::set<std::string> lists;  ///< of the requests those that bring every object
};

class differential : public ::testing::Test {
 protected:
  cluster& c = shared_cluster();

  void SetUp() override {
    c.make_namespace(ns);
    for (const auto* user : {"ours", "theirs"}) {
      c.must({"create", "rolebinding", user, "-n", ns, "--clusterrole=view",
              std::string("--user=") + user});
    }
  }
  [[nodiscard]] cost cost_of(const std::string& user) const {
    cost out;
    std::ifstream in(c.dir() / "cluster/audit.log");
    for (std::string line; std::getline(in, line);) {
      const auto entry = json::parse(line);
      if (!entry || json::string_at(*entry, "/user/username") != user) continue;
      const auto uri = json::string_at(*entry, "/requestURI");
      const std::string id(json::string_at(*entry, "/auditID"));
      const bool initial = uri.find("sendInitialEvents=true") != std::string_view::npos;
      out.requests.insert(id);
      if (initial || json::string_at(*entry, "/verb") == "list") out.lists.insert(id);
    }
    return out;
  }
  // etcd forgets everything before `version`.
  void compact(const std::string& version) const {
    const auto folder = c.dir() / "cluster";
    std::ifstream in(folder / "cluster.json");
    std::stringstream text;
    text << in.rdbuf();
    const auto port = json::int_at(json::parse(text.str()).value(), "/ports/etcd").value_or(0);
    const auto pki = [&](const char* file) { return (folder / "pki" / file).string(); };
    const auto done = oarlock::testing::run(
        {"curl", "-sS", "--fail-with-body", "--max-time", "20", "--cacert", pki("ca.crt"), "--cert",
         pki("apiserver-etcd-client.crt"), "--key", pki("apiserver-etcd-client.key"), "-d",
         R"({"revision":")" + version + R"("})",
         "https://127.0.0.1:" + std::to_string(port) + "/v3/kv/compaction"});
    ASSERT_EQ(done.exit_code, 0) << done.out << done.err;
  }
  void restart_api_server() const {
    c.component("kill", "kube-apiserver");
    c.component("start", "kube-apiserver");
  }
};

TEST_F(differential, SeesWhatClientGoSees) {
  writer w(c.dir() / "admin.kubeconfig");
  w.create("early", true, false);
  our_cache ours(c.kubeconfig("ours"));
  client_go theirs(c.kubeconfig("theirs"));
  const auto both_told = [&](const std::string& of) {
    return eventually([&] { return ours.seen().contains(of) && theirs.seen().contains(of); }, 60s);
  };
  ASSERT_TRUE(both_told("early")) << theirs.log();

  churn changes(w, 20261127);
  changes.run(400);
  w.create("mark", true, false);  // comes after all of it, for both
  ASSERT_TRUE(both_told("mark")) << theirs.log();
  EXPECT_EQ(ours.seen(), theirs.seen()) << "a live watch leaves out nothing";
  EXPECT_LE(cost_of("ours").requests.size(), cost_of("theirs").requests.size());

  ours.pause();
  theirs.pause();
  restart_api_server();  // their watches end
  w.remove("early");
  w.create("early", true, false);
  changes.run(100);
  compact(w.patch("mark", R"({"data":{"n":"1"}})"));
  restart_api_server();  // its history begins after all that they can know
  ours.resume();
  theirs.resume();
  w.create("end", true, false);
  ASSERT_TRUE(both_told("end")) << theirs.log();
  changes.run(100);
  w.create("really-the-end", true, false);
  ASSERT_TRUE(both_told("really-the-end")) << theirs.log();

  EXPECT_EQ(ours.seen(), theirs.seen()) << "a relist is told as the difference";
  EXPECT_EQ(ours.stored(), theirs.stored());
  const auto our_cost = cost_of("ours");
  const auto their_cost = cost_of("theirs");
  EXPECT_LE(our_cost.requests.size(), their_cost.requests.size());
  EXPECT_LE(our_cost.lists.size(), their_cost.lists.size());
  EXPECT_EQ(our_cost.lists.size(), 2U) << "the first list, and one after the 410";
  std::cout << "requests: ours " << our_cost.requests.size() << " with " << our_cost.lists.size()
            << " lists, client-go's " << their_cost.requests.size() << " with "
            << their_cost.lists.size() << "\n";
}

}  // namespace
}  // namespace oarlock::testing
