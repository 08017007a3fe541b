#pragma once
// The JSON of a kind with many objects, packed: zstd with a dictionary that is made of the first of
// them. docs/decisions/0007-packed-objects.md says why and what was measured.
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace oarlock::cache {

class text_dictionary;

/// Text as it is, or packed. Immutable: safe to read on any thread.
class packed_text {
 public:
  explicit packed_text(std::string plain) : bytes_(std::move(plain)) {}
  packed_text(std::string bytes, std::size_t plain_bytes,
              std::shared_ptr<const text_dictionary> with)
      : bytes_(std::move(bytes)), plain_bytes_(plain_bytes), with_(std::move(with)) {}

  [[nodiscard]] std::string text() const;
  /// What is stored.
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] bool packed() const { return with_ != nullptr; }

 private:
  std::string bytes_;
  std::size_t plain_bytes_ = 0;
  std::shared_ptr<const text_dictionary> with_;
};

/// Packs the texts of one kind. The first `learns_from` stay as they are: some of them become the
/// dictionary. When that does not halve the next ones, the kind is left alone. One thread at a
/// time.
class text_packer {
 public:
  static constexpr std::size_t learns_from = 256;

  text_packer();
  ~text_packer();
  text_packer(const text_packer&) = delete;
  text_packer& operator=(const text_packer&) = delete;

  [[nodiscard]] packed_text pack(std::string text);

 private:
  void learn(std::string_view text);

  struct context;
  const std::unique_ptr<context> context_;
  std::shared_ptr<const text_dictionary> dictionary_;
  std::string samples_;
  std::size_t seen_ = 0;
  std::size_t tried_ = 0, tried_plain_ = 0, tried_packed_ = 0;
  bool given_up_ = false;
};

}  // namespace oarlock::cache
