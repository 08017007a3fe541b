#include "core/metrics/process_metrics.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

namespace oarlock::metrics {

namespace {

constexpr std::size_t proc_file_bytes_max = 256U << 10U;

std::string slurp(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(proc_file_bytes_max, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The number after `label` at the start of a line; 0 when there is none.
std::uint64_t labelled_number(std::string_view text, std::string_view label) {
  auto at = text.starts_with(label) ? 0 : text.find("\n" + std::string(label));
  if (at == std::string_view::npos) return 0;
  at = text.find_first_of("0123456789", at + label.size());
  return at == std::string_view::npos ? 0 : number(text.substr(at));
}

std::uint64_t count_entries(const std::filesystem::path& folder) {
  std::error_code ec;
  std::uint64_t entries = 0;
  for (auto at = std::filesystem::directory_iterator(folder, ec);
       !ec && at != std::filesystem::directory_iterator(); at.increment(ec)) {
    ++entries;
  }
  return entries;
}

}  // namespace

std::optional<process_facts> read_process_facts(const std::filesystem::path& proc) {
  const auto stat = slurp(proc / "self/stat");
  // The name in parentheses may hold anything, so fields count from the last ')' (proc(5)).
  const auto close = stat.rfind(')');
  if (close == std::string::npos) return std::nullopt;
  std::istringstream in(stat.substr(close + 1));
  std::vector<std::string> fields(2);  // pid and name
  for (std::string field; in >> field;)
    fields.push_back(field);
  constexpr std::size_t fields_needed = 24;
  if (fields.size() < fields_needed) return std::nullopt;
  const auto field = [&](std::size_t n) {
    return number(fields[n - 1]);
  };  // numbered as in proc(5)
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto boot = labelled_number(slurp(proc / "stat"), "btime ");
  process_facts facts;
  facts.cpu_seconds = static_cast<double>(field(14) + field(15)) / ticks;
  facts.threads = field(20);
  facts.start_time_seconds = static_cast<double>(boot) + static_cast<double>(field(22)) / ticks;
  facts.virtual_bytes = field(23);
  facts.resident_bytes = field(24) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  facts.open_fds = count_entries(proc / "self/fd");
  facts.max_fds = labelled_number(slurp(proc / "self/limits"), "Max open files");
  return facts;
}

void add_process_metrics(metric_registry& metrics, const std::string& version,
                         const std::filesystem::path& proc) {
  metrics
      .make_gauge("oarlock_build_info", "Always 1; the label names the build",
                  {{"version", version}})
      .set(1);
  auto& cpu = metrics.make_counter("process_cpu_seconds_total", "User and system CPU time", {});
  const auto make = [&](const char* name, const char* help) {
    return &metrics.make_gauge(name, help, {});
  };
  auto* resident = make("process_resident_memory_bytes", "Resident memory");
  auto* virt = make("process_virtual_memory_bytes", "Virtual memory");
  auto* start = make("process_start_time_seconds", "Start time since 1970");
  auto* fds = make("process_open_fds", "Open file descriptors");
  auto* fds_max = make("process_max_fds", "Limit on open file descriptors");
  auto* threads = make("process_threads", "Threads");
  // Scrapes run on one loop, so what was counted last time needs no lock.
  auto counted = std::make_shared<double>(0);
  metrics.before_scrape([=, &cpu] {
    const auto facts = read_process_facts(proc);
    if (!facts) return;
    cpu.add(std::max(0.0, facts->cpu_seconds - *counted));
    *counted = std::max(*counted, facts->cpu_seconds);
    resident->set(static_cast<double>(facts->resident_bytes));
    virt->set(static_cast<double>(facts->virtual_bytes));
    start->set(facts->start_time_seconds);
    fds->set(static_cast<double>(facts->open_fds));
    fds_max->set(static_cast<double>(facts->max_fds));
    threads->set(static_cast<double>(facts->threads));
  });
}

}  // namespace oarlock::metrics
