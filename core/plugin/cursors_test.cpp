#include "core/plugin/cursors.hpp"

#include <gtest/gtest.h>

#include "core/plugin/ask_frames.hpp"

namespace oarlock::plugin {
namespace {

using labels = std::map<std::string, std::string>;

TEST(label_selector, is_what_kubectl_takes_without_sets) {
  const struct {
    const char* text;
    labels of;
    bool matches;
  } cases[] = {
      {"", {}, true},
      {"app=web", {{"app", "web"}}, true},
      {"app==web", {{"app", "web"}}, true},
      {"app=web", {{"app", "db"}}, false},
      {"app=web", {}, false},
      {"app!=web", {}, true},
      {"app!=web", {{"app", "web"}}, false},
      {"app", {{"app", ""}}, true},
      {"app", {}, false},
      {"!app", {}, true},
      {"!app", {{"app", "x"}}, false},
      {"app=", {{"app", ""}}, true},
      {" app = web , example.com/tier!=db ", {{"app", "web"}}, true},
      {"app=web,tier!=db", {{"app", "web"}, {"tier", "db"}}, false},
  };
  for (const auto& c : cases) {
    const auto parsed = label_selector::parse(c.text);
    ASSERT_TRUE(parsed) << c.text;
    EXPECT_EQ(parsed->matches(c.of), c.matches) << c.text;
  }
  for (const char* bad : {",", "a,", ",a", "=a", "!", "a b", "a=b c", "a in (b)", "a=b=c", "!a=b"})
    EXPECT_FALSE(label_selector::parse(bad)) << bad;
}

class empty_kinds final : public controller::cached_kinds {
 public:
  [[nodiscard]] std::optional<std::vector<cache::object_ptr>> list_cached(
      std::string_view, std::string_view, std::string_view) const override {
    return std::vector<cache::object_ptr>();
  }
};

TEST(cursors, so_many_questions_in_one_call) {
  const empty_kinds kinds;
  cursors of_call(&kinds);
  std::uint64_t id = 0;
  for (std::size_t i = 0; i < cursors::questions_max; ++i) {
    ASSERT_EQ(of_call.open({"pods", std::to_string(i), "", ""}, &id), OARLOCK_OK);
    ASSERT_EQ(of_call.close(id), OARLOCK_OK);
  }
  EXPECT_EQ(of_call.open({"pods", "one-more", "", ""}, &id), OARLOCK_LIMIT);
  EXPECT_EQ(of_call.open({"pods", "1", "", ""}, &id), OARLOCK_OK) << "asked before";
}

wire::told answer(const std::string& question, std::string& out) {
  cursors none(nullptr);
  wire::writer w(out);
  return wire::answer_question(question, {none, nullptr}, w);
}

template <class Put>
std::string question_of(Put put) {
  std::string out;
  wire::writer w(out);
  put(w);
  return out;
}

TEST(ask_frames, what_no_child_asks_is_none) {
  const std::string good[] = {
      question_of([](wire::writer& w) { wire::put_open(w, {"pods", "", "", ""}); }),
      question_of([](wire::writer& w) { wire::put_cursor(w, wire::ask::next, 1); }),
      question_of([](wire::writer& w) { wire::put_cursor(w, wire::ask::close, 1); }),
      question_of([](wire::writer& w) { wire::put_read(w, "secrets", "root"); })};
  std::string out;
  for (const auto& one : good) {
    EXPECT_NE(answer(one, out), wire::told::stray);
    for (std::size_t size = 0; size < one.size(); ++size)
      EXPECT_EQ(answer(one.substr(0, size), out), wire::told::stray) << size;
    EXPECT_EQ(answer(one + "x", out), wire::told::stray);
  }
  EXPECT_EQ(answer(std::string(9, '\7'), out), wire::told::stray);
  const auto long_one = question_of([](wire::writer& w) {
    wire::put_read(w, "secrets", std::string(wire::question_bytes_max, 'a'));
  });
  EXPECT_EQ(answer(long_one, out), wire::told::stray);
}

TEST(ask_frames, a_live_read_may_be_secret_and_comes_whole) {
  const auto question = question_of([](wire::writer& w) { wire::put_read(w, "secrets", "root"); });
  std::string out;
  EXPECT_EQ(answer(question, out), wire::told::may_be_secret);
  wire::reader refused(out);
  const auto no = wire::take_live_object(refused);
  EXPECT_TRUE(refused.ok() && refused.at_end());
  EXPECT_EQ(no.reason, "NotNow");
  EXPECT_FALSE(no.is_read || no.json);
  controller::live_object found;
  found.is_read = true;
  found.json = "{}";
  const auto text = question_of([&](wire::writer& w) { wire::put_live_object(w, found); });
  wire::reader r(text);
  const auto taken = wire::take_live_object(r);
  EXPECT_TRUE(taken.is_read && r.at_end());
  EXPECT_EQ(taken.json, "{}");
}

}  // namespace
}  // namespace oarlock::plugin
