#include "core/kube/url.hpp"

#include <gtest/gtest.h>

#include "core/kube/errors.hpp"
#include "core/kube/resource.hpp"

namespace oarlock::kube {
namespace {

TEST(percent_encoded, leaves_only_unreserved_characters) {
  EXPECT_EQ(percent_encoded("aZ09-_.~"), "aZ09-_.~");
  EXPECT_EQ(percent_encoded("system:node/a b\r\n%"), "system%3Anode%2Fa%20b%0D%0A%25");
  EXPECT_EQ(percent_encoded("\xc3\xa9"), "%C3%A9");
  EXPECT_EQ(percent_encoded(".."), "%2E%2E");
  EXPECT_EQ(percent_encoded("a..b"), "a..b");
}

TEST(query, leaves_out_empty_values) {
  EXPECT_EQ(query().text(), "");
  EXPECT_EQ(query().add("a", "").text(), "");
  EXPECT_EQ(query().add("a", "1").add("b", "").add("c", "x=y&z").text(), "?a=1&c=x%3Dy%26z");
}

TEST(parse_server_url, reads_what_kubeconfigs_hold) {
  struct {
    const char* url;
    server_url expected;
  } const cases[] = {
      {"https://api.test", {true, "api.test", "443", ""}},
      {"https://api.test/", {true, "api.test", "443", ""}},
      {"http://localhost:8080", {false, "localhost", "8080", ""}},
      {"http://localhost", {false, "localhost", "80", ""}},
      {"https://[::1]:6443", {true, "::1", "6443", ""}},
      {"https://[fd00::1]", {true, "fd00::1", "443", ""}},
      {"https://rancher.test/k8s/clusters/c-1/",
       {true, "rancher.test", "443", "/k8s/clusters/c-1"}},
  };
  for (const auto& [url, expected] : cases) {
    const auto got = parse_server_url(url);
    ASSERT_TRUE(got.has_value()) << url;
    EXPECT_EQ(got->tls, expected.tls) << url;
    EXPECT_EQ(got->host, expected.host) << url;
    EXPECT_EQ(got->port, expected.port) << url;
    EXPECT_EQ(got->prefix, expected.prefix) << url;
  }
}

TEST(parse_server_url, refuses_the_rest) {
  for (const char* url : {"", "api.test:6443", "ftp://a", "https://", "https://:1", "https://a:b",
                          "https://a:65536", "https://a:1:2", "https://u:p@a", "https://a?x",
                          "https://a#x", "https://a b", "https://[::1", "https://[::1]x",
                          "https://a/b\r\nc", "https://a\\b", "https://[[a]", "https://a[b]"}) {
    const auto got = parse_server_url(url);
    ASSERT_FALSE(got.has_value()) << url;
    EXPECT_EQ(got.error().code, kube_error::invalid);
  }
}

TEST(resource, knows_its_paths_and_names) {
  const resource pods{"", "v1", "Pod", "pods", true};
  const resource apps{"apps", "v1", "Deployment", "deployments", true};
  const resource nodes{"", "v1", "Node", "nodes", false};
  EXPECT_EQ(pods.path(""), "/api/v1/pods");
  EXPECT_EQ(pods.path("ns"), "/api/v1/namespaces/ns/pods");
  EXPECT_EQ(pods.path("ns", "a"), "/api/v1/namespaces/ns/pods/a");
  EXPECT_EQ(apps.path("ns", "a", "status"), "/apis/apps/v1/namespaces/ns/deployments/a/status");
  EXPECT_EQ(nodes.path("ns", "a"), "/api/v1/nodes/a") << "a cluster-scoped kind has no namespace";
  EXPECT_EQ(pods.path("../x", "a/b?c"), "/api/v1/namespaces/..%2Fx/pods/a%2Fb%3Fc");
  EXPECT_EQ(pods.api_version(), "v1");
  EXPECT_EQ(apps.api_version(), "apps/v1");
  EXPECT_EQ(pods.name(), "pods");
  EXPECT_EQ(apps.name(), "deployments.apps");
}

}  // namespace
}  // namespace oarlock::kube
