#include "core/json/matcher.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/limits.hpp"
#include "core/json/quantity.hpp"

namespace oarlock::json {

namespace {

using rapidjson::Value;

std::string_view text_of(const Value& v) {
  return {v.GetString(), v.GetStringLength()};
}

// Where Kubernetes' built-in types hold quantities: everything below such a member.
constexpr std::array<std::string_view, 14> quantity_members = {
    "resources", "limits", "requests",  "capacity",     "allocatable", "allocatedResources",
    "hard",      "used",   "sizeLimit", "averageValue", "storage",     "overhead",
    "podFixed",  "divisor"};

bool holds_quantities(std::string_view name) {
  return std::find(quantity_members.begin(), quantity_members.end(), name) !=
         quantity_members.end();
}

// How the elements of one list are told apart: the listMapKeys of Kubernetes' built-in types.
struct merge_key {
  std::string_view list;
  std::string_view key;
  std::string_view second = {};
  std::string_view second_default = {};
};

constexpr std::array<merge_key, 20> merge_keys = {{
    {"containers", "name"},
    {"initContainers", "name"},
    {"ephemeralContainers", "name"},
    {"volumes", "name"},
    {"env", "name"},
    {"imagePullSecrets", "name"},
    {"secrets", "name"},
    {"ports", "containerPort", "protocol", "TCP"},
    {"ports", "port", "protocol", "TCP"},
    {"volumeMounts", "mountPath"},
    {"volumeDevices", "devicePath"},
    {"hostAliases", "ip"},
    {"conditions", "type"},
    {"ownerReferences", "uid"},
    {"topologySpreadConstraints", "topologyKey", "whenUnsatisfiable"},
    {"schedulingGates", "name"},
    {"resourceClaims", "name"},
    {"claims", "name"},
    {"webhooks", "name"},
    {"validations", "expression"},
}};

const Value* member(const Value& object, std::string_view name) {
  if (!object.IsObject()) return nullptr;
  const auto found = object.FindMember(
      Value(rapidjson::StringRef(name.data(), static_cast<rapidjson::SizeType>(name.size()))));
  return found == object.MemberEnd() ? nullptr : &found->value;
}

bool is_merged(std::string_view list) {
  return list == "finalizers" || std::any_of(merge_keys.begin(), merge_keys.end(),
                                             [list](const auto& row) { return row.list == list; });
}

const merge_key* merge_key_of(std::string_view list, const Value& desired) {
  for (const auto& row : merge_keys) {
    if (row.list != list) continue;
    const auto has_key = [&row](const Value& element) {
      return member(element, row.key) != nullptr;
    };
    if (std::all_of(desired.Begin(), desired.End(), has_key)) return &row;
  }
  return nullptr;
}

class comparison {
 public:
  bool contains(const Value& live, const Value& desired, std::string_view name, bool quantities);

 private:
  bool objects(const Value& live, const Value& desired, bool quantities);
  bool lists(const Value& live, const Value& desired, std::string_view name, bool quantities);
  bool keyed_lists(const Value& live, const Value& desired, const merge_key& key, bool quantities);

  std::size_t depth_ = 0;
};

// An object of nothing but empty members is empty itself. The depth of `v` was checked by
// contains().
bool is_empty(const Value& v, std::size_t depth = 0) {
  switch (v.GetType()) {
    case rapidjson::kNullType:
    case rapidjson::kFalseType:
      return true;
    case rapidjson::kTrueType:
      return false;
    case rapidjson::kStringType:
      return v.GetStringLength() == 0;
    case rapidjson::kNumberType:
      return v.GetDouble() == 0;
    case rapidjson::kArrayType:
      return v.Empty();
    case rapidjson::kObjectType:
      break;
  }
  if (depth >= limits::json_depth_max) return false;
  return std::all_of(v.MemberBegin(), v.MemberEnd(),
                     [depth](const auto& m) { return is_empty(m.value, depth + 1); });
}

std::string number_text(const Value& v) {
  std::array<char, 32> buffer{};
  char* end = buffer.data();
  if (v.IsInt64())
    end = std::to_chars(end, buffer.end(), v.GetInt64()).ptr;
  else if (v.IsUint64())
    end = std::to_chars(end, buffer.end(), v.GetUint64()).ptr;
  else
    end = std::to_chars(end, buffer.end(), v.GetDouble()).ptr;
  return {buffer.data(), end};
}

bool is_integer(const Value& v) {
  return v.IsInt64() || v.IsUint64();
}

bool same_number(const Value& a, const Value& b) {
  if (a.IsInt64() && b.IsInt64()) return a.GetInt64() == b.GetInt64();
  if (a.IsUint64() && b.IsUint64()) return a.GetUint64() == b.GetUint64();
  if (is_integer(a) && is_integer(b)) return false;  // one is negative, one above 2^63
  return a.GetDouble() == b.GetDouble();
}

bool same_quantity(const Value& a, const Value& b) {
  const auto text = [](const Value& v) {
    return v.IsString() ? std::string(text_of(v)) : number_text(v);
  };
  const auto left = quantity::parse(text(a));
  return left && left == quantity::parse(text(b));
}

bool same_scalar(const Value& live, const Value& desired, bool quantities) {
  if (live.IsString() && desired.IsString() && text_of(live) == text_of(desired)) return true;
  if (live.IsNumber() && desired.IsNumber()) return same_number(live, desired);
  const bool comparable =
      (live.IsString() || live.IsNumber()) && (desired.IsString() || desired.IsNumber());
  if (!comparable) return live.GetType() == desired.GetType() && !live.IsString();
  if (quantities && same_quantity(live, desired)) return true;
  if (live.IsString() && desired.IsString()) return false;
  const Value& number = live.IsNumber() ? live : desired;
  const Value& text = live.IsNumber() ? desired : live;
  return is_integer(number) && number_text(number) == text_of(text);
}

bool comparison::contains(const Value& live, const Value& desired, std::string_view name,
                          bool quantities) {
  if (desired.IsNull() || (desired.IsObject() && desired.ObjectEmpty())) {
    return desired.IsNull() || live.IsObject() || live.IsNull();
  }
  if (depth_ >= limits::json_depth_max) return false;
  ++depth_;
  bool same = false;
  if (desired.IsObject()) {
    same = live.IsObject() && objects(live, desired, quantities);
  } else if (desired.IsArray()) {
    same = live.IsArray() && lists(live, desired, name, quantities);
  } else {
    same = same_scalar(live, desired, quantities);
  }
  --depth_;
  return same;
}

bool comparison::objects(const Value& live, const Value& desired, bool quantities) {
  for (const auto& wanted : desired.GetObject()) {
    const std::string_view name = text_of(wanted.name);
    const Value* have = member(live, name);
    if (have == nullptr || have->IsNull()) {
      if (is_empty(wanted.value)) continue;
      return false;
    }
    const bool below = quantities || holds_quantities(name);
    if (!contains(*have, wanted.value, name, below)) return false;
  }
  return true;
}

bool comparison::lists(const Value& live, const Value& desired, std::string_view name,
                       bool quantities) {
  if (desired.Empty()) return live.Empty() || is_merged(name);
  if (name == "finalizers") {
    return std::all_of(desired.Begin(), desired.End(), [&live](const Value& wanted) {
      return std::any_of(live.Begin(), live.End(),
                         [&wanted](const Value& have) { return same_scalar(have, wanted, false); });
    });
  }
  if (const auto* key = merge_key_of(name, desired); key != nullptr) {
    return keyed_lists(live, desired, *key, quantities);
  }
  if (live.Size() != desired.Size()) return false;
  for (rapidjson::SizeType i = 0; i < desired.Size(); ++i) {
    if (!contains(live[i], desired[i], {}, quantities)) return false;
  }
  return true;
}

bool same_key_value(const Value& a, const Value& b, std::string_view name,
                    std::string_view default_value) {
  const Value* left = member(a, name);
  const Value* right = member(b, name);
  if (left != nullptr && right != nullptr) return same_scalar(*left, *right, false);
  const Value* only = left != nullptr ? left : right;
  return only == nullptr || (only->IsString() && text_of(*only) == default_value);
}

bool comparison::keyed_lists(const Value& live, const Value& desired, const merge_key& key,
                             bool quantities) {
  // Lists mostly keep their order: the search goes on where the last one ended, and wraps round.
  rapidjson::SizeType at = 0;
  for (const Value& wanted : desired.GetArray()) {
    const auto is_it = [&](const Value& have) {
      return member(have, key.key) != nullptr && same_key_value(have, wanted, key.key, {}) &&
             (key.second.empty() || same_key_value(have, wanted, key.second, key.second_default));
    };
    rapidjson::SizeType tried = 0;
    while (tried < live.Size() && !is_it(live[at])) {
      ++tried;
      at = (at + 1) % live.Size();
    }
    if (tried == live.Size() || !contains(live[at], wanted, {}, quantities)) return false;
    // A key may stand there twice (env): its second element is compared with the second one.
    at = (at + 1) % live.Size();
  }
  return true;
}

}  // namespace

bool contains(const Value& live, const Value& desired) {
  return comparison().contains(live, desired, {}, false);
}

}  // namespace oarlock::json
