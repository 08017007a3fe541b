// JSON texts: parsed, written, packed and stepped over, always the same value.
#include "core/base/limits.hpp"
#include "core/json/packed_writer.hpp"
#include "core/json/parse.hpp"
#include "core/json/span_cursor.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

// Feeds the packed writer as the object decoder does. Bounded: the document passed json::parse.
void pack(const rapidjson::Value& value, json::packed_writer& out) {
  if (value.IsObject()) {
    out.open('{');
    for (const auto& m : value.GetObject()) {
      out.key({m.name.GetString(), m.name.GetStringLength()});
      pack(m.value, out);
    }
    out.close('}');
  } else if (value.IsArray()) {
    out.open('[');
    for (const auto& element : value.GetArray())
      pack(element, out);
    out.close(']');
  } else if (value.IsString()) {
    out.string({value.GetString(), value.GetStringLength()});
  } else {
    out.raw(json::write(value));
  }
}

std::size_t depth_of(const rapidjson::Value& value) {
  std::size_t deepest = 0;
  if (value.IsObject()) {
    for (const auto& m : value.GetObject())
      deepest = std::max(deepest, depth_of(m.value));
  } else if (value.IsArray()) {
    for (const auto& element : value.GetArray())
      deepest = std::max(deepest, depth_of(element));
  } else {
    return 0;
  }
  return deepest + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  json::span_cursor cursor(text);
  json::span where;
  const bool stepped = cursor.skip_value(where) && cursor.at_end();
  const auto document = json::parse(text);
  if (!document) {
    expect(!document.error().message.empty(), "an error says why", text);
    return 0;
  }
  expect(stepped, "the cursor steps over what parses", text);
  expect(where.begin <= where.end && where.end <= text.size(), "within the text", text);
  expect(depth_of(*document) <= limits::json_depth_max, "depth within the limit", text);
  const auto written = json::write(*document);
  const auto again = json::parse(written);
  expect(again && *again == *document, "written and read back", written);
  expect(json::write(*again) == written, "writing is stable", written);
  json::packed_writer packed;
  pack(*document, packed);
  const auto unpacked = json::parse(packed.text());
  expect(unpacked && *unpacked == *document, "packed and read back", packed.text());
  // The text doubles as a pointer into its own document.
  const auto* found = json::find(*document, text);
  expect(found == nullptr || json::write(*found).size() <= written.size(), "a part of it", text);
  return 0;
}
