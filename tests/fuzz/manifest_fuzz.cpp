// plugin.yaml, and YAML turned into JSON.
#include "core/json/parse.hpp"
#include "core/plugin/errors.hpp"
#include "core/plugin/manifest.hpp"
#include "core/plugin/yaml.hpp"
#include "tests/fuzz/memory_file.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

void check_json(const std::filesystem::path& path) {
  const auto document = plugin::load_yaml(path);
  if (!document) return;
  const auto text = plugin::yaml_to_json(*document, "file");
  if (!text) {
    expect(text.error().message.starts_with("file"), "errors name the file", text.error().message);
    return;
  }
  const auto parsed = json::parse(*text);
  expect(parsed.has_value(), "YAML becomes JSON", *text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  static fuzz::memory_file file;
  file.write(text);
  check_json(file.path());
  const auto manifest = plugin::read_manifest(file.path());
  if (!manifest) {
    expect(manifest.error().message.starts_with(file.path().string()), "errors name the file",
           manifest.error().message);
    return 0;
  }
  expect(!manifest->name.empty() && !manifest->version.empty(), "a name and a version", text);
  expect(manifest->library.find('/') == std::string::npos, "a library beside it",
         manifest->library);
  expect(!manifest->controllers.empty(), "a controller", text);
  return 0;
}
