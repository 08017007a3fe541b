#include "core/base/log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <utility>

namespace oarlock {

namespace {

std::atomic<log_level> lowest_level{log_level::info};
std::atomic<log_format> line_format{log_format::text};
thread_local log_context_ptr context_of_thread;

spdlog::logger& sink() {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("oarlock",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::trace);
    made->set_pattern("%v");
    return made;
  }();
  return *logger;
}

constexpr std::string_view name_of(log_level level) {
  switch (level) {
    case log_level::debug:
      return "debug";
    case log_level::info:
      return "info";
    case log_level::warn:
      return "warn";
    case log_level::error:
      return "error";
  }
  return "?";
}

// Length of the valid UTF-8 sequence at `at`, or 0. RFC 3629: no overlong forms, no surrogates.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto lead = byte(at);
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(at + 1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const auto second = byte(at + 1);
    const bool legal = !(lead == 0xE0 && second < 0xA0) && !(lead == 0xED && second > 0x9F);
    return legal && tail(at + 1) && tail(at + 2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const auto second = byte(at + 1);
    const bool legal = !(lead == 0xF0 && second < 0x90) && !(lead == 0xF4 && second > 0x8F);
    return legal && tail(at + 1) && tail(at + 2) && tail(at + 3) ? 4 : 0;
  }
  return 0;
}

void append_escaped(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto length = utf8_length(text, i);
    if (length == 0) {
      out += fmt::format("\\u00{:02x}", c);
      ++i;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
      ++i;
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", c);
      ++i;
    } else {
      out.append(text.substr(i, length));
      i += length;
    }
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

std::string json_line(log_level level, std::string_view message,
                      std::span<const log_field> fields) {
  std::string out = fmt::format("\"level\":\"{}\",\"msg\":", name_of(level));
  append_quoted(out, message);
  for (const auto& field : fields) {
    out += ',';
    append_quoted(out, field.key);
    out += ':';
    if (field.quoted) {
      append_quoted(out, field.value);
    } else {
      out += field.value;
    }
  }
  return out;
}

std::string text_line(log_level level, std::string_view message,
                      std::span<const log_field> fields) {
  std::string out = fmt::format("{:<5} ", name_of(level));
  append_escaped(out, message);
  for (const auto& field : fields) {
    out += ' ';
    out += field.key;
    out += '=';
    const bool plain =
        !field.value.empty() && field.value.find_first_of(" \"=\\") == std::string::npos;
    if (plain) {
      append_escaped(out, field.value);
    } else {
      append_quoted(out, field.value);
    }
  }
  return out;
}

// Empty where there is no context.
std::vector<log_field> with_context(std::span<const log_field> own) {
  std::vector<log_field> fields;
  if (!context_of_thread) return fields;
  context_of_thread->add_to(fields);
  std::erase_if(fields, [&](const log_field& f) {
    return std::any_of(own.begin(), own.end(), [&](const auto& o) { return o.key == f.key; });
  });
  fields.insert(fields.begin(), own.begin(), own.end());
  return fields;
}

}  // namespace

void log_configure(log_level lowest, log_format format) {
  lowest_level = lowest;
  line_format = format;
  sink().set_pattern(format == log_format::json ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",%v}"
                                                : "%Y-%m-%dT%H:%M:%S.%eZ %v",
                     spdlog::pattern_time_type::utc);
}

bool log_enabled(log_level level) {
  return level >= lowest_level.load(std::memory_order_relaxed);
}

log_scope::log_scope(log_context_ptr context)
    : outer_(std::exchange(context_of_thread, std::move(context))) {}
log_scope::~log_scope() {
  context_of_thread = std::move(outer_);
}

void log(log_level level, std::string_view message, std::span<const log_field> own) {
  if (!log_enabled(level)) return;
  const auto joined = with_context(own);
  const auto fields = joined.empty() ? own : std::span<const log_field>(joined);
  const auto line = line_format == log_format::json ? json_line(level, message, fields)
                                                    : text_line(level, message, fields);
  sink().log(spdlog::level::info, "{}", line);
}

}  // namespace oarlock
