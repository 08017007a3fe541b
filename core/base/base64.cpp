#include "core/base/base64.hpp"

#include <openssl/evp.h>

#include <cstdint>

namespace oarlock {

namespace {

constexpr int digit_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

error invalid(const std::string& what) {
  return {make_error_code(boost::system::errc::invalid_argument), "expected base64, found " + what};
}

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a NUL
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  out.resize(static_cast<std::size_t>(EVP_EncodeBlock(to, from, static_cast<int>(bytes.size()))));
  return out;
}

result<std::string> base64_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  std::size_t digits = 0;
  std::size_t padding = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const int digit = digit_of(c);
    if (digit < 0) return invalid("a character outside its alphabet at byte " + std::to_string(i));
    if (padding > 0) return invalid("more text after its padding");
    bits = bits << 6U | static_cast<std::uint32_t>(digit);
    if (++digits % 4 == 0) {
      out += static_cast<char>(bits >> 16U & 0xffU);
      out += static_cast<char>(bits >> 8U & 0xffU);
      out += static_cast<char>(bits & 0xffU);
    }
  }
  const auto rest = digits % 4;
  const bool padded = padding == 0 || (rest > 0 && padding == 4 - rest);
  if (rest == 1 || !padded) return invalid("text of a length that base64 cannot have");
  if (rest == 2) out += static_cast<char>(bits >> 4U & 0xffU);
  if (rest == 3) {
    out += static_cast<char>(bits >> 10U & 0xffU);
    out += static_cast<char>(bits >> 2U & 0xffU);
  }
  return out;
}

}  // namespace oarlock
