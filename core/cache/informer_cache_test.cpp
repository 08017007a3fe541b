// Sharing one watch: who hears what, from when, and until when.
#include "core/cache/informer_cache.hpp"

#include <gmock/gmock.h>

#include "core/cache/scripted_cluster_test.hpp"

namespace oarlock::cache {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using informer_cache_test = scripted_cluster;

TEST_F(informer_cache_test, shares_one_watch) {
  const auto first = start_with({{"a", "1"}}, "10");
  strings second_heard;
  const auto second = acquire(&second_heard);
  EXPECT_THAT(second_heard, IsEmpty()) << "never from inside acquire()";
  loop.run_ready();
  EXPECT_EQ(requests(), 1U);
  EXPECT_EQ(&first->view(), &second->view());
  EXPECT_THAT(second_heard, ElementsAre("+ns/a@1!")) << "what was there before";
  EXPECT_THAT(heard, IsEmpty());
  push(modified({"a", "11"}));
  EXPECT_THAT(heard, ElementsAre("ns/a@1>11"));
  EXPECT_THAT(second_heard, ElementsAre("+ns/a@1!", "ns/a@1>11"));
  EXPECT_THAT(cache.informers(), ElementsAre(&first->view()));
}

TEST_F(informer_cache_test, gives_both_the_initial_list_when_both_wait_for_it) {
  strings second_heard;
  const auto first = start();
  const auto second = acquire(&second_heard);
  call().answer(200);
  push(added({"a", "1"}) + end_of_list("5"));
  EXPECT_THAT(heard, ElementsAre("+ns/a@1!"));
  EXPECT_THAT(second_heard, ElementsAre("+ns/a@1!"));
}

TEST_F(informer_cache_test, watches_scopes_apart) {
  const auto all = start();
  const auto one = cache.acquire({widgets, "ns", ""}, {}, [](const change&) {});
  const auto some = cache.acquire({widgets, "", "app=web"}, {}, [](const change&) {});
  loop.run_ready();
  ASSERT_EQ(requests(), 3U);
  EXPECT_EQ(transport.calls()[1]->path(), "/apis/example.com/v1/namespaces/ns/widgets");
  EXPECT_EQ(transport.calls()[2]->query("labelSelector"), "app=web");
  EXPECT_EQ(cache.informers().size(), 3U);
}

TEST_F(informer_cache_test, ends_the_watch_with_its_last_reader) {
  auto first = start_with({{"a", "1"}}, "10");
  strings second_heard;
  auto second = acquire(&second_heard);
  loop.run_ready();
  first.reset();
  push(modified({"a", "11"}));
  EXPECT_THAT(heard, IsEmpty()) << "no call after its end";
  EXPECT_EQ(second_heard.back(), "ns/a@1>11") << "the watch belongs to nobody in particular";
  EXPECT_TRUE(call().open());
  second.reset();
  loop.run_ready();
  EXPECT_FALSE(call().open());
  EXPECT_THAT(cache.informers(), IsEmpty());
  EXPECT_TRUE(counted(R"(oarlock_cache_objects{resource="widgets.example.com"} 0)"));
  EXPECT_TRUE(counted(R"(oarlock_cache_bytes{resource="widgets.example.com"} 0)"));
  const auto again = start();
  EXPECT_EQ(requests(), 2U) << "a new reader starts anew";
  EXPECT_FALSE(again->view().synced());
}

TEST_F(informer_cache_test, serves_late_readers_in_slices_while_objects_change) {
  std::vector<widget> present;
  for (const char* name : {"a", "b", "c", "d", "e"})
    present.push_back({name, "1"});
  const auto first = start_with(present, "10");
  strings late;
  loop.clock.tick_on_read(1ms);  // slices of one object, one event
  const auto second = acquire(&late);
  push(modified({"a", "11"}) + modified({"d", "12"}) + deleted({"e", "13"}) + added({"f", "14"}) +
       modified({"d", "15"}));
  loop.clock.tick_on_read(0ns);
  EXPECT_THAT(late, ElementsAre("+ns/a@1!", "ns/a@1>11", "+ns/b@1!", "+ns/d@12!", "+ns/c@1!",
                                "+ns/f@14", "ns/d@12>15"))
      << "d as it is by now, and e not at all";
  EXPECT_THAT(heard, ElementsAre("ns/a@1>11", "ns/d@1>12", "-ns/e@1", "+ns/f@14", "ns/d@12>15"));
}

// What a late reader is told must add up to the store, whatever happens in between.
TEST_F(informer_cache_test, tells_late_readers_a_story_that_adds_up) {
  for (int turns = 0; turns < 12; ++turns) {
    const auto first = start_with({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}, "10");
    std::map<std::string, std::string> model;
    loop.clock.tick_on_read(1ms);
    const auto late = cache.acquire({widgets, "", ""}, {}, [&model](const change& c) {
      const auto& key = (c.after ? c.after : c.before)->meta().key.name;
      if (c.before) {
        ASSERT_EQ(model.count(key), 1U) << text_of(c);
        EXPECT_EQ(model[key], c.before->meta().resource_version);
      } else {
        ASSERT_EQ(model.count(key), 0U) << text_of(c);
      }
      if (c.after)
        model[key] = c.after->meta().resource_version;
      else
        model.erase(key);
    });
    loop.io.restart();
    for (int n = 0; n < turns; ++n)
      loop.io.poll_one();
    call().push(modified({"c", "11"}) + deleted({"d", "12"}) + modified({"b", "13", "new"}) +
                added({"d", "14", "again"}) + added({"e", "15"}));
    for (int n = 0; n < turns; ++n)
      loop.io.poll_one();
    call().push(error_event(410, "Expired"));
    loop.clock.tick_on_read(0ns);
    loop.advance(30s);
    call().answer(200);
    push(added({"a", "1"}) + added({"f", "20"}) + end_of_list("30"));
    EXPECT_EQ(model, (std::map<std::string, std::string>{{"a", "1"}, {"f", "20"}})) << turns;
  }
}

TEST_F(informer_cache_test, allows_a_reader_to_leave_from_inside_its_handler) {
  strings other;
  const auto keeps = acquire(&other);
  std::unique_ptr<subscription> leaves;
  int calls = 0;
  leaves = cache.acquire({widgets, "", ""}, {}, [&](const change&) {
    ++calls;
    leaves.reset();
  });
  loop.run_ready();
  call().answer(200);
  push(added({"a", "1"}) + added({"b", "2"}) + end_of_list("5"));
  push(modified({"a", "6"}));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(other.size(), 3U);
}

TEST_F(informer_cache_test, allows_the_last_reader_to_leave_from_inside_its_handler) {
  std::unique_ptr<subscription> leaves;
  int calls = 0;
  leaves = cache.acquire({widgets, "", ""}, {}, [&](const change&) {
    ++calls;
    leaves.reset();
  });
  loop.run_ready();
  call().answer(200);
  push(added({"a", "1"}) + added({"b", "2"}) + end_of_list("5") + modified({"a", "6"}));
  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(call().open());
  EXPECT_THAT(cache.informers(), IsEmpty());
}

TEST_F(informer_cache_test, allows_a_late_reader_to_leave_while_it_catches_up) {
  const auto first = start_with({{"a", "1"}, {"b", "2"}}, "10");
  std::unique_ptr<subscription> leaves;
  int calls = 0;
  leaves = cache.acquire({widgets, "", ""}, {}, [&](const change&) {
    ++calls;
    leaves.reset();
  });
  loop.run_ready();
  EXPECT_EQ(calls, 1);
}

TEST_F(informer_cache_test, allows_a_reader_to_remove_another_from_inside_its_handler) {
  strings victim_heard;
  std::unique_ptr<subscription> victim;
  const auto killer =
      cache.acquire({widgets, "", ""}, {}, [&victim](const change&) { victim.reset(); });
  victim = acquire(&victim_heard);
  loop.run_ready();
  call().answer(200);
  push(added({"a", "1"}) + end_of_list("5"));
  EXPECT_THAT(victim_heard, IsEmpty());
}

TEST_F(informer_cache_test, allows_to_acquire_from_inside_a_handler) {
  strings inner_heard;
  std::unique_ptr<subscription> inner;
  const auto outer = cache.acquire({widgets, "", ""}, {{"app"}}, [&](const change&) {
    if (!inner) inner = acquire(&inner_heard, {{"tier"}});
  });
  loop.run_ready();
  call().answer(200);
  push(added({"a", "1"}) + added({"b", "2"}) + end_of_list("5") + modified({"b", "6"}));
  std::map<std::string, int> adds;
  for (const auto& text : inner_heard)
    adds[text.substr(0, 5)] += text[0] == '+' ? 1 : 0;
  EXPECT_EQ(adds["+ns/a"], 1) << "once, though it came while a list was handed out";
  EXPECT_EQ(adds["+ns/b"], 1);
  EXPECT_EQ(requests(), 1U);
}

TEST_F(informer_cache_test, answers_by_owner_and_label) {
  const auto s = acquire(&heard, {{"app"}});
  loop.run_ready();
  call().answer(200);
  push(added({"a", "1", "", "web"}) + added({"b", "2", "", "db"}) + end_of_list("5"));
  EXPECT_EQ(s->view().labelled("ns", "app", "web").size(), 1U);
  EXPECT_EQ(s->view().labelled("ns", "app", "none").size(), 0U);
  EXPECT_EQ(s->view().owned_by("nobody").size(), 0U);
  EXPECT_EQ(s->view().list("ns").size(), 2U);
  ASSERT_NE(s->view().get({"ns", "a"}), nullptr);
  EXPECT_EQ(s->view().get({"ns", "a"})->json(),
            R"({"kind":"Widget","apiVersion":"example.com/v1","metadata":{"namespace":"ns",)"
            R"("name":"a","uid":"u-a","resourceVersion":"1","labels":{"app":"web"}}})");
  EXPECT_GT(s->view().object_bytes(), 0U);
  EXPECT_EQ(s->view().what().resource, widgets);
}

TEST_F(informer_cache_test, wakes_who_waits_and_nobody_else) {
  const auto s = start();
  call().reply(404, status(404, "NotFound"));
  loop.run_ready();
  ASSERT_EQ(requests(), 1U) << "parked";
  cache.wake();
  loop.run_ready();
  ASSERT_EQ(requests(), 2U);
  call().reply(429, "busy", {{"Retry-After", "60"}});
  loop.run_ready();
  ASSERT_EQ(requests(), 2U) << "backing off";
  cache.wake();
  loop.run_ready();
  ASSERT_EQ(requests(), 3U);
  call().answer(200);
  push(end_of_list("5"));
  cache.wake();
  loop.run_ready();
  EXPECT_EQ(requests(), 3U) << "a live watch is left alone";
  EXPECT_TRUE(call().open());
}

TEST_F(informer_cache_test, asks_for_metadata_and_selects_by_field) {
  scope names{widgets, "ns", ""};
  names.field_selector = "metadata.name=a";
  names.metadata_only = true;
  const auto s = cache.acquire(names, {}, [this](const change& c) { heard.push_back(text_of(c)); });
  loop.run_ready();
  const auto accept = [this] { return call().request().headers.at(0).value; };
  EXPECT_EQ(call().query("fieldSelector"), "metadata.name=a");
  EXPECT_EQ(accept(),
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json");
  call().reply(422, status(422, "Invalid"));
  loop.run_ready();
  EXPECT_EQ(call().query("fieldSelector"), "metadata.name=a");
  EXPECT_EQ(accept(),
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json");
  call().reply(200,
               R"({"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1",)"
               R"("metadata":{"resourceVersion":"5"},"items":[{"kind":"PartialObjectMetadata",)"
               R"("apiVersion":"meta.k8s.io/v1","metadata":{"namespace":"ns","name":"a",)"
               R"("uid":"u","resourceVersion":"3"}}]})");
  loop.run_ready();
  EXPECT_THAT(heard, ElementsAre("+ns/a@3!"));
}

TEST_F(informer_cache_test, serves_metadata_from_a_watch_of_whole_objects) {
  const auto whole = start_with({{"a", "1"}}, "5");
  scope metadata{widgets, "", ""};
  metadata.metadata_only = true;
  const auto s = cache.acquire(metadata, {}, [](const change&) {});
  loop.run_ready();
  EXPECT_EQ(requests(), 1U);
  EXPECT_FALSE(s->view().what().metadata_only);
  EXPECT_EQ(s->view().object_count(), 1U);
}

TEST_F(informer_cache_test, starts_a_whole_watch_beside_one_of_metadata) {
  scope metadata{widgets, "", ""};
  metadata.metadata_only = true;
  const auto first = cache.acquire(metadata, {}, [](const change&) {});
  const auto whole = acquire(&heard);
  loop.run_ready();
  EXPECT_EQ(requests(), 2U);
  const auto later = cache.acquire(metadata, {}, [](const change&) {});
  loop.run_ready();
  EXPECT_EQ(requests(), 2U);
  EXPECT_EQ(&later->view(), &whole->view());
}

TEST_F(informer_cache_test, stops_in_every_state) {
  enum class where { opening, streaming, paging, watching, backing_off, parked };
  for (const auto state : {where::opening, where::streaming, where::paging, where::watching,
                           where::backing_off, where::parked}) {
    informer_cache other({loop.loop(), &client, &loop.clock, &loop.timers, &random, metrics.get()});
    const auto s = other.acquire({widgets, "", ""}, {}, [](const change&) {});
    loop.run_ready();
    if (state == where::backing_off) {
      call().reply(429, status(429, "TooManyRequests"));
    } else if (state == where::parked) {
      call().reply(403, status(403, "Forbidden"));
    } else if (state == where::paging) {
      call().reply(422, status(422, "Invalid"));
    } else if (state != where::opening) {
      call().answer(200);
    }
    if (state == where::watching) call().push(end_of_list("5"));
    loop.run_ready();
    const auto before = loop.clock.now();
    loop.await(other.stop(), 1s);
    EXPECT_EQ(loop.clock.now(), before) << "at once, in state " << static_cast<int>(state);
    EXPECT_FALSE(s->view().what().resource.kind.empty()) << "the view outlives the watch";
    EXPECT_EQ(loop.timers.pending(), 0U);
  }
}

TEST_F(informer_cache_test, lets_subscriptions_outlive_it) {
  std::unique_ptr<subscription> s;
  {
    informer_cache other({loop.loop(), &client, &loop.clock, &loop.timers, &random, metrics.get()});
    s = other.acquire({widgets, "", ""}, {}, [](const change&) {});
    loop.run_ready();
    loop.await(other.stop());
    const auto late = other.acquire({widgets, "x", ""}, {}, [](const change&) {});
    loop.run_ready();
    EXPECT_EQ(requests(), 1U) << "nothing starts after stop()";
  }
  EXPECT_EQ(s->view().object_count(), 0U);
  s.reset();
  loop.run_ready();
}

// Two readers with quotas, and a list that grows as long as it is watched.
class tenants : public scripted_cluster {
 protected:
  static constexpr std::size_t some = 256U << 10U;
  static tenant_ptr of(std::size_t bytes_max, int& told) {
    return std::make_shared<tenant>(tenant{bytes_max, [&told](std::size_t bytes) {
                                             EXPECT_GT(bytes, some);
                                             ++told;
                                           }});
  }
  std::unique_ptr<subscription> acquire_for(const tenant_ptr& whom,
                                            const scope& what = {widgets, "", ""}) {
    auto s = cache.acquire(what, {}, [](const change&) {}, whom);
    loop.run_ready();
    return s;
  }
  // Objects of more than `some` bytes together.
  void push_many(std::size_t request) {
    auto& to = *transport.calls()[request];
    for (int i = 0; i < 3000 && to.open(); ++i) {
      to.push(added({"w" + std::to_string(i), "1"}));
      loop.run_ready();
    }
  }
  int told_one = 0;
  int told_other = 0;
};

TEST_F(tenants, one_that_lists_too_much_loses_its_watches_before_the_list_is_whole) {
  const auto one = of(some, told_one);
  const auto other = of(some, told_other);
  const auto big = acquire_for(one);
  const auto of_other = acquire_for(other, {widgets, "ns", ""});
  for (const std::size_t i : {0U, 1U})
    transport.calls()[i]->answer(200);
  push_many(0);
  EXPECT_EQ(told_one, 1);
  EXPECT_FALSE(transport.calls()[0]->open());
  EXPECT_FALSE(big->view().synced());
  EXPECT_THAT(big->view().trouble(), HasSubstr("quota"));
  EXPECT_EQ(told_other, 0);
  EXPECT_TRUE(transport.calls()[1]->open()) << "others do not notice";
}

TEST_F(tenants, is_charged_for_all_that_it_alone_reads_also_when_it_grows_later) {
  const auto one = of(some, told_one);
  const auto first = acquire_for(one);
  const auto second = acquire_for(one, {widgets, "ns", ""});
  for (const std::size_t i : {0U, 1U}) {
    transport.calls()[i]->answer(200);
    for (int n = 0; n < 100; ++n)
      transport.calls()[i]->push(added({"old" + std::to_string(n), "1"}));
    transport.calls()[i]->push(end_of_list("10"));
    loop.run_ready();
  }
  ASSERT_TRUE(first->view().synced() && second->view().synced());
  ASSERT_LT(first->view().object_bytes(), some);
  EXPECT_EQ(told_one, 0);
  for (int i = 0; i < 3000 && told_one == 0; ++i) {
    transport.calls()[1]->push(added({"new" + std::to_string(i), std::to_string(11 + i)}));
    loop.run_ready();
  }
  EXPECT_EQ(told_one, 1);
  EXPECT_FALSE(transport.calls()[0]->open()) << "both end: either alone is below";
  EXPECT_FALSE(transport.calls()[1]->open());
}

TEST_F(tenants, is_not_charged_for_what_others_read_too) {
  const auto one = of(some, told_one);
  const auto other = of(some, told_other);
  const auto mine = acquire_for(one);
  const auto theirs = acquire_for(other);
  transport.calls()[0]->answer(200);
  push_many(0);
  push(end_of_list("5"));
  EXPECT_EQ(told_one + told_other, 0);
  EXPECT_TRUE(mine->view().synced());
}

TEST_F(tenants, a_watch_that_ended_so_is_not_what_the_next_reader_gets) {
  const auto one = of(some, told_one);
  const auto big = acquire_for(one);
  transport.calls()[0]->answer(200);
  push_many(0);
  ASSERT_EQ(told_one, 1);
  const auto next = acquire_for(of(0, told_other));
  ASSERT_EQ(requests(), 2U);
  call().answer(200);
  push_many(1);
  push(end_of_list("5"));
  EXPECT_TRUE(next->view().synced()) << "and 0 is no limit";
  EXPECT_EQ(told_other, 0);
}

}  // namespace
}  // namespace oarlock::cache
