// Reviews of objects over the C ABI.
#include "oarlock/sdk/review.hpp"

#include <gtest/gtest.h>

#include "oarlock/sdk/plugin.hpp"

namespace oarlock::sdk {
namespace {

struct strict final : reconciler, reviewer {
  static constexpr std::string_view controller = "strict";
  void plan(const plan_input&, plan_output&) override {}
  void validate(const review_request& request, review_response& response) override {
    const auto object = request.object();
    if (!object.HasMember("spec")) response.refuse("spec", "expected a spec");
    if (request.old_object_json().empty()) response.warn("it is new");
  }
  void convert(const review_request& request, review_response& response) override {
    response.object(json::object({{"apiVersion", request.to_api_version()}}));
  }
};

struct lax final : reconciler {
  static constexpr std::string_view controller = "lax";
  void plan(const plan_input&, plan_output&) override {}
};

struct heard {
  oarlock_status returned = OARLOCK_OK;
  std::string said;
};

using slot = decltype(oarlock_plugin_review::validate) oarlock_plugin_review::*;

heard ask(slot which, std::string_view controller, std::string_view object) {
  static constexpr oarlock_plugin plugin = detail::describe<strict, lax>("both", "1");
  heard out;
  oarlock_host host{};
  host.struct_size = sizeof(host);
  host.extension = [](oarlock_host_ctx*, oarlock_str_view) -> const void* { return nullptr; };
  oarlock_create_view create{};
  create.struct_size = sizeof(create);
  oarlock_error_out error_out{};
  oarlock_instance* self = nullptr;
  if (plugin.create(&host, &create, &error_out, &self) != OARLOCK_OK) return out;
  EXPECT_EQ(plugin.extension(self, to_view(OARLOCK_EXT_INBOUND)), nullptr);
  const auto* table = static_cast<const oarlock_plugin_review*>(
      plugin.extension(self, to_view(OARLOCK_EXT_REVIEW)));
  oarlock_review_view view{};
  view.struct_size = sizeof(view);
  view.controller = to_view(controller);
  view.object = to_bytes(object);
  view.to_api_version = to_view("example.com/v2");
  oarlock_review_out to{};
  to.struct_size = sizeof(to);
  to.ctx = reinterpret_cast<oarlock_review_ctx*>(&out);
  to.refuse = [](oarlock_review_ctx* ctx, oarlock_str_view field,
                 oarlock_str_view message) -> oarlock_status {
    reinterpret_cast<heard*>(ctx)->said +=
        std::string(to_text(field)) + ": " + std::string(to_text(message)) + ";";
    return OARLOCK_OK;
  };
  to.warn = [](oarlock_review_ctx* ctx, oarlock_str_view message) -> oarlock_status {
    reinterpret_cast<heard*>(ctx)->said += std::string(to_text(message)) + ";";
    return OARLOCK_OK;
  };
  to.object = [](oarlock_review_ctx* ctx, oarlock_encoding,
                 oarlock_bytes_view whole) -> oarlock_status {
    reinterpret_cast<heard*>(ctx)->said += to_text(whole);
    return OARLOCK_OK;
  };
  out.returned = (table->*which)(self, &view, 5000, &to);
  plugin.destroy(self);
  return out;
}

TEST(review, a_controller_refuses_warns_and_converts) {
  const auto refused = ask(&oarlock_plugin_review::validate, "strict", "{}");
  EXPECT_EQ(refused.returned, OARLOCK_OK);
  EXPECT_EQ(refused.said, "spec: expected a spec;it is new;");
  EXPECT_EQ(ask(&oarlock_plugin_review::validate, "strict", R"({"spec":{}})").said, "it is new;");
  EXPECT_EQ(ask(&oarlock_plugin_review::convert, "strict", "{}").said,
            R"({"apiVersion":"example.com/v2"})");
}

TEST(review, what_throws_or_is_not_there_has_failed) {
  EXPECT_EQ(ask(&oarlock_plugin_review::validate, "strict", "{").returned, OARLOCK_TERMINAL);
  EXPECT_EQ(ask(&oarlock_plugin_review::mutate, "strict", "{}").returned, OARLOCK_TERMINAL);
  EXPECT_EQ(ask(&oarlock_plugin_review::validate, "lax", "{}").returned, OARLOCK_TERMINAL);
  EXPECT_EQ(ask(&oarlock_plugin_review::validate, "nobody", "{}").returned, OARLOCK_TERMINAL);
  EXPECT_EQ((detail::describe<lax>("lax", "1").extension), nullptr);
}

}  // namespace
}  // namespace oarlock::sdk
