#include "core/cache/store.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace oarlock::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using strings = std::vector<std::string>;

object_ptr make(const std::string& name, const std::string& version, const std::string& uid = "",
                const std::string& owner = "", const std::string& app = "") {
  object_meta meta;
  meta.key = {"ns", name};
  meta.uid = uid.empty() ? "u-" + name : uid;
  meta.resource_version = version;
  if (!owner.empty()) meta.owners.push_back({"v1", "Owner", "o", owner, true});
  if (!app.empty()) meta.labels["app"] = app;
  return std::make_shared<const object>(std::move(meta), "{\"x\":\"" + version + "\"}");
}

strings text_of(const std::vector<change>& changes) {
  const auto side = [](const object_ptr& o) {
    return o ? o->meta().key.name + "@" + o->meta().resource_version : std::string("-");
  };
  strings out;
  for (const auto& c : changes) {
    out.push_back(side(c.before) + ">" + side(c.after) + (c.initial ? "!" : ""));
  }
  return out;
}

strings names(const std::vector<object_ptr>& objects) {
  strings out;
  for (const auto& o : objects) {
    out.push_back(o->meta().key.name + "@" + o->meta().resource_version);
  }
  return out;
}

std::vector<change> replace(store& s, const std::vector<object_ptr>& with, bool keep_newer = true) {
  const auto staged = s.begin_staging();
  for (const auto& o : with)
    staged->put(o, keep_newer);
  std::vector<change> changes;
  for (std::size_t n = 0; n < store::shard_count; ++n)
    s.diff(*staged, n, changes);
  s.commit(*staged);
  for (std::size_t n = 0; n < store::shard_count; ++n)
    staged->drop(n);
  return changes;
}

TEST(store, follows_one_object) {
  store s;
  EXPECT_EQ(s.get({"ns", "a"}), nullptr);
  EXPECT_THAT(text_of(s.apply(make("a", "1")).changes), ElementsAre("->a@1"));
  EXPECT_THAT(text_of(s.apply(make("a", "2")).changes), ElementsAre("a@1>a@2"));
  EXPECT_EQ(s.get({"ns", "a"})->meta().resource_version, "2");
  EXPECT_EQ(s.get({"other", "a"}), nullptr);
  EXPECT_THAT(text_of(s.remove(make("a", "3")).changes), ElementsAre("a@2>-"));
  EXPECT_EQ(s.get({"ns", "a"}), nullptr);
  EXPECT_EQ(s.object_count(), 0U);
  EXPECT_EQ(s.object_bytes(), 0U);
}

struct store_row {
  std::string why;
  object_ptr have;
  bool remove;
  object_ptr next;
  store::verdict verdict;
  strings changes;
};
void PrintTo(const store_row& r, std::ostream* out) {
  *out << r.why;
}

class versions_in_store : public testing::TestWithParam<store_row> {};
TEST_P(versions_in_store, decide) {
  store s;
  if (GetParam().have) s.apply(GetParam().have);
  const auto outcome = GetParam().remove ? s.remove(GetParam().next) : s.apply(GetParam().next);
  EXPECT_EQ(outcome.what, GetParam().verdict);
  EXPECT_EQ(text_of(outcome.changes), GetParam().changes);
}
using v = store::verdict;
INSTANTIATE_TEST_SUITE_P(
    table, versions_in_store,
    testing::Values(
        store_row{"newer", make("a", "9"), false, make("a", "10"), v::changed, {"a@9>a@10"}},
        store_row{"older is refused", make("a", "10"), false, make("a", "9"), v::older, {}},
        store_row{
            "the same is a duplicate", make("a", "10"), false, make("a", "10"), v::duplicate, {}},
        store_row{"opaque versions have no order",
                  make("a", "x"),
                  false,
                  make("a", "w"),
                  v::changed,
                  {"a@x>a@w"}},
        store_row{
            "the same opaque version", make("a", "x"), false, make("a", "x"), v::duplicate, {}},
        store_row{"no version at all", make("a", ""), false, make("a", ""), v::changed, {"a@>a@"}},
        store_row{"another UID is a delete and an add",
                  make("a", "5", "u1"),
                  false,
                  make("a", "6", "u2"),
                  v::changed,
                  {"a@5>-", "->a@6"}},
        store_row{"an older predecessor is refused",
                  make("a", "6", "u2"),
                  false,
                  make("a", "5", "u1"),
                  v::older,
                  {}},
        store_row{"deleted", make("a", "5"), true, make("a", "6"), v::changed, {"a@5>-"}},
        store_row{"deleted at the same version",
                  make("a", "5"),
                  true,
                  make("a", "5"),
                  v::changed,
                  {"a@5>-"}},
        store_row{"an old delete is refused", make("a", "5"), true, make("a", "4"), v::older, {}},
        store_row{"a delete of the predecessor is refused",
                  make("a", "5", "u2"),
                  true,
                  make("a", "4", "u1"),
                  v::older,
                  {}},
        store_row{"a delete of an unseen successor",
                  make("a", "5", "u1"),
                  true,
                  make("a", "8", "u2"),
                  v::changed,
                  {"a@5>-"}},
        store_row{"deleting what is not there", nullptr, true, make("a", "5"), v::duplicate, {}}));

TEST(store, replaces_everything_and_says_what_that_means) {
  store s;
  s.apply(make("same", "1"));
  s.apply(make("changed", "2"));
  s.apply(make("gone", "3"));
  s.apply(make("reborn", "4", "u1"));
  const object_ptr kept = s.get({"ns", "same"});
  const auto before = s.sequence();
  const auto changes = replace(
      s, {make("same", "1"), make("changed", "7"), make("fresh", "8"), make("reborn", "9", "u2")});
  EXPECT_THAT(text_of(changes), UnorderedElementsAre("changed@2>changed@7!", "gone@3>-!",
                                                     "->fresh@8!", "reborn@4>-!", "->reborn@9!"));
  EXPECT_THAT(names(s.list()), ElementsAre("changed@7", "fresh@8", "reborn@9", "same@1"));
  EXPECT_EQ(s.get({"ns", "same"}), kept) << "what did not change is not kept twice";
  EXPECT_EQ(s.object_count(), 4U);
  EXPECT_GT(s.sequence(), before);
}

TEST(store, keeps_the_newer_object_unless_the_list_is_the_truth) {
  store s;
  s.apply(make("a", "10"));
  EXPECT_THAT(replace(s, {make("a", "9")}), IsEmpty());
  EXPECT_EQ(s.get({"ns", "a"})->meta().resource_version, "10");
  EXPECT_THAT(text_of(replace(s, {make("a", "9")}, false)), ElementsAre("a@10>a@9!"));
}

TEST(store, stages_later_events_over_earlier_ones) {
  store s;
  const auto staged = s.begin_staging();
  staged->put(make("a", "1", "", "o"), true);
  staged->put(make("b", "2"), true);
  staged->put(make("a", "3", "", "p"), true);
  staged->erase({"ns", "b"});
  staged->erase({"ns", "never"});
  EXPECT_EQ(s.object_count(), 0U) << "nothing is visible before the commit";
  EXPECT_THAT(s.list(), IsEmpty());
  s.commit(*staged);
  EXPECT_THAT(names(s.list()), ElementsAre("a@3"));
  EXPECT_THAT(s.owned_by("o"), IsEmpty());
  EXPECT_THAT(names(s.owned_by("p")), ElementsAre("a@3"));
  EXPECT_EQ(s.object_count(), 1U);
  EXPECT_EQ(s.object_bytes(), s.get({"ns", "a"})->bytes());
}

TEST(store, finds_objects_by_owner_and_label) {
  store s;
  s.add_indexes({{"app"}});
  s.apply(make("a", "1", "", "o1", "web"));
  s.apply(make("b", "2", "", "o1", "db"));
  s.apply(make("c", "3", "", "o2", "web"));
  EXPECT_THAT(names(s.owned_by("o1")), ElementsAre("a@1", "b@2"));
  EXPECT_THAT(names(s.labelled("ns", "app", "web")), ElementsAre("a@1", "c@3"));
  EXPECT_THAT(s.labelled("other", "app", "web"), IsEmpty());
  EXPECT_THAT(s.labelled("ns", "tier", "web"), IsEmpty());
  s.apply(make("a", "4", "", "o2", "db"));
  EXPECT_THAT(names(s.owned_by("o1")), ElementsAre("b@2"));
  EXPECT_THAT(names(s.owned_by("o2")), ElementsAre("a@4", "c@3"));
  EXPECT_THAT(names(s.labelled("ns", "app", "db")), ElementsAre("a@4", "b@2"));
  s.remove(make("c", "5", "", "o2", "web"));
  EXPECT_THAT(names(s.owned_by("o2")), ElementsAre("a@4"));
  EXPECT_THAT(s.labelled("ns", "app", "web"), IsEmpty());
  replace(s, {make("d", "6", "", "o1", "web")});
  EXPECT_THAT(names(s.owned_by("o1")), ElementsAre("d@6"));
  EXPECT_THAT(s.owned_by("o2"), IsEmpty());
}

TEST(store, indexes_a_label_that_is_asked_for_later) {
  store s;
  s.apply(make("a", "1", "", "o", "web"));
  EXPECT_THAT(s.labelled("ns", "app", "web"), IsEmpty());
  s.add_indexes({{"app"}});
  s.add_indexes({{"app"}});
  EXPECT_THAT(names(s.labelled("ns", "app", "web")), ElementsAre("a@1"));
  s.apply(make("a", "2", "", "o", "web"));
  EXPECT_THAT(names(s.labelled("ns", "app", "web")), ElementsAre("a@2"));
}

// An object that names a secret.
object_ptr naming(const std::string& ns, const std::string& name, const std::string& version,
                  const std::string& spec) {
  object_meta meta;
  meta.key = {ns, name};
  meta.uid = "u-" + name;
  meta.resource_version = version;
  return std::make_shared<const object>(std::move(meta), R"({"spec":)" + spec + "}");
}

TEST(store, finds_objects_by_the_string_at_a_pointer) {
  const std::string pointer = "/spec/secretName";
  store s;
  s.add_indexes({{}, {pointer, "/spec/list/0"}});
  s.apply(naming("ns", "a", "1", R"({"secretName":"s1","list":["x"]})"));
  s.apply(naming("ns", "b", "2", R"({"secretName":"s1"})"));
  s.apply(naming("other", "c", "3", R"({"secretName":"s1"})"));
  s.apply(naming("ns", "d", "4", R"({"secretName":7})"));
  s.apply(naming("ns", "e", "5", R"({"secretName":""})"));
  EXPECT_THAT(names(s.with_value("ns", pointer, "s1")), ElementsAre("a@1", "b@2"));
  EXPECT_THAT(names(s.with_value("other", pointer, "s1")), ElementsAre("c@3"));
  EXPECT_THAT(names(s.with_value("ns", pointer, "")), ElementsAre("e@5"));
  EXPECT_THAT(names(s.with_value("ns", "/spec/list/0", "x")), ElementsAre("a@1"));
  EXPECT_THAT(s.with_value("ns", "/spec", "s1"), IsEmpty()) << "nobody asked for it";
  s.apply(naming("ns", "a", "6", R"({"secretName":"s2","list":[]})"));
  EXPECT_THAT(names(s.with_value("ns", pointer, "s1")), ElementsAre("b@2"));
  EXPECT_THAT(names(s.with_value("ns", pointer, "s2")), ElementsAre("a@6"));
  EXPECT_THAT(s.with_value("ns", "/spec/list/0", "x"), IsEmpty());
  s.remove(naming("ns", "a", "7", "{}"));
  EXPECT_THAT(s.with_value("ns", pointer, "s2"), IsEmpty());
  replace(s, {naming("ns", "f", "8", R"({"secretName":"s1"})")});
  EXPECT_THAT(names(s.with_value("ns", pointer, "s1")), ElementsAre("f@8"));
}

TEST(store, indexes_also_the_list_in_the_making_by_what_is_asked_for_meanwhile) {
  store s;
  s.apply(make("a", "1", "", "", "web"));
  const auto staged = s.begin_staging();
  staged->put(make("a", "1", "", "", "web"), true);
  s.add_indexes({{"app"}, {"/x"}, true});
  staged->put(make("b", "2", "", "", "web"), true);
  s.commit(*staged);
  EXPECT_THAT(names(s.labelled("ns", "app", "web")), ElementsAre("a@1", "b@2"));
  EXPECT_THAT(names(s.with_value("ns", "/x", "1")), ElementsAre("a@1"));
  EXPECT_THAT(names(s.list("ns")), ElementsAre("a@1", "b@2"));
}

class listing_by_namespace : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(indexed, listing_by_namespace, testing::Bool());

TEST_P(listing_by_namespace, is_in_order) {
  store s;
  s.add_indexes({{}, {}, GetParam()});
  for (const char* ns : {"b", "a"}) {
    for (const char* name : {"y", "x"}) {
      object_meta meta;
      meta.key = {ns, name};
      s.apply(std::make_shared<const object>(std::move(meta), "{}"));
    }
  }
  strings all;
  for (const auto& o : s.list())
    all.push_back(o->meta().key.text());
  EXPECT_THAT(all, ElementsAre("a/x", "a/y", "b/x", "b/y"));
  EXPECT_THAT(names(s.list("a")), ElementsAre("x@", "y@"));
  EXPECT_THAT(s.list("c"), IsEmpty());
  s.remove(s.get({"a", "x"}));
  EXPECT_THAT(names(s.list("a")), ElementsAre("y@"));
}

TEST(store, lets_readers_read_while_it_changes) {
  store s;
  s.add_indexes({{"app"}});
  for (int n = 0; n < 50; ++n)
    s.apply(make("o" + std::to_string(n), "1", "", "owner", "web"));
  std::atomic<bool> over{false};
  std::atomic<int> torn{0};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!over) {
        for (const auto& o : s.owned_by("owner")) {
          if (o->json().empty()) ++torn;
        }
        if (!s.get({"ns", "o7"})) ++torn;
        torn += s.list().size() < 50 ? 1 : 0;
      }
    });
  }
  for (int version = 2; version < 60; ++version) {
    std::vector<object_ptr> next;
    for (int n = 0; n < 50; ++n) {
      next.push_back(make("o" + std::to_string(n), std::to_string(version), "", "owner", "web"));
    }
    if (version % 2 == 0) {
      replace(s, next);
    } else {
      for (const auto& o : next)
        s.apply(o);
    }
  }
  over = true;
  for (auto& reader : readers)
    reader.join();
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace oarlock::cache
