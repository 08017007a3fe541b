#include "core/net/gzip_reader.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "core/base/assert.hpp"
#include "core/net/transport.hpp"

namespace oarlock::net {

struct gzip_reader::impl {
  z_stream stream{};
  std::string input;
  std::size_t used = 0;
  bool between_members = true;
  bool output_held_back = false;  // zlib has more for the same input

  impl() {
    constexpr int window_bits_gzip_only = 15 + 16;
    const int made = inflateInit2(&stream, window_bits_gzip_only);
    OARLOCK_ASSERT(made == Z_OK, "zlib could not start: out of memory or wrong version");
  }
  ~impl() { inflateEnd(&stream); }
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;

  [[nodiscard]] bool idle() const { return used == input.size() && !output_held_back; }
};

gzip_reader::gzip_reader() : impl_(std::make_unique<impl>()) {}
gzip_reader::~gzip_reader() = default;

void gzip_reader::feed(std::string compressed) {
  auto& s = *impl_;
  s.input.erase(0, s.used);
  s.used = 0;
  s.input.append(compressed);
}

result<std::string> gzip_reader::take(std::size_t bytes_max) {
  auto& s = *impl_;
  std::string out;
  if (s.idle()) return out;
  out.resize(bytes_max);
  std::size_t made = 0;
  while (made < out.size() && !s.idle()) {
    if (s.between_members) {
      inflateReset(&s.stream);
      s.between_members = false;
    }
    constexpr std::size_t step_max = std::numeric_limits<uInt>::max();
    const auto in = std::min(s.input.size() - s.used, step_max);
    const auto room = std::min(out.size() - made, step_max);
    s.stream.next_in = reinterpret_cast<Bytef*>(s.input.data() + s.used);
    s.stream.avail_in = static_cast<uInt>(in);
    s.stream.next_out = reinterpret_cast<Bytef*>(out.data() + made);
    s.stream.avail_out = static_cast<uInt>(room);
    const int answer = inflate(&s.stream, Z_NO_FLUSH);
    s.used += in - s.stream.avail_in;
    made += room - s.stream.avail_out;
    s.output_held_back = answer == Z_OK && s.stream.avail_out == 0;
    if (answer == Z_STREAM_END) {
      s.between_members = true;
    } else if (answer == Z_BUF_ERROR) {
      break;  // no progress is possible without more input
    } else if (answer != Z_OK) {
      return error{net_error::broken_body,
                   std::string("expected gzip data, found: ") +
                       (s.stream.msg != nullptr ? s.stream.msg : "a preset dictionary")};
    }
  }
  out.resize(made);
  return out;
}

bool gzip_reader::at_end() const {
  return impl_->between_members && impl_->idle();
}

}  // namespace oarlock::net
