// Watch lines: what is cached is whole, packed, and decodes to itself.
#include "core/cache/object_decoder.hpp"
#include "core/json/parse.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

// Numbers keep their text, so that the cache may hold one that no double can.
bool is_json(std::string_view text) {
  const auto parsed = json::parse(text);
  return parsed || parsed.error().message.find("too big") != std::string::npos;
}

void check_object(cache::object_decoder& decoder, const cache::object& o, bool namespaced) {
  const std::string text(o.json());
  expect(is_json(text), "cached text is JSON", text);
  expect(!o.meta().key.name.empty(), "cached objects have names", text);
  expect(!namespaced || !o.meta().key.ns.empty(), "and namespaces", text);
  expect(o.bytes() >= text.size(), "an object takes its text's memory", text);
  const auto again = decoder.decode(text);
  expect(again.has_value(), "cached text decodes again", text);
  expect((*again)->json() == text, "packing is idempotent", (*again)->json());
  expect((*again)->meta().key == o.meta().key && (*again)->meta().labels == o.meta().labels &&
             (*again)->meta().annotations == o.meta().annotations &&
             (*again)->meta().finalizers == o.meta().finalizers &&
             (*again)->meta().generation == o.meta().generation,
         "metadata survive packing", text);
  if (const auto document = json::parse(text); document) {
    expect(json::find(*document, "/metadata/managedFields") == nullptr, "no managedFields", text);
    expect(json::string_at(*document, "/metadata/name") == o.meta().key.name, "its own name", text);
  }
}

void check_line(cache::object_decoder& used, const kube::resource& what, std::string_view line) {
  const auto event = used.decode_watch_line(std::string(line));
  cache::object_decoder fresh(what);
  const auto same = fresh.decode_watch_line(std::string(line));
  expect(event.has_value() == same.has_value(), "a used decoder decides as a fresh one", line);
  if (!event) {
    expect(event.error().message == same.error().message && !event.error().message.empty(),
           "errors say the same", event.error().message);
    return;
  }
  using enum cache::watch_event_type;
  const bool has_object = event->type == added || event->type == modified || event->type == deleted;
  expect(has_object == (event->object != nullptr), "these events have an object", line);
  expect(event->type != bookmark || !event->resource_version.empty(), "bookmarks move", line);
  if (event->type == error) expect(is_json(event->status), "a Status is JSON", event->status);
  if (event->object == nullptr) return;
  expect(event->object->json() == same->object->json(), "nothing is left of the line before", line);
  check_object(fresh, *event->object, what.namespaced);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const kube::resource deployments{"apps", "v1", "Deployment", "deployments", true};
  static const kube::resource nodes{"", "v1", "Node", "nodes", false};
  static cache::object_decoder deployment_decoder(deployments);
  static cache::object_decoder node_decoder(nodes);
  auto rest = fuzz::text_of(data, size);
  while (!rest.empty()) {
    const auto line = fuzz::cut(rest, "\n");
    check_line(deployment_decoder, deployments, line);
    check_line(node_decoder, nodes, line);
  }
  return 0;
}
