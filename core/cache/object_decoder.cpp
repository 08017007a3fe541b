#include "core/cache/object_decoder.hpp"

#include <rapidjson/error/en.h>

#include <utility>

#include "core/cache/object_sink.hpp"
#include "core/json/parse.hpp"
#include "core/json/utf8.hpp"
#include "core/kube/status.hpp"

namespace oarlock::cache {

using json::json_error;
using json::span_cursor;

namespace {

// The reader recurses: object_sink ends it at limits::json_depth_max. It does not look at the
// encoding, which is several times faster to check of the whole text.
constexpr unsigned parse_flags = rapidjson::kParseInsituFlag | rapidjson::kParseStopWhenDoneFlag |
                                 rapidjson::kParseNumbersAsStringsFlag;
constexpr const char* initial_events_end = "k8s.io/initial-events-end";

std::string_view part(const std::string& text, json::span where) {
  return std::string_view(text).substr(where.begin, where.end - where.begin);
}

error broken(const std::string& what, std::size_t offset) {
  return {json_error::syntax, "expected " + what + " at byte " + std::to_string(offset) +
                                  ", found other bytes or the end"};
}

watch_event_type type_of(std::string_view quoted) {
  if (quoted == "\"ADDED\"") return watch_event_type::added;
  if (quoted == "\"MODIFIED\"") return watch_event_type::modified;
  if (quoted == "\"DELETED\"") return watch_event_type::deleted;
  if (quoted == "\"BOOKMARK\"") return watch_event_type::bookmark;
  if (quoted == "\"ERROR\"") return watch_event_type::error;
  return watch_event_type::unknown;
}

bool carries_object(watch_event_type t) {
  return t != watch_event_type::unknown && t != watch_event_type::error;
}

}  // namespace

std::string_view name_of(watch_event_type t) {
  switch (t) {
    case watch_event_type::added:
      return "ADDED";
    case watch_event_type::modified:
      return "MODIFIED";
    case watch_event_type::deleted:
      return "DELETED";
    case watch_event_type::bookmark:
      return "BOOKMARK";
    case watch_event_type::error:
      return "ERROR";
    case watch_event_type::unknown:
      break;
  }
  return "UNKNOWN";
}

struct object_decoder::sink : object_sink {};

object_decoder::object_decoder(kube::resource what, bool packs)
    : what_(std::move(what)),
      sink_(std::make_unique<sink>()),
      packer_(packs ? std::make_unique<text_packer>() : nullptr) {}
object_decoder::~object_decoder() = default;

result<std::size_t> object_decoder::scan(std::string& text, json::span where) {
  sink_->reset();
  if (const auto bad = json::first_not_utf8(part(text, where))) {
    return error{json_error::syntax,
                 "expected JSON at byte " + std::to_string(*bad) + ": its encoding is not UTF-8"};
  }
  rapidjson::InsituStringStream stream(text.data() + where.begin);
  rapidjson::Reader reader;
  const rapidjson::ParseResult outcome = reader.Parse<parse_flags>(stream, *sink_);
  if (!outcome.IsError()) return where.begin + stream.Tell();
  const std::string at = " at byte " + std::to_string(outcome.Offset());
  if (sink_->limits.broken() == json::limit_broken::depth) {
    return error{json_error::too_deep, "expected at most " +
                                           std::to_string(limits::json_depth_max) +
                                           " levels, found one more" + at};
  }
  if (sink_->limits.broken() == json::limit_broken::duplicate_key) {
    return error{json_error::duplicate_key, "expected each key once, found one twice" + at};
  }
  return error{json_error::syntax,
               "expected JSON" + at + ": " + rapidjson::GetParseError_En(outcome.Code())};
}

std::string object_decoder::who() const {
  const auto& key = sink_->meta.key;
  return key.name.empty() ? what_.kind : what_.kind + " " + key.text();
}

result<object_ptr> object_decoder::take_scanned() {
  sink& s = *sink_;
  const std::string_view packed = s.writer.text();
  if (s.complaint.empty() && json::has_surrogate(packed)) {
    s.complaint = "expected text in UTF-8, found half of a surrogate pair";
  }
  if (s.complaint.empty() && s.meta.key.name.empty()) s.complaint = "expected metadata.name";
  if (s.complaint.empty() && what_.namespaced && s.meta.key.ns.empty()) {
    s.complaint = "expected metadata.namespace";
  }
  if (!s.complaint.empty()) return error{json_error::wrong_shape, who() + ": " + s.complaint};
  s.meta.owners.shrink_to_fit();
  s.meta.finalizers.shrink_to_fit();
  // Items of a list lack both where they are of a built-in kind. In the order in which the API
  // server writes them elsewhere: the same version has the same bytes by a list and by a watch.
  std::string missing;
  if (!s.has_kind) missing += "\"kind\":\"" + what_.kind + "\",";
  if (!s.has_api_version) missing += "\"apiVersion\":\"" + what_.api_version() + "\",";
  std::string json;
  json.reserve(packed.size() + missing.size());
  json.append("{").append(missing).append(packed.substr(1));
  if (!packer_) return std::make_shared<const object>(std::move(s.meta), std::move(json));
  return std::make_shared<const object>(std::move(s.meta), packer_->pack(std::move(json)));
}

result<object_ptr> object_decoder::build(std::string& text, json::span where) {
  const auto end = scan(text, where);
  if (!end) return end.error().within(who());
  if (text.find_first_not_of(" \t\r\n", *end) < where.end) {
    return error{json_error::syntax, who() + ": expected JSON, found more behind it at byte " +
                                         std::to_string(*end - where.begin)};
  }
  return take_scanned();
}

result<object_ptr> object_decoder::decode(std::string json) {
  return build(json, {0, json.size()});
}

result<object_decoder::event_parts> object_decoder::split_event(std::string& line) {
  span_cursor cursor(line);
  event_parts found;
  if (!cursor.open('{')) return broken("a watch event", 0);
  while (true) {
    std::string_view key;
    const auto step = cursor.next_member(key);
    if (step == span_cursor::step::end) break;
    const auto begin = cursor.offset();
    const bool is_object = step == span_cursor::step::value && key == "object";
    auto* known = is_object ? &found.object : key == "type" ? &found.type : nullptr;
    if (known != nullptr && known->end != 0) {
      return error{json_error::duplicate_key,
                   "expected '" + std::string(key) + "' once in a watch event, found it twice"};
    }
    json::span value;
    if (is_object && carries_object(type_of(part(line, found.type)))) {
      const std::string as_received = line;
      found.object = {begin, line.size()};
      found.scanned = scan(line, found.object);
      if (*found.scanned) {
        cursor = span_cursor(line, **found.scanned);
        continue;
      }
      line = as_received;  // is the event whole around what is wrong with its object?
    }
    if (step == span_cursor::step::broken || !cursor.skip_value(value)) {
      return broken("a member of a watch event", cursor.offset());
    }
    if (known != nullptr) *known = value;
  }
  if (!cursor.at_end()) return broken("the end of a watch event", cursor.offset());
  if (found.type.end == 0 || found.object.end == 0) {
    return error{json_error::syntax,
                 "expected a watch event with 'type' and 'object', found one without"};
  }
  return found;
}

result<> object_decoder::read_error(std::string_view status_text, watch_event& event) {
  event.status = status_text;
  const auto status = json::parse(event.status);
  if (!status) return status.error().within("ERROR event");
  event.status_code = kube::http_code(json::int_at(*status, "/code"), 500);
  return {};
}

result<> object_decoder::read_bookmark(const result<std::size_t>& scanned, watch_event& event) {
  if (!scanned) return scanned.error().within("BOOKMARK event");
  const auto& annotations = sink_->meta.annotations;
  const auto mark = annotations.find(initial_events_end);
  event.initial_events_end = mark != annotations.end() && mark->second == "true";
  event.resource_version = std::move(sink_->meta.resource_version);
  if (!event.resource_version.empty()) return {};
  return error{json_error::wrong_shape, "BOOKMARK event: expected metadata.resourceVersion"};
}

result<watch_event> object_decoder::decode_watch_line(std::string line) {
  auto parts = split_event(line);
  if (!parts) return parts.error();
  watch_event event;
  event.type = type_of(part(line, parts->type));
  if (event.type == watch_event_type::unknown) return event;
  if (event.type == watch_event_type::error) {
    if (auto read = read_error(part(line, parts->object), event); !read) return read.error();
    return event;
  }
  if (!parts->scanned) parts->scanned = scan(line, parts->object);
  if (event.type == watch_event_type::bookmark) {
    if (auto read = read_bookmark(*parts->scanned, event); !read) return read.error();
    return event;
  }
  auto built =
      *parts->scanned ? take_scanned() : result<object_ptr>(parts->scanned->error().within(who()));
  if (!built) {
    error bad = built.error().within(std::string(name_of(event.type)) + " event");
    bad.code = json_error::wrong_shape;
    return bad;
  }
  event.resource_version = (*built)->meta().resource_version;
  event.object = std::move(*built);
  return event;
}

list_decoder::list_decoder(object_decoder& objects, std::string body)
    : objects_(objects), body_(std::move(body)), cursor_(body_) {}

result<std::optional<list_item>> list_decoder::next() {
  if (at_ == at::start) {
    if (!cursor_.open('{')) return broken("a list", 0);
    at_ = at::members;
  }
  while (at_ != at::done) {
    if (at_ == at::members) {
      if (auto read = read_member(); !read) return read.error();
      continue;
    }
    const auto step = cursor_.next_element();
    if (step == span_cursor::step::end) {
      at_ = at::members;
      continue;
    }
    json::span where;
    if (step == span_cursor::step::broken || !cursor_.skip_value(where)) {
      return broken("an element of items", cursor_.offset());
    }
    auto built = objects_.build(body_, where);
    const std::size_t index = index_++;
    list_item item;
    if (built) {
      item.object = std::move(*built);
    } else {
      item.bad = built.error().within("items[" + std::to_string(index) + "]");
    }
    return std::optional<list_item>(std::move(item));
  }
  return std::optional<list_item>();
}

result<> list_decoder::read_member() {
  std::string_view key;
  const auto step = cursor_.next_member(key);
  if (step == span_cursor::step::end) return finish();
  if (step == span_cursor::step::broken) return broken("a member of a list", cursor_.offset());
  if (key == "items") {
    if (has_items_) {
      return error{json_error::duplicate_key, "expected 'items' once, found it twice"};
    }
    has_items_ = true;
    if (cursor_.open('[')) {
      at_ = at::items;
      return {};
    }
  }
  json::span where;
  if (!cursor_.skip_value(where)) return broken("the value of a member", cursor_.offset());
  if (key == "kind") return check_kind(where);
  if (key == "metadata") return read_metadata(where);
  if (key == "items" && part(body_, where) != "null") {
    return error{json_error::wrong_shape, "expected 'items' to be a list, found something else"};
  }
  return {};
}

result<> list_decoder::check_kind(json::span where) {
  const std::string_view kind = part(body_, where);
  if (kind.ends_with("List\"")) return {};
  return error{json_error::wrong_shape, "expected a list of " + objects_.what_.name() +
                                            ", found kind " + std::string(kind.substr(0, 64))};
}

result<> list_decoder::read_metadata(json::span where) {
  if (has_metadata_) {
    return error{json_error::duplicate_key, "expected 'metadata' once, found it twice"};
  }
  has_metadata_ = true;
  const auto metadata = json::parse(part(body_, where));
  if (!metadata) return metadata.error().within("metadata of the list");
  resource_version_ = json::string_at(*metadata, "/resourceVersion");
  continue_token_ = json::string_at(*metadata, "/continue");
  remaining_ = json::int_at(*metadata, "/remainingItemCount");
  return {};
}

// A body that merely looks like an empty list would empty the cache: it must be a whole one.
result<> list_decoder::finish() {
  if (!cursor_.at_end()) return broken("the end of the list", cursor_.offset());
  if (!has_items_ || resource_version_.empty()) {
    return error{json_error::wrong_shape,
                 "expected a list with 'items' and "
                 "'metadata.resourceVersion', found one without"};
  }
  at_ = at::done;
  return {};
}

}  // namespace oarlock::cache
