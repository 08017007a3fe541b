#include "sealed.hpp"

#include <openssl/evp.h>

#include <memory>
#include <stdexcept>

#include "generate.hpp"
#include "oarlock/sdk/secret.hpp"

namespace mysql_cluster {

namespace sdk = oarlock::sdk;

namespace {

constexpr std::string_view prefix = "sealed:";
constexpr std::size_t key_size = 32, nonce_size = 12, tag_size = 16;

using context_ptr = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

unsigned char* bytes(std::string& of) {
  return reinterpret_cast<unsigned char*>(of.data());
}
const unsigned char* bytes(std::string_view of) {
  return reinterpret_cast<const unsigned char*>(of.data());
}

const unsigned char* process_key() {
  static const std::string made = random_bytes(key_size);
  return bytes(std::string_view(made));
}

}  // namespace

// AES-256-GCM: nonce, tag, text.
std::string seal(std::string_view text) {
  const std::string nonce = random_bytes(nonce_size);
  std::string tag(tag_size, '\0'), made(text.size(), '\0');
  const context_ptr context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  int size = 0;
  const bool worked =
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, process_key(),
                         bytes(std::string_view(nonce))) == 1 &&
      EVP_EncryptUpdate(context.get(), bytes(made), &size, bytes(text),
                        static_cast<int>(text.size())) == 1 &&
      EVP_EncryptFinal_ex(context.get(), bytes(made) + size, &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, tag_size, bytes(tag)) == 1;
  if (!worked) throw std::runtime_error("OpenSSL: sealing a text failed");
  return std::string(prefix) + sdk::base64_encode(nonce + tag + made);
}

std::string unseal(std::string_view text) {
  if (!text.starts_with(prefix)) return std::string(text);
  const auto all = sdk::base64_decode(text.substr(prefix.size()));
  if (!all || all->size() < nonce_size + tag_size) {
    throw sdk::retry_error("NotSealed", "expected a sealed text, found something else");
  }
  std::string tag = all->substr(nonce_size, tag_size);
  const std::string_view rest = std::string_view(*all).substr(nonce_size + tag_size);
  std::string made(rest.size(), '\0');
  const context_ptr context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  int size = 0;
  const bool worked =
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, process_key(),
                         bytes(std::string_view(*all))) == 1 &&
      EVP_DecryptUpdate(context.get(), bytes(made), &size, bytes(rest),
                        static_cast<int>(rest.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, tag_size, bytes(tag)) == 1 &&
      EVP_DecryptFinal_ex(context.get(), bytes(made) + size, &size) == 1;
  if (!worked) {
    throw sdk::retry_error("SealedElsewhere",
                           "expected a text that this process has sealed, found another one's");
  }
  return made;
}

}  // namespace mysql_cluster
