#pragma once
// What requests of pods have left for the plans of a controller's objects.
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/cache/object.hpp"
#include "core/controller/reconciler.hpp"

namespace oarlock::controller {

/// In memory only, and bounded: the last value of each name, for one life of each object.
class notes {
 public:
  static constexpr std::size_t names_max = 64;                 ///< of one object
  static constexpr std::size_t object_bytes_max = 64U << 10U;  ///< names and values of one object
  static constexpr std::size_t bytes_max = 32U << 20U;         ///< of all objects

  /// Of the object with this key and UID; what another life of it was told goes. False: there is no
  /// room, and nothing has changed.
  [[nodiscard]] bool put(const cache::object_key& key, const std::string& uid, input_note note);
  /// By name; of another life of the object: none.
  [[nodiscard]] std::vector<std::shared_ptr<const input_note>> of(const cache::object_key& key,
                                                                  const std::string& uid) const;
  void forget(const cache::object_key& key);
  void clear();
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct of_object {
    std::string uid;
    std::map<std::string, std::shared_ptr<const input_note>, std::less<>> by_name;
    std::size_t bytes = 0;
  };
  std::map<cache::object_key, of_object> objects_;
  std::size_t bytes_ = 0;
};

}  // namespace oarlock::controller
