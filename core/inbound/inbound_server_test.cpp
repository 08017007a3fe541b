#include "core/inbound/inbound_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include <future>
#include <thread>

#include "core/base/log.hpp"
#include "core/base/system_clock.hpp"
#include "core/json/parse.hpp"
#include "core/kube/fake_transport_test.hpp"
#include "core/net/client_transport.hpp"

namespace oarlock::inbound {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using kube::testing::answers_json;
using kube::testing::fake_exchange;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(inbound_path, names_plugin_object_and_the_rest) {
  const auto whole = parse_path("/v1/ml-pipeline/shop/churn.v2/trials/0?x");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->plugin, "ml-pipeline");
  EXPECT_EQ(whole->ns, "shop");
  EXPECT_EQ(whole->name, "churn.v2");
  EXPECT_EQ(whole->rest, "trials/0?x");
  const auto least = parse_path("/v1/p/n/o");
  ASSERT_TRUE(least);
  EXPECT_EQ(least->rest, "");
  EXPECT_EQ(parse_path("/v1/p/n/o/")->rest, "");
}

TEST(inbound_path, is_nothing_else) {
  const std::string label(64, 'a');
  const std::string name(254, 'a');
  const std::string rest(513, 'a');
  for (const std::string& path :
       {std::string(), std::string("/"), std::string("/v1"), std::string("/v1/"),
        std::string("/v1/p"), std::string("/v1/p/n"), std::string("/v1/p/n/"),
        std::string("/v1//n/o"), std::string("/v2/p/n/o"), std::string("v1/p/n/o"),
        std::string("/v1/P/n/o"), std::string("/v1/p/n/o%2f"), std::string("/v1/p/n/o/\x01"),
        std::string("/v1/p/n/o/a b"), std::string("/v1/p/n/o/\xc3\xbc"), "/v1/" + label + "/n/o",
        "/v1/p/" + label + "/o", "/v1/p/n/" + name, "/v1/p/n/o/" + rest}) {
    EXPECT_FALSE(parse_path(path)) << path;
  }
}

class still_clock final : public clock {
 public:
  [[nodiscard]] steady_time now() const override { return steady_time(1000s); }
  [[nodiscard]] wall_time wall_now() const override { return wall_time(1'700'000'000s); }
};

class no_timers final : public timers {
 public:
  [[nodiscard]] task<bool> sleep_for(duration, std::stop_token) override { co_return false; }
};

// An API server for which the token is the namespace and the name of the pod: "shop/train-0".
class review_server final : public net::transport {
 public:
  [[nodiscard]] task<result<std::unique_ptr<net::http_exchange>>> open(
      net::http_request request, net::exchange_options) override {
    const auto doc = json::parse(request.body);
    const std::string token(json::string_at(*doc, "/spec/token"));
    const auto slash = token.find('/');
    std::string answer = R"({"status":{"error":"unknown"}})";
    if (slash != std::string::npos) {
      answer = R"({"status":{"authenticated":true,"audiences":["pods"],"user":{"username":)"
               R"("system:serviceaccount:)" +
               token.substr(0, slash) +
               R"(:trainer","extra":{"authentication.kubernetes.io/pod-name":[")" +
               token.substr(slash + 1) + R"("],"authentication.kubernetes.io/pod-uid":["uid-of-)" +
               token.substr(slash + 1) + R"("]}}}})";
    }
    co_return std::make_unique<fake_exchange>(answers_json(201, answer));
  }
  [[nodiscard]] const std::string& host() const override { return host_; }

 private:
  std::string host_ = "fake";
};

// A server in plain HTTP on a loop of its own thread. The plugin answers with what it was asked.
class door {
 public:
  door() {
    log_configure(log_level::error, log_format::text);
    inbound_server::parts parts;
    parts.loop = loop_.get_executor();
    parts.client = &client_;
    parts.clock_source = &clock_;
    parts.metrics = metrics_.get();
    parts.audience = "pods";
    parts.where = {"127.0.0.1", 0};
    parts.leads = [this] { return leads.load(); };
    parts.ask = [this](std::string plugin,
                       plugin::inbound_request r) -> task<plugin::inbound_answer> {
      ++asked;
      plugin::inbound_answer out;
      out.status = status;
      out.content_type = "text/x-told";
      out.body = plugin + " " + r.method + " " + r.ns + "/" + r.name + " " + r.rest + " " +
                 r.query + " " + r.body + " " + r.service_account + " " + r.pod_name + " " +
                 r.pod_uid;
      co_return out;
    };
    server_ = std::make_unique<inbound_server>(std::move(parts));
    const auto started = server_->start();
    EXPECT_TRUE(started) << started.error().message;
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~door() {
    std::promise<void> done;
    asio::post(loop_, [&] {
      server_.reset();
      done.set_value();
    });
    done.get_future().wait();
    work_.reset();
    thread_.join();
  }
  // Status, headers and body of one answer.
  std::string send(const std::string& path, const std::string& token,
                   const std::string& body = "{}") {
    asio::io_context mine;
    system_clock real;
    net::client_transport_config config;
    config.host = "127.0.0.1";
    config.port = std::to_string(server_->where().port);
    config.tls = false;
    const auto transport = net::make_client_transport(mine.get_executor(), real, config);
    net::http_request request{"POST", path, {}, body};
    if (!token.empty()) request.headers = {{"Authorization", "Bearer " + token}};
    std::string all;
    // An idle connection would keep the loop.
    spawn(mine.get_executor(), [](asio::io_context* loop, task<> work) -> task<> {
      co_await std::move(work);
      loop->stop();
    }(&mine, exchange(transport.get(), request, real.now() + 60s, &all)));
    mine.run();
    return all;
  }
  std::string metrics() { return metrics_->serialize(); }

  std::atomic<bool> leads{true};
  std::atomic<int> asked{0};
  std::atomic<int> status{202};

 private:
  static task<> exchange(net::transport* over, net::http_request request, steady_time until,
                         std::string* all) {
    auto opened = co_await over->open(std::move(request), {until, {}});
    if (!opened) {
      *all = "error: " + opened.error().message;
      co_return;
    }
    *all = std::to_string((*opened)->head().status) + "\n";
    for (const auto& header : (*opened)->head().headers)
      all->append(header.name).append(": ").append(header.value).append("\n");
    for (;;) {
      auto piece = co_await (*opened)->read_some(until);
      if (!piece || !*piece) co_return;
      all->append(**piece);
    }
  }

  still_clock clock_;
  no_timers timers_;
  review_server api_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(loop_);
  kube::client client_{
      {loop_.get_executor(), &api_, nullptr, &clock_, &timers_, metrics_.get(), nullptr}};
  std::unique_ptr<inbound_server> server_;
  std::thread thread_;
};

constexpr const char* path = "/v1/zoo/shop/one/progress?a=b";

TEST(inbound_server, hands_a_request_to_the_plugin_with_the_pod_that_sent_it) {
  door d;
  const auto answer = d.send(path, "shop/train-0", "hello");
  EXPECT_THAT(answer, StartsWith("202\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/x-told\n"));
  EXPECT_THAT(answer, HasSubstr("\nzoo POST shop/one progress a=b hello trainer train-0 "
                                "uid-of-train-0"));
  EXPECT_THAT(d.metrics(), HasSubstr("oarlock_inbound_requests_total{code=\"202\"} 1"));
}

TEST(inbound_server, hears_nobody_but_pods_of_the_namespace) {
  door d;
  EXPECT_THAT(d.send(path, ""), StartsWith("401\n"));
  EXPECT_THAT(d.send(path, "unknown"), StartsWith("401\n"));
  EXPECT_THAT(d.send(path, "bank/train-0"), StartsWith("403\n"));
  EXPECT_THAT(d.send("/metrics", "shop/train-0"), StartsWith("404\n"));
  EXPECT_EQ(d.asked, 0);
}

TEST(inbound_server, a_follower_says_when_to_ask_again) {
  door d;
  d.leads = false;
  const auto answer = d.send(path, "shop/train-0");
  EXPECT_THAT(answer, StartsWith("503\n"));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 2\n"));
  d.leads = true;
  EXPECT_THAT(d.send(path, "shop/train-0"), StartsWith("202\n"));
  d.status = 503;
  EXPECT_THAT(d.send(path, "shop/train-0"), HasSubstr("Retry-After: 2\n"));
}

TEST(inbound_server, a_pod_that_asks_too_often_waits_and_others_do_not) {
  door d;
  const int burst = static_cast<int>(inbound_server::pod_burst);
  for (int i = 0; i < burst; ++i)
    ASSERT_THAT(d.send(path, "shop/train-0"), StartsWith("202\n"));
  const auto answer = d.send(path, "shop/train-0");
  EXPECT_THAT(answer, StartsWith("429\n"));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 1\n"));
  EXPECT_THAT(d.send(path, "shop/train-1"), StartsWith("202\n"));
  EXPECT_EQ(d.asked, burst + 1);
}

TEST(inbound_server, takes_bodies_up_to_its_limit) {
  door d;
  const std::string most(plugin::inbound_limits::body_bytes_max, 'x');
  EXPECT_THAT(d.send(path, "shop/train-0", most), StartsWith("202\n"));
  EXPECT_THAT(d.send(path, "shop/train-0", most + "x"), StartsWith("413\n"));
}

}  // namespace
}  // namespace oarlock::inbound
