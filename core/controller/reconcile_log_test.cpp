// Whoever reads the log can tell what belongs to one reconcile.
#include <algorithm>
#include <sstream>

#include "core/controller/controller_world_test.hpp"
#include "core/json/parse.hpp"

namespace oarlock::controller {
namespace {

using namespace std::chrono_literals;
using testing::controller_world;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::widgets;

class reconcile_logs : public controller_world {
 protected:
  // Everything a reconcile may say: plugin, API server, core.
  reconcile_logs() {
    plan.run = [](const plan_input&) {
      log_info("the plugin speaks", {{"plugin", "p"}});
      plan_output out;
      out.apply_set.push_back(testing::deployment("w"));
      return out;
    };
    api.intercept = [this](const test::scripted_call_ptr& call) {
      const bool write = call->request().method == "PATCH";
      if (!write || call->path().find("/deployments/") == std::string::npos) return false;
      call->reply(422, R"({"kind":"Status","status":"Failure","reason":"Invalid","code":422})",
                  {{"Warning", "299 - \"warning " + std::to_string(++warnings) + "\""}});
      return true;
    };
  }
  // The records while `act` runs.
  static testing::strings records_of(log_format format, const std::function<void()>& act) {
    log_configure(log_level::info, format);
    ::testing::internal::CaptureStderr();
    act();
    std::istringstream text(::testing::internal::GetCapturedStderr());
    testing::strings lines;
    for (std::string line; std::getline(text, line);)
      lines.push_back(line);
    return lines;
  }
  static std::string text_of(const std::string& record, const char* key) {
    const auto parsed = json::parse(record);
    EXPECT_TRUE(parsed) << record;
    return parsed ? std::string(json::string_at(*parsed, std::string("/") + key)) : std::string();
  }
  int warnings = 0;
};

TEST_F(reconcile_logs, carry_the_object_and_one_id_in_json) {
  api.put(widgets, testing::widget_json());
  auto records = records_of(log_format::json, [&] { lead(); });
  std::erase_if(records, [](const auto& r) { return r.find("reconcileID") == std::string::npos; });
  ASSERT_GE(records.size(), 4U);
  records.resize(4);
  testing::strings messages;
  for (const auto& r : records) {
    messages.push_back(text_of(r, "msg"));
    EXPECT_EQ(text_of(r, "reconcileID"), text_of(records.front(), "reconcileID"));
    EXPECT_EQ(text_of(r, "reconcileID").size(), 36U);
    EXPECT_EQ(text_of(r, "controller"), spec.name);
    EXPECT_EQ(text_of(r, "controllerGroup"), widgets.group);
    EXPECT_EQ(text_of(r, "controllerKind"), "Widget");
    EXPECT_EQ(text_of(r, "namespace"), "ns");
    EXPECT_EQ(text_of(r, "name"), "w");
    EXPECT_EQ(r.find("\"plugin\""), r.rfind("\"plugin\"")) << "a key twice is no JSON for some";
  }
  EXPECT_THAT(messages, ElementsAre("first reconcile", "the plugin speaks", "the API server warns",
                                    "reconcile failed"));
  const auto again = records_of(log_format::json, [&] { settle(10s); });
  ASSERT_FALSE(again.empty());
  EXPECT_NE(text_of(again.front(), "reconcileID"), text_of(records.front(), "reconcileID"));
}

TEST_F(reconcile_logs, carry_them_in_text) {
  api.put(widgets, testing::widget_json());
  const auto records = records_of(log_format::text, [&] { lead(); });
  const auto failed = std::find_if(records.begin(), records.end(), [](const auto& r) {
    return r.find("reconcile failed") != std::string::npos;
  });
  ASSERT_NE(failed, records.end());
  EXPECT_THAT(*failed, HasSubstr("controllerKind=Widget namespace=ns name=w reconcileID="));
}

TEST_F(reconcile_logs, of_two_objects_do_not_mix) {
  api.put(widgets, testing::widget_json("a"));
  api.put(widgets, testing::widget_json("b"));
  const auto records = records_of(log_format::json, [&] { lead(); });
  std::map<std::string, std::string> name_of;
  for (const auto& r : records) {
    const auto id = text_of(r, "reconcileID");
    if (id.empty()) continue;
    const auto known = name_of.emplace(id, text_of(r, "name")).first;
    EXPECT_EQ(known->second, text_of(r, "name")) << r;
  }
  EXPECT_GE(name_of.size(), 2U);
}

}  // namespace
}  // namespace oarlock::controller
