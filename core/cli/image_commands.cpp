#include "core/cli/image_commands.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "core/cli/inspect.hpp"
#include "core/plugin/programs.hpp"

namespace oarlock::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* program_name = "oarlock-fetch";

error failed(const std::string& message, std::errc code = std::errc::no_such_file_or_directory) {
  return {boost::system::error_code(static_cast<int>(code), boost::system::generic_category()),
          message};
}

int report_failure(const error& e) {
  fmt::print(stderr, "oarlock: {}\n", e.message);
  return 1;
}

}  // namespace

scratch_folder::scratch_folder() {
  std::string name = (fs::temp_directory_path() / "oarlock-image-XXXXXX").string();
  if (const char* made = ::mkdtemp(name.data()); made != nullptr) path_ = made;
}

scratch_folder::~scratch_folder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

image_commands::image_commands(CLI::App& plugin) {
  const auto add = [&](const char* name, const char* what) {
    auto* command = plugin.add_subcommand(name, what);
    // Their words go to oarlock-fetch as they are, --help too.
    command->prefix_command();
    command->set_help_flag();
    command->set_help_all_flag();
    commands_.push_back(command);
  };
  add("build", "Make an image of a plugin's folder: DIR -o FILE.tar");
  add("push", "Store an image in a registry: FILE.tar REF");
  add("sign", "Sign an image in a registry: REF --key FILE");
  add("keygen", "Make a key to sign with, PREFIX.key, and PREFIX.pub to verify with: PREFIX");
}

std::optional<int> image_commands::run() const {
  for (auto* command : commands_) {
    if (!*command) continue;
    std::vector<std::string> arguments{command->get_name()};
    for (const auto& word : command->remaining())
      arguments.push_back(word);
    const auto code = run_fetch(arguments);
    return code ? *code : report_failure(code.error());
  }
  return std::nullopt;
}

bool is_image(const std::string& target) {
  std::error_code ignored;
  const auto status = fs::status(target, ignored);
  if (fs::exists(status)) return fs::is_regular_file(status) && target.ends_with(".tar");
  // An image has a repository and a tag or digest; a path that is only misspelt has none.
  const auto tail = target.substr(target.rfind('/') == std::string::npos ? 0 : target.rfind('/'));
  return !target.starts_with('/') && !target.starts_with('.') &&
         tail.find(':') != std::string::npos;
}

result<int> run_fetch(const std::vector<std::string>& arguments) {
  const auto program = plugin::own_program(program_name);
  if (!program) return program.error();
  std::vector<std::string> words{program->string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (auto& word : words)
    pointers.push_back(word.data());
  pointers.push_back(nullptr);
  (void)std::fflush(stdout);  // what was printed before stands before what it prints
  pid_t child = 0;
  const int failure =
      ::posix_spawn(&child, program->c_str(), nullptr, nullptr, pointers.data(), environ);
  if (failure != 0) {
    return failed(fmt::format("{}: expected a program that can be started, found: {}",
                              program->string(), std::generic_category().message(failure)),
                  static_cast<std::errc>(failure));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return failed("waiting for oarlock-fetch", static_cast<std::errc>(errno));
  }
  constexpr int killed_base = 128;  // as shells say it
  return WIFEXITED(status) ? WEXITSTATUS(status) : killed_base + WTERMSIG(status);
}

result<> unpack_image(const std::string& image, const fs::path& folder,
                      const std::vector<std::string>& options) {
  std::vector<std::string> arguments{"inspect", image, "-o", folder.string(), "--quiet"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const auto code = run_fetch(arguments);
  if (!code) return code.error();
  if (*code != 0) return failed(image + ": expected a plugin image that can be pulled");
  return {};
}

int inspect_image(const std::string& image, const std::vector<std::string>& options) {
  const scratch_folder scratch;
  if (scratch.path().empty()) {
    return report_failure(
        failed("expected to make a folder in " + fs::temp_directory_path().string()));
  }
  const auto folder = scratch.path() / "plugin";
  std::vector<std::string> arguments{"inspect", image, "-o", folder.string()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const auto code = run_fetch(arguments);
  if (!code) return report_failure(code.error());
  if (*code != 0) return *code;
  const auto found = inspect(folder);
  fmt::print("\n{}", found.text);
  return found.would_load ? 0 : 1;
}

}  // namespace oarlock::cli
