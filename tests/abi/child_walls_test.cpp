// The walls around a child: what a hostile plugin tries there, and how it is refused.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "core/plugin/errors.hpp"
#include "tests/abi/hostile.hpp"

namespace oarlock::abi {
namespace {

using ::testing::HasSubstr;

TEST(child_home, the_walls_hold) {
  const struct {
    const char* how;
    const char* words;
  } tries[] = {{"read-passwd", "EACCES"},
               {"read-token", "EACCES"},
               {"read-environ", "EACCES"},
               {"read-mem", "EACCES"},
               {"read-maps", "EACCES"},
               {"read-libc", "EACCES"},
               {"read-vm", "EPERM"},
               {"write-file", "EACCES"},
               {"list-descriptors", "EBADF"},
               {"environment", "ENOENT"},
               {"signal-parent", "EPERM"},
               {"signal-all", "EPERM"},
               {"signal-thread", "EPERM"},
               {"trace-parent", "EPERM"},
               {"connect", "EPERM"},
               {"fork", "EPERM"},
               {"exec", "EPERM"},
               {"mount", "EPERM"},
               {"bpf", "EPERM"},
               {"keyctl", "EPERM"},
               {"become-dumpable", "EPERM"},
               {"become-root", "EPERM"},
               {"io-uring", "EPERM"},
               {"metadata", "EPERM"},
               {"local-socket", "EPERM"},
               {"leak-descriptors", "EPERM"}};
  hostile zoo;
  for (const auto& t : tries) {
    EXPECT_EQ(zoo.plan(t.how).fail_message, std::string(t.how) + ": " + t.words);
  }
}

// A socket on loopback that accepts connections, by the kernel's doing.
class listener {
 public:
  listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::listen(fd_, 8), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(at.sin_port);
  }
  ~listener() { ::close(fd_); }
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  [[nodiscard]] std::string port() const { return std::to_string(port_); }

 private:
  int fd_;
  int port_ = 0;
};

std::string with_port(const std::string& port) {
  return zoo_manifest(this_abi(), "  network: {connectPorts: [" + port + "]}\n");
}

TEST(child_home, the_network_is_the_ports_of_the_manifest) {
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1U) < 4) {
    GTEST_SKIP() << "this kernel's Landlock knows no ports: such a plugin is refused";
  }
  const listener declared;
  const listener other;
  hostile zoo(home::child, zoo_settings(), with_port(declared.port()));
  // Of what connects without the kernel asking Landlock nothing is let through, to no port.
  const std::pair<std::string, std::string> tries[] = {{"connect-" + declared.port(), "reached"},
                                                       {"connect-" + other.port(), "EACCES"},
                                                       {"mptcp-" + declared.port(), "EPERM"},
                                                       {"mptcp-" + other.port(), "EPERM"},
                                                       {"fast-" + other.port(), "EPERM"},
                                                       {"ulp", "EPERM"},
                                                       {"metadata", "EACCES"},
                                                       {"listen", "EPERM"},
                                                       {"udp", "EPERM"},
                                                       {"local-socket", "EPERM"},
                                                       {"signal-socket", "EPERM"},
                                                       {"read-passwd", "EACCES"},
                                                       {"fork", "EPERM"}};
  for (const auto& [how, words] : tries) {
    EXPECT_EQ(zoo.plan(how).fail_message, how + ": " + words);
  }
}

// Loads with a child whose kernel lacks `wall`.
class without_wall {
 public:
  explicit without_wall(const std::string& wall, plugin::child_settings settings = zoo_settings(),
                        const std::string& manifest = zoo_manifest())
      : settings_(std::move(settings)) {
    settings_.program = programs_.path() / wall;
    fs::copy_file(fs::path(ZOO_DIR) / "without_wall", settings_.program);
    fs::permissions(programs_.path(), fs::perms(0755));
    write_whole(here_.path() / "plugin.yaml", manifest);
    write_whole(here_.path() / "libzoo.so", read_whole(zoo_file("good")));
  }
  // Why it is refused; empty: it is not.
  std::string refusal() {
    const auto loaded = load_from(here_.path(), home::child, "{}", settings_);
    if (loaded) return {};
    EXPECT_EQ(loaded.error().code, plugin::plugin_error::no_sandbox);
    return loaded.error().message;
  }
  const plugin::child_settings& settings() { return settings_; }

 private:
  folder here_;
  folder programs_;
  plugin::child_settings settings_;
};

TEST(child_home, a_missing_wall_refuses_the_plugin_and_is_named) {
  EXPECT_THAT(without_wall("capset").refusal(), HasSubstr("missing: no capabilities: Operation"));
  EXPECT_THAT(without_wall("seccomp").refusal(), HasSubstr("missing: seccomp: "));
  EXPECT_THAT(without_wall("seccomp").refusal(), HasSubstr("--plugin-sandbox=bestEffort"));
  auto as_we_are = zoo_settings();
  as_we_are.user = 0;
  EXPECT_THAT(without_wall("landlock", as_we_are).refusal(), HasSubstr("missing: Landlock: "));
  if (::geteuid() == 0) {
    EXPECT_EQ(without_wall("landlock").refusal(), "") << "another user: permissions are enough";
  }
}

TEST(child_home, best_effort_goes_on_behind_the_walls_that_stand_and_says_which_do_not) {
  auto settings = zoo_settings();
  settings.sandbox = plugin::wire::sandbox_mode::best_effort;
  without_wall lacking("seccomp", settings);
  ::testing::internal::CaptureStderr();
  hostile zoo(home::child, lacking.settings());
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("seccomp: "));
  EXPECT_EQ(zoo.plan("read-passwd").fail_message, "read-passwd: EACCES") << "Landlock stands";
  EXPECT_EQ(zoo.plan("fork").fail_message, "fork: reached") << "seccomp does not";
}

TEST(child_home, a_kernel_that_cannot_hold_ports_refuses_a_plugin_that_has_some) {
  const auto manifest = with_port("33062");
  for (const std::string wall : {"ports", "landlock"}) {
    EXPECT_THAT(without_wall(wall, zoo_settings(), manifest).refusal(),
                HasSubstr("network.connectPorts (Landlock since Linux 6.7): "))
        << "also when the child is another user";
  }
  EXPECT_EQ(without_wall("ports").refusal(), "") << "nor any other plugin";
}

TEST(child_home, best_effort_without_the_wall_of_ports_keeps_the_one_of_files) {
  auto settings = zoo_settings();
  settings.sandbox = plugin::wire::sandbox_mode::best_effort;
  without_wall lacking("ports", settings);
  ::testing::internal::CaptureStderr();
  hostile zoo(home::child, lacking.settings(), with_port("33062"));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("network.connectPorts"));
  EXPECT_EQ(zoo.plan("read-passwd").fail_message, "read-passwd: EACCES");
  EXPECT_EQ(zoo.plan("udp").fail_message, "udp: EPERM");
}

// A daemon that is not root cannot make its child another user: the other walls must do.
TEST(child_home, the_child_of_a_daemon_that_is_not_root_is_walled_in_too) {
  if (::geteuid() != 0) GTEST_SKIP() << "all tests here run so when the user is not root";
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        constexpr uid_t nobody = 65534;
        if (::setresgid(nobody, nobody, nobody) != 0 || ::setresuid(nobody, nobody, nobody) != 0) {
          std::_Exit(2);
        }
        hostile zoo;
        for (const std::string how : {"read-passwd", "read-token", "read-environ", "read-mem"}) {
          if (zoo.plan(how).fail_message != how + ": EACCES") std::_Exit(3);
        }
        for (const std::string how : {"read-vm", "signal-parent", "trace-parent", "connect"}) {
          if (zoo.plan(how).fail_message != how + ": EPERM") std::_Exit(4);
        }
        std::_Exit(0);
      },
      ::testing::ExitedWithCode(0), "");
}

// The tricks do work where there is no wall: the test above cannot pass by accident.
TEST(child_home, in_the_core_there_are_no_walls) {
  hostile zoo(home::core);
  // What "list-descriptors" looks for, whatever the caller of this program left open.
  const int open_here = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
  ASSERT_GE(open_here, 10);
  for (const std::string how :
       {"read-passwd", "read-token", "read-libc", "list-descriptors", "environment",
        "signal-parent", "connect", "fork", "local-socket"}) {
    EXPECT_EQ(zoo.plan(how).fail_message, how + ": reached");
  }
  ::close(open_here);
  const listener any;
  EXPECT_EQ(zoo.plan("connect-" + any.port()).fail_message, "connect-" + any.port() + ": reached");
  EXPECT_EQ(zoo.plan("udp").fail_message, "udp: reached");
  EXPECT_EQ(zoo.plan("listen").fail_message, "listen: reached");
  EXPECT_EQ(zoo.plan("signal-socket").fail_message, "signal-socket: reached");
}

}  // namespace
}  // namespace oarlock::abi
