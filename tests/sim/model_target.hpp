#pragma once
// The model as the target of scripts.
#include "tests/sim/script.hpp"
#include "tests/sim/server.hpp"

namespace oarlock::sim {

class model_target final : public script_target {
 public:
  script_reply send(const net::http_request& request) override {
    const auto a = server_.handle(request, "script");
    script_reply out{a.status, a.body, {}};
    for (const auto& h : a.headers) {
      if (h.name == "Retry-After") out.retry_after = h.value;
    }
    return out;
  }
  std::vector<std::string> watch(const net::http_request& request, std::size_t events) override {
    auto a = server_.handle(request, "script");
    if (!a.watch) return {a.body};
    auto lines = a.watch->lines();
    if (lines.size() > events) lines.resize(events);
    return lines;
  }
  void compact() override { server_.compact(); }
  void make_namespace(const std::string& name) override { server_.namespaces.insert(name); }

 private:
  model_server server_{[] { return wall_time(std::chrono::seconds(1'700'000'000)); }};
};

}  // namespace oarlock::sim
