// A CRD whose schema changes: what a watch or a list brought by the old one is read again.
#include <gmock/gmock.h>

#include "core/cache/scripted_cluster_test.hpp"

namespace oarlock::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string crd(const std::string& name, const std::string& version, int generation) {
  return R"({"kind":"PartialObjectMetadata","metadata":{"name":")" + name + R"(","uid":"u-)" +
         name + R"(","resourceVersion":")" + version + R"(","generation":)" +
         std::to_string(generation) + "}}";
}
std::string crd_line(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

const kube::resource gadgets{"example.com", "v1", "Gadget", "gadgets", true};
const kube::resource maps{"", "v1", "ConfigMap", "configmaps", true};

// A server with CRDs; widgets are what `widgets_are` says, at version 200.
class reflector_schema : public scripted_cluster {
 protected:
  reflector_schema() {
    transport.on_request = [this](const test::scripted_call_ptr& call) { serve(call); };
  }
  ~reflector_schema() override {
    loop.await(subject.stop());
    transport.on_request = nullptr;
  }

  void serve(const test::scripted_call_ptr& call) {
    const bool watches = call->query("watch") == "true";
    if (call->path().find("customresourcedefinitions") != std::string::npos) {
      crd_calls.push_back(call);
      if (!watches && crd_status != 200) return call->reply(crd_status, status(crd_status, "X"));
      if (!watches) return call->reply(200, list({}, "100"));
      crd_watch = call;
      call->answer(200);
      if (call->query("sendInitialEvents") != "true") return;
      call->push(crd_line("ADDED", crd("widgets.example.com", "10", 1)) +
                 crd_line("ADDED", crd("gadgets.example.com", "11", 1)) + end_of_list("100"));
    } else if (watches) {
      (call->path().find("widgets") != std::string::npos ? watch : other_watch) = call;
      call->answer(200);
      if (call->query("sendInitialEvents") == "true")
        call->push(added({"a", "3"}) + end_of_list("100"));
    } else {
      lists.push_back(call);
      if (wavers) widgets_are = lists.size() % 2 == 0 ? as_before : as_now;
      call->reply(200, list(widgets_are, "200"));
    }
  }
  std::unique_ptr<subscription> join(const kube::resource& r = widgets, bool metadata = false) {
    auto s = subject.acquire({r, "", "", "", metadata}, {}, [this](const change& c) {
      heard.push_back(text_of(c) + (is_redecoded(c) ? "*" : ""));
    });
    loop.run_ready();
    heard.clear();
    return s;
  }
  void change_schema(int generation, const std::string& of = "widgets.example.com") {
    crd_watch->push(crd_line("MODIFIED", crd(of, std::to_string(150 + generation), generation)));
    loop.run_ready();
  }

  // The label stands for what the new schema shows of the same version.
  const std::vector<widget> as_before{{"a", "3"}};
  const std::vector<widget> as_now{{"a", "3", "", "new"}};
  std::vector<widget> widgets_are = as_now;
  bool wavers = false;  // two servers, one of which never hears of the new schema
  int crd_status = 200;
  test::scripted_call_ptr watch, other_watch, crd_watch;
  std::vector<test::scripted_call_ptr> lists, crd_calls;
  informer_cache subject{{.loop = loop.loop(),
                          .client = &client,
                          .clock_source = &loop.clock,
                          .timer_source = &loop.timers,
                          .random = &random,
                          .metrics = metrics.get(),
                          .self_check_period = duration::zero(),
                          .follow_schemas = true}};
};

TEST_F(reflector_schema, reads_objects_again_when_their_crd_has_changed) {
  const auto s = join();
  change_schema(2);
  EXPECT_THAT(lists, IsEmpty()) << "the server has not had its time";
  loop.advance(2s);
  ASSERT_EQ(lists.size(), 1U);
  EXPECT_EQ(lists[0]->query("resourceVersion"), "") << "a quorum list";
  EXPECT_THAT(take_heard(), ElementsAre("ns/a@3>3!*"));
  EXPECT_EQ(s->view().get({"ns", "a"})->meta().labels.at("app"), "new");
  EXPECT_EQ(s->view().epoch(), 0U) << "no history was rewound";
  EXPECT_EQ(watch->query("resourceVersion"), "200");
  loop.advance(28s);
  EXPECT_EQ(lists.size(), 2U) << "servers hear of it one after the other";
  EXPECT_THAT(heard, IsEmpty());
  loop.advance(1h);
  EXPECT_EQ(lists.size(), 2U) << "they agree";
}

TEST_F(reflector_schema, lists_until_the_store_agrees_but_not_for_ever) {
  const auto s = join();
  wavers = true;
  change_schema(2);
  loop.advance(1h);
  EXPECT_EQ(lists.size(), 8U);
  wavers = false;
  change_schema(3);
  loop.advance(1h);
  EXPECT_EQ(lists.size(), 10U) << "a new change starts over";
}

TEST_F(reflector_schema, lists_after_a_watch_that_the_server_ends_instead_of_resuming_it) {
  const auto s = join();
  change_schema(2);
  widgets_are = as_before;
  loop.advance(30s);
  ASSERT_EQ(lists.size(), 2U);
  widgets_are = as_now;
  watch->push(added({"b", "210"}));
  loop.advance(2s);
  watch->finish();
  loop.run_ready();
  EXPECT_EQ(lists.size(), 3U);
  EXPECT_THAT(take_heard(), ElementsAre("+ns/b@210", "ns/a@3>3!*", "-ns/b@210!"));
  loop.advance(5min);
  const auto before = lists.size();
  watch->finish();
  loop.run_ready();
  EXPECT_EQ(lists.size(), before) << "no doubt any more: it is resumed";
}

TEST_F(reflector_schema, leaves_all_other_kinds_alone) {
  const auto s = join();
  const auto other = join(gadgets);
  const auto fields = join({"example.com", "v2", "Widget", "widgets", true}, true);
  loop.advance(4min);
  change_schema(2, "gadgets.example.com");
  loop.advance(1h);
  EXPECT_EQ(lists.size(), 2U);
  for (const auto& l : lists)
    EXPECT_EQ(l->path(), "/apis/example.com/v1/gadgets");
  change_schema(1);  // a status of the CRD, or its labels
  loop.advance(1h);
  EXPECT_EQ(lists.size(), 2U);
}

TEST_F(reflector_schema, reads_again_also_when_a_list_is_on_its_way) {
  const auto s = join();
  const auto served = transport.on_request;
  test::scripted_call_ptr slow;
  transport.on_request = [&](const test::scripted_call_ptr& call) {
    const bool held = call->query("sendInitialEvents") == "true" && !slow;
    held ? void(slow = call) : served(call);
  };
  loop.advance(4min);  // a watch that ends now is of no new schema
  watch->push(error_event(410, "Expired"));
  loop.advance(800ms);
  ASSERT_TRUE(slow);
  change_schema(2);
  loop.advance(2s);
  EXPECT_THAT(lists, IsEmpty());
  slow->answer(200);
  slow->push(added({"a", "3"}) + end_of_list("120"));
  loop.run_ready();
  EXPECT_EQ(lists.size(), 1U) << "the list may have been decoded before the change";
  EXPECT_FALSE(slow->open());
  EXPECT_THAT(take_heard(), ElementsAre("ns/a@3>3!*"));
}

TEST_F(reflector_schema, asks_seldom_where_crds_may_not_be_listed) {
  crd_status = 403;
  const auto s = join();
  EXPECT_EQ(crd_calls.size(), 1U);
  loop.advance(59min);
  EXPECT_EQ(crd_calls.size(), 6U);
  EXPECT_EQ(s->view().trouble(), "");
  crd_status = 200;
  loop.advance(1min);
  ASSERT_TRUE(crd_watch);
  change_schema(2);
  loop.advance(2s);
  EXPECT_THAT(take_heard(), ElementsAre("ns/a@3>3!*"));
}

TEST_F(reflector_schema, watches_no_crds_for_kinds_that_have_none) {
  const auto s = join(maps);
  EXPECT_THAT(crd_calls, IsEmpty());
  const auto custom = join();
  const auto another = join(gadgets);
  EXPECT_EQ(crd_calls.size(), 2U) << "one question and one watch for all";
  EXPECT_EQ(crd_calls[1]->query("watch"), "true");
}

TEST_F(reflector_schema, wakes_a_kind_that_waits_for_its_crd) {
  const auto s = join();
  auto served = transport.on_request;
  transport.on_request = [&](const test::scripted_call_ptr& call) {
    if (call->path().find("tides") == std::string::npos) return served(call);
    call->reply(404, "404 page not found");
  };
  const auto missing = join({"example.com", "v1", "Tide", "tides", true});
  loop.advance(1s);
  EXPECT_NE(missing->view().trouble(), "");
  transport.on_request = served;
  crd_watch->push(crd_line("ADDED", crd("tides.example.com", "160", 1)));
  loop.run_ready();
  EXPECT_EQ(missing->view().trouble(), "");
  EXPECT_TRUE(missing->view().synced());
}

}  // namespace
}  // namespace oarlock::cache
