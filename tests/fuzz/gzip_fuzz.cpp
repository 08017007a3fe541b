// Gzip bodies: as plain bytes packed and read back, and as foreign bytes in any pieces. The first
// two bytes of the input are the length of the pieces in and of the pieces out.
#include <zlib.h>

#include "core/net/gzip_reader.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

constexpr std::size_t bytes_out_max = 1U << 16U;

struct outcome {
  bool sound = true;
  bool whole = false;
  bool cut = false;  // more than we want to unfold
  std::string bytes;
};

outcome unpack(std::string_view packed, std::size_t in_step, std::size_t out_step) {
  net::gzip_reader reader;
  outcome out;
  for (std::size_t at = 0; at < packed.size(); at += in_step) {
    reader.feed(std::string(packed.substr(at, in_step)));
    for (;;) {
      const auto piece = reader.take(out_step);
      out.sound = piece.has_value();
      if (!out.sound) return out;
      if (piece->empty()) break;
      expect(piece->size() <= out_step, "pieces within the limit");
      out.bytes += *piece;
      out.cut = out.bytes.size() > bytes_out_max;
      if (out.cut) return out;
    }
  }
  out.whole = reader.at_end();
  return out;
}

std::string pack(std::string_view plain) {
  z_stream stream{};
  constexpr int gzip_window_bits = 15 + 16;
  expect(deflateInit2(&stream, 1, Z_DEFLATED, gzip_window_bits, 1, Z_DEFAULT_STRATEGY) == Z_OK,
         "zlib starts");
  std::string out(deflateBound(&stream, plain.size()) + 64, '\0');
  std::string in(plain);
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  expect(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib packs in one go");
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto bytes = fuzz::text_of(data, size);
  const std::size_t in_step = fuzz::cut_byte(bytes) + 1;
  const std::size_t out_step = fuzz::cut_byte(bytes) * 16 + 1;
  const auto packed = pack(bytes);
  for (const auto& again : {unpack(packed, in_step, out_step), unpack(packed + packed, 1, 4096)}) {
    expect(again.sound && again.bytes.starts_with(bytes), "what was packed is read back", bytes);
    expect(again.cut || again.whole, "and is whole", bytes);
  }
  const auto a = unpack(bytes, in_step, out_step);
  const auto b = unpack(bytes, bytes.size() + 1, 4096);
  if (a.cut || b.cut) return 0;
  expect(a.sound == b.sound && a.whole == b.whole, "pieces do not decide", bytes);
  expect(!a.sound || a.bytes == b.bytes, "pieces do not change the content", bytes);
  return 0;
}
