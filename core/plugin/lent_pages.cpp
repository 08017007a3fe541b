#include "core/plugin/lent_pages.hpp"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>

namespace oarlock::plugin {

namespace {

// Bytes for one call after another, first counted, then filled.
class arena {
 public:
  explicit arena(unsigned char* at) : at_(at) {}

  // Where a copy of `size` bytes is; counted only, while there is no memory yet.
  void* copy(const void* from, std::size_t size) {
    constexpr std::size_t alignment = 8;
    unsigned char* const to = at_ == nullptr ? nullptr : at_ + used_;
    if (to != nullptr && size > 0) std::memcpy(to, from, size);
    used_ += (size + alignment - 1) / alignment * alignment;
    return to;
  }
  oarlock_str_view copy(oarlock_str_view lent) {
    return {static_cast<const char*>(copy(lent.data, lent.size)), lent.size};
  }
  oarlock_bytes_view copy(oarlock_bytes_view lent) {
    return {static_cast<const std::uint8_t*>(copy(lent.data, lent.size)), lent.size};
  }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  unsigned char* at_;
  std::size_t used_ = 0;
};

const oarlock_object_view* copy_objects(arena& to, const oarlock_object_view* first,
                                        std::uint64_t count, std::size_t stride) {
  auto* const out = static_cast<unsigned char*>(to.copy(first, count * stride));
  for (std::uint64_t i = 0; i < count; ++i) {
    auto one = *reinterpret_cast<const oarlock_object_view*>(
        reinterpret_cast<const unsigned char*>(first) + i * stride);
    one.resource = to.copy(one.resource);
    one.bytes = to.copy(one.bytes);
    if (out != nullptr) std::memcpy(out + i * stride, &one, sizeof(one));
  }
  return reinterpret_cast<const oarlock_object_view*>(out);
}

const oarlock_note_view* copy_notes(arena& to, const oarlock_note_view* first, std::uint64_t count,
                                    std::size_t stride) {
  auto* const out = static_cast<unsigned char*>(to.copy(first, count * stride));
  for (std::uint64_t i = 0; i < count; ++i) {
    auto one = *reinterpret_cast<const oarlock_note_view*>(
        reinterpret_cast<const unsigned char*>(first) + i * stride);
    for (auto* text : {&one.name, &one.service_account, &one.pod_name, &one.pod_uid})
      *text = to.copy(*text);
    one.bytes = to.copy(one.bytes);
    if (out != nullptr) std::memcpy(out + i * stride, &one, sizeof(one));
  }
  return reinterpret_cast<const oarlock_note_view*>(out);
}

const oarlock_inbound_view* copy_inbound(arena& to, const oarlock_inbound_view* from) {
  if (from == nullptr) return nullptr;
  auto* const out = static_cast<oarlock_inbound_view*>(to.copy(from, sizeof(*from)));
  auto view = *from;
  for (auto* text : {&view.url, &view.ca_pem, &view.audience})
    *text = to.copy(*text);
  if (out != nullptr) *out = view;
  return out;
}

const oarlock_plan_view* copy_view(arena& to, const oarlock_plan_view& from) {
  auto* const out = static_cast<oarlock_plan_view*>(to.copy(&from, sizeof(from)));
  auto view = from;
  view.controller = to.copy(from.controller);
  view.object_namespace = to.copy(from.object_namespace);
  view.object_name = to.copy(from.object_name);
  view.observation = to.copy(from.observation);
  view.primary = copy_objects(to, from.primary, 1, from.object_stride);
  view.owned = copy_objects(to, from.owned, from.owned_count, from.object_stride);
  view.watched = copy_objects(to, from.watched, from.watched_count, from.object_stride);
  view.notes = copy_notes(to, from.notes, from.note_count, from.note_stride);
  view.inbound = copy_inbound(to, from.inbound);
  if (from.last_failure != nullptr) {
    auto failure = *from.last_failure;
    auto* const failed =
        static_cast<oarlock_failure_view*>(to.copy(from.last_failure, sizeof(failure)));
    failure.step = to.copy(failure.step);
    failure.reason = to.copy(failure.reason);
    failure.message = to.copy(failure.message);
    if (failed != nullptr) *failed = failure;
    view.last_failure = failed;
  }
  if (out != nullptr) *out = view;
  return out;
}

const oarlock_effect_view* copy_view(arena& to, const oarlock_effect_view& from) {
  auto* const out = static_cast<oarlock_effect_view*>(to.copy(&from, sizeof(from)));
  auto view = from;
  for (auto* text : {&view.controller, &view.object_namespace, &view.object_name, &view.name}) {
    *text = to.copy(*text);
  }
  view.payload = to.copy(from.payload);
  view.observation = to.copy(from.observation);
  view.primary = copy_objects(to, from.primary, 1, from.primary->struct_size);
  if (out != nullptr) *out = view;
  return out;
}

const oarlock_request_view* copy_view(arena& to, const oarlock_request_view& from) {
  auto* const out = static_cast<oarlock_request_view*>(to.copy(&from, sizeof(from)));
  auto view = from;
  for (auto* text :
       {&view.method, &view.object_namespace, &view.object_name, &view.rest, &view.query,
        &view.content_type, &view.service_account, &view.pod_name, &view.pod_uid}) {
    *text = to.copy(*text);
  }
  view.body = to.copy(from.body);
  if (out != nullptr) *out = view;
  return out;
}

const oarlock_review_view* copy_view(arena& to, const oarlock_review_view& from) {
  auto* const out = static_cast<oarlock_review_view*>(to.copy(&from, sizeof(from)));
  auto view = from;
  view.controller = to.copy(from.controller);
  view.to_api_version = to.copy(from.to_api_version);
  view.object = to.copy(from.object);
  view.old_object = to.copy(from.old_object);
  if (out != nullptr) *out = view;
  return out;
}

// The inputs of the last calls, out of reach.
struct kept_range {
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};
};
constexpr std::size_t kept_max = 32;
std::array<kept_range, kept_max> kept;
std::size_t next = 0;  // under kept_mutex
std::mutex kept_mutex;

void keep(void* pages, std::size_t size) {
  const std::lock_guard lock(kept_mutex);
  auto& slot = kept[next++ % kept_max];
  const auto before = slot.begin.load();
  if (before != 0) ::munmap(reinterpret_cast<void*>(before), slot.end.load() - before);
  slot.begin = reinterpret_cast<std::uintptr_t>(pages);
  slot.end = slot.begin + size;
}

}  // namespace

template <class View>
lent_pages<View>::lent_pages(const View& from) : view_(&from) {
  arena counted(nullptr);
  (void)copy_view(counted, from);
  void* const pages =
      ::mmap(nullptr, counted.used(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return;
  pages_ = pages;
  size_ = counted.used();
  arena filled(static_cast<unsigned char*>(pages));
  view_ = copy_view(filled, from);
  ::mprotect(pages_, size_, PROT_READ);
}

template <class View>
lent_pages<View>::~lent_pages() {
  if (pages_ == nullptr) return;
  // Its memory is given back, its addresses are not.
  ::madvise(pages_, size_, MADV_DONTNEED);
  ::mprotect(pages_, size_, PROT_NONE);
  keep(pages_, size_);
}

template class lent_pages<oarlock_plan_view>;
template class lent_pages<oarlock_effect_view>;
template class lent_pages<oarlock_request_view>;
template class lent_pages<oarlock_review_view>;

bool is_kept_view(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  for (const auto& range : kept) {
    const auto begin = range.begin.load();
    if (begin != 0 && at >= begin && at < range.end.load()) return true;
  }
  return false;
}

}  // namespace oarlock::plugin
