#include "core/base/sha256.hpp"

#include <openssl/evp.h>

#include <array>

#include "core/base/assert.hpp"

namespace oarlock {

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  const int ok =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr);
  OARLOCK_ASSERT(ok == 1 && length == 32, "SHA-256 is available in every OpenSSL 3");
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(2U * length);
  for (unsigned int i = 0; i < length; ++i) {
    out += digits[digest[i] >> 4U];
    out += digits[digest[i] & 15U];
  }
  return out;
}

}  // namespace oarlock
