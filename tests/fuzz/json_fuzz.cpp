// JSON texts: parsed, written, packed and stepped over, always the same value.
#include "core/base/limits.hpp"
#include "core/json/packed_writer.hpp"
#include "core/json/parse.hpp"
#include "core/json/scan.hpp"
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

std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name)
    out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

// The scanner finds at each pointer what the parser found. `left` bounds how many it tries.
void scan(const rapidjson::Value& value, const std::string& pointer, std::string_view text,
          int& left) {
  if (left-- <= 0) return;
  const auto found = json::scan_string(text, pointer);
  expect(found.has_value() == value.IsString(), "the scanner finds strings only", text);
  if (value.IsString()) {
    expect(*found == std::string_view(value.GetString(), value.GetStringLength()),
           "the scanner reads what the parser reads", text);
  } else if (value.IsObject()) {
    for (const auto& m : value.GetObject()) {
      const std::string_view name(m.name.GetString(), m.name.GetStringLength());
      scan(m.value, pointer + "/" + escaped(name), text, left);
    }
  } else if (value.IsArray()) {
    for (rapidjson::SizeType n = 0; n < value.Size(); ++n)
      scan(value[n], pointer + "/" + std::to_string(n), text, left);
  }
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
  int pointers = 100;
  scan(*document, "", text, pointers);
  (void)json::scan_string(packed.text(), text);
  // The text doubles as a pointer into its own document.
  const auto* found = json::find(*document, text);
  expect(found == nullptr || json::write(*found).size() <= written.size(), "a part of it", text);
  return 0;
}
