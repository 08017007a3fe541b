#include "tests/support/registry.hpp"

#include <fmt/format.h>

#include <fstream>
#include <regex>
#include <stdexcept>

#include "core/base/base64.hpp"
#include "tests/support/cluster.hpp"

namespace oarlock::testing {

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

// Of image_registry::password, as htpasswd -B makes it.
constexpr const char* password_bcrypt =
    "$2b$05$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q";

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

image_registry::image_registry(kind what) : kind_(what), address_("127.0.0.1:0") {
  (void)fetch_tool();
  std::ofstream(dir_.path() / "pw") << "pw\n";
  make_key("ours");
  start();
  if (kind_ == kind::with_password) log_in();
}

// Of the tests that push; not of the daemon.
void image_registry::log_in() const {
  fs::create_directories(dir_.path() / "docker");
  std::ofstream(dir_.path() / "docker/config.json")
      << fmt::format(R"({{"auths":{{"{}":{{"auth":"{}"}}}}}})", address_,
                     base64_encode(fmt::format("{}:{}", user, password)));
}

void image_registry::fetch(std::vector<std::string> args) const {
  args.insert(args.begin(),
              {"env", "DOCKER_CONFIG=" + (dir_.path() / "docker").string(), fetch_tool().string()});
  const auto done = run(args);
  if (done.exit_code == 0) return;
  throw std::runtime_error(fmt::format("oarlock-fetch {}: {}{}", args[3], done.out, done.err));
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

void image_registry::sign_keyless(const fs::path& root, const std::string& issuer,
                                  const std::map<std::string, std::string>& identities) const {
  const auto tool = source_dir() / "build/tools/signkeyless";
  std::vector<std::string> args{tool, root, issuer};
  for (const auto& [ref, identity] : identities)
    args.insert(args.end(), {ref, identity});
  const auto done = run(args);
  if (done.exit_code == 0) return;
  throw std::runtime_error(fmt::format("{} (tools/build.sh signkeyless makes it): {}{}",
                                       tool.string(), done.out, done.err));
}

void image_registry::start() {
  auto config = fmt::format(
      "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: "
      "\"{}\"}}}}\nhttp: {{addr: '{}'}}\n",
      (dir_.path() / "storage").string(), address_);
  if (kind_ == kind::with_password) {
    const auto passwords = dir_.path() / "htpasswd";
    std::ofstream(passwords) << fmt::format("{}:{}\n", user, password_bcrypt);
    config +=
        fmt::format("auth: {{htpasswd: {{realm: tests, path: \"{}\"}}}}\n", passwords.string());
  }
  std::ofstream(dir_.path() / "registry.yml") << config;
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
