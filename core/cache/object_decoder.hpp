#pragma once
// From the API server's bytes to cached objects, in one pass: no DOM is built. Numbers keep their
// text, metadata.managedFields is left out, and what the core needs of the metadata is read on the
// way.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/cache/object.hpp"
#include "core/json/span_cursor.hpp"
#include "core/kube/resource.hpp"

namespace oarlock::cache {

enum class watch_event_type { added, modified, deleted, bookmark, error, unknown };
[[nodiscard]] std::string_view name_of(watch_event_type t);

/// One line of a watch.
struct watch_event {
  watch_event_type type = watch_event_type::unknown;
  object_ptr object;             ///< of added, modified, deleted
  std::string resource_version;  ///< of the object, or of a bookmark
  /// A bookmark that ends the initial events of a streaming list.
  bool initial_events_end = false;
  std::string status;   ///< of error: the Status object, as JSON
  int status_code = 0;  ///< of error: its HTTP code; 500 when it has none
};

/// Decodes objects of one resource. Keeps its buffers between calls; one thread at a time.
class object_decoder {
 public:
  /// `packs`: objects are for a store that may get many of them, see text_packer.
  explicit object_decoder(kube::resource what, bool packs = false);
  ~object_decoder();
  object_decoder(const object_decoder&) = delete;
  object_decoder& operator=(const object_decoder&) = delete;

  /// `json` is parsed in place. An error (json::json_error) says what is wrong with which object.
  [[nodiscard]] result<object_ptr> decode(std::string json);
  /// One line, without its newline. json_error::wrong_shape: an object that cannot be cached, in a
  /// stream that is sound. Any other error: the stream is not.
  [[nodiscard]] result<watch_event> decode_watch_line(std::string line);

 private:
  friend class list_decoder;
  struct event_parts {
    json::span type, object;
    std::optional<result<std::size_t>> scanned;  // of the object, when its type was known before
  };

  /// Reads the value that begins `where` into the sink, decoding its strings in place; its end.
  [[nodiscard]] result<std::size_t> scan(std::string& text, json::span where);
  /// The object in the sink.
  [[nodiscard]] result<object_ptr> take_scanned();
  [[nodiscard]] std::string who() const;
  /// Both for the one value that `where` holds.
  [[nodiscard]] result<object_ptr> build(std::string& text, json::span where);
  /// {"type":...,"object":...} in any order.
  [[nodiscard]] result<event_parts> split_event(std::string& line);
  [[nodiscard]] static result<> read_error(std::string_view status_text, watch_event& event);
  [[nodiscard]] result<> read_bookmark(const result<std::size_t>& scanned, watch_event& event);

  struct sink;
  const kube::resource what_;
  std::unique_ptr<sink> sink_;
  std::unique_ptr<text_packer> packer_;
};

/// One element of a list: the object, or why it cannot be cached.
struct list_item {
  object_ptr object;
  error bad;
};

/// A page of a list, decoded element by element so that the caller can pause between them.
class list_decoder {
 public:
  /// `objects` outlives it.
  list_decoder(object_decoder& objects, std::string body);
  list_decoder(const list_decoder&) = delete;
  list_decoder& operator=(const list_decoder&) = delete;

  /// The next element; nullopt at the end of a sound page. An error: the body is no list, or
  /// broken, and nothing of it counts.
  [[nodiscard]] result<std::optional<list_item>> next();

  // Known once next() has said nullopt.
  [[nodiscard]] const std::string& resource_version() const { return resource_version_; }
  [[nodiscard]] const std::string& continue_token() const { return continue_token_; }
  [[nodiscard]] std::optional<std::int64_t> remaining() const { return remaining_; }

 private:
  enum class at { start, members, items, done };
  [[nodiscard]] result<> read_member();
  [[nodiscard]] result<> read_metadata(json::span where);
  [[nodiscard]] result<> check_kind(json::span where);
  [[nodiscard]] result<> finish();

  object_decoder& objects_;
  std::string body_;
  json::span_cursor cursor_;
  at at_ = at::start;
  bool has_items_ = false;
  bool has_metadata_ = false;
  std::size_t index_ = 0;
  std::string resource_version_;
  std::string continue_token_;
  std::optional<std::int64_t> remaining_;
};

}  // namespace oarlock::cache
