#pragma once
// A cache over a scripted transport, for the tests of this folder.
#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "core/base/log.hpp"
#include "core/cache/informer_cache.hpp"
#include "tests/support/fake_clock.hpp"
#include "tests/support/scripted_transport.hpp"

namespace oarlock::cache {

using strings = std::vector<std::string>;
using namespace std::chrono_literals;

inline const kube::resource widgets{"example.com", "v1", "Widget", "widgets", true};

struct widget {
  std::string name;
  std::string version;
  std::string uid = {};
  std::string label = {};
};

inline std::string json(const widget& w) {
  return R"({"metadata":{"namespace":"ns","name":")" + w.name + R"(","uid":")" +
         (w.uid.empty() ? "u-" + w.name : w.uid) + R"(","resourceVersion":")" + w.version + "\"" +
         (w.label.empty() ? "" : R"(,"labels":{"app":")" + w.label + "\"}") + "}}";
}
inline std::string line(const std::string& type, const widget& w) {
  return R"({"type":")" + type + R"(","object":)" + json(w) + "}\n";
}
inline std::string added(const widget& w) {
  return line("ADDED", w);
}
inline std::string modified(const widget& w) {
  return line("MODIFIED", w);
}
inline std::string deleted(const widget& w) {
  return line("DELETED", w);
}
inline std::string bookmark(const std::string& version) {
  return R"({"type":"BOOKMARK","object":{"kind":"Widget","metadata":{"resourceVersion":")" +
         version + "\"}}}\n";
}
inline std::string end_of_list(const std::string& version) {
  return R"({"type":"BOOKMARK","object":{"kind":"Widget","metadata":{"resourceVersion":")" +
         version + R"(","annotations":{"k8s.io/initial-events-end":"true"}}}})" + "\n";
}
inline std::string status(int code, const std::string& reason) {
  return R"({"kind":"Status","apiVersion":"v1","status":"Failure","reason":")" + reason +
         R"(","message":"said by the test","code":)" + std::to_string(code) + "}";
}
inline std::string error_event(int code, const std::string& reason) {
  return R"({"type":"ERROR","object":)" + status(code, reason) + "}\n";
}
inline std::string list(const std::vector<widget>& items, const std::string& version,
                        const std::string& token = "") {
  std::string body = R"({"kind":"WidgetList","metadata":{"resourceVersion":")" + version +
                     R"(","continue":")" + token + R"("},"items":[)";
  for (const auto& w : items)
    body += (&w == &items.front() ? "" : ",") + json(w);
  return body + "]}";
}

/// What a handler was told: "+ns/a@1" added, "ns/a@1>2" changed, "-ns/a@2" gone; '!' for initial.
inline std::string text_of(const change& c) {
  const auto& meta = (c.after ? c.after : c.before)->meta();
  std::string out = meta.key.text() + "@" + meta.resource_version;
  if (c.before && c.after) {
    out = meta.key.text() + "@" + c.before->meta().resource_version + ">" + meta.resource_version;
  } else {
    out.insert(0, c.after ? "+" : "-");
  }
  return out + (c.initial ? "!" : "");
}

class scripted_cluster : public testing::Test {
 protected:
  scripted_cluster() { log_configure(log_level::error, log_format::text); }
  ~scripted_cluster() override {
    log_configure(log_level::info, log_format::text);
    loop.await(cache.stop());
    loop.run_ready();
  }

  test::test_loop loop;
  test::scripted_transport transport{loop};
  test::fixed_random random{0};
  std::unique_ptr<metric_registry> metrics = make_prometheus_registry();
  kube::client client{
      {loop.loop(), &transport, nullptr, &loop.clock, &loop.timers, metrics.get(), nullptr}};
  informer_cache cache{
      {loop.loop(), &client, &loop.clock, &loop.timers, &random, metrics.get(), duration::zero()}};
  strings heard;

  std::unique_ptr<subscription> acquire(strings* into, const index_set& lookups = {}) {
    return cache.acquire({widgets, "", ""}, lookups,
                         [into](const change& c) { into->push_back(text_of(c)); });
  }
  /// Joins, and lets the first request go out.
  std::unique_ptr<subscription> start() {
    auto s = acquire(&heard);
    loop.run_ready();
    return s;
  }
  /// start(), and the streaming list answered with `present` at `version`.
  std::unique_ptr<subscription> start_with(const std::vector<widget>& present,
                                           const std::string& version) {
    auto s = start();
    call().answer(200);
    for (const auto& w : present)
      call().push(added(w));
    push(end_of_list(version));
    heard.clear();
    return s;
  }
  /// The latest request.
  test::scripted_call& call() { return *transport.calls().back(); }
  std::size_t requests() const { return transport.calls().size(); }
  void push(const std::string& bytes) {
    call().push(bytes);
    loop.run_ready();
  }
  strings take_heard() { return std::exchange(heard, {}); }
  bool counted(const std::string& metric_line) {
    return metrics->serialize().find(metric_line + "\n") != std::string::npos;
  }
};

}  // namespace oarlock::cache
