#pragma once
// Content-Encoding: gzip, decoded in bounded pieces: a bomb never unfolds in memory, its reader
// counts the pieces.
#include <cstddef>
#include <memory>
#include <string>

#include "core/base/result.hpp"

namespace oarlock::net {

/// RFC 1952. Compressed bytes in with feed(), decoded pieces out with take().
class gzip_reader {
 public:
  gzip_reader();
  ~gzip_reader();
  gzip_reader(const gzip_reader&) = delete;
  gzip_reader& operator=(const gzip_reader&) = delete;

  void feed(std::string compressed);
  /// At most `bytes_max` decoded bytes; empty when it needs more input. net_error::broken_body when
  /// the stream is damaged.
  [[nodiscard]] result<std::string> take(std::size_t bytes_max);
  /// All input was decoded and ends where a gzip member ends.
  [[nodiscard]] bool at_end() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace oarlock::net
