// Command line and configuration file of the daemon: arguments one a line, then a line "--", then
// the file.
#include <vector>

#include "core/daemon/flags.hpp"
#include "tests/fuzz/memory_file.hpp"

namespace {

using namespace oarlock;
using fuzz::expect;

// The effective configuration is a file that gives the same configuration.
void check_reads_back(const daemon::options& o) {
  static fuzz::memory_file printed;
  const auto text = daemon::to_yaml(o);
  printed.write(text);
  const auto again =
      daemon::parse_flags({"--config=" + printed.path().string(), "--print-config"}, "1", "");
  expect(again.exit_code == 0, "a printed configuration is valid", again.err + text);
  expect(again.out == text, "and reads back", again.out + text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text_of(data, size);
  std::vector<std::string> args;
  while (!rest.empty()) {
    const auto arg = fuzz::cut(rest, "\n");
    if (arg == "--") break;
    if (arg.find("conf") != std::string_view::npos) return 0;  // would read any file
    args.emplace_back(arg);
  }
  static fuzz::memory_file file;
  file.write(rest);
  if (!rest.empty()) args.insert(args.begin(), "--config=" + file.path().string());
  const auto p = daemon::parse_flags(args, "1", "team");
  expect(p.run.has_value() ? p.exit_code == 0 && p.err.empty() : p.exit_code == 0 || !p.err.empty(),
         "options, or something to print", p.err);
  expect(p.exit_code == 0 || p.exit_code == 2, "0 or 2", p.err);
  if (p.run) check_reads_back(*p.run);
  return 0;
}
