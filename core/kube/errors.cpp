#include "core/kube/errors.hpp"

#include <algorithm>
#include <charconv>

#include "core/json/parse.hpp"
#include "core/kube/status.hpp"

namespace oarlock::kube {

namespace {

class kube_category final : public boost::system::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "oarlock.kube"; }
  [[nodiscard]] std::string message(int value) const override {
    switch (static_cast<kube_error>(value)) {
      case kube_error::conflict:
        return "conflict";
      case kube_error::already_exists:
        return "already exists";
      case kube_error::gone:
        return "the resource version is too old";
      case kube_error::version_too_large:
        return "the server has not seen the resource version yet";
      case kube_error::throttled:
        return "too many requests";
      case kube_error::unauthorized:
        return "the server does not know who we are";
      case kube_error::forbidden:
        return "forbidden";
      case kube_error::not_found:
        return "not found";
      case kube_error::invalid:
        return "the request is not valid";
      case kube_error::unavailable:
        return "the server is not available";
      case kube_error::unknown_outcome:
        return "the write may or may not have happened";
      case kube_error::bad_answer:
        return "the server's answer is not what the API promises";
      case kube_error::cancelled:
        return "cancelled by the caller";
      case kube_error::untrusted:
        return "the server's certificate is not trusted";
      case kube_error::not_declared:
        return "not declared in the plugin's manifest";
      case kube_error::over_quota:
        return "the plugin's quota is used up";
    }
    return "unknown API error " + std::to_string(value);
  }
};

// Messages end up in conditions and logs: a page of HTML does not belong there.
constexpr std::size_t quoted_bytes_max = 1024;

// Control characters become blanks; cut at a character's edge.
std::string one_line(std::string_view text) {
  std::string out;
  bool blank = true;
  for (const char c : text) {
    const bool is_blank = static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
    if (is_blank && blank) continue;
    out += is_blank ? ' ' : c;
    blank = is_blank;
  }
  while (out.ends_with(' '))
    out.pop_back();
  if (out.size() <= quoted_bytes_max) return out;
  std::size_t cut = quoted_bytes_max;
  while (cut > 0 && (static_cast<unsigned char>(out[cut]) & 0xC0U) == 0x80U)
    --cut;
  return out.substr(0, cut) + "...";
}

// A proxy's page, reduced to its words.
std::string without_tags(std::string_view html) {
  std::string out;
  bool in_tag = false;
  for (const char c : html) {
    if (c == '<') in_tag = true;
    if (!in_tag) out += c;
    if (c == '>') {
      in_tag = false;
      out += ' ';
    }
  }
  return out;
}

std::string plain_message(std::string_view body) {
  const auto start = body.find_first_not_of(" \t\r\n");
  const bool html = start != std::string_view::npos && body[start] == '<';
  const auto text = one_line(html ? without_tags(body) : std::string(body));
  return text.empty() ? "no body" : text;
}

kube_error code_of(int status, const status_object& s) {
  const auto has_cause = [&](std::string_view reason) {
    return std::any_of(s.causes.begin(), s.causes.end(),
                       [&](const auto& cause) { return cause.reason == reason; });
  };
  if (has_cause("ResourceVersionTooLarge")) return kube_error::version_too_large;
  if (s.reason == "AlreadyExists") return kube_error::already_exists;
  if (s.reason == "Expired" || s.reason == "Gone") return kube_error::gone;
  switch (status) {
    case 401:
      return kube_error::unauthorized;
    case 403:
      return kube_error::forbidden;
    case 404:
      return kube_error::not_found;
    case 408:
      return kube_error::unavailable;
    case 409:
      return kube_error::conflict;
    case 410:
      return kube_error::gone;
    case 429:
      return kube_error::throttled;
    default:
      break;
  }
  if (status >= 400 && status < 500) return kube_error::invalid;
  return status >= 500 && status < 600 ? kube_error::unavailable : kube_error::bad_answer;
}

// Field by field: the server's own message only counts conflicts when there are several.
std::string conflict_details(const status_object& s) {
  std::string out;
  for (const auto& cause : s.causes) {
    const bool said = s.message.find(cause.field) != std::string::npos;
    if (cause.reason != "FieldManagerConflict" || said) continue;
    out += out.empty() ? " [" : "; ";
    out += one_line(cause.message);
    if (!cause.field.empty()) out += ": " + one_line(cause.field);
  }
  return out.empty() ? out : out + "]";
}

}  // namespace

boost::system::error_code make_error_code(kube_error e) {
  static const kube_category category;
  return {static_cast<int>(e), category};
}

std::optional<status_object> parse_status(std::string_view body) {
  // A Status names at most some dozens of causes; what is longer is not worth parsing as one.
  constexpr std::size_t status_bytes_max = 1U << 20U;
  if (body.size() > status_bytes_max || body.find("\"Status\"") == std::string_view::npos)
    return {};
  const auto parsed = json::parse(body);
  if (!parsed || json::string_at(*parsed, "/kind") != "Status") return {};
  status_object out;
  out.failure = json::string_at(*parsed, "/status") != "Success";
  out.reason = json::string_at(*parsed, "/reason");
  out.message = json::string_at(*parsed, "/message");
  out.code = http_code(json::int_at(*parsed, "/code"), 0);
  if (const auto seconds = json::int_at(*parsed, "/details/retryAfterSeconds"); seconds) {
    if (*seconds > 0)
      out.retry_after = std::chrono::seconds(std::min<std::int64_t>(*seconds, 86400));
  }
  const auto* causes = json::find(*parsed, "/details/causes");
  if (causes == nullptr || !causes->IsArray()) return out;
  for (const auto& cause : causes->GetArray()) {
    out.causes.push_back({std::string(json::string_at(cause, "/reason")),
                          std::string(json::string_at(cause, "/message")),
                          std::string(json::string_at(cause, "/field"))});
  }
  return out;
}

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view header) {
  std::int64_t seconds = 0;
  const auto [end, bad] = std::from_chars(header.data(), header.data() + header.size(), seconds);
  const bool number = bad == std::errc() && end == header.data() + header.size();
  if (!number || header.empty() || seconds < 0) return {};
  return std::chrono::seconds(std::min<std::int64_t>(seconds, 86400));
}

error decode_status(int http_status, std::string_view body, std::string_view retry_after_header) {
  const auto status = parse_status(body);
  const auto s = status.value_or(status_object{});
  error out{code_of(http_status, s), {}, parse_retry_after(retry_after_header)};
  if (!out.retry_after && s.retry_after) out.retry_after = s.retry_after;
  const auto text =
      s.message.empty() ? plain_message(status ? s.reason : body) : one_line(s.message);
  out.message = "HTTP " + std::to_string(http_status) + ": " + text + conflict_details(s);
  if (http_status >= 300 && http_status < 400) {
    out.message += " (redirects are not followed; give the API server's own address)";
  }
  return out;
}

error from_net(const error& e, bool is_write) {
  const auto with = [&](kube_error code) { return error{code, e.message, e.retry_after}; };
  if (e.code == net::net_error::cancelled) return with(kube_error::cancelled);
  if (e.code == net::net_error::untrusted) return with(kube_error::untrusted);
  if (e.code == net::net_error::not_sent) return with(kube_error::unavailable);
  if (is_write) return with(kube_error::unknown_outcome);
  if (e.code == net::net_error::bad_answer) return with(kube_error::bad_answer);
  return with(kube_error::unavailable);
}

}  // namespace oarlock::kube
