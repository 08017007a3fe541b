#include "core/cli/scaffold/scaffold.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "core/cli/plugin_json.hpp"
#include "core/cli/scaffold/names.hpp"
#include "core/cli/scaffold/templates.hpp"
#include "core/plugin/manifest.hpp"

namespace oarlock::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class scaffold : public ::testing::Test {
 protected:
  scaffold() {
    std::string name = (fs::temp_directory_path() / "oarlock-scaffold-XXXXXX").string();
    top_ = ::mkdtemp(name.data());
    folder_ = top_ / "myapp-operator";
    fs::create_directory(folder_);
  }
  ~scaffold() override { fs::remove_all(top_); }

  void write(const std::string& path, const std::string& text) const {
    std::ofstream(folder_ / path) << text;
  }
  [[nodiscard]] std::string read(const std::string& path) const {
    std::ifstream in(folder_ / path);
    std::ostringstream text;
    text << in.rdbuf();
    return std::move(text).str();
  }
  // Every path of the project with its text.
  [[nodiscard]] std::map<std::string, std::string> all() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      const auto path = entry.path().lexically_relative(folder_).string();
      found[path] = entry.is_regular_file() ? read(path) : "";
    }
    return found;
  }
  [[nodiscard]] result<scaffolded> init() const {
    return init_project(folder_, {"example.com", "github.com/example/myapp-operator", {}, false});
  }
  [[nodiscard]] result<scaffolded> api(const std::string& kind) const {
    return create_api(folder_, {"example", "v1alpha1", kind, {}, true, true, false});
  }
  fs::path top_, folder_;
};

TEST_F(scaffold, a_project_and_its_first_kind) {
  const auto made = init();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_THAT(made->created,
              AllOf(Contains("PROJECT"), Contains("CMakeLists.txt"), Contains("Makefile"),
                    Contains("Dockerfile"), Contains(".github/workflows/ci.yaml")));
  const auto added = api("MyApp");
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_THAT(added->created,
              ElementsAre("crds/example.com_myapps.yaml", "samples/example.com_v1alpha1_myapp.yaml",
                          "src/myapp/plan.cpp", "src/myapp/plan.hpp", "tests/cases/myapp.yaml",
                          "tests/myapp_schema_test.cpp"));
  EXPECT_THAT(added->changed, ElementsAre("PROJECT", "plugin.yaml", "src/plugin.cpp"));
  EXPECT_THAT(added->notices, ElementsAre(HasSubstr("the API group is example.com, not")));

  const auto manifest = plugin::read_manifest(folder_ / "plugin.yaml");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->name, "myapp");
  EXPECT_EQ(manifest->library, "libmyapp.so");
  ASSERT_EQ(manifest->controllers.size(), 1U);
  EXPECT_EQ(manifest->controllers[0].primary.kind, "MyApp");
  const auto crd = plugin_json(folder_ / "crds/example.com_myapps.yaml");
  ASSERT_TRUE(crd) << crd.error().message;
  EXPECT_THAT(*crd, HasSubstr(R"("metadata":{"name":"myapps.example.com"})"));
  EXPECT_THAT(read("src/plugin.cpp"), AllOf(HasSubstr("#include \"myapp/plan.hpp\"\n"),
                                            HasSubstr("planner<\"myapp\", myapp::plan>\n")));
}

TEST_F(scaffold, a_second_kind_joins_the_first) {
  ASSERT_TRUE(init());
  ASSERT_TRUE(api("MyApp"));
  write("src/myapp/plan.cpp", "// mine\n");
  const auto added = create_api(folder_, {"data", "v1", "Policy", {}, true, true, false});
  ASSERT_TRUE(added) << added.error().message;
  EXPECT_THAT(added->created, Contains("crds/data.example.com_policies.yaml"));
  EXPECT_THAT(added->overwritten, IsEmpty());
  EXPECT_EQ(read("src/myapp/plan.cpp"), "// mine\n");
  const auto manifest = plugin::read_manifest(folder_ / "plugin.yaml");
  ASSERT_TRUE(manifest) << manifest.error().message;
  ASSERT_EQ(manifest->controllers.size(), 2U);
  EXPECT_EQ(manifest->controllers[0].primary.kind, "MyApp");
  EXPECT_EQ(manifest->controllers[1].primary.group, "data.example.com");
  EXPECT_THAT(read("src/plugin.cpp"), AllOf(HasSubstr("planner<\"myapp\", myapp::plan>\n"),
                                            HasSubstr("planner<\"policy\", policy::plan>\n")));
}

TEST_F(scaffold, nothing_is_overwritten_without_being_told) {
  write("Makefile", "all:\n");
  const auto before = all();
  const auto refused = init();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr(": Makefile;"), HasSubstr("--force")));
  EXPECT_EQ(all(), before);

  const auto forced =
      init_project(folder_, {"example.com", "github.com/example/myapp-operator", {}, true});
  ASSERT_TRUE(forced) << forced.error().message;
  EXPECT_THAT(forced->overwritten, ElementsAre("Makefile"));
  EXPECT_THAT(read("Makefile"), HasSubstr("docker-build:"));
  EXPECT_FALSE(init());  // a project is there

  ASSERT_TRUE(api("MyApp"));
  const auto after = all();
  const auto again = api("MyApp");
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("already; --force"));
  EXPECT_EQ(all(), after);
}

TEST_F(scaffold, a_kind_that_is_scaffolded_anew_is_listed_once) {
  ASSERT_TRUE(init());
  ASSERT_TRUE(api("MyApp"));
  const auto before = all();
  write("src/myapp/plan.cpp", "// mine\n");
  const auto forced = create_api(folder_, {"example", "v1alpha1", "MyApp", {}, true, true, true});
  ASSERT_TRUE(forced) << forced.error().message;
  EXPECT_THAT(forced->overwritten, ElementsAre("src/myapp/plan.cpp"));
  EXPECT_EQ(all(), before);
}

TEST_F(scaffold, resource_or_controller_alone) {
  ASSERT_TRUE(init());
  const auto kind = create_api(folder_, {"", "v1", "Cat", {}, true, false, false});
  ASSERT_TRUE(kind) << kind.error().message;
  EXPECT_THAT(kind->created,
              ElementsAre("crds/example.com_cats.yaml", "samples/example.com_v1_cat.yaml"));
  EXPECT_THAT(kind->changed, ElementsAre("PROJECT"));
  const auto code = create_api(folder_, {"", "v1", "Dog", {}, false, true, false});
  ASSERT_TRUE(code) << code.error().message;
  EXPECT_THAT(code->created,
              ElementsAre("src/dog/plan.cpp", "src/dog/plan.hpp", "tests/cases/dog.yaml"));
  EXPECT_THAT(code->notices, ElementsAre(HasSubstr("put that into crds/")));
}

TEST_F(scaffold, a_lost_marker_is_said_with_the_lines) {
  ASSERT_TRUE(init());
  write("src/plugin.cpp", "// my own export\n");
  const auto before = all();
  const auto refused = api("MyApp");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("src/plugin.cpp: expected a line with +oarlock:scaffold:"),
                    HasSubstr("#include \"myapp/plan.hpp\"")));
  EXPECT_EQ(all(), before);
}

TEST_F(scaffold, no_project_and_broken_projects) {
  const auto none = api("MyApp");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("`oarlock init` makes one"));
  write("PROJECT", "domain: [1]\n");
  EXPECT_FALSE(api("MyApp"));
  write("PROJECT", "nonsense: 1\n");
  const auto unknown = api("MyApp");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("unknown key \"nonsense\""));
}

TEST_F(scaffold, a_file_where_a_folder_should_be_leaves_all_as_it_was) {
  write("src", "a file\n");
  const auto before = all();
  const auto refused = init();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("src is a file"));
  EXPECT_EQ(all(), before);
}

TEST_F(scaffold, signals_wait_until_all_is_written) {
  ASSERT_EXIT(
      {
        std::signal(SIGINT, SIG_DFL);
        sigset_t interrupt;
        sigemptyset(&interrupt);
        sigaddset(&interrupt, SIGINT);
        pthread_sigmask(SIG_BLOCK, &interrupt, nullptr);
        std::raise(SIGINT);  // pending, as if it came right at the start
        const bool done = init().has_value();
        pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
        std::_Exit(done ? 3 : 4);  // not reached: the signal ends it
      },
      ::testing::KilledBySignal(SIGINT), "");
  EXPECT_FALSE(read("PROJECT").empty());
  EXPECT_FALSE(read("src/plugin.cpp").empty());
  for (const auto& [path, text] : all())
    EXPECT_THAT(path, Not(HasSubstr(".oarlock-new")));
}

TEST(names, of_projects) {
  const auto p = name_project("example.com", "github.com/example/myapp-operator", "", "x");
  ASSERT_TRUE(p) << p.error().message;
  EXPECT_EQ(p->project, "myapp-operator");
  EXPECT_EQ(p->plugin, "myapp");
  const auto q = name_project("example.com", "", "", "Cats");
  ASSERT_TRUE(q) << q.error().message;
  EXPECT_EQ(q->repo, "example.com/cats");
  for (const char* bad : {"", "com", "Example.com", "-a.com", "a..com", "a.com.", "a b.com"}) {
    EXPECT_FALSE(name_project(bad, "", "", "x")) << bad;
  }
  for (const char* bad :
       {"/a", "a/", "a//b", "a/../b", "a b", "a\nb", "github.com/example/My_App"}) {
    EXPECT_FALSE(name_project("example.com", bad, "", "x")) << bad;
  }
}

TEST(names, of_groups) {
  const auto group = [](const char* typed) {
    const auto a = name_api("example.com", typed, "v1", "MyApp", "");
    return a ? a->group : a.error().message;
  };
  EXPECT_EQ(group("apps"), "apps.example.com");
  EXPECT_EQ(group(""), "example.com");
  EXPECT_EQ(group("example"), "example.com");
  EXPECT_EQ(group("example.com"), "example.com");
  EXPECT_EQ(group("a.b"), "a.b.example.com");
  EXPECT_THAT(group("Apps"), HasSubstr("expected a DNS label"));
  EXPECT_THAT(group("my_apps"), HasSubstr("found \"my_apps\""));
  for (const char* domain : {"k8s.io", "x-k8s.io.k8s.io", "kubernetes.io", "a.kubernetes.io"}) {
    const auto refused = name_api(domain, "", "v1", "MyApp", "");
    ASSERT_FALSE(refused) << domain;
    EXPECT_THAT(refused.error().message, HasSubstr("belong to Kubernetes"));
  }
  EXPECT_TRUE(name_api("x-k8s.io", "", "v1", "MyApp", ""));  // open to everybody
}

TEST(names, of_kinds_and_versions) {
  const auto refusal = [](const char* version, const char* kind) {
    const auto a = name_api("example.com", "", version, kind, "");
    return a ? std::string() : a.error().message;
  };
  for (const char* good : {"MyApp", "A", "MySQLCluster", "App2"})
    EXPECT_EQ(refusal("v1", good), "") << good;
  EXPECT_THAT(refusal("v1", "my-app"), HasSubstr("such as MyApp, found \"my-app\""));
  EXPECT_THAT(refusal("v1", "myApp"), HasSubstr("such as MyApp, "));
  for (const char* bad : {"", "My App", "MyApp!", "1App", "MYAPP", "\xc3\x84pp"})
    EXPECT_THAT(refusal("v1", bad), HasSubstr("--kind: expected")) << bad;
  for (const char* good : {"v1", "v2", "v1alpha1", "v10beta2"})
    EXPECT_EQ(refusal(good, "MyApp"), "") << good;
  for (const char* bad : {"", "1", "v", "v0", "v1alpha", "v1gamma1", "V1", "v1alpha1x", "v1.2"})
    EXPECT_THAT(refusal(bad, "MyApp"), HasSubstr("--version: expected")) << bad;
}

TEST(names, of_types_are_those_of_the_generator_but_not_taken_twice) {
  EXPECT_EQ(type_of_kind("MyApp"), "my_app");
  EXPECT_EQ(type_of_kind("Class"), "class_");
  EXPECT_EQ(type_of_kind("Deployment"), "deployment_");
  EXPECT_EQ(type_of_kind("Input"), "input_");
}

TEST(names, plurals_and_namespaces) {
  EXPECT_EQ(plural_of("myapp"), "myapps");
  EXPECT_EQ(plural_of("policy"), "policies");
  EXPECT_EQ(plural_of("gateway"), "gateways");
  EXPECT_EQ(plural_of("ingress"), "ingresses");
  EXPECT_EQ(plural_of("proxy"), "proxies");
  EXPECT_EQ(plural_of("box"), "boxes");
  EXPECT_EQ(namespace_of("myapp"), "myapp");
  EXPECT_EQ(namespace_of("class"), "class_");
  EXPECT_EQ(namespace_of("virtual"), "virtual_");
}

TEST(templates, unknown_names_are_errors_and_braces_mean_themselves) {
  EXPECT_EQ(*render("a {{b}} {{{c}}} {{\"d\"}} ${{ e }}", {{"b", "1"}, {"c", "2"}}),
            "a 1 {2} {{\"d\"}} ${{ e }}");
  EXPECT_FALSE(render("{{z}}", {}));
}

}  // namespace
}  // namespace oarlock::cli
