#include "core/net/message.hpp"

#include <algorithm>
#include <array>

#include "core/base/mutant.hpp"

namespace oarlock::net {

namespace {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// RFC 9110 section 5.6.2.
constexpr bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

// RFC 9110 section 5.5: visible characters, blanks and obs-text; never CR, LF or NUL.
bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

// RFC 9112 section 3.2.1: origin-form, percent-encoded by the caller, without a fragment.
bool is_target(std::string_view text) {
  return text.starts_with('/') && std::all_of(text.begin(), text.end(), [](char c) {
           return c > 0x20 && c < 0x7f && c != '#' && c != '"' && c != '<' && c != '>' && c != '\\';
         });
}

error refused(std::string message) {
  return {net_error::not_sent, std::move(message)};
}

constexpr std::array<std::string_view, 7> owned_headers = {
    "Host", "Content-Length", "Connection", "Transfer-Encoding", "Upgrade", "TE", "Trailer"};

result<> check(const http_request& request) {
  if (!is_token(request.method)) {
    return refused("expected an HTTP method, found a character that is not allowed in one");
  }
  if (!is_target(request.target)) {
    return refused(
        "expected a request target that starts with '/' and is percent-encoded, found '" +
        request.target + "'");
  }
  for (const auto& h : request.headers) {
    if (!is_token(h.name)) {
      return refused("expected a header name of token characters, found '" + h.name + "'");
    }
    // The value may be a credential: it is never quoted.
    if (!is_field_value(h.value) && !OARLOCK_MUTANT("header_may_smuggle")) {
      return refused("header " + h.name + ": expected no control characters in its value");
    }
    const auto same = [&](std::string_view owned) { return same_name(h.name, owned); };
    if (std::any_of(owned_headers.begin(), owned_headers.end(), same)) {
      return refused("header " + h.name + " is set by the transport, not by its caller");
    }
  }
  return {};
}

bool has(const http_request& request, std::string_view name) {
  return std::any_of(request.headers.begin(), request.headers.end(),
                     [&](const header& h) { return same_name(h.name, name); });
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

std::string authority(std::string_view host, std::string_view port) {
  std::string out;
  const bool bare_v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  if (bare_v6) out += '[';
  out += host;
  if (bare_v6) out += ']';
  if (!port.empty()) {
    out += ':';
    out += port;
  }
  return out;
}

result<std::string> request_head(const http_request& request, const request_frame& frame) {
  if (auto checked = check(request); !checked) return checked.error();
  std::string out;
  out.reserve(256 + request.target.size());
  const auto line = [&](std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
  };
  out.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\n");
  line("Host", frame.host);
  if (!has(request, "User-Agent") && is_field_value(frame.user_agent)) {
    line("User-Agent", frame.user_agent);
  }
  if (frame.accept_gzip && !has(request, "Accept-Encoding")) line("Accept-Encoding", "gzip");
  line("Connection", "keep-alive");
  for (const auto& h : request.headers)
    line(h.name, h.value);
  const bool bodyless = request.method == "GET" || request.method == "HEAD";
  if (!request.body.empty() || !bodyless) {
    line("Content-Length", std::to_string(request.body.size()));
  }
  out += "\r\n";
  return out;
}

}  // namespace oarlock::net
