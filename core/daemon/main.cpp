// oarlockd: chooses what stands behind the seams (clock, timers, random, transport, plugins) and
// starts the daemon.
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <new>

#include "core/base/asio_timers.hpp"
#include "core/base/call_place.hpp"
#include "core/base/log.hpp"
#include "core/base/short_turns.hpp"
#include "core/base/system_clock.hpp"
#include "core/base/system_random.hpp"
#include "core/daemon/crash_record.hpp"
#include "core/daemon/daemon.hpp"
#include "core/daemon/demotions.hpp"
#include "core/daemon/flags.hpp"
#include "core/daemon/plugin_homes.hpp"
#include "core/kube/connect.hpp"
#include "core/kube/kubeconfig.hpp"
#include "core/plugin/version.hpp"

namespace {

constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

// The namespace of the pod that this process runs in; empty outside a cluster.
std::string pod_namespace() {
  std::string ns;
  std::ifstream(oarlock::kube::config_sources{}.service_account / "namespace") >> ns;
  return ns;
}

oarlock::kube::cluster_config without_identity(oarlock::kube::cluster_config c) {
  for (auto* secret : {&c.client_cert_data, &c.client_cert_file, &c.client_key_data,
                       &c.client_key_file, &c.token, &c.token_file}) {
    secret->clear();
  }
  c.exec.reset();
  return c;
}

}  // namespace

#ifndef OARLOCK_SANITIZED
// RapidJSON writes to what malloc returned without a look at it, in plugins as in the core. So
// where little memory is asked for and there is none, that is said here, and is no SIGSEGV of
// whoever asked. C++ has its own answer, on a plugin's lane std::bad_alloc (crash_record.hpp).
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
}

namespace {

void* looked_at(void* memory, std::size_t size) {
  constexpr std::size_t little = 1U << 20U;  // who asks for more looks, or has a limit
  if (memory == nullptr && size > 0 && size <= little) oarlock::daemon::memory_has_run_out();
  return memory;
}

}  // namespace

extern "C" {
[[gnu::visibility("default")]] void* malloc(std::size_t size) noexcept {
  return looked_at(__libc_malloc(size), size);
}
[[gnu::visibility("default")]] void* realloc(void* old, std::size_t size) noexcept {
  return looked_at(__libc_realloc(old, size), size);
}
}

[[gnu::visibility("default")]] void* operator new(std::size_t size) {
  for (;;) {
    if (void* out = __libc_malloc(size > 0 ? size : 1); out != nullptr) return out;
    const auto handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}
#endif

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  // glibc would give up to 8 arenas per processor to the loops and lanes, each keeping what it once
  // needed. Two are 3 % less anonymous memory at 500 objects and one plugin, and a bound for many.
  mallopt(M_ARENA_MAX, 2);
  oarlock::ask_for_short_turns();  // children have them, too
  const std::string version(oarlock::plugin::core_version());
  const auto parse = [args = std::vector<std::string>(argv + 1, argv + argc), version] {
    return oarlock::daemon::parse_flags(args, version, pod_namespace());
  };
  auto flags = parse();
  std::cout << flags.out << std::flush;
  std::cerr << flags.err << std::flush;
  if (!flags.run) return flags.exit_code;
  oarlock::log_configure(flags.run->log_level, flags.run->log_format);
  const auto crashed = oarlock::daemon::record_crashes(flags.run->state_dir, version);
  oarlock::daemon::end_without_memory();
  oarlock::answer_where_calls_are();

  auto cluster = oarlock::kube::load_cluster_config(
      oarlock::kube::config_sources::from_environment(flags.run->kubeconfig));
  if (!cluster) {
    std::cerr << "oarlockd: " << cluster.error().message << "\n";
    return exit_usage;
  }
  oarlock::log_info("cluster", {{"server", cluster->server}, {"from", cluster->origin}});

  oarlock::system_clock clock;
  oarlock::system_random random;
  oarlock::asio_timers timers;
  const auto metrics = oarlock::make_prometheus_registry();
  const auto nobody = without_identity(*cluster);
  oarlock::daemon::demotions demoted(flags.run->state_dir);
  if (crashed) demoted.add(*crashed);
  const auto lease = oarlock::plugin::lease_page::make();
  if (!lease) {
    std::cerr << "oarlockd: " << lease.error().message << "\n";
    return exit_failed;
  }
  oarlock::daemon::plugin_homes homes(*flags.run, std::move(demoted), clock, *metrics, **lease);
  oarlock::daemon::daemon daemon(
      std::move(*flags.run),
      {.clock_source = &clock,
       .timer_source = &timers,
       .random = &random,
       .metrics = metrics.get(),
       .connect =
           [&](oarlock::executor loop) {
             return oarlock::kube::connect(std::move(loop), clock, timers, *cluster, metrics.get());
           },
       .connect_anonymous =
           [&](oarlock::executor loop) {
             return oarlock::kube::connect(std::move(loop), clock, timers, nobody, metrics.get());
           },
       .load_plugin = homes.as_configured(),
       .load_in_child =
           homes.in_children("in a child, as the last leader did not give up its lease"),
       .load_image =
           [&](bool in_core, const std::string& fingerprint) {
             return homes.of_image(in_core, fingerprint);
           },
       .take_quotas = [&](const oarlock::plugin::quota_table& q) { homes.take_quotas(q); },
       .take_configs = [&](const oarlock::plugin::config_table& c) { homes.take_configs(c); },
       .lease_limit = &(*lease)->limit(),
       .crash_explained = crashed.has_value(),
       .host_name = host_name(),
       .reread = parse});
  return daemon.run();
}
