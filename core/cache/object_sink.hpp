#pragma once
// The SAX handler behind object_decoder: writes the packed JSON and collects the metadata.
// Internal.
#include <rapidjson/reader.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/cache/object.hpp"
#include "core/json/limits_check.hpp"
#include "core/json/packed_writer.hpp"

namespace oarlock::cache {

/// What one JSON value is, for telling people what was found.
enum class json_shape { null, boolean, number, string, object, array };

class object_sink {
 public:
  using Ch = char;
  using size_type = rapidjson::SizeType;

  void reset();

  bool Null();
  bool Bool(bool value);
  bool RawNumber(const char* text, size_type size, bool copy);
  bool String(const char* text, size_type size, bool copy);
  bool StartObject();
  bool Key(const char* text, size_type size, bool copy);
  bool EndObject(size_type members);
  bool StartArray();
  bool EndArray(size_type elements);
  // Numbers arrive as text: the reader never calls these.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

  object_meta meta;
  bool has_api_version = false;
  bool has_kind = false;
  /// The first thing that makes the object unfit for the cache; empty when it is fit.
  std::string complaint;
  json::limits_check limits;
  json::packed_writer writer;

 private:
  /// Where in the object the reader is: what the open object or array means to us.
  enum class place : std::uint8_t {
    root,
    metadata,
    labels,
    annotations,
    owners,
    owner,
    finalizers,
    other
  };
  /// Which member the next value belongs to, if it is one that we read.
  enum class field : std::uint8_t {
    none,
    api_version,
    kind,
    metadata,
    name,
    ns,
    uid,
    version,
    generation,
    deletion,
    labels,
    annotations,
    owners,
    finalizers,
    managed,
    controller
  };
  struct known_member {
    place where;
    std::string_view key;
    field what;
    json_shape shape;
  };
  static const known_member known_members[];

  [[nodiscard]] bool skipping() const { return skip_depth_ != 0; }
  /// False when the value is part of what is left out.
  bool begin_value(json_shape shape);
  void check_shape(json_shape shape);
  void take_string(std::string_view text);
  bool open(char bracket);
  bool close(char bracket);
  [[nodiscard]] place place_of_child(bool array) const;

  std::vector<place> places_;
  const known_member* member_ = nullptr;
  std::string key_;  // of a label or annotation
  bool skip_value_ = false;
  std::size_t skip_depth_ = 0;
};

}  // namespace oarlock::cache
