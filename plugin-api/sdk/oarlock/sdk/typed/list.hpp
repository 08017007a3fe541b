#pragma once
// A field that holds a list of objects.
#include <rapidjson/document.h>

#include <initializer_list>
#include <utility>
#include <vector>

#include "oarlock/sdk/typed/nested.hpp"

namespace oarlock::sdk {

namespace schema {

template <class T>
void read_list_later(std::vector<T>& into, const rapidjson::Value& from, const source& of);

}  // namespace schema

/// A list of objects of type T, used like the std::vector that items() is. A value: copies are
/// deep. Thread and laziness as of nested<T>: what a plan's input lends is converted when it is
/// first looked at. A list with an item that does not fit counts as empty then.
template <class T>
class list {
 public:
  using value_type = T;
  using iterator = typename std::vector<T>::iterator;
  using const_iterator = typename std::vector<T>::const_iterator;

  list() = default;
  list(std::vector<T> items) : items_(std::move(items)) {}
  list(std::initializer_list<T> items) : items_(items) {}
  /// A copy never refers to what the original was read from.
  list(const list& other) : items_(other.items()) {}
  list(list&& other) noexcept { swap(other); }
  list& operator=(list other) noexcept {
    swap(other);
    return *this;
  }
  ~list() = default;

  [[nodiscard]] const std::vector<T>& items() const {
    if (from_ != nullptr && !is_read_) {
      is_read_ = true;
      schema::read_list_later(items_, *from_, *source_);
    }
    return items_;
  }
  [[nodiscard]] std::vector<T>& items() {
    (void)std::as_const(*this).items();
    from_ = nullptr;
    return items_;
  }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::size_t size() const { return items().size(); }
  [[nodiscard]] const T& operator[](std::size_t i) const { return items()[i]; }
  [[nodiscard]] T& operator[](std::size_t i) { return items()[i]; }
  [[nodiscard]] const T& at(std::size_t i) const { return items().at(i); }
  [[nodiscard]] T& at(std::size_t i) { return items().at(i); }
  [[nodiscard]] const_iterator begin() const { return items().begin(); }
  [[nodiscard]] const_iterator end() const { return items().end(); }
  [[nodiscard]] iterator begin() { return items().begin(); }
  [[nodiscard]] iterator end() { return items().end(); }
  [[nodiscard]] const T& front() const { return items().front(); }
  [[nodiscard]] T& front() { return items().front(); }
  [[nodiscard]] const T& back() const { return items().back(); }
  [[nodiscard]] T& back() { return items().back(); }
  void push_back(T item) { items().push_back(std::move(item)); }
  T& emplace_back() { return items().emplace_back(); }
  iterator erase(const_iterator at) { return items().erase(at); }
  void clear() {
    items_.clear();
    from_ = nullptr;
  }

  /// For the reader: `from` and `of` outlive this, and all that it is moved to.
  void lend(const rapidjson::Value& from, const schema::source& of) {
    items_.clear();
    from_ = &from;
    source_ = &of;
    is_read_ = false;
  }
  /// What is written as it was read, because nobody changed it; else null.
  [[nodiscard]] const rapidjson::Value* lent() const { return from_; }

 private:
  void swap(list& other) noexcept {
    items_.swap(other.items_);
    std::swap(from_, other.from_);
    std::swap(source_, other.source_);
    std::swap(is_read_, other.is_read_);
  }

  mutable std::vector<T> items_;
  const rapidjson::Value* from_ = nullptr;
  const schema::source* source_ = nullptr;
  mutable bool is_read_ = false;
};

}  // namespace oarlock::sdk
