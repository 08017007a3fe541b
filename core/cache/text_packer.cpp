#include "core/cache/text_packer.hpp"

#include <zstd.h>

#include "core/base/assert.hpp"

namespace oarlock::cache {

namespace {

constexpr int level = 1;  // level 3 takes twice as long and saves no more
constexpr std::size_t dictionary_bytes = 32U << 10U;
constexpr std::size_t sample_every = 16;  // of the texts that are learnt from
constexpr std::size_t text_bytes_min = 256;
constexpr std::size_t tries = 64;  // after the dictionary is made

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};

}  // namespace

class text_dictionary {
 public:
  explicit text_dictionary(const std::string& samples)
      : writes_(ZSTD_createCDict(samples.data(), samples.size(), level)),
        reads_(ZSTD_createDDict(samples.data(), samples.size())) {
    OARLOCK_ASSERT(writes_ && reads_, "memory for a dictionary");
  }
  [[nodiscard]] const ZSTD_CDict* writes() const { return writes_.get(); }
  [[nodiscard]] const ZSTD_DDict* reads() const { return reads_.get(); }

 private:
  std::unique_ptr<ZSTD_CDict, freed_by<ZSTD_freeCDict>> writes_;
  std::unique_ptr<ZSTD_DDict, freed_by<ZSTD_freeDDict>> reads_;
};

std::string packed_text::text() const {
  if (!with_) return bytes_;
  thread_local const std::unique_ptr<ZSTD_DCtx, freed_by<ZSTD_freeDCtx>> context(ZSTD_createDCtx());
  OARLOCK_ASSERT(context, "memory to unpack an object");
  std::string plain(plain_bytes_, '\0');
  const auto got = ZSTD_decompress_usingDDict(context.get(), plain.data(), plain.size(),
                                              bytes_.data(), bytes_.size(), with_->reads());
  OARLOCK_ASSERT(got == plain.size(), "what was packed unpacks to as many bytes");
  return plain;
}

struct text_packer::context {
  const std::unique_ptr<ZSTD_CCtx, freed_by<ZSTD_freeCCtx>> zstd{ZSTD_createCCtx()};
  std::string buffer;
};

text_packer::text_packer() : context_(std::make_unique<context>()) {}
text_packer::~text_packer() = default;

void text_packer::learn(std::string_view text) {
  const bool sampled = seen_++ % sample_every == 0 && samples_.size() < dictionary_bytes;
  if (sampled) samples_.append(text.substr(0, dictionary_bytes - samples_.size()));
  if (seen_ < learns_from) return;
  dictionary_ = std::make_shared<const text_dictionary>(samples_);
  samples_ = {};
}

packed_text text_packer::pack(std::string text) {
  if (given_up_ || text.size() < text_bytes_min) return packed_text(std::move(text));
  if (!dictionary_) {
    learn(text);
    return packed_text(std::move(text));
  }
  auto& buffer = context_->buffer;
  buffer.resize(ZSTD_compressBound(text.size()));
  const auto bytes = ZSTD_compress_usingCDict(context_->zstd.get(), buffer.data(), buffer.size(),
                                              text.data(), text.size(), dictionary_->writes());
  if (ZSTD_isError(bytes)) return packed_text(std::move(text));
  if (tried_ < tries) {
    ++tried_;
    tried_plain_ += text.size();
    tried_packed_ += bytes;
    given_up_ = tried_ == tries && tried_packed_ > tried_plain_ / 2;
  }
  if (bytes > text.size() / 2) return packed_text(std::move(text));
  return {std::string(buffer.data(), bytes), text.size(), dictionary_};
}

}  // namespace oarlock::cache
