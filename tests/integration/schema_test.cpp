// A CRD that changes under a running watch, on a real API server: what was written meanwhile, and
// what was there before, is seen as the new schema has it.
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include <optional>

#include "core/cache/standalone.hpp"
#include "core/json/parse.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using namespace std::chrono_literals;

const kube::resource locks{"schema.test", "v1", "Lock", "locks", true};
constexpr const char* ns = "schema";

std::string crd(const std::string& more_fields) {
  return R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",)"
         R"("metadata":{"name":"locks.schema.test"},"spec":{"group":"schema.test",)"
         R"("scope":"Namespaced","names":{"kind":"Lock","plural":"locks","singular":"lock"},)"
         R"("versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":)"
         R"({"type":"object","properties":{"spec":{"type":"object","properties":{)"
         R"("gates":{"type":"integer"})" +
         more_fields + R"(}}}}}}]}})";
}

class schema : public ::testing::Test {
 protected:
  void SetUp() override {
    c.make_namespace(ns);
    kube::config_sources sources;
    sources.flag_path = c.kubeconfig("admin", {"--group", "system:masters"}).string();
    auto opened = cache::standalone::open(io_.get_executor(), sources);
    ASSERT_TRUE(opened) << opened.error().message;
    api_ = std::move(*opened);
  }
  void TearDown() override {
    (void)c.kubectl({"delete", "crd", "locks.schema.test", "--ignore-not-found"});
    if (!api_) return;
    bool over = false;
    boost::asio::co_spawn(io_, api_->cache().stop(), [&](std::exception_ptr) { over = true; });
    EXPECT_TRUE(until([&] { return over; }));
  }
  // Runs the loop.
  bool until(const std::function<bool()>& done) {
    return eventually(
        [&] {
          io_.restart();
          io_.run_for(10ms);
          return done();
        },
        60s);
  }
  /// The object as it was stored; empty when the server refused.
  std::string write(const std::string& name, int port = 0) {
    const kube::apply_options by{"user", true, {}, false};
    const auto body = R"({"apiVersion":"schema.test/v1","kind":"Lock","metadata":{"name":")" +
                      name + R"("},"spec":{"gates":2)" +
                      (port > 0 ? R"(,"port":)" + std::to_string(port) : std::string()) + "}}";
    std::optional<result<kube::write_answer>> answer;
    boost::asio::co_spawn(io_, api_->client().apply(locks, ns, name, body, by),
                          [&](std::exception_ptr, auto got) { answer.emplace(std::move(got)); });
    EXPECT_TRUE(until([&] { return answer.has_value(); }));
    return answer && *answer ? (*answer)->body : std::string();
  }
  static std::int64_t member(const std::string& object, const char* pointer) {
    const auto parsed = json::parse(object);
    return parsed ? json::int_at(*parsed, pointer).value_or(-1) : -1;
  }
  std::int64_t seen(const std::string& name, const char* pointer) const {
    const auto found = watch_->view().get({ns, name});
    return found ? member(found->json(), pointer) : -1;
  }

  cluster& c = shared_cluster();
  boost::asio::io_context io_{1};
  std::unique_ptr<cache::standalone> api_;
  std::unique_ptr<cache::subscription> watch_;
};

TEST_F(schema, change_is_seen_on_objects_written_meanwhile_and_on_those_that_were_there) {
  watch_ = api_->cache().acquire({locks, ns, {}}, {}, [](const cache::change&) {});
  ASSERT_TRUE(until([&] { return !watch_->view().trouble().empty(); })) << "no such kind yet";
  c.must({"apply", "-f", "-"}, crd(""));
  ASSERT_TRUE(until([&] { return watch_->view().synced(); })) << watch_->view().trouble();
  ASSERT_NE(write("before"), "");
  ASSERT_TRUE(until([&] { return seen("before", "/spec/gates") == 2; }));
  EXPECT_EQ(seen("before", "/spec/depth"), -1) << "no such field yet";

  c.must({"apply", "-f", "-"},
         crd(R"(,"port":{"type":"integer"},"depth":{"type":"integer","default":7})"));
  // The watch that is open goes on for a second with the schema it began with.
  int ports = 0;
  ASSERT_TRUE(eventually(
      [&] {
        const auto stored = write("while-" + std::to_string(ports), 8000);
        if (member(stored, "/spec/port") == 8000) ++ports;
        return ports == 20;
      },
      60s))
      << "the server does not take the new field";
  const auto all_seen = [&] {
    for (int n = 0; n < ports; ++n) {
      if (seen("while-" + std::to_string(n), "/spec/port") != 8000) return false;
    }
    return true;
  };
  EXPECT_TRUE(until(all_seen));
  EXPECT_TRUE(until([&] { return seen("before", "/spec/depth") == 7; }))
      << "a default of the new schema, on an object that nobody touched";
}

}  // namespace
}  // namespace oarlock::testing
