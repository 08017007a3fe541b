// The client's promises against a real API server: what its answers mean, and that nothing is
// stored where nothing shall be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <fstream>

#include "core/base/asio_timers.hpp"
#include "core/base/log.hpp"
#include "core/base/system_clock.hpp"
#include "core/cache/standalone.hpp"
#include "core/json/parse.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;
using kube::kube_error;

const kube::resource config_maps{"", "v1", "ConfigMap", "configmaps", true};
const kube::resource myapps{"example.com", "v1alpha1", "MyApp", "myapps", true};
const kube::resource reviews{"authentication.k8s.io", "v1", "SelfSubjectReview",
                             "selfsubjectreviews", false};
const kube::resource accounts{"", "v1", "ServiceAccount", "serviceaccounts", true};

std::string config_map(const std::string& name, const std::string& value) {
  return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name +
         R"("},"data":{"k":")" + value + R"("}})";
}

std::string at(const std::string& body, const char* pointer) {
  const auto parsed = json::parse(body);
  return parsed ? std::string(json::string_at(*parsed, pointer)) : std::string();
}

class client_calls : public ::testing::Test {
 protected:
  cluster& c = shared_cluster();
  std::string ns = ::testing::UnitTest::GetInstance()->current_test_info()->name();

  void SetUp() override {
    std::replace(ns.begin(), ns.end(), '_', '-');
    c.make_namespace(ns);
    open(c.dir() / "admin.kubeconfig");
  }
  void open(const std::filesystem::path& kubeconfig) {
    kube::config_sources sources;
    sources.flag_path = kubeconfig.string();
    auto opened = cache::standalone::open(io_.get_executor(), sources);
    ASSERT_TRUE(opened) << opened.error().message;
    api_ = std::move(*opened);
  }
  kube::client& api() { return api_->client(); }
  template <class T>
  T run(task<T> work) {
    std::optional<T> out;
    boost::asio::co_spawn(io_, std::move(work), [&](std::exception_ptr e, T value) {
      if (e) std::rethrow_exception(e);
      out.emplace(std::move(value));
      io_.stop();
    });
    io_.restart();
    io_.run();
    return std::move(*out);
  }
  result<kube::write_answer> apply(const std::string& body, kube::apply_options options) {
    return run(api().apply(config_maps, ns, "a", body, std::move(options)));
  }
  // Who the server takes us for.
  std::string whoami() {
    const auto got = run(api().create(
        reviews, "", R"({"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"})"));
    EXPECT_TRUE(got) << got.error().message;
    return got ? at(got->body, "/status/userInfo/username") : "";
  }

  boost::asio::io_context io_{1};
  std::unique_ptr<cache::standalone> api_;
};

TEST_F(client_calls, tell_what_a_write_came_to) {
  const auto made = run(api().create(config_maps, ns, config_map("a", "1")));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->status, 201);
  EXPECT_EQ(run(api().create(config_maps, ns, config_map("a", "1"))).error().code,
            kube_error::already_exists);
  const auto old = at(made->body, "/metadata/resourceVersion");
  ASSERT_TRUE(run(api().merge_patch(config_maps, ns, "a", R"({"data":{"k":"2"}})")));
  const std::string stale = R"({"metadata":{"resourceVersion":")" + old + R"("},"data":{"k":"3"}})";
  EXPECT_EQ(run(api().merge_patch(config_maps, ns, "a", stale)).error().code, kube_error::conflict);
  EXPECT_EQ(run(api().update(config_maps, ns, "a", made->body)).error().code, kube_error::conflict);
  const std::string other_uid = R"({"metadata":{"uid":"another"}})";
  EXPECT_EQ(run(api().merge_patch(config_maps, ns, "a", other_uid)).error().code,
            kube_error::invalid)
      << "no precondition: only a delete and a JSON patch can guard the UID";
  const std::string test_op = R"([{"op":"test","path":"/data/k","value":"other"}])";
  EXPECT_EQ(run(api().json_patch(config_maps, ns, "a", test_op)).error().code, kube_error::invalid);
  const auto no_field = run(api().create(config_maps, ns,
                                         R"({"apiVersion":"v1","kind":"ConfigMap","metadata":)"
                                         R"({"name":"b"},"dada":{}})"));
  EXPECT_EQ(no_field.error().code, kube_error::invalid);
  EXPECT_THAT(no_field.error().message, HasSubstr("unknown field \"dada\""));
  const auto kept =
      run(api().remove(config_maps, ns, "a", {.uid = "other", .resource_version = {}}));
  EXPECT_EQ(kept.error().code, kube_error::conflict);
  EXPECT_EQ(run(api().get(config_maps, ns, "none")).error().code, kube_error::not_found);
}

TEST_F(client_calls, name_manager_and_field_of_an_apply_conflict) {
  const auto first = apply(config_map("a", "1"), {.field_manager = "first", .subresource = {}});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->status, 201);
  const auto refused = apply(config_map("a", "2"), {.field_manager = "second", .subresource = {}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, kube_error::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("\"first\""));
  EXPECT_THAT(refused.error().message, HasSubstr(".data.k"));
  const auto shared = apply(config_map("a", "1"), {.field_manager = "second", .subresource = {}});
  EXPECT_TRUE(shared) << "the same value is shared";
  const auto forced =
      apply(config_map("a", "3"), {.field_manager = "second", .force = true, .subresource = {}});
  ASSERT_TRUE(forced) << forced.error().message;
  EXPECT_EQ(forced->status, 200);
  const auto again =
      apply(config_map("a", "3"), {.field_manager = "second", .force = true, .subresource = {}});
  EXPECT_EQ(at(again.value().body, "/metadata/resourceVersion"),
            at(forced->body, "/metadata/resourceVersion"))
      << "a true no-op keeps the version";
  const auto dropped = apply(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}})",
                             {.field_manager = "second", .force = true, .subresource = {}});
  ASSERT_TRUE(dropped);
  EXPECT_EQ(at(dropped->body, "/data/k"), "") << "a field that is left out is removed";
}

TEST_F(client_calls, store_nothing_in_a_dry_run) {
  const kube::write_options dry{.dry_run = true};
  EXPECT_TRUE(run(api().create(config_maps, ns, config_map("dry", "1"), {}, dry)));
  EXPECT_TRUE(
      apply(config_map("a", "1"), {.field_manager = "m", .subresource = {}, .dry_run = true}));
  EXPECT_THAT(c.fields("configmaps", ns), ::testing::Not(::testing::Contains("a")));
  EXPECT_THAT(c.fields("configmaps", ns), ::testing::Not(::testing::Contains("dry")));
  const auto made = run(api().create(config_maps, ns, config_map("kept", "1")));
  ASSERT_TRUE(made);
  EXPECT_TRUE(run(api().update(config_maps, ns, "kept", config_map("kept", "2"), {}, dry)));
  EXPECT_TRUE(
      run(api().merge_patch(config_maps, ns, "kept", R"({"data":{"k":"3"}})", "", {}, dry)));
  EXPECT_TRUE(run(api().json_patch(
      config_maps, ns, "kept", R"([{"op":"replace","path":"/data/k","value":"4"}])", "", {}, dry)));
  EXPECT_TRUE(run(
      api().remove(config_maps, ns, "kept", {.uid = {}, .resource_version = {}, .dry_run = true})));
  const auto now = run(api().get(config_maps, ns, "kept"));
  ASSERT_TRUE(now) << now.error().message;
  EXPECT_EQ(at(*now, "/metadata/resourceVersion"), at(made->body, "/metadata/resourceVersion"));
}

TEST_F(client_calls, reach_subresources) {
  c.must({"apply", "-n", ns, "-f", "-"}, myapp_yaml("app", 1));
  const auto before = run(api().get(myapps, ns, "app"));
  ASSERT_TRUE(before);
  const auto set = run(api().merge_patch(
      myapps, ns, "app", R"({"status":{"observedGeneration":1},"spec":{"replicas":9}})", "status"));
  ASSERT_TRUE(set) << set.error().message;
  const auto after = json::parse(set->body).value();
  EXPECT_EQ(json::int_at(after, "/status/observedGeneration"), 1);
  EXPECT_EQ(json::int_at(after, "/spec/replicas"), 1) << "only the status";
  EXPECT_EQ(json::int_at(after, "/metadata/generation"), 1) << "a status is no new intent";
  EXPECT_NE(at(set->body, "/metadata/resourceVersion"), at(*before, "/metadata/resourceVersion"));
  c.must({"create", "serviceaccount", "robot", "-n", ns});
  const auto token = run(api().create_for(
      accounts, ns, "robot", "token",
      R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}})"));
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_NE(at(token->body, "/status/token"), "");
}

TEST_F(client_calls, list_page_by_page) {
  for (const char* name : {"a", "b", "c"})
    ASSERT_TRUE(run(api().create(config_maps, ns, config_map(name, "1"))));
  kube::list_options page;
  page.ns = ns;
  page.limit = 2;
  page.field_selector = "metadata.name!=kube-root-ca.crt";
  page.metadata_only = true;
  std::vector<std::string> names;
  int pages = 0;
  do {
    const auto got = run(api().list_page(config_maps, page));
    ASSERT_TRUE(got) << got.error().message;
    ++pages;
    const auto parsed = json::parse(*got).value();
    for (const auto& item : json::find(parsed, "/items")->GetArray()) {
      names.emplace_back(json::string_at(item, "/metadata/name"));
      EXPECT_EQ(json::find(item, "/data"), nullptr) << "metadata only";
    }
    page.continue_token = json::string_at(parsed, "/metadata/continue");
  } while (!page.continue_token.empty());
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_GE(pages, 2);
}

TEST_F(client_calls, show_the_servers_warnings) {
  ::testing::internal::CaptureStderr();
  log_configure(log_level::warn, log_format::text);
  EXPECT_TRUE(run(api().get_path("/api/v1/componentstatuses")));
  EXPECT_TRUE(run(api().get_path("/api/v1/componentstatuses")));
  log_configure(log_level::info, log_format::text);
  const auto said = ::testing::internal::GetCapturedStderr();
  const auto first = said.find("ComponentStatus is deprecated");
  ASSERT_NE(first, std::string::npos) << said;
  EXPECT_EQ(said.find("ComponentStatus is deprecated", first + 1), std::string::npos) << "once";
}

TEST_F(client_calls, act_as_somebody_else_where_the_kubeconfig_says_so) {
  EXPECT_EQ(whoami(), "admin");
  const auto file = c.kubeconfig("admin", {"--group", "system:masters"});
  std::ifstream in(file);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto user = text.find("  user:\n");
  ASSERT_NE(user, std::string::npos) << text;
  text.insert(user + 8, "    as: jane\n    as-groups: [dev]\n    as-user-extra: {team/x: [a]}\n");
  const auto as_jane = c.dir() / "jane.kubeconfig";
  std::ofstream(as_jane) << text;
  open(as_jane);
  EXPECT_EQ(whoami(), "jane");
  const auto denied = run(api().get(config_maps, ns, "kube-root-ca.crt"));
  EXPECT_EQ(denied.error().code, kube_error::forbidden);
  EXPECT_THAT(denied.error().message, HasSubstr("\"jane\""));
}

// A watch goes on while the client certificate is replaced; what connects after that is somebody
// else.
TEST_F(client_calls, take_a_new_client_certificate_without_a_restart) {
  const auto one = c.kubeconfig("old-user", {"--files"});
  const auto other = c.kubeconfig("new-user", {"--files"});
  kube::config_sources sources;
  sources.flag_path = one.string();
  const auto mine = kube::load_cluster_config(sources).value();
  sources.flag_path = other.string();
  const auto next = kube::load_cluster_config(sources).value();
  ASSERT_FALSE(mine.client_cert_file.empty());
  c.must({"create", "rolebinding", "view", "-n", ns, "--clusterrole=view", "--user=old-user"});
  open(one);
  EXPECT_EQ(whoami(), "old-user");
  kube::watch_options options;
  options.ns = ns;
  auto watch = run(api().watch(config_maps, options));
  ASSERT_TRUE(watch) << watch.error().message;

  const auto overwrite = std::filesystem::copy_options::overwrite_existing;
  std::filesystem::copy_file(next.client_cert_file, mine.client_cert_file, overwrite);
  std::filesystem::copy_file(next.client_key_file, mine.client_key_file, overwrite);
  EXPECT_EQ(whoami(), "old-user") << "a connection that works is used for a while";
  auto second = run(api().watch(config_maps, options));
  ASSERT_FALSE(second) << "a watch has a connection of its own";
  EXPECT_THAT(second.error().message, HasSubstr("\"new-user\""));
  c.must({"create", "configmap", "news", "-n", ns});
  std::string seen;
  const auto deadline = system_clock().now() + 30s;
  while (seen.find("\"news\"") == std::string::npos) {
    const auto piece = run((*watch)->read_some(deadline));
    ASSERT_TRUE(piece && *piece) << "the first watch goes on: " << seen;
    seen += **piece;
  }
}

}  // namespace
}  // namespace oarlock::testing
