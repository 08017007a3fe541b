#pragma once
// The difference of two objects as a JSON merge patch (RFC 7386).
#include <rapidjson/document.h>

namespace oarlock::sdk::schema {

/// What makes `from` into `to`, both objects; empty when they are equal. A field that is gone
/// becomes null, a list that differs is there as a whole.
inline rapidjson::Value merge_patch(const rapidjson::Value& from, const rapidjson::Value& to,
                                    rapidjson::Document::AllocatorType& memory) {
  rapidjson::Value patch(rapidjson::kObjectType);
  const auto add = [&](const rapidjson::Value& name, rapidjson::Value value) {
    patch.AddMember(rapidjson::Value(name, memory), value, memory);
  };
  for (const auto& field : to.GetObject()) {
    const auto before = from.FindMember(field.name);
    if (before != from.MemberEnd() && before->value == field.value) continue;
    const bool goes_on =
        before != from.MemberEnd() && before->value.IsObject() && field.value.IsObject();
    add(field.name, goes_on ? merge_patch(before->value, field.value, memory)
                            : rapidjson::Value(field.value, memory));
  }
  for (const auto& field : from.GetObject()) {
    if (!to.HasMember(field.name)) add(field.name, rapidjson::Value());
  }
  return patch;
}

}  // namespace oarlock::sdk::schema
