// oarlock.cache/1 in both homes: what cursors show, and how much memory that takes.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/abi/started.hpp"

namespace oarlock::abi {
namespace {

// Pods, and another list of them each time that somebody asks.
class pods final : public controller::cached_kinds {
 public:
  pods(int number, std::size_t text_bytes) : number_(number), text_bytes_(text_bytes) {}

  [[nodiscard]] std::optional<std::vector<cache::object_ptr>> list_cached(
      std::string_view resource, std::string_view ns, std::string_view owner_uid) const override {
    if (resource != "pods") return std::nullopt;
    const int round = rounds++;
    std::vector<cache::object_ptr> out;
    for (int i = 0; i < number_; ++i) {
      cache::object_meta meta;
      meta.key = {"n-" + std::to_string(i % 2), "pod-" + std::to_string(i)};
      meta.labels["app"] = i % 10 == 0 ? "a" : "b";
      if (i % 20 == 0) meta.labels["old"] = "";
      if ((!ns.empty() && meta.key.ns != ns) || (!owner_uid.empty() && i >= 7)) continue;
      auto text = "{\"round\":" + std::to_string(round % 10) + ",\"text\":\"";
      text.resize(text_bytes_ - 2, 'x');
      out.push_back(std::make_shared<const cache::object>(std::move(meta), text + "\"}"));
    }
    return out;
  }
  mutable int rounds = 0;

 private:
  const int number_;
  const std::size_t text_bytes_;
};

class cached_reads : public ::testing::TestWithParam<home> {
 protected:
  static std::string told(started& zoo, const std::string& how, const pods& from) {
    auto input = zoo.input(how);
    input.cache = &from;
    const auto out = zoo.plan(input);
    return out.conditions.empty() ? out.fail_message : out.conditions.front().message;
  }
};
INSTANTIATE_TEST_SUITE_P(homes, cached_reads, ::testing::Values(home::core, home::child),
                         home_name);

TEST_P(cached_reads, by_namespace_labels_and_owner) {
  started zoo("lister", GetParam());
  const pods from(1000, 100);
  EXPECT_EQ(told(zoo, "all", from), "status 0, 1000 objects, 100000 bytes, in braces");
  EXPECT_EQ(told(zoo, "namespace", from), "status 0, 500 objects, 50000 bytes, in braces");
  EXPECT_EQ(told(zoo, "labels", from), "status 0, 50 objects, 5000 bytes, in braces");
  EXPECT_EQ(told(zoo, "owner", from), "status 0, 7 objects, 700 bytes, in braces");
  const pods none(0, 100);
  EXPECT_EQ(told(zoo, "all", none), "status 0, 0 objects, 0 bytes, in braces");
}

TEST_P(cached_reads, cursors_of_one_call_show_one_moment) {
  started zoo("lister", GetParam());
  const pods from(5000, 200);
  EXPECT_EQ(told(zoo, "compare", from), "5000 pairs, 0 different");
  EXPECT_EQ(from.rounds, 1);
  EXPECT_EQ(told(zoo, "compare", from), "5000 pairs, 0 different");
  EXPECT_EQ(from.rounds, 2) << "the next call sees what is there then";
}

TEST_P(cached_reads, what_is_wrong_is_refused_and_what_stays_open_is_closed) {
  started zoo("lister", GetParam());
  const pods from(10, 100);
  EXPECT_EQ(told(zoo, "wrong", from), "0 were taken");
  EXPECT_EQ(told(zoo, "wrong", from), "0 were taken");
  EXPECT_EQ(told(zoo, "all", from), "status 0, 10 objects, 1000 bytes, in braces");
}

TEST_P(cached_reads, many_objects_take_the_memory_of_one_page) {
  auto settings = zoo_settings();
#ifndef OARLOCK_SANITIZED
  settings.memory_bytes_max = 24U << 20U;
#endif
  started zoo("lister", GetParam(), "{}", settings);
  const pods from(50000, 1000);
  EXPECT_EQ(told(zoo, "all", from), "status 0, 50000 objects, 50000000 bytes, in braces");
}

TEST_P(cached_reads, an_object_larger_than_a_page_comes_whole) {
  started zoo("lister", GetParam());
  const pods from(3, 700000);
  EXPECT_EQ(told(zoo, "all", from), "status 0, 3 objects, 2100000 bytes, in braces");
}

TEST_P(cached_reads, without_a_cache_there_is_nothing_to_open) {
  started zoo("lister", GetParam());
  auto input = zoo.input("all");
  const auto out = zoo.plan(input);
  ASSERT_EQ(out.conditions.size(), 1U);
  EXPECT_EQ(out.conditions.front().message, "status 3, 0 objects, 0 bytes, in braces");
}

}  // namespace
}  // namespace oarlock::abi
