// Rows V10 and V13 of docs/fault-catalogue.md: others act between what the daemon read and what it
// writes. The gate lets them act when the write has arrived, before the API server gets it.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <atomic>

#include "tests/integration/fault_daemon.hpp"

namespace oarlock::testing {
namespace {

// Runs `what` once, when the next write to Deployment `name` is about to go to the server.
class meanwhile {
 public:
  meanwhile(fault_gate& gate, std::string name, std::function<void()> what) : gate_(gate) {
    gate_.choose([this, name = "/deployments/" + std::move(name),
                  what = std::move(what)](const gate_request& r) -> std::optional<gate_fault> {
      if (r.is_write() && r.target.find(name) != std::string::npos && !done_.exchange(true)) what();
      return std::nullopt;
    });
  }
  ~meanwhile() { gate_.choose({}); }
  meanwhile(const meanwhile&) = delete;
  meanwhile& operator=(const meanwhile&) = delete;
  [[nodiscard]] bool happened() const { return done_; }

 private:
  fault_gate& gate_;
  std::atomic<bool> done_ = false;
};

class FaultMeanwhile : public FaultWrites {
 protected:
  void outsider(const std::string& patch) {
    c.must({"patch", "deployment", "web", "-n", ns, "--type=merge", "-p", patch});
  }
};

TEST_F(FaultMeanwhile, V10_AnEditBetweenReadAndWriteKeepsWhatIsNotOurs) {
  start();
  apply("web", 2);
  ASSERT_TRUE(converges("web", 2));
  const auto uid = children.get({ns, "web"})->meta().uid;
  const meanwhile edit(gate_, "web", [this] {
    outsider(R"({"metadata":{"labels":{"theirs":"yes"}},"spec":{"replicas":9,"paused":true}})");
  });
  apply("web", 3);
  ASSERT_TRUE(converges("web", 3));
  EXPECT_TRUE(edit.happened());
  EXPECT_EQ(children.get({ns, "web"})->meta().uid, uid);
  EXPECT_EQ(member(children, "web", "/metadata/labels/theirs"), "\"yes\"");
  EXPECT_EQ(member(children, "web", "/spec/paused"), "true");
}

TEST_F(FaultMeanwhile, V10_ADeletionBetweenReadAndWriteIsNotUndoneByTheWrite) {
  start();
  apply("web", 2);
  ASSERT_TRUE(converges("web", 2));
  const auto uid = children.get({ns, "web"})->meta().uid;
  const meanwhile remove(gate_, "web", [this] {
    c.must({"delete", "deployment", "web", "-n", ns, "--cascade=background", "--wait=false"});
  });
  apply("web", 3);
  ASSERT_TRUE(converges("web", 3));
  EXPECT_TRUE(remove.happened());
  EXPECT_NE(children.get({ns, "web"})->meta().uid, uid);
  EXPECT_EQ(steps_of("web", child_watch), "+-+") << "the update made nothing; a create did";
}

TEST_F(FaultMeanwhile, V10_AnObjectOfAnotherThatTookTheNameIsLeftAlone) {
  start();
  const meanwhile take(gate_, "web", [this] {
    c.must({"create", "deployment", "web", "-n", ns, "--image=theirs:1", "--replicas=1"});
  });
  apply("web", 1);
  ASSERT_TRUE(eventually(
      [&] {
        return member(apps, "web", "/status/conditions").find("NameTaken") != std::string::npos;
      },
      60s))
      << member(apps, "web", "/status");
  EXPECT_TRUE(take.happened());
  EXPECT_EQ(steps_of("web", child_watch), "+") << "nothing was written to it";
  EXPECT_EQ(member(children, "web", "/metadata/ownerReferences"), "");
  c.must({"delete", "deployment", "web", "-n", ns});
  EXPECT_TRUE(converges("web", 1));
}

class FaultDeletion : public FaultDaemon {};

TEST_F(FaultDeletion, V13_DeletedWhileHalfCreatedNothingIsLeft) {
  start();
  const meanwhile remove(gate_, "web", [this] {
    c.must({"delete", "myapp", "web", "-n", ns, "--cascade=background", "--wait=false"});
  });
  apply("web", 2);
  ASSERT_TRUE(eventually([&] { return remove.happened(); }, 60s));
  // The child of an owner that is gone: garbage collection takes it.
  EXPECT_TRUE(eventually([&] { return steps_of("web", child_watch).ends_with('-'); }, 60s))
      << oarlockd->process().log();
  EXPECT_EQ(steps_of("web", child_watch).front(), '+');
  apply("web", 1);
  EXPECT_TRUE(converges("web", 1)) << "the name is free again";
}

TEST_F(FaultDeletion, V13_ATerminatingNamespaceEndsAndNothingIsTriedHot) {
  start();
  const meanwhile remove(gate_, "web",
                         [this] { c.must({"delete", "namespace", ns, "--wait=false"}); });
  apply("web", 2);
  ASSERT_TRUE(eventually([&] { return remove.happened(); }, 60s));
  EXPECT_TRUE(eventually([&] { return !c.fields("namespace", "default").contains(ns); }, 60s))
      << c.must({"get", "namespace", ns, "-o", "yaml"});
  EXPECT_FALSE(children.get({ns, "web"}));
  EXPECT_LT(writes(ns).size(), 40U)
      << "attempts back off: " << ::testing::PrintToString(writes(ns));
  EXPECT_TRUE(oarlockd->wait_ready(30s));
  c.make_namespace(ns);
  apply("web", 1);
  EXPECT_TRUE(converges("web", 1)) << "a namespace of the same name";
}

}  // namespace
}  // namespace oarlock::testing
