// What a plugin's child says. The first byte of the input: even for the answer to a plan, odd for a
// notice, 255 for what a call wants to read, 254 for the answer to a pod; the rest is the frame.
#include "core/base/log.hpp"
#include "core/plugin/ask_frames.hpp"
#include "core/plugin/child_answer.hpp"
#include "core/plugin/inbound_frames.hpp"
#include "core/plugin/metric_frames.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

const controller::controller_spec spec{"zoo",
                                       "zoo",
                                       {"example.com", "v1", "Animal", "animals", true},
                                       {{"", "v1", "ConfigMap", "configmaps", true}},
                                       {},
                                       1,
                                       {}};

void check_answer(std::string_view frame) {
  static plugin::host_table host("zoo");
  static plugin::plan_sink sink("zoo");
  controller::plan_input input;
  input.spec = &spec;
  input.key = {"shop", "ape"};
  const auto out = plugin::replay_answer(frame, input, sink, host);
  if (!out) return;
  if (out->verdict != controller::plan_verdict::done) {
    expect(!out->fail_reason.empty() && !out->fail_message.empty(), "a failure says why");
    expect(out->apply_set.empty() && out->events.empty(), "nothing of a failed plan is kept");
    return;
  }
  expect(out->apply_set.size() <= frame.size() && out->conditions.size() <= frame.size() &&
             out->events.size() <= frame.size(),
         "no more than was sent");
  for (const auto& child : out->apply_set)
    expect(child.json.find("ConfigMap") != std::string::npos, "declared kinds only", child.json);
  const auto again = plugin::replay_answer(frame, input, sink, host);
  expect(again && again->apply_set.size() == out->apply_set.size() &&
             again->status_json == out->status_json,
         "the same again");
}

class no_kinds final : public controller::cached_kinds {
 public:
  [[nodiscard]] std::optional<std::vector<cache::object_ptr>> list_cached(
      std::string_view, std::string_view, std::string_view) const override {
    return std::vector<cache::object_ptr>();
  }
};

void check_question(std::string_view frame) {
  const no_kinds kinds;
  plugin::cursors cached(&kinds);
  std::string answer;
  plugin::wire::writer w(answer);
  const auto how = plugin::wire::answer_question(frame, {cached, nullptr}, w);
  expect(answer.empty() == (how == plugin::wire::told::stray), "an answer to what is a question");
}

void check_pod_answer(std::string_view frame) {
  plugin::wire::reader r(frame);
  const auto out = plugin::wire::take_inbound_answer(r);
  if (!out) return;
  expect(out->body.size() + out->notes.size() <= frame.size(), "no more than was sent");
  if (!plugin::is_sound(*out, {"zoo"})) return;
  expect(out->status >= 200 && out->status <= 599, "a status of HTTP");
  expect(out->content_type.find('\n') == std::string::npos, "one header", out->content_type);
  for (const auto& note : out->notes)
    expect(note.controller == "zoo" && !note.name.empty(), "a note of this plugin", note.name);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The plugin's own records would be the slowest part.
  log_configure(log_level::error, log_format::text);
  auto frame = fuzz::text_of(data, size);
  const auto kind = fuzz::cut_byte(frame);
  if (kind == 255) {
    check_question(frame);
    return 0;
  }
  if (kind == 254) {
    check_pod_answer(frame);
    return 0;
  }
  if (kind % 2 == 0) {
    check_answer(frame);
    return 0;
  }
  const auto said = plugin::take_notice(frame);
  if (!said) return 0;
  if (said->crash) expect(said->crash->count <= plugin::wire::frames_of_stack_max, "addresses");
  if (!said->metrics.empty()) {
    const auto page = make_prometheus_registry();
    plugin::registry_metrics table({"zoo", 10, page.get()});
    plugin::wire::metric_replay replay;
    plugin::wire::reader r(said->metrics);
    (void)replay.take(r, table);
  }
  if (said->log) expect(said->log->message.size <= frame.size(), "text within the frame");
  return 0;
}
