// Requests of pods and what plans see of them, over the C ABI.
#include "oarlock/sdk/inbound.hpp"

#include <gtest/gtest.h>

#include "oarlock/k8s/coordination/v1.hpp"
#include "oarlock/sdk/outside.hpp"
#include "oarlock/sdk/testing/bench_host.hpp"

namespace oarlock::sdk {
namespace {

using k8s::coordination::v1::lease;
using k8s::coordination::v1::lease_spec;

// Shows what it was told.
void plan(const input<lease>& in, output<lease>& out) {
  std::string told;
  for (const auto& one : in.notes())
    told += std::string(one.name()) + "=" + std::to_string(one["step"].integer()) + ";";
  if (const auto* trial = in.find_note("trial-1")) told += std::string(trial->pod_uid());
  if (in.find_note("nobody") == nullptr && in.inbound()) told += in.inbound()->url;
  out.ready("Told", told);
}

struct listener {
  void inbound(const inbound_request& request, inbound_response& response) {
    if (request.rest() == "throw") throw std::runtime_error("as asked");
    const auto body = request.json_body();
    response.note("trial-0", json::copy(json::node{&body}));
    response.answer(202, std::string(request.rest()) + " of " + std::string(request.pod_name()));
  }
};
using trainer = planner_with<"trainer", plan, listener>;

struct second final : reconciler {
  static constexpr std::string_view controller = "second";
  void plan(const plan_input&, plan_output&) override {}
  void inbound(const inbound_request& request, inbound_response& response) override {
    response.answer(200, request.rest());
  }
};

struct deaf final : reconciler {
  static constexpr std::string_view controller = "deaf";
  void plan(const plan_input&, plan_output&) override {}
};

// What a handler has said.
struct heard {
  int status = 204;
  std::string body;
  std::string notes;
};

struct heard_from : heard {
  oarlock_status returned = OARLOCK_OK;
};

heard_from send(const oarlock_plugin& plugin, std::string_view rest, std::string_view body = "{}") {
  heard_from out;
  oarlock_host host{};
  host.struct_size = sizeof(host);
  host.extension = [](oarlock_host_ctx*, oarlock_str_view) -> const void* { return nullptr; };
  oarlock_create_view create{};
  create.struct_size = sizeof(create);
  oarlock_error_out error_out{};
  oarlock_instance* self = nullptr;
  if (plugin.create(&host, &create, &error_out, &self) != OARLOCK_OK) return out;
  const auto* table = static_cast<const oarlock_plugin_inbound*>(
      plugin.extension(self, to_view(OARLOCK_EXT_INBOUND)));
  EXPECT_EQ(plugin.extension(self, to_view("oarlock.other/1")), nullptr);
  oarlock_request_view view{};
  view.struct_size = sizeof(view);
  view.method = to_view("POST");
  view.rest = to_view(rest);
  view.body = to_bytes(body);
  view.pod_name = to_view("pod-0");
  oarlock_inbound_out to{};
  to.struct_size = sizeof(to);
  to.ctx = reinterpret_cast<oarlock_inbound_ctx*>(&out);
  to.answer = [](oarlock_inbound_ctx* ctx, std::int32_t status, oarlock_str_view,
                 oarlock_bytes_view text) -> oarlock_status {
    auto& into = *reinterpret_cast<heard_from*>(ctx);
    into.status = status;
    into.body = to_text(text);
    return OARLOCK_OK;
  };
  to.note = [](oarlock_inbound_ctx* ctx, oarlock_str_view controller, oarlock_str_view name,
               oarlock_encoding, oarlock_bytes_view text) -> oarlock_status {
    auto& into = *reinterpret_cast<heard_from*>(ctx);
    into.notes += std::string(to_text(controller)) + " " + std::string(to_text(name)) + "=" +
                  std::string(to_text(text)) + ";";
    return OARLOCK_OK;
  };
  out.returned = table->request(self, &view, 5000, &to);
  plugin.destroy(self);
  return out;
}

TEST(inbound, a_handler_answers_and_leaves_notes_for_its_own_controller) {
  static constexpr oarlock_plugin plugin = detail::describe<trainer>("trainer", "1");
  const auto said = send(plugin, "progress", R"({"step":3})");
  EXPECT_EQ(said.returned, OARLOCK_OK);
  EXPECT_EQ(said.status, 202);
  EXPECT_EQ(said.body, "progress of pod-0");
  EXPECT_EQ(said.notes, R"(trainer trial-0={"step":3};)");
}

TEST(inbound, what_it_throws_is_for_the_host_and_a_bad_body_is_for_the_pod) {
  static constexpr oarlock_plugin plugin = detail::describe<trainer>("trainer", "1");
  EXPECT_EQ(send(plugin, "throw").returned, OARLOCK_TERMINAL);
  const auto bad = send(plugin, "progress", "{");
  EXPECT_EQ(bad.returned, OARLOCK_OK);
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.notes, "");
}

TEST(inbound, of_several_controllers_the_path_names_one) {
  static constexpr oarlock_plugin plugin = detail::describe<trainer, deaf, second>("both", "1");
  EXPECT_EQ(send(plugin, "second/a/b").body, "a/b");
  EXPECT_EQ(send(plugin, "second").body, "");
  EXPECT_EQ(send(plugin, "trainer/progress").body, "progress of pod-0");
  EXPECT_EQ(send(plugin, "deaf/x").status, 404);
  EXPECT_EQ(send(plugin, "x").status, 404);
  static constexpr oarlock_plugin one = detail::describe<deaf, second>("one", "1");
  EXPECT_EQ(send(one, "second/a").body, "second/a") << "one handler needs no name";
}

TEST(inbound, a_plugin_without_a_handler_offers_none) {
  EXPECT_EQ((detail::describe<deaf>("deaf", "1").extension), nullptr);
}

TEST(inbound, a_plan_sees_notes_by_name_and_how_pods_reach_the_daemon) {
  static constexpr oarlock_plugin plugin = detail::describe<trainer>("trainer", "1");
  testing::bench_host host(plugin);
  testing::given g;
  g.controller = "trainer";
  g.primary = {"leases.coordination.k8s.io",
               R"({"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{}})"};
  g.notes = {{"trial-0", R"({"step":3})", "s", "p-0", "u-0", 1},
             {"trial-1", R"({"step":4})", "s", "p-1", "u-1", 2}};
  EXPECT_EQ(host.plan(g).conditions["Ready"].message, "trial-0=3;trial-1=4;u-1");
  g.inbound = {"https://x/v1/trainer", "PEM", "aud"};
  EXPECT_EQ(host.plan(g).conditions["Ready"].message,
            "trial-0=3;trial-1=4;u-1https://x/v1/trainer");
}

}  // namespace
}  // namespace oarlock::sdk
