#include "core/net/gzip_reader.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include "core/net/transport.hpp"

namespace oarlock::net {
namespace {

std::string gzipped(const std::string& text) {
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, static_cast<uLong>(text.size())), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

result<std::string> read_all(gzip_reader& reader, std::size_t piece_max) {
  std::string out;
  for (;;) {
    auto piece = reader.take(piece_max);
    if (!piece) return piece.error();
    if (piece->empty()) return out;
    EXPECT_LE(piece->size(), piece_max);
    out += *piece;
  }
}

TEST(gzip_reader, gives_back_what_was_compressed) {
  std::string text;
  for (int i = 0; i < 20000; ++i)
    text += std::to_string(i) + ",";
  const auto bytes = gzipped(text);
  for (const std::size_t step : {std::size_t{1}, std::size_t{1000}, bytes.size()}) {
    gzip_reader reader;
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      reader.feed(bytes.substr(at, step));
      out += *read_all(reader, 4096);
    }
    EXPECT_EQ(out, text);
    EXPECT_TRUE(reader.at_end());
  }
}

TEST(gzip_reader, reads_members_one_after_the_other) {
  gzip_reader reader;
  reader.feed(gzipped("ab") + gzipped("") + gzipped("cd"));
  EXPECT_EQ(*read_all(reader, 100), "abcd");
  EXPECT_TRUE(reader.at_end());
}

TEST(gzip_reader, never_unfolds_more_than_asked) {
  gzip_reader reader;
  reader.feed(gzipped(std::string(64U << 20U, 'x')));
  const auto piece = reader.take(1000);
  ASSERT_TRUE(piece.has_value());
  EXPECT_EQ(piece->size(), 1000U);
  EXPECT_FALSE(reader.at_end());
}

TEST(gzip_reader, knows_a_cut_stream) {
  const auto bytes = gzipped("hello, hello, hello");
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    gzip_reader reader;
    reader.feed(bytes.substr(0, size));
    ASSERT_TRUE(read_all(reader, 100).has_value()) << size;
    EXPECT_FALSE(reader.at_end()) << size;
  }
}

TEST(gzip_reader, refuses_damage_and_other_formats) {
  auto damaged = gzipped("hello, hello, hello");
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 1);  // the CRC
  for (const auto& bytes :
       {damaged, std::string("not gzip at all"), gzipped("a") + "tail of text"}) {
    gzip_reader reader;
    reader.feed(bytes);
    const auto out = read_all(reader, 100);
    ASSERT_FALSE(out.has_value());
    EXPECT_EQ(out.error().code, net_error::broken_body);
  }
}

TEST(gzip_reader, is_at_its_end_before_any_input) {
  gzip_reader reader;
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(*reader.take(10), "");
}

}  // namespace
}  // namespace oarlock::net
