#include "core/plugin/process_state.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace oarlock::plugin {

namespace {

constexpr int signals = 31;

std::string folder_now() {
  std::error_code failed;
  return std::filesystem::current_path(failed).string();
}

// Not by umask(), which changes it for a moment.
unsigned mask_now() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    unsigned mask = 0;
    if (std::sscanf(line.c_str(), "Umask: %o", &mask) == 1) return mask;
  }
  return 0;
}

std::string locale_now() {
  const char* name = std::setlocale(LC_ALL, nullptr);
  return name == nullptr ? "" : name;
}

std::vector<std::string> environment_now() {
  std::vector<std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    out.emplace_back(*entry);
  return out;
}

struct sigaction handler_now(int signal) {
  struct sigaction out{};
  ::sigaction(signal, nullptr, &out);
  return out;
}

bool same(const struct sigaction& a, const struct sigaction& b) {
  return a.sa_handler == b.sa_handler && a.sa_flags == b.sa_flags;
}

}  // namespace

process_state::process_state()
    : folder_(folder_now()),
      mask_(mask_now()),
      locale_(locale_now()),
      environment_(environment_now()) {
  for (int signal = 1; signal <= signals; ++signal)
    handlers_.push_back(handler_now(signal));
}

std::string process_state::put_back() const {
  std::string changed;
  const auto note = [&](std::string_view what) {
    changed.append(changed.empty() ? "" : ", ").append(what);
  };
  if (folder_now() != folder_) {
    std::error_code ignored;
    std::filesystem::current_path(folder_, ignored);
    note("the working directory");
  }
  if (mask_now() != mask_) {
    ::umask(mask_);
    note("the file mode mask");
  }
  if (locale_now() != locale_) {
    std::setlocale(LC_ALL, locale_.c_str());
    note("the locale");
  }
  if (environment_now() != environment_) note("the environment");
  for (int signal = 1; signal <= signals; ++signal) {
    const auto& before = handlers_[static_cast<std::size_t>(signal) - 1];
    if (same(handler_now(signal), before)) continue;
    ::sigaction(signal, &before, nullptr);
    note(fmt::format("SIG{}", ::sigabbrev_np(signal)));
  }
  return changed;
}

}  // namespace oarlock::plugin
