#include "core/cli/run/log_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>

#include "core/base/rfc3339.hpp"
#include "core/json/parse.hpp"

namespace oarlock::cli {

namespace {

struct style {
  std::string_view level, word, colour;
};
constexpr std::array<style, 4> styles = {{
    {"debug", "DEBUG", "\x1b[2m"},
    {"info", "INFO ", "\x1b[36m"},
    {"warn", "WARN ", "\x1b[33m"},
    {"error", "ERROR", "\x1b[1;31m"},
}};
constexpr std::string_view dim = "\x1b[2m", plain = "\x1b[0m";

// What nobody needs who watches one plugin; the daemon's own log has it.
constexpr std::array<std::string_view, 6> left_out = {
    "time", "level", "msg", "controllerGroup", "controllerKind", "reconcileID"};

bool is_left_out(std::string_view key) {
  return std::find(left_out.begin(), left_out.end(), key) != left_out.end();
}

// Control characters, and the bytes C2 80 to C2 9F, would be obeyed by a terminal.
std::string harmless(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += ' ';
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
      out += fmt::format("\\x{:02x}", next);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

// In the time zone of whoever looks.
std::string time_of_day(std::string_view time) {
  const auto parsed = parse_rfc3339(time);
  if (!parsed) return std::string(time);
  const std::time_t seconds = std::chrono::system_clock::to_time_t(*parsed);
  std::tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

std::string value_text(const rapidjson::Value& value) {
  if (!value.IsString()) return json::write(value);
  const std::string_view text(value.GetString(), value.GetStringLength());
  const auto shown = harmless(text);
  const bool needs_quotes = shown.empty() || shown.find_first_of(" \"=") != std::string::npos;
  return needs_quotes ? "\"" + shown + "\"" : shown;
}

}  // namespace

std::string readable_log_line(std::string_view line, bool coloured) {
  const auto record = json::parse(line);
  if (!record || !record->IsObject() || !record->HasMember("msg")) return harmless(line);
  const auto level = json::string_at(*record, "/level");
  const auto found =
      std::find_if(styles.begin(), styles.end(), [&](const style& s) { return s.level == level; });
  const style& how = found != styles.end() ? *found : styles[1];
  const auto in = [&](std::string_view colour, std::string_view text) {
    return coloured ? fmt::format("{}{}{}", colour, text, plain) : std::string(text);
  };
  auto out = in(dim, time_of_day(json::string_at(*record, "/time"))) + " " +
             in(how.colour, how.word) + " " + harmless(json::string_at(*record, "/msg"));
  std::string_view gap = "  ";
  for (const auto& field : record->GetObject()) {
    const std::string_view key(field.name.GetString(), field.name.GetStringLength());
    if (is_left_out(key)) continue;
    out += gap;
    out += in(dim, harmless(key) + "=") + value_text(field.value);
    gap = " ";
  }
  return out;
}

bool wants_colours(int descriptor) {
  const char* no = std::getenv("NO_COLOR");
  return (no == nullptr || *no == '\0') && isatty(descriptor) == 1;
}

}  // namespace oarlock::cli
