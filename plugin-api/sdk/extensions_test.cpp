// The C++ SDK over extensions that a host has, and that it lacks.
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>
#include <vector>

#include "oarlock/sdk/cache.hpp"
#include "oarlock/sdk/clock.hpp"
#include "oarlock/sdk/event_source.hpp"
#include "oarlock/sdk/leadership.hpp"
#include "oarlock/sdk/metrics.hpp"
#include "oarlock/sdk/threads.hpp"

namespace oarlock::sdk {
namespace {

// A host that writes down what it is asked, and has three objects.
struct fake_host {
  std::vector<std::string> calls;
  std::vector<std::string> objects{R"({"n":0})", R"({"n":1})", R"({"n":2})"};
  std::size_t at = 0;
  std::int64_t lease_valid_until_ns = 0;
  oarlock_host table{};
};

fake_host& of(oarlock_host_ctx* ctx) {
  return *reinterpret_cast<fake_host*>(ctx);
}

const oarlock_host_event_source events = {
    sizeof(events), 0,
    [](oarlock_host_ctx* ctx, oarlock_str_view controller, oarlock_str_view ns,
       oarlock_str_view name) -> oarlock_status {
      of(ctx).calls.push_back(std::string(to_text(controller)) + " " + std::string(to_text(ns)) +
                              "/" + std::string(to_text(name)));
      return to_text(controller) == "rower" ? OARLOCK_OK : OARLOCK_INVALID;
    }};

const oarlock_host_cache cached = {
    sizeof(cached), 0,
    [](oarlock_host_ctx* ctx, const oarlock_query_view* what,
       std::uint64_t* out) -> oarlock_status {
      if (to_text(what->resource) != "pods") return OARLOCK_INVALID;
      of(ctx).calls.push_back("open " + std::string(to_text(what->label_selector)));
      *out = 7;
      return OARLOCK_OK;
    },
    [](oarlock_host_ctx* ctx, std::uint64_t cursor, oarlock_object_view* out) -> oarlock_status {
      auto& host = of(ctx);
      if (cursor != 7) return OARLOCK_INVALID;
      if (host.at < host.objects.size()) {
        out->encoding = OARLOCK_ENCODING_JSON;
        out->bytes = to_bytes(host.objects[host.at++]);
      }
      return OARLOCK_OK;
    },
    [](oarlock_host_ctx* ctx, std::uint64_t) -> oarlock_status {
      of(ctx).calls.emplace_back("close");
      return OARLOCK_OK;
    }};

const oarlock_host_leadership lease = {
    sizeof(lease), 0, [](oarlock_host_ctx* ctx) { return of(ctx).lease_valid_until_ns; }};

const oarlock_host_clock clocks = {sizeof(clocks), 0,
                                   [](oarlock_host_ctx*) -> std::int64_t { return 5000000; },
                                   [](oarlock_host_ctx*) -> std::int64_t { return 1700000000123; }};

const oarlock_host_thread thread = {
    sizeof(thread), 0, [](oarlock_host_ctx*) -> oarlock_thread { return OARLOCK_THREAD_WORKER; }};

void fill(fake_host& host, bool has_extensions) {
  host.table.struct_size = sizeof(host.table);
  host.table.ctx = reinterpret_cast<oarlock_host_ctx*>(&host);
  host.table.extension = [](oarlock_host_ctx*, oarlock_str_view id) -> const void* {
    if (to_text(id) == OARLOCK_EXT_EVENT_SOURCE) return &events;
    if (to_text(id) == OARLOCK_EXT_LEADERSHIP) return &lease;
    if (to_text(id) == OARLOCK_EXT_CLOCK) return &clocks;
    if (to_text(id) == OARLOCK_EXT_THREAD) return &thread;
    return to_text(id) == OARLOCK_EXT_CACHE ? &cached : nullptr;
  };
  if (!has_extensions) {
    host.table.extension = [](oarlock_host_ctx*, oarlock_str_view) -> const void* {
      return nullptr;
    };
  }
}

TEST(extensions, events_name_objects) {
  fake_host host;
  fill(host, true);
  const event_source source(host.table);
  EXPECT_TRUE(source.enqueue("rower", "shop", "a"));
  EXPECT_FALSE(source.enqueue("stranger", "shop", "a"));
  EXPECT_EQ(host.calls, (std::vector<std::string>{"rower shop/a", "stranger shop/a"}));
}

TEST(extensions, a_cursor_walks_and_closes) {
  fake_host host;
  fill(host, true);
  const cache from(host.table);
  std::int64_t sum = 0;
  for (auto pods = from.find({.resource = "pods", .labels = "app=web"}); pods.next();)
    sum += 10 + pods.object()["n"].integer();
  EXPECT_EQ(sum, 33);
  EXPECT_EQ(host.calls, (std::vector<std::string>{"open app=web", "close"}));
  EXPECT_THROW((void)from.find({.resource = "nodes"}), terminal_error);
}

TEST(extensions, leadership_lasts_until_its_limit) {
  using namespace std::chrono_literals;
  fake_host host;
  fill(host, true);
  const leadership lead(host.table);
  using time_point = std::chrono::steady_clock::time_point;
  host.lease_valid_until_ns = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(lead.valid_until(), time_point::min());
  EXPECT_FALSE(lead.lasts(0s));
  host.lease_valid_until_ns = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(lead.valid_until(), time_point::max());
  EXPECT_TRUE(lead.lasts(24h));
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  host.lease_valid_until_ns = std::chrono::nanoseconds(now + 1h).count();
  EXPECT_TRUE(lead.lasts(1min));
  EXPECT_FALSE(lead.lasts(1h));
}

TEST(extensions, the_clock_is_the_hosts) {
  using namespace std::chrono_literals;
  fake_host host;
  fill(host, true);
  EXPECT_EQ(clock(host.table).now().time_since_epoch(), 5ms);
  EXPECT_EQ(clock(host.table).wall_now().time_since_epoch(), 1700000000123ms);
  fill(host, false);
  const auto now = std::chrono::steady_clock::now();
  EXPECT_GE(clock(host.table).now(), now) << "the machine's";
}

TEST(extensions, a_thread_is_of_a_kind) {
  fake_host host;
  fill(host, true);
  EXPECT_EQ(threads(host.table).current(), thread_kind::worker);
  fill(host, false);
  EXPECT_EQ(threads(host.table).current(), std::nullopt) << "such a host cannot tell";
}

TEST(extensions, without_them_nothing_happens) {
  fake_host host;
  fill(host, false);
  EXPECT_FALSE(event_source(host.table).enqueue("rower", "shop", "a"));
  EXPECT_THROW((void)cache(host.table).find({.resource = "pods"}), terminal_error);
  EXPECT_EQ(leadership(host.table).valid_until(), std::chrono::steady_clock::time_point::min());
  const metrics none(host.table);
  none.counters("x_total", "help").add().increment();
  none.gauges("x", "help").add().set(1);
  none.histograms("y", "help").add().observe(1);
}

}  // namespace
}  // namespace oarlock::sdk
