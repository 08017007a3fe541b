#include "core/cache/object_sink.hpp"

#include <charconv>

#include "core/base/mutant.hpp"

namespace oarlock::cache {

namespace {

std::string_view text_of(json_shape s) {
  switch (s) {
    case json_shape::null:
      return "null";
    case json_shape::boolean:
      return "a boolean";
    case json_shape::number:
      return "a number";
    case json_shape::string:
      return "a string";
    case json_shape::object:
      return "an object";
    case json_shape::array:
      return "a list";
  }
  return "something else";
}

constexpr std::string_view last_applied = "kubectl.kubernetes.io/last-applied-configuration";

}  // namespace

const object_sink::known_member object_sink::known_members[] = {
    {place::root, "apiVersion", field::api_version, json_shape::string},
    {place::root, "kind", field::kind, json_shape::string},
    {place::root, "metadata", field::metadata, json_shape::object},
    {place::metadata, "name", field::name, json_shape::string},
    {place::metadata, "namespace", field::ns, json_shape::string},
    {place::metadata, "uid", field::uid, json_shape::string},
    {place::metadata, "resourceVersion", field::version, json_shape::string},
    {place::metadata, "generation", field::generation, json_shape::number},
    {place::metadata, "deletionTimestamp", field::deletion, json_shape::string},
    {place::metadata, "labels", field::labels, json_shape::object},
    {place::metadata, "annotations", field::annotations, json_shape::object},
    {place::metadata, "ownerReferences", field::owners, json_shape::array},
    {place::metadata, "finalizers", field::finalizers, json_shape::array},
    {place::metadata, "managedFields", field::managed, json_shape::array},
    {place::owner, "apiVersion", field::api_version, json_shape::string},
    {place::owner, "kind", field::kind, json_shape::string},
    {place::owner, "name", field::name, json_shape::string},
    {place::owner, "uid", field::uid, json_shape::string},
    {place::owner, "controller", field::controller, json_shape::boolean},
};

void object_sink::reset() {
  meta = {};
  has_api_version = has_kind = false;
  complaint.clear();
  limits.reset();
  writer.reset();
  places_.clear();
  member_ = nullptr;
  skip_value_ = false;
  skip_depth_ = 0;
}

void object_sink::check_shape(json_shape shape) {
  if (!complaint.empty()) return;
  std::string where;
  json_shape expected{};
  const place in = places_.empty() ? place::other : places_.back();
  if (places_.empty()) {
    if (shape == json_shape::object) return;
    complaint = "expected an object, found " + std::string(text_of(shape));
    return;
  }
  if (member_ != nullptr) {
    const bool fills_in =
        in == place::root && (member_->what == field::kind || member_->what == field::api_version);
    if (shape == member_->shape || (shape == json_shape::null && !fills_in)) return;
    where = (in == place::root    ? ""
             : in == place::owner ? "ownerReferences."
                                  : "metadata.") +
            std::string(member_->key);
    expected = member_->shape;
  } else if (in == place::labels || in == place::annotations || in == place::finalizers) {
    if (shape == json_shape::string) return;
    where = in == place::labels        ? "label " + key_
            : in == place::annotations ? "annotation " + key_
                                       : "metadata.finalizers[]";
    expected = json_shape::string;
  } else if (in == place::owners) {
    if (shape == json_shape::object) return;
    where = "metadata.ownerReferences[]";
    expected = json_shape::object;
  } else {
    return;
  }
  complaint = "expected " + where + " to be " + std::string(text_of(expected)) + ", found " +
              std::string(text_of(shape));
}

bool object_sink::begin_value(json_shape shape) {
  if (skipping()) return false;
  if (skip_value_) {
    skip_value_ = false;
    return false;
  }
  check_shape(shape);
  return true;
}

bool object_sink::Null() {
  if (begin_value(json_shape::null)) writer.raw("null");
  member_ = nullptr;
  return true;
}

bool object_sink::Bool(bool value) {
  if (begin_value(json_shape::boolean)) {
    writer.raw(value ? "true" : "false");
    if (member_ != nullptr && member_->what == field::controller) {
      meta.owners.back().controller = value;
    }
  }
  member_ = nullptr;
  return true;
}

bool object_sink::RawNumber(const char* text, size_type size, bool) {
  if (begin_value(json_shape::number)) {
    writer.raw({text, size});
    if (member_ != nullptr && member_->what == field::generation) {
      const auto [stop, failed] = std::from_chars(text, text + size, meta.generation);
      if ((failed != std::errc() || stop != text + size) && complaint.empty()) {
        complaint = "expected metadata.generation to be an integer of 64 bits";
      }
    }
  }
  member_ = nullptr;
  return true;
}

bool object_sink::String(const char* text, size_type size, bool) {
  if (begin_value(json_shape::string)) {
    writer.string({text, size});
    take_string({text, size});
  }
  member_ = nullptr;
  return true;
}

void object_sink::take_string(std::string_view text) {
  const place in = places_.empty() ? place::other : places_.back();
  if (in == place::labels) meta.labels.emplace(key_, text);
  if (in == place::annotations && key_ != last_applied) meta.annotations.emplace(key_, text);
  if (in == place::finalizers) meta.finalizers.emplace_back(text);
  if (member_ == nullptr) return;
  if (in == place::owner) {
    auto& owner = meta.owners.back();
    switch (member_->what) {
      case field::api_version:
        owner.api_version = text;
        break;
      case field::kind:
        owner.kind = text;
        break;
      case field::name:
        owner.name = text;
        break;
      case field::uid:
        owner.uid = text;
        break;
      default:
        break;
    }
    return;
  }
  switch (member_->what) {
    case field::api_version:
      has_api_version = true;
      break;
    case field::kind:
      has_kind = true;
      break;
    case field::name:
      meta.key.name = text;
      break;
    case field::ns:
      meta.key.ns = text;
      break;
    case field::uid:
      meta.uid = text;
      break;
    case field::version:
      meta.resource_version = text;
      break;
    case field::deletion:
      meta.deleting = true;
      break;
    default:
      break;
  }
}

object_sink::place object_sink::place_of_child(bool array) const {
  if (places_.empty()) return array ? place::other : place::root;
  if (places_.back() == place::owners) return array ? place::other : place::owner;
  if (member_ == nullptr || array != (member_->shape == json_shape::array)) return place::other;
  switch (member_->what) {
    case field::metadata:
      return place::metadata;
    case field::labels:
      return place::labels;
    case field::annotations:
      return place::annotations;
    case field::owners:
      return place::owners;
    case field::finalizers:
      return place::finalizers;
    default:
      return place::other;
  }
}

bool object_sink::open(char bracket) {
  const bool array = bracket == '[';
  if (!limits.enter()) return false;
  if (skipping() || skip_value_) {
    skip_value_ = false;
    ++skip_depth_;
    return true;
  }
  check_shape(array ? json_shape::array : json_shape::object);
  const place child = place_of_child(array);
  if (child == place::owner) meta.owners.emplace_back();
  places_.push_back(child);
  member_ = nullptr;
  writer.open(bracket);
  return true;
}

bool object_sink::close(char bracket) {
  if (!limits.leave()) return false;
  member_ = nullptr;
  if (skipping()) {
    --skip_depth_;
    return true;
  }
  places_.pop_back();
  writer.close(bracket);
  return true;
}

bool object_sink::StartObject() {
  return open('{');
}
bool object_sink::StartArray() {
  return open('[');
}
bool object_sink::EndObject(size_type) {
  return close('}');
}
bool object_sink::EndArray(size_type) {
  return close(']');
}

bool object_sink::Key(const char* text, size_type size, bool) {
  const std::string_view key(text, size);
  limits.key(key);
  if (skipping()) return true;
  const place in = places_.back();
  member_ = nullptr;
  if (in == place::labels || in == place::annotations) {
    key_ = key;
  } else if (in == place::root || in == place::metadata || in == place::owner) {
    for (const auto& known : known_members) {
      if (known.where == in && known.key == key) member_ = &known;
    }
  }
  const bool managed = member_ != nullptr && member_->what == field::managed;
  if (managed && !OARLOCK_MUTANT("managed_fields_kept")) {
    skip_value_ = true;
    return true;
  }
  writer.key(key);
  return true;
}

}  // namespace oarlock::cache
