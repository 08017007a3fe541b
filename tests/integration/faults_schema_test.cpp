// Row V12 of docs/fault-catalogue.md: fields of a CRD added, changed, removed, at their bounds and
// beyond, and reverted, on a real API server. The objects are made of the schema.
#include "oarlock/sdk/testing/compare.hpp"
#include "oarlock/sdk/testing/library.hpp"
#include "oarlock/sdk/testing/variations.hpp"
#include "tests/integration/fault_daemon.hpp"

namespace oarlock::testing {
namespace {

namespace kit = oarlock::sdk::testing;

class FaultSchema : public FaultDaemon {
 protected:
  // Nobody makes ten thousand pods here.
  FaultSchema() { c.component("pause", "kube-controller-manager"); }
  ~FaultSchema() override { c.component("resume", "kube-controller-manager"); }

  result<kube::write_answer> put(const sdk::json::value& object) {
    const kube::apply_options by{"user", true, {}, false};
    return admin.call(admin.client().apply(my_apps, ns, "web", object.text(), by));
  }
  // The watch shows what a write was answered with, or what came after.
  bool shows(const kube::write_answer& answer) {
    const auto put = json::parse(answer.body);
    const auto app = apps.get({ns, "web"});
    return put && app &&
           app->meta().generation >= json::int_at(*put, "/metadata/generation").value_or(0);
  }
  // The Deployment has what the plan for the MyApp, as the API server has it, wants.
  bool is_as_planned() {
    const auto app = apps.get({ns, "web"});
    const auto child = children.get({ns, "web"});
    if (!app || !child) return false;
    kit::given input;
    input.controller = "myapp";
    input.primary = {"myapps.example.com", app->json()};
    input.ns = ns;
    input.name = "web";
    const auto plan = host_.plan(input);
    if (plan.applied.size() != 1) return false;
    const auto wanted = kit::detail::parsed(plan.applied[0].second);
    const auto found = kit::detail::parsed(child->json());
    return kit::detail::missing(wanted, &found, "").empty();
  }

  const std::string crd_ = source_dir() / "plugins/myapp/crds/example.com_myapps.yaml";
  const std::string sample_ = source_dir() / "plugins/myapp/samples/myapp.yaml";
  kit::bench_host host_{kit::plugin_of(built("plugins/myapp/libmyapp.so").c_str())};
};

TEST_F(FaultSchema, V12_FieldsAtTheirBoundsAndBeyondAreTakenOrRefusedAndTheirReversalIsWhole) {
  auto base = kit::read_object(sample_);
  base.set("metadata", sdk::json::object({{"name", "web"}}));
  start();
  ASSERT_TRUE(put(base));
  ASSERT_TRUE(converges("web", 3));
  const auto first = member(children, "web", "/spec");
  int taken = 0, refused = 0;
  for (const auto& one : kit::variations(kit::read_crd(crd_).schema, base)) {
    const auto answer = put(one.object);
    ASSERT_EQ(answer.has_value(), one.is_valid)
        << one.what << (answer ? "" : ": " + answer.error().message);
    ++(one.is_valid ? taken : refused);
    if (!one.is_valid) continue;
    // The watch shows what was put; then it is compared.
    ASSERT_TRUE(eventually([&] { return shows(*answer); }, 60s)) << one.what;
    EXPECT_TRUE(eventually([&] { return is_as_planned(); }, 60s)) << one.what << "\n"
                                                                  << oarlockd->process().log();
  }
  EXPECT_GE(taken, 5);
  EXPECT_GE(refused, 5);
  ASSERT_TRUE(put(base));
  EXPECT_TRUE(eventually([&] { return member(children, "web", "/spec") == first; }, 60s))
      << member(children, "web", "/spec") << "\n"
      << oarlockd->process().log();
}

}  // namespace
}  // namespace oarlock::testing
