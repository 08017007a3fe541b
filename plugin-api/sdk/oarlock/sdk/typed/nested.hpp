#pragma once
// A field that holds an object: read and written without asking first whether it is there.
#include <rapidjson/document.h>

#include <utility>

namespace oarlock::sdk {

namespace schema {

/// What objects that are read when they are looked at were parsed from; outlives all of them.
struct source {
  const rapidjson::Value* root = nullptr;
  /// A field of another type than declared counts as unset and is kept as unknown: for objects that
  /// anybody may have written. Otherwise it throws json::parse_error.
  bool keeps_misfits = false;
};

struct struct_type;
/// Reads `from`, which lies somewhere in `of`, into a new struct.
void read_later(const struct_type& type, void* into, const rapidjson::Value& from,
                const source& of);

template <class T>
inline const T absent{};  // what is read where there is nothing

}  // namespace schema

/// An object of type T, or nothing. A value: copies are deep. Reading through `->` what is not
/// there finds an empty T; writing through it makes one:
///
///   if (pod.status->phase == pod_status_phase::running) ...
///   deployment.spec->replicas = 3;
///
/// Thread: one, also for reading. What a plan's input lends is converted when it is first looked
/// at.
template <class T>
class nested {
 public:
  nested() = default;
  nested(T value) : value_(new T(std::move(value))) {}
  /// A copy never refers to what the original was read from.
  nested(const nested& other) : value_(other.get() == nullptr ? nullptr : new T(*other.get())) {}
  nested(nested&& other) noexcept { swap(other); }
  nested& operator=(nested other) noexcept {
    swap(other);
    return *this;
  }
  ~nested() { delete value_; }

  [[nodiscard]] bool has_value() const { return value_ != nullptr || from_ != nullptr; }
  explicit operator bool() const { return has_value(); }

  /// Null when there is none.
  [[nodiscard]] const T* get() const {
    if (value_ == nullptr && from_ != nullptr) {
      nested made;
      made.value_ = new T{};
      schema::read_later(T::schema(), made.value_, *from_, *source_);
      value_ = std::exchange(made.value_, nullptr);
    }
    return value_;
  }
  [[nodiscard]] const T& operator*() const {
    const T* there = get();
    return there == nullptr ? schema::absent<T> : *there;
  }
  [[nodiscard]] const T* operator->() const { return &**this; }
  [[nodiscard]] T& operator*() {
    if (get() == nullptr) value_ = new T{};
    from_ = nullptr;
    return *value_;
  }
  [[nodiscard]] T* operator->() { return &**this; }

  T& emplace() {
    reset();
    return **this;
  }
  void reset() {
    delete std::exchange(value_, nullptr);
    from_ = nullptr;
  }

  /// For the reader: `from` and `of` outlive this, and all that it is moved to.
  void lend(const rapidjson::Value& from, const schema::source& of) {
    reset();
    from_ = &from;
    source_ = &of;
  }
  /// What is written as it was read, because nobody changed it; else null.
  [[nodiscard]] const rapidjson::Value* lent() const { return from_; }

 private:
  void swap(nested& other) noexcept {
    std::swap(value_, other.value_);
    std::swap(from_, other.from_);
    std::swap(source_, other.source_);
  }

  // A plain pointer: std::unique_ptr makes the headers of many types twice as slow to compile.
  mutable T* value_ = nullptr;
  const rapidjson::Value* from_ = nullptr;
  const schema::source* source_ = nullptr;
};

}  // namespace oarlock::sdk
