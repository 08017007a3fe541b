#include "core/daemon/demotions.hpp"

#include <fstream>
#include <sstream>

#include "core/base/log.hpp"
#include "core/base/mutant.hpp"

namespace oarlock::daemon {

demotions::demotions(const std::string& state_dir) {
  if (state_dir.empty()) return;
  file_ = std::filesystem::path(state_dir) / "demoted-plugins";
  std::ifstream in(file_);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string plugin;
    std::string version;
    std::string why;
    if (words >> plugin >> version && std::getline(words >> std::ws, why)) {
      entries_[{plugin, version}] = why;
    }
  }
}

void demotions::add(const crashed_plugin& who) {
  entries_[{who.plugin, who.version}] = who.how;
  log_error("plugin crashed the daemon: it runs in a child from now on",
            {{"plugin", who.plugin}, {"version", who.version}, {"how", who.how}});
  if (!file_.empty()) save();
}

std::optional<std::string> demotions::why(const std::string& plugin,
                                          const std::string& version) const {
  const auto found = entries_.find({plugin, version});
  if (found == entries_.end() || OARLOCK_MUTANT("demotion_forgotten")) return std::nullopt;
  return found->second;
}

void demotions::save() const {
  auto next = file_;
  next += ".new";
  std::ofstream out(next, std::ios::trunc);
  for (const auto& [who, why] : entries_)
    out << who.first << ' ' << who.second << ' ' << why << '\n';
  out.close();
  std::error_code failed;
  if (out) std::filesystem::rename(next, file_, failed);
  if (!out || failed) {
    log_error("could not keep who crashed the daemon: the next start may not know it",
              {{"file", file_.string()}});
  }
}

}  // namespace oarlock::daemon
