#include "tests/support/registry.hpp"

#include <fmt/format.h>

#include <fstream>
#include <regex>
#include <stdexcept>

#include "tests/support/cluster.hpp"

namespace oarlock::testing {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

}  // namespace

fs::path fetch_tool() {
  const auto tool = source_dir() / "build/bin/oarlock-fetch";
  if (!fs::exists(tool)) {
    throw std::runtime_error("expected " + tool.string() +
                             ", found nothing: run tools/build.sh fetch");
  }
  const auto beside = built("bin") / "oarlock-fetch";
  std::error_code is_there;
  if (!fs::exists(beside)) fs::create_symlink(tool, beside, is_there);
  return tool;
}

image_registry::image_registry() : address_("127.0.0.1:0") {
  (void)fetch_tool();
  std::ofstream(dir_.path() / "pw") << "pw\n";
  make_key("ours");
  start();
}

void image_registry::fetch(std::vector<std::string> args) const {
  args.insert(args.begin(), fetch_tool());
  const auto done = run(args);
  if (done.exit_code == 0) return;
  throw std::runtime_error(fmt::format("oarlock-fetch {}: {}{}", args[1], done.out, done.err));
}

void image_registry::make_key(const std::string& name) const {
  fetch({"keygen", dir_.path() / name, "--password-file", dir_.path() / "pw"});
}

void image_registry::push(const fs::path& plugin, const std::string& ref) const {
  const auto tar = dir_.path() / "image.tar";
  fs::remove(tar);
  fetch({"build", plugin, "-o", tar});
  fetch({"push", tar, ref, "--plain-http"});
}

void image_registry::sign(const std::string& ref, const std::string& key) const {
  fetch({"sign", ref, "--plain-http", "--key", dir_.path() / (key + ".key"), "--password-file",
         dir_.path() / "pw"});
}

void image_registry::start() {
  std::ofstream(dir_.path() / "registry.yml") << fmt::format(
      "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: "
      "\"{}\"}}}}\nhttp: {{addr: '{}'}}\n",
      (dir_.path() / "storage").string(), address_);
  process_ = std::make_unique<background>(
      std::vector<std::string>{"docker-registry", "serve", dir_.path() / "registry.yml"},
      dir_.path() / "registry.log");
  const std::regex listening("listening on (127\\.0\\.0\\.1:[0-9]+)");
  const bool is_up = eventually(
      [&] {
        const auto log = process_->log();
        std::smatch found;
        if (!std::regex_search(log, found, listening)) return false;
        address_ = found[1];
        return true;
      },
      30s);
  if (!is_up) {
    throw std::runtime_error("expected docker-registry (tools/deps.sh installs it) to listen:\n" +
                             process_->log());
  }
}

}  // namespace oarlock::testing
