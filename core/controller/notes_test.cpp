#include "core/controller/notes.hpp"

#include <gtest/gtest.h>

namespace oarlock::controller {
namespace {

const cache::object_key web{"default", "web"};

input_note note(std::string name, std::string json) {
  return {std::move(name), std::move(json), "default", "pod-0", "uid-0", {}};
}

TEST(notes, the_last_value_of_a_name_stays) {
  notes all;
  EXPECT_TRUE(all.put(web, "u1", note("trial-1", "1")));
  EXPECT_TRUE(all.put(web, "u1", note("trial-0", "2")));
  EXPECT_TRUE(all.put(web, "u1", note("trial-1", "3")));
  const auto kept = all.of(web, "u1");
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0]->name + "=" + kept[0]->json, "trial-0=2");
  EXPECT_EQ(kept[1]->name + "=" + kept[1]->json, "trial-1=3");
  EXPECT_TRUE(all.of({"default", "other"}, "u1").empty());
}

TEST(notes, another_object_of_the_same_name_has_none_of_them) {
  notes all;
  EXPECT_TRUE(all.put(web, "u1", note("a", "1")));
  EXPECT_TRUE(all.of(web, "u2").empty());
  EXPECT_TRUE(all.put(web, "u2", note("b", "2")));
  EXPECT_TRUE(all.of(web, "u1").empty());
  ASSERT_EQ(all.of(web, "u2").size(), 1U);
  EXPECT_EQ(all.of(web, "u2").front()->name, "b");
}

TEST(notes, an_object_has_room_for_so_many_names_and_bytes) {
  notes all;
  for (std::size_t i = 0; i < notes::names_max; ++i)
    EXPECT_TRUE(all.put(web, "u1", note("n" + std::to_string(i), "1")));
  EXPECT_FALSE(all.put(web, "u1", note("one-more", "1")));
  EXPECT_TRUE(all.put(web, "u1", note("n0", "2"))) << "a name that is there is no new one";
  EXPECT_FALSE(all.put(web, "u1", note("n0", std::string(notes::object_bytes_max, '1'))));
  EXPECT_EQ(all.of(web, "u1").front()->json, "2") << "what was there stays";
}

TEST(notes, all_objects_together_have_so_many_bytes_and_give_them_back) {
  notes all;
  const std::string large(notes::object_bytes_max - 1024, '1');
  std::size_t taken = 0;
  while (all.put({"default", "o" + std::to_string(taken)}, "u", note("n", large)))
    ++taken;
  EXPECT_GE(taken, notes::bytes_max / notes::object_bytes_max);
  EXPECT_LE(all.bytes(), notes::bytes_max);
  all.forget({"default", "o0"});
  EXPECT_TRUE(all.put({"default", "again"}, "u", note("n", large)));
  for (std::size_t i = 1; i < taken; ++i)
    all.forget({"default", "o" + std::to_string(i)});
  all.forget({"default", "again"});
  EXPECT_EQ(all.bytes(), 0U);
}

TEST(notes, replacing_another_life_gives_its_bytes_back) {
  notes all;
  EXPECT_TRUE(all.put(web, "u1", note("a", std::string(1000, '1'))));
  const auto before = all.bytes();
  EXPECT_TRUE(all.put(web, "u2", note("a", std::string(1000, '1'))));
  EXPECT_EQ(all.bytes(), before);
  all.clear();
  EXPECT_EQ(all.bytes(), 0U);
  EXPECT_TRUE(all.of(web, "u2").empty());
}

}  // namespace
}  // namespace oarlock::controller
