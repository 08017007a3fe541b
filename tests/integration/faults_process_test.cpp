// Rows Q2 to Q4 of docs/fault-catalogue.md: what the machine denies to oarlockd, and how it ends.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string_view>

#include "tests/integration/cgroup.hpp"
#include "tests/integration/fault_subject.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

#ifdef OARLOCK_SANITIZED
constexpr bool under_ubsan =
    std::string_view(OARLOCK_SANITIZED).find("undefined") != std::string_view::npos;
#else
constexpr bool under_ubsan = false;
#endif

class FaultProcess : public ::testing::Test {
 protected:
  FaultProcess() { c.make_namespace(ns); }
  static std::string next_namespace() {
    static int count = 0;
    return "process-" + std::to_string(++count);
  }

  void start(std::vector<std::string> flags = {}, bool leader_elect = false) {
    oarlockd.reset();
    flags.push_back("--namespace=" + ns);
    flags.push_back("--leader-election-id=" + ns);
    oarlockd = std::make_unique<daemon>(
        c, daemon::options{{"myapp"}, std::move(flags), leader_elect, gate_.kubeconfig()});
  }
  static std::string app_json(const std::string& name, std::size_t padding) {
    return fmt::format(
        R"({{"apiVersion":"example.com/v1alpha1","kind":"MyApp","metadata":{{"name":"{}",)"
        R"("annotations":{{"padding":"{}"}}}},"spec":{{"replicas":0,"image":"myapp:latest"}}}})",
        name, std::string(padding, 'x'));
  }
  void apply(const std::string& text) const {
    c.must({"apply", "--server-side", "-n", ns, "-f", "-"}, text);
  }
  void apply_one() const { apply(app_json("web", 0)); }
  // 8 MB of objects.
  void apply_many() const {
    std::string all;
    for (int i = 0; i < 40; ++i)
      all += app_json("big-" + std::to_string(i), 200'000) + "\n---\n";
    apply(all);
  }
  [[nodiscard]] bool made(const std::string& name) const {
    return !c.field("deployment", name, ns, ".metadata.uid").empty();
  }
  [[nodiscard]] bool said(const std::string& text) const {
    return oarlockd->process().log().find(text) != std::string::npos;
  }
  [[nodiscard]] std::string lease_holder() const {
    return c.field("lease", ns, "oarlock-system", ".spec.holderIdentity");
  }
  [[nodiscard]] std::size_t open_files() const {
    std::size_t count = 0;
    const auto dir = fmt::format("/proc/{}/fd", oarlockd->process().pid());
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir))
      ++count;
    return count;
  }

  cluster& c = shared_cluster();
  const std::string ns = next_namespace();
  fault_gate gate_{c.kubeconfig("oarlock")};
  std::unique_ptr<daemon> oarlockd;
};

TEST_F(FaultProcess, Q2_WithoutDescriptorsItWaitsAndThenGoesOn) {
  if (under_ubsan)
    GTEST_SKIP() << "UBSan reads a vptr through a pipe, and takes none for a bad one";
  start();
  ASSERT_TRUE(oarlockd->wait_ready(30s)) << oarlockd->process().log();
  const auto pid = oarlockd->process().pid();
  rlimit before{};
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, nullptr, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, &none, nullptr), 0);
  gate_.cut_all();
  EXPECT_TRUE(eventually([&] { return said("Too many open files"); }, 30s))
      << oarlockd->process().log();
  apply_one();
  EXPECT_TRUE(oarlockd->process().running());
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, &before, nullptr), 0);
  EXPECT_TRUE(eventually([&] { return made("web"); }, 60s)) << oarlockd->process().log();
  EXPECT_TRUE(oarlockd->wait_ready(30s)) << oarlockd->probe("/readyz?verbose");
}

TEST_F(FaultProcess, Q2_KilledAtItsMemoryLimitTheNextOneFinishes) {
  if (under_a_sanitizer) GTEST_SKIP() << "a sanitizer needs more memory than the limit";
  const cgroup group("memory");
  if (!group.usable()) GTEST_SKIP() << "no memory cgroup (version 1) that this user can write";
  start();
  ASSERT_TRUE(oarlockd->wait_ready(30s)) << oarlockd->process().log();
  // What it has already stays charged elsewhere: the limit is for what comes.
  ASSERT_TRUE(group.write("cgroup.procs", std::to_string(oarlockd->process().pid())));
  ASSERT_TRUE(group.write("memory.limit_in_bytes", std::to_string(4U << 20U)));
  apply_many();
  EXPECT_EQ(oarlockd->process().wait(60s), 128 + SIGKILL) << "never half alive";
  start();
  EXPECT_TRUE(eventually([&] { return made("big-0") && made("big-39"); }, 60s))
      << oarlockd->process().log();
}

// The writable memory of a process, touched or not.
std::size_t data_kib(pid_t pid) {
  std::ifstream in(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmData:")) return std::stoul(line.substr(7));
  }
  return 0;
}

TEST_F(FaultProcess, Q3_OutOfMemoryEndsItWithAMessageAndARecord) {
  if (under_a_sanitizer) GTEST_SKIP() << "a sanitizer has an allocator of its own";
  const scratch_dir state;
  const auto state_flag = "--state-dir=" + state.path().string();
  start({state_flag});
  ASSERT_TRUE(oarlockd->wait_ready(30s)) << oarlockd->process().log();
  const auto pid = oarlockd->process().pid();
  const auto limit = static_cast<rlim_t>(data_kib(pid) + 1024) << 10U;
  const rlimit little{limit, limit};
  ASSERT_EQ(::prlimit(pid, RLIMIT_DATA, &little, nullptr), 0);
  apply_many();
  EXPECT_EQ(oarlockd->process().wait(60s), 128 + SIGABRT) << oarlockd->process().log();
  EXPECT_TRUE(said(" ended: out of memory in thread oarlock-")) << oarlockd->process().log();
  std::string record;
  std::ifstream in(state.path() / "last-crash.log");
  ASSERT_TRUE(std::getline(in, record));
  EXPECT_THAT(record, HasSubstr(" ended: out of memory in thread oarlock-"));
  EXPECT_TRUE(std::getline(in, record)) << "the addresses on the stack";
  start({state_flag});
  EXPECT_TRUE(eventually([&] { return said("an earlier run crashed"); }, 30s));
  EXPECT_TRUE(eventually([&] { return made("big-0") && made("big-39"); }, 60s))
      << oarlockd->process().log();
  EXPECT_FALSE(std::filesystem::exists(state.path() / "last-crash.log")) << "told once";
}

TEST_F(FaultProcess, Q4_SigtermInEachPhaseEndsWellAndFreesTheLease) {
  apply_one();
  for (const char* phase : {"\"server\":\"probes\"", "plugin loaded", "the API server answers",
                            "\"leading\"", "first reconcile"}) {
    SCOPED_TRACE(phase);
    start({}, true);
    ASSERT_TRUE(eventually([&] { return said(phase); }, 30s)) << oarlockd->process().log();
    oarlockd->process().send(SIGTERM);
    EXPECT_EQ(oarlockd->process().wait(40s), 0) << oarlockd->process().log();
    EXPECT_EQ(lease_holder(), "");
  }
}

class FaultStop : public FaultProcess {
 protected:
  // A leader with one write on its way that nobody answers.
  void start_and_hold() {
    held = gate_.add({"WRITE", "/apis/apps/v1/", ns, "", 0, 0, gate::hold()});
    start({}, true);
    apply_one();
    ASSERT_TRUE(eventually([&] { return gate_.hits(held) > 0; }, 60s)) << oarlockd->process().log();
    oarlockd->process().send(SIGTERM);
    ASSERT_TRUE(eventually([&] { return said("\"stopping\""); }, 20s));
  }
  int held = 0;
};

TEST_F(FaultStop, Q4_TheLeaseIsReleasedAfterTheLastWriteHasEnded) {
  start_and_hold();
  EXPECT_FALSE(eventually([&] { return lease_holder().empty(); }, 300ms));
  EXPECT_TRUE(oarlockd->process().running());
  gate_.remove(held);
  EXPECT_TRUE(eventually(
      [&] {
        gate_.release();
        return !oarlockd->process().running();
      },
      40s));
  EXPECT_EQ(oarlockd->process().wait(1s), 0) << oarlockd->process().log();
  EXPECT_EQ(lease_holder(), "");
}

TEST_F(FaultStop, Q4_ASecondSigtermEndsItAtOnceAndKeepsTheLease) {
  start_and_hold();
  // The first of these may still be taken by the graceful stop.
  EXPECT_TRUE(eventually(
      [&] {
        oarlockd->process().send(SIGTERM);
        return !oarlockd->process().running();
      },
      20s));
  EXPECT_EQ(oarlockd->process().wait(1s), 128 + SIGTERM);
  EXPECT_NE(lease_holder(), "") << "a write may still be on its way";
}

class scrapers {
 public:
  // `count` connections that never say a word.
  scrapers(const std::string& address, std::size_t count) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (std::size_t i = 0; i < count; ++i) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      if (fd < 0) break;
      (void)::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
      sockets_.push_back(fd);
    }
  }
  ~scrapers() {
    for (const int fd : sockets_)
      ::close(fd);
  }
  scrapers(const scrapers&) = delete;
  scrapers& operator=(const scrapers&) = delete;
  [[nodiscard]] std::size_t count() const { return sockets_.size(); }

 private:
  std::vector<int> sockets_;
};

TEST_F(FaultProcess, Q4_AThousandSilentScrapersAreBounded) {
  start();
  ASSERT_TRUE(oarlockd->wait_ready(30s)) << oarlockd->process().log();
  const auto before = open_files();
  {
    const scrapers crowd(oarlockd->metrics_address(), 1000);
    ASSERT_EQ(crowd.count(), 1000U);
    EXPECT_TRUE(eventually([&] { return open_files() > before + 32; }, 20s));
    apply_one();
    EXPECT_TRUE(eventually([&] { return made("web"); }, 30s)) << "work goes on";
    EXPECT_THAT(oarlockd->probe("/healthz"), HasSubstr("healthz check passed"));
    EXPECT_LT(open_files(), before + 100);
  }
  double refused = 0;
  EXPECT_TRUE(eventually(
      [&] {
        refused = metric(oarlockd->metrics(), "oarlock_http_connections_refused_total",
                         {"server=\"metrics\""});
        return refused > 0;
      },
      30s));
  EXPECT_GT(refused, 800);
}

}  // namespace
}  // namespace oarlock::testing
