// The scripts of tests/sim on the real API server: the answers are those that the model is held to.
// OARLOCK_RECORD=1 writes what the server answers into the scripts.
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include <fstream>
#include <sstream>

#include "core/base/asio_timers.hpp"
#include "core/base/system_clock.hpp"
#include "core/kube/connect.hpp"
#include "tests/sim/script.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::sim {
namespace {

using namespace std::chrono_literals;
using oarlock::testing::shared_cluster;

constexpr auto patience = 30s;

std::filesystem::path folder() {
  return oarlock::testing::source_dir() / "tests/sim/scripts";
}

std::string quoted(const std::string& text, const std::string& key) {
  const auto at = text.find("\"" + key + "\":\"");
  if (at == std::string::npos) return {};
  const auto begin = at + key.size() + 4;
  return text.substr(begin, text.find('"', begin) - begin);
}

class real_target final : public script_target {
 public:
  real_target() {
    kube::config_sources sources;
    sources.flag_path = (shared_cluster().dir() / "admin.kubeconfig").string();
    auto config = kube::load_cluster_config(sources);
    api_ = kube::connect(io_.get_executor(), clock_, timers_, config.value()).value();
    // etcd answers HTTP on the port of its own that the supervisor wrote down.
    const auto dir = shared_cluster().dir() / "cluster";
    std::ifstream state(dir / "cluster.json");
    std::stringstream text;
    text << state.rdbuf();
    const auto ports = boost::json::parse(text.str()).at("ports").as_object();
    kube::cluster_config etcd;
    etcd.server = "https://127.0.0.1:" + std::to_string(ports.at("etcd").to_number<int>());
    etcd.ca_file = dir / "pki/ca.crt";
    etcd.client_cert_file = dir / "pki/apiserver-etcd-client.crt";
    etcd.client_key_file = dir / "pki/apiserver-etcd-client.key";
    etcd_ = kube::connect(io_.get_executor(), clock_, timers_, etcd).value();
  }

  script_reply send(const net::http_request& request) override {
    return send_to(*api_.transport, request);
  }
  std::vector<std::string> watch(const net::http_request& request, std::size_t events) override {
    std::vector<std::string> lines;
    run([](real_target* self, net::http_request r, std::size_t wanted,
           std::vector<std::string>* out) -> task<> {
      auto opened = co_await self->api_.transport->open(std::move(r),
                                                        {self->clock_.now() + patience, {}, true});
      if (!opened) co_return;
      std::string text;
      while (out->size() < wanted) {
        auto piece = co_await (*opened)->read_some(self->clock_.now() + patience);
        if (!piece || !*piece) break;
        text += **piece;
        for (auto end = text.find('\n'); end != std::string::npos && out->size() < wanted;
             end = text.find('\n')) {
          const auto line = text.substr(0, end);
          text.erase(0, end + 1);
          const bool bookmark = line.find("\"BOOKMARK\"") != std::string::npos;
          if (!bookmark || line.find("initial-events-end") != std::string::npos)
            out->push_back(line);
        }
      }
      if (!text.empty() && out->size() < wanted) out->push_back(text);
    }(this, request, events, &lines));
    return lines;
  }
  void compact() override {
    const auto list = send({"GET", "/api/v1/configmaps?limit=1", {}, {}});
    const auto body =
        R"({"revision":")" + quoted(list.body, "resourceVersion") + R"(","physical":true})";
    const auto done = send_to(*etcd_.transport, {"POST", "/v3/kv/compaction", {}, body});
    if (done.status != 200) throw std::runtime_error("etcd: " + done.body);
  }
  void make_namespace(const std::string& name) override { shared_cluster().make_namespace(name); }

 private:
  script_reply send_to(net::transport& to, const net::http_request& request) {
    script_reply out;
    run([](real_target* self, net::transport* wire, net::http_request r,
           script_reply* reply) -> task<> {
      auto opened = co_await wire->open(std::move(r), {self->clock_.now() + patience, {}, false});
      if (!opened) throw std::runtime_error(opened.error().message);
      reply->status = (*opened)->head().status;
      reply->retry_after = (*opened)->head().find("Retry-After");
      while (true) {
        auto piece = co_await (*opened)->read_some(self->clock_.now() + patience);
        if (!piece) throw std::runtime_error(piece.error().message);
        if (!*piece) break;
        reply->body += **piece;
      }
    }(this, &to, request, &out));
    return out;
  }
  void run(task<> work) {
    // Idle connections stay behind and keep the loop busy.
    boost::asio::co_spawn(io_, std::move(work), [this](std::exception_ptr e) {
      io_.stop();
      if (e) std::rethrow_exception(e);
    });
    io_.restart();
    io_.run();
  }

  boost::asio::io_context io_{1};
  system_clock clock_;
  asio_timers timers_;
  kube::connection api_;
  kube::connection etcd_;
};

class on_the_real_server : public ::testing::TestWithParam<script> {
 protected:
  static void SetUpTestSuite() {
    // Its controllers would write between two steps.
    shared_cluster().component("stop", "kube-controller-manager");
    target = std::make_unique<real_target>();
  }
  static void TearDownTestSuite() { target.reset(); }
  static inline std::unique_ptr<real_target> target;
};

TEST_P(on_the_real_server, answers_as_written) {
  auto name = "sim-" + GetParam().name;
  std::replace(name.begin(), name.end(), '_', '-');
  const auto found = replay(GetParam(), *target, name);
  if (std::getenv("OARLOCK_RECORD") != nullptr) {
    auto content = GetParam().content;
    content["expect"] = found;
    std::ofstream(folder() / (GetParam().name + ".json")) << pretty(content) << "\n";
    return;
  }
  EXPECT_EQ(pretty(found), pretty(GetParam().content.at("expect")));
}

INSTANTIATE_TEST_SUITE_P(scripts, on_the_real_server, ::testing::ValuesIn(load_scripts(folder())),
                         [](const auto& s) { return s.param.name; });

}  // namespace

void PrintTo(const script& s, std::ostream* out) {
  *out << s.name;
}

}  // namespace oarlock::sim
