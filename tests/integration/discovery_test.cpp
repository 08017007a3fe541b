// Discovery and the mapper against a real API server: kinds that come and go.
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "core/base/system_clock.hpp"
#include "core/cache/standalone.hpp"
#include "core/kube/rest_mapper.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

constexpr const char* boat_crd = R"({"apiVersion":"apiextensions.k8s.io/v1",
  "kind":"CustomResourceDefinition","metadata":{"name":"boats.rowing.test"},
  "spec":{"group":"rowing.test","scope":"Cluster","names":{"kind":"Boat","plural":"boats",
  "singular":"boat","shortNames":["bt"]},"versions":[{"name":"v1","served":true,"storage":true,
  "schema":{"openAPIV3Schema":{"type":"object"}}}]}})";

class discovery : public ::testing::Test {
 protected:
  void SetUp() override {
    kube::config_sources sources;
    sources.flag_path = shared_cluster().kubeconfig("example").string();
    auto opened = cache::standalone::open(io_.get_executor(), sources);
    ASSERT_TRUE(opened) << opened.error().message;
    api_ = std::move(*opened);
    mapper_ = std::make_unique<kube::rest_mapper>(
        kube::rest_mapper::parts{io_.get_executor(), &api_->client(), &clock_});
  }
  std::string find(const std::string& name) {
    std::string out;
    boost::asio::co_spawn(io_, mapper_->by_name(name), [&](std::exception_ptr, auto got) {
      out = got ? got->name() + (got->namespaced ? " in a namespace" : " in the cluster") : "";
      io_.stop();
    });
    io_.restart();
    io_.run();
    return out;
  }

  boost::asio::io_context io_;
  system_clock clock_;
  std::unique_ptr<cache::standalone> api_;
  std::unique_ptr<kube::rest_mapper> mapper_;
};

TEST_F(discovery, finds_kinds_as_they_come_and_go) {
  EXPECT_EQ(find("po"), "pods in a namespace");
  EXPECT_EQ(find("deploy"), "deployments.apps in a namespace");
  EXPECT_EQ(find("no"), "nodes in the cluster");
  EXPECT_EQ(find("myapps"), "myapps.example.com in a namespace");
  EXPECT_EQ(find("bt"), "");
  shared_cluster().must({"apply", "-f", "-"}, boat_crd);
  EXPECT_TRUE(eventually([&] { return find("bt") == "boats.rowing.test in the cluster"; },
                         std::chrono::seconds(30)))
      << "without being told, within the pause between two readings";
  shared_cluster().must({"delete", "crd", "boats.rowing.test"});
  EXPECT_TRUE(eventually(
      [&] {
        mapper_->invalidate();
        return find("bt").empty();
      },
      std::chrono::seconds(30)));
}

}  // namespace
}  // namespace oarlock::testing
