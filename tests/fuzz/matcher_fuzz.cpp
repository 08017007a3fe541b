// The matcher. Two lines of the input: the live object and the desired one.
#include "core/base/limits.hpp"
#include "core/json/matcher.hpp"
#include "core/json/parse.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

bool is_flat_enough(std::string_view text) {
  std::size_t brackets = 0;
  for (const char c : text)
    brackets += c == '{' || c == '[' ? 1 : 0;
  return brackets < limits::json_depth_max;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text_of(data, size);
  const auto live_text = fuzz::cut(rest, "\n");
  const auto live = json::parse(live_text);
  const auto desired = json::parse(rest);
  for (const auto* document : {&live, &desired}) {
    if (!*document) continue;
    const auto& value = **document;
    const auto text = json::write(value);
    const bool flat = is_flat_enough(text);
    expect(!flat || json::contains(value, value), "what is there is there", text);
    expect(json::contains(value, rapidjson::Value()), "null asks for nothing", text);
    expect(!value.IsObject() || json::contains(value, rapidjson::Value(rapidjson::kObjectType)),
           "and so does {}", text);
    if (!flat || !value.IsObject()) continue;
    // What a server or another manager adds is not our business.
    rapidjson::Document more;
    more.CopyFrom(value, more.GetAllocator());
    more.AddMember("added by somebody", 1, more.GetAllocator());
    expect(json::contains(more, value), "members may be added", text);
  }
  if (!live || !desired) return 0;
  const bool all_there = json::contains(*live, *desired);
  expect(all_there == json::contains(*live, *desired), "the same twice", live_text);
  const bool scalars = !live->IsObject() && !live->IsArray() && !desired->IsObject() &&
                       !desired->IsArray() && !live->IsNull() && !desired->IsNull();
  expect(!scalars || all_there == json::contains(*desired, *live), "scalars either way", rest);
  return 0;
}
