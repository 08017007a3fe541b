#include "core/kube/url.hpp"

#include <algorithm>
#include <charconv>

#include "core/kube/errors.hpp"

namespace oarlock::kube {

namespace {

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_port(std::string_view text) {
  return is_digits(text) && text.size() <= 5 && std::stoul(std::string(text)) <= 65535;
}

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  const bool only_dots = text == "." || text == "..";
  std::string out;
  for (const char c : text) {
    const bool alphanumeric =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alphanumeric || c == '-' || c == '_' || c == '~' || (c == '.' && !only_dots)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += hex[byte >> 4U];
    out += hex[byte & 0xfU];
  }
  return out;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    unsigned value = 0;
    if (at + 2 >= text.size()) return {};
    const auto [end, bad] = std::from_chars(&text[at + 1], &text[at + 1] + 2, value, 16);
    if (bad != std::errc() || end != &text[at + 1] + 2) return {};
    out += static_cast<char>(value);
    at += 2;
  }
  return out;
}

query& query::add(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  text_ += text_.empty() ? '?' : '&';
  text_.append(name).append("=").append(percent_encoded(value));
  return *this;
}

result<server_url> parse_server_url(std::string_view url) {
  const auto refused = [&](const std::string& why) {
    return error{kube_error::invalid, "server URL: expected https://host[:port][/prefix], found '" +
                                          std::string(url) + "': " + why};
  };
  server_url out;
  auto rest = url;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    out.tls = false;
  } else {
    return refused("no http:// or https:// in front");
  }
  if (!is_visible_ascii(rest)) return refused("blanks or characters outside ASCII");
  if (rest.find_first_of("?#@\\") != std::string_view::npos) {
    return refused("a query, a fragment or user information");
  }
  const auto slash = rest.find('/');
  auto server = rest.substr(0, slash);
  auto prefix = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  while (prefix.ends_with('/'))
    prefix.remove_suffix(1);
  out.prefix = prefix;

  std::string_view port;
  if (server.starts_with('[')) {
    const auto close = server.find(']');
    if (close == std::string_view::npos) return refused("'[' without ']'");
    out.host = server.substr(1, close - 1);
    const auto after = server.substr(close + 1);
    if (!after.empty() && !after.starts_with(':')) return refused("text after ']'");
    port = after.empty() ? after : after.substr(1);
  } else {
    const auto colon = server.find(':');
    out.host = server.substr(0, colon);
    if (colon != std::string_view::npos) port = server.substr(colon + 1);
    if (port.find(':') != std::string_view::npos)
      return refused("an IPv6 address without brackets");
  }
  if (out.host.empty()) return refused("no host");
  if (out.host.find_first_of("[]") != std::string::npos)
    return refused("a bracket inside the host");
  if (!port.empty() && !is_port(port)) return refused("a port that is not a number up to 65535");
  out.port = port.empty() ? (out.tls ? "443" : "80") : std::string(port);
  return out;
}

}  // namespace oarlock::kube
