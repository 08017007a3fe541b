// The body of a patch step. The first byte of the input: bit 0 a merge patch, bit 1 with the
// version of the live object. Then a line with the live object, and the patch.
#include "core/cache/object_decoder.hpp"
#include "core/controller/errors.hpp"
#include "core/controller/patch.hpp"
#include "core/json/parse.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;
using rapidjson::Value;
using allocator = rapidjson::Document::AllocatorType;

// RFC 7386, section 2, as it is written there.
void merge(Value& target, const Value& patch, allocator& memory) {
  if (!patch.IsObject()) {
    target.CopyFrom(patch, memory);
    return;
  }
  if (!target.IsObject()) target.SetObject();
  for (const auto& field : patch.GetObject()) {
    if (field.value.IsNull()) {
      target.RemoveMember(field.name);
      continue;
    }
    if (target.FindMember(field.name) == target.MemberEnd()) {
      target.AddMember(Value(field.name, memory), Value(), memory);
    }
    merge(target[field.name], field.value, memory);
  }
}

cache::object_ptr decoded(const kube::resource& what, std::string_view json) {
  cache::object_decoder decoder(what);
  const auto got = decoder.decode(std::string(json));
  return got ? *got : nullptr;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text_of(data, size);
  const unsigned mode = fuzz::cut_byte(rest);
  const auto live_text = fuzz::cut(rest, "\n");
  const kube::resource maps{"", "v1", "ConfigMap", "configmaps", true};
  controller::controller_spec spec;
  spec.plugin = "fuzz";
  const auto live = decoded(maps, live_text);
  controller::patch_existing step{
      {maps, "m", live && !live->meta().uid.empty() ? live->meta().uid : "u", ""},
      (mode & 1U) != 0,
      std::string(rest)};
  if (live && (mode & 2U) != 0) step.target.resource_version = live->meta().resource_version;
  const auto body = controller::complete_patch(step, spec, "ns", nullptr);
  const auto own = json::parse(rest);
  expect(body.has_value() == (own && own->IsObject()), "a patch is an object", rest);
  if (!body) return 0;
  auto sent = json::parse(*body);
  expect(sent && json::string_at(*sent, "/metadata/uid") == step.target.uid, "it has the UID",
         *body);
  const auto version = json::string_at(*sent, "/metadata/resourceVersion");
  expect(step.target.resource_version.empty() || version == step.target.resource_version,
         "and the version", *body);
  for (const auto& field : own->GetObject()) {
    const std::string_view name(field.name.GetString(), field.name.GetStringLength());
    const bool ours =
        name == "metadata" || (!step.merge && (name == "kind" || name == "apiVersion"));
    expect(ours || (*sent)[field.name] == field.value, "the rest is the plugin's", name);
  }
  // What an API server would make of it says all of it, and is not sent again.
  rapidjson::Document after;
  if (live && step.merge) after.CopyFrom(*json::parse(live->json()), after.GetAllocator());
  merge(after, *sent, after.GetAllocator());
  const auto now = decoded(maps, json::write(after));
  if (!now || now->meta().uid != step.target.uid) return 0;
  // managedFields are the server's, and no cached object has them.
  if (json::find(*sent, "/metadata/managedFields") != nullptr) return 0;
  const auto again = controller::complete_patch(step, spec, "ns", now.get());
  expect(again && again->empty(), "nothing is left to send", now->json());
  return 0;
}
