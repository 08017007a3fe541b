#include "core/cache/text_packer.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "core/cache/object_decoder.hpp"
#include "tests/support/fake_clock.hpp"

namespace oarlock::cache {
namespace {

const std::string filler =
    R"("spec":{"containers":[{"name":"web","image":"registry.example/web:1",)"
    R"("ports":[{"containerPort":8080}],"resources":{"limits":{"cpu":"1"}}}]})";

std::string pod(int n) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-)" + std::to_string(n) +
         R"(","namespace":"shop","uid":"u)" + std::to_string(n * 7919) +
         R"(","annotations":{"a":"the same in each of them","b":"and so is this"}},)" + filler +
         R"(,"status":{"phase":"Running","message":"nothing to say, as always"}})";
}

// Bytes that nothing can shrink, other ones with each call.
std::string noise(test::seeded_random& random, std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i)
    out += static_cast<char>(random.next());
  return out;
}

constexpr int learnt = static_cast<int>(text_packer::learns_from);

TEST(text_packer, the_first_stay_and_the_rest_shrinks_and_all_come_back) {
  text_packer packer;
  for (int n = 0; n < 2 * learnt; ++n) {
    const auto kept = packer.pack(pod(n));
    EXPECT_EQ(kept.text(), pod(n)) << n;
    EXPECT_EQ(kept.packed(), n >= learnt) << n;
    if (n >= learnt) EXPECT_LT(kept.bytes().size(), pod(n).size() / 3) << n;
  }
}

TEST(text_packer, a_text_outlives_its_packer) {
  std::vector<packed_text> kept;
  {
    text_packer packer;
    for (int n = 0; n < 2 * learnt; ++n)
      kept.push_back(packer.pack(pod(n)));
  }
  EXPECT_TRUE(kept.back().packed());
  EXPECT_EQ(kept.back().text(), pod(2 * learnt - 1));
}

TEST(text_packer, a_kind_that_does_not_shrink_is_left_alone) {
  text_packer packer;
  test::seeded_random random(1);
  for (int n = 0; n < 2 * learnt; ++n) {
    const auto text = noise(random, 400);
    const auto kept = packer.pack(text);
    EXPECT_EQ(kept.text(), text);
    EXPECT_FALSE(kept.packed());
  }
  for (int n = 0; n < learnt; ++n)
    EXPECT_FALSE(packer.pack(pod(n)).packed());
}

TEST(text_packer, one_odd_text_does_not_end_it) {
  text_packer packer;
  test::seeded_random random(1);
  for (int n = 0; n < learnt; ++n)
    (void)packer.pack(pod(n));
  const auto odd = noise(random, 3000);
  EXPECT_FALSE(packer.pack(odd).packed());
  for (int n = 0; n < learnt; ++n)
    EXPECT_TRUE(packer.pack(pod(n)).packed()) << n;
}

TEST(text_packer, small_texts_teach_nothing) {
  text_packer packer;
  for (int n = 0; n < 2 * learnt; ++n)
    EXPECT_FALSE(packer.pack(R"({"small":1})").packed());
  for (int n = 0; n < learnt; ++n)
    EXPECT_FALSE(packer.pack(pod(n)).packed());
  EXPECT_TRUE(packer.pack(pod(0)).packed());
}

TEST(text_packer, any_thread_reads_while_more_is_packed) {
  text_packer packer;
  std::vector<packed_text> kept;
  for (int n = 0; n < 2 * learnt; ++n)
    kept.push_back(packer.pack(pod(n)));
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&kept] {
      for (int n = 0; n < 2 * learnt; ++n)
        EXPECT_EQ(kept[static_cast<std::size_t>(n)].text(), pod(n));
    });
  }
  for (int n = 0; n < learnt; ++n)
    EXPECT_TRUE(packer.pack(pod(n)).packed());
  for (auto& reader : readers)
    reader.join();
}

TEST(text_packer, a_decoder_that_packs_makes_the_same_objects_with_fewer_bytes) {
  const kube::resource pods{"", "v1", "Pod", "pods", true};
  object_decoder plain(pods), packing(pods, true);
  for (int n = 0; n < 2 * learnt; ++n) {
    const auto a = plain.decode(pod(n)), b = packing.decode(pod(n));
    ASSERT_TRUE(a && b) << n;
    EXPECT_EQ((*a)->json(), (*b)->json());
    EXPECT_EQ((*a)->meta().uid, (*b)->meta().uid);
    if (n >= learnt) EXPECT_LT((*b)->bytes(), (*a)->bytes());
  }
}

}  // namespace
}  // namespace oarlock::cache
