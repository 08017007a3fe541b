// List bodies: a page decodes to what its elements decode to, one by one.
#include <vector>

#include "core/cache/object_decoder.hpp"
#include "core/json/parse.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

void check_item(cache::object_decoder& decoder, const cache::list_item& item,
                const rapidjson::Value& element) {
  const auto text = json::write(element);
  const auto alone = decoder.decode(text);
  expect(alone.has_value() == (item.object != nullptr), "an element is as fit alone", text);
  if (!alone) {
    expect(!item.bad.message.empty(), "a bad element says why", text);
    return;
  }
  const auto& a = (*alone)->meta();
  const auto& b = item.object->meta();
  expect(a.key == b.key && a.uid == b.uid && a.resource_version == b.resource_version &&
             a.labels == b.labels && a.owners.size() == b.owners.size(),
         "the element's metadata", text);
  const auto left = json::parse((*alone)->json());
  const auto right = json::parse(item.object->json());
  expect(left && right && *left == *right, "the element's content", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const kube::resource pods{"", "v1", "Pod", "pods", true};
  const auto body = fuzz::text_of(data, size);
  cache::object_decoder decoder(pods);
  cache::list_decoder list(decoder, std::string(body));
  std::vector<cache::list_item> items;
  for (;;) {
    auto next = list.next();
    if (!next) {
      expect(!next.error().message.empty(), "a bad list says why");
      return 0;
    }
    if (!next->has_value()) break;
    items.push_back(std::move(**next));
  }
  expect(!list.resource_version().empty(), "a sound list has a version", body);
  const auto document = json::parse(body);
  if (!document) return 0;  // an element is broken, or a member that the list does not read
  expect(json::string_at(*document, "/metadata/resourceVersion") == list.resource_version() &&
             json::string_at(*document, "/metadata/continue") == list.continue_token() &&
             json::int_at(*document, "/metadata/remainingItemCount") == list.remaining(),
         "the list's own metadata", body);
  const auto* elements = json::find(*document, "/items");
  expect(elements != nullptr, "a sound list has items", body);
  const std::size_t count = elements->IsArray() ? elements->Size() : 0;
  expect(count == items.size(), "each element once", body);
  for (std::size_t i = 0; i < count; ++i)
    check_item(decoder, items[i], (*elements)[static_cast<rapidjson::SizeType>(i)]);
  return 0;
}
