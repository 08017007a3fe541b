#include "core/kube/rest_mapper.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "core/kube/errors.hpp"
#include "core/kube/fake_transport_test.hpp"

namespace oarlock::kube {
namespace {

using namespace std::chrono_literals;
using testing::answers;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string document(const std::string& items) {
  return R"({"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[)" +
         items + "]}";
}

const std::string core_groups = document(
    R"({"versions":[{"version":"v1","freshness":"Current","resources":[
      {"resource":"pods","responseKind":{"group":"","version":"v1","kind":"Pod"},
       "scope":"Namespaced","singularResource":"pod","shortNames":["po"],"verbs":["get","watch"],
       "subresources":[{"subresource":"log","verbs":["get"]},{"subresource":"status"}]},
      {"resource":"nodes","responseKind":{"kind":"Node"},"scope":"Cluster","later":{"x":1}},
      {"resource":"ghosts"}]}]})");
const std::string other_groups = document(
    R"({"metadata":{"name":"apps"},"versions":[{"version":"v1","resources":[
      {"resource":"deployments","responseKind":{"kind":"Deployment"},"scope":"Namespaced",
       "singularResource":"deployment","shortNames":["deploy"]}]},
      {"version":"v1beta1","resources":[{"resource":"deployments","scope":"Namespaced",
       "responseKind":{"kind":"Deployment"}}]}]},
     {"metadata":{"name":"metrics.k8s.io"},"versions":[{"version":"v1","freshness":"Stale"}]})");
const std::string with_widgets = document(
    R"({"metadata":{"name":"example.com"},"versions":[{"version":"v1","resources":[
      {"resource":"widgets","responseKind":{"kind":"Widget"},"scope":"Namespaced",
       "singularResource":"widget"}]}]})");

TEST(parse_discovery, reads_what_a_server_serves) {
  api_surface got;
  ASSERT_TRUE(parse_discovery(core_groups, got));
  ASSERT_TRUE(parse_discovery(other_groups, got));
  ASSERT_EQ(got.kinds.size(), 4U);
  EXPECT_EQ(got.kinds[0].what, (resource{"", "v1", "Pod", "pods", true}));
  EXPECT_THAT(got.kinds[0].short_names, ElementsAre("po"));
  EXPECT_THAT(got.kinds[0].verbs, ElementsAre("get", "watch"));
  EXPECT_THAT(got.kinds[0].subresources, ElementsAre("log", "status"));
  EXPECT_FALSE(got.kinds[1].what.namespaced);
  EXPECT_EQ(got.kinds[2].what, (resource{"apps", "v1", "Deployment", "deployments", true}));
  EXPECT_THAT(got.stale, ElementsAre("metrics.k8s.io/v1"));
}

TEST(parse_discovery, refuses_other_documents) {
  api_surface got;
  EXPECT_THAT(parse_discovery(R"({"kind":"APIGroupList"})", got).error().message,
              HasSubstr("1.30 or later), found 'APIGroupList'"));
  EXPECT_FALSE(parse_discovery("<html>", got));
  EXPECT_TRUE(parse_discovery(R"({"kind":"APIGroupDiscoveryList","items":7})", got));
}

class rest_mapper_test : public ::testing::Test {
 protected:
  boost::asio::io_context io_;
  testing::manual_clock clock_;
  testing::manual_timers timers_{clock_};
  testing::fake_transport transport_;
  std::unique_ptr<metric_registry> metrics_ = make_prometheus_registry();
  client client_{
      {io_.get_executor(), &transport_, nullptr, &clock_, &timers_, metrics_.get(), nullptr}};
  rest_mapper mapper_{{io_.get_executor(), &client_, &clock_}};
  std::vector<std::string> answers_;

  void SetUp() override { transport_.script = {answers(200, core_groups), serves(other_groups)}; }
  static testing::scripted serves(const std::string& body) { return answers(200, body); }
  void ask(task<result<resource>> question) {
    boost::asio::co_spawn(io_, std::move(question), [this](std::exception_ptr, result<resource> r) {
      answers_.push_back(r ? r->api_version() + " " + r->plural : r.error().message);
    });
  }
  std::string answer(task<result<resource>> question) {
    ask(std::move(question));
    run();
    return answers_.back();
  }
  void run() {
    io_.restart();
    io_.run();
  }
};

TEST_F(rest_mapper_test, reads_once_and_answers_by_kind_and_by_name) {
  EXPECT_EQ(answer(mapper_.by_kind("apps", "Deployment")), "apps/v1 deployments");
  EXPECT_EQ(answer(mapper_.by_kind("apps", "Deployment", "v1beta1")), "apps/v1beta1 deployments");
  EXPECT_EQ(answer(mapper_.by_kind("", "Pod")), "v1 pods");
  for (const char* name : {"deployments", "deployment", "deploy", "deployments.apps",
                           "deployments.v1.apps", "deploy.apps"}) {
    EXPECT_EQ(answer(mapper_.by_name(name)), "apps/v1 deployments") << name;
  }
  EXPECT_EQ(answer(mapper_.by_name("deployments.v1beta1.apps")), "apps/v1beta1 deployments");
  EXPECT_EQ(transport_.requests.size(), 2U);
  EXPECT_THAT(transport_.requests[0].headers[0].value, HasSubstr("APIGroupDiscoveryList"));
}

TEST_F(rest_mapper_test, is_read_once_for_all_that_ask_at_the_same_time) {
  ask(mapper_.by_name("pods"));
  ask(mapper_.by_name("nodes"));
  ask(mapper_.by_name("deploy"));
  run();
  EXPECT_THAT(answers_,
              ::testing::UnorderedElementsAre("v1 pods", "v1 nodes", "apps/v1 deployments"));
  EXPECT_EQ(transport_.requests.size(), 2U);
}

TEST_F(rest_mapper_test, reads_again_for_what_it_does_not_know_but_not_too_often) {
  EXPECT_EQ(answer(mapper_.by_name("pods")), "v1 pods");
  const auto unknown = answer(mapper_.by_kind("apps", "Widget"));
  EXPECT_THAT(unknown, HasSubstr("to serve Widget.apps"));
  EXPECT_THAT(unknown, HasSubstr("kinds of that group: Deployment"));
  EXPECT_EQ(transport_.requests.size(), 2U) << "it was read just now";
  clock_.elapsed += 6s;
  transport_.script.push_back(serves(core_groups));
  transport_.script.push_back(serves(with_widgets));
  EXPECT_EQ(answer(mapper_.by_kind("example.com", "Widget")), "example.com/v1 widgets");
  EXPECT_EQ(transport_.requests.size(), 4U);
  EXPECT_THAT(answer(mapper_.by_name("deploy")), HasSubstr("groups: core, example.com"))
      << "what is gone is gone";
}

TEST_F(rest_mapper_test, forgets_when_told_and_says_why_it_cannot_read) {
  EXPECT_EQ(answer(mapper_.by_name("pods")), "v1 pods");
  mapper_.invalidate();
  transport_.script.push_back(answers(403, "no"));
  EXPECT_THAT(answer(mapper_.by_name("pods")), HasSubstr("403"));
  transport_.script = {serves(core_groups), serves(other_groups)};
  transport_.requests.clear();
  EXPECT_EQ(answer(mapper_.by_name("pods")), "v1 pods") << "a failure is not kept";
}

}  // namespace
}  // namespace oarlock::kube
