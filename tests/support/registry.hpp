#pragma once
// docker-registry as a process of this test, with a key that its images are signed with.
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.hpp"

namespace oarlock::testing {

class image_registry {
 public:
  enum class kind { open, with_password };
  /// Starts one on a loopback port, and makes the key. Throws when a program is not there.
  explicit image_registry(kind what = kind::open);

  /// "127.0.0.1:PORT/NAME".
  [[nodiscard]] std::string ref(const std::string& name) const { return address_ + "/" + name; }
  [[nodiscard]] const std::string& address() const { return address_; }
  /// The folder with ours.key, ours.pub and the images.
  [[nodiscard]] const std::filesystem::path& folder() const { return dir_.path(); }
  /// Builds an image of a plugin's folder and pushes it.
  void push(const std::filesystem::path& plugin, const std::string& ref) const;
  /// With ours.key, or with `key`.key.
  void sign(const std::string& ref, const std::string& key = "ours") const;
  void make_key(const std::string& name) const;
  /// Without a key: these images by an identity each, all by one Sigstore, whose trusted root is
  /// written to `root`.
  void sign_keyless(const std::filesystem::path& root, const std::string& issuer,
                    const std::map<std::string, std::string>& identities) const;
  /// Who may read and write where a password is asked for.
  static constexpr const char* user = "reader";
  static constexpr const char* password = "pw";
  /// On the same port as before, with the images that it had.
  void start();
  void stop() { process_.reset(); }

 private:
  void fetch(std::vector<std::string> args) const;
  void log_in() const;

  const kind kind_;
  scratch_dir dir_;
  std::string address_;
  std::unique_ptr<background> process_;
};

/// build/bin/oarlock-fetch, also beside the programs of the preset under test: they look there.
std::filesystem::path fetch_tool();

}  // namespace oarlock::testing
