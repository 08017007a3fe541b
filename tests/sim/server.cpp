// Routing and reads.
#include "tests/sim/server.hpp"

#include <fmt/chrono.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <stdexcept>

#include "core/base/base64.hpp"
#include "tests/sim/call.hpp"

namespace oarlock::sim {

namespace {

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto end = std::min(text.find(at), text.size());
    if (end > 0) out.push_back(decoded(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::map<std::string, std::string> parse_query(std::string_view text) {
  std::map<std::string, std::string> out;
  while (!text.empty()) {
    const auto pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    const auto eq = std::min(pair.find('='), pair.size());
    out[decoded(pair.substr(0, eq))] = decoded(pair.substr(std::min(eq + 1, pair.size())));
  }
  return out;
}

server_answer object_answer(int status, const js::object& object) {
  return {status, js::serialize(object)};
}

server_answer too_large(version wanted, version have) {
  js::object details{{"causes", js::array{js::object{{"reason", "ResourceVersionTooLarge"},
                                                     {"message", "Too large resource version"}}}},
                     {"retryAfterSeconds", 1}};
  auto out = refusal(504, "Timeout",
                     "Timeout: Too large resource version: " + std::to_string(wanted) +
                         ", current: " + std::to_string(have),
                     std::move(details));
  out.headers.push_back({"Retry-After", "1"});
  return out;
}

server_answer expired() {
  return refusal(410, "Expired", "The provided resource version is too old");
}

struct page_token {
  version at;
  object_name after;
  bool by_ns;  ///< of a list over all namespaces
};
// As the real one looks: scripts carry tokens of their own.
std::string write_token(const page_token& t) {
  return base64_encode(js::serialize(js::object{
      {"v", "meta.k8s.io/v1"},
      {"rv", t.at},
      {"start", (t.by_ns ? t.after.ns + "/" : "") + t.after.name + std::string(1, '\0')}}));
}
std::optional<page_token> read_token(const std::string& text, const std::string& ns) {
  const auto plain = base64_decode(text);
  if (!plain) return std::nullopt;
  boost::system::error_code ec;
  const auto v = js::parse(*plain, ec);
  if (ec || !v.is_object()) return std::nullopt;
  auto start = text_at(v.as_object(), "start");
  if (start.empty()) return std::nullopt;
  start.pop_back();
  const auto slash = ns.empty() ? start.find('/') : std::string::npos;
  const object_name after = slash == std::string::npos
                                ? object_name{ns, start}
                                : object_name{start.substr(0, slash), start.substr(slash + 1)};
  return page_token{v.at("rv").to_number<version>(), after, ns.empty()};
}

}  // namespace

server_answer refusal(int code, const char* reason, std::string message, js::object details) {
  js::object status{{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", js::object()},
                    {"status", "Failure"}, {"message", message}, {"reason", reason},
                    {"code", code}};
  if (!details.empty()) status.emplace("details", std::move(details));
  return object_answer(code, status);
}

server_answer bad_options(const char* kind, const char* reason, const char* field,
                          const std::string& why) {
  return refusal(422, "Invalid", std::string(kind) + ".meta.k8s.io \"\" is invalid: " + why,
                 {{"group", "meta.k8s.io"},
                  {"kind", kind},
                  {"causes", js::array{js::object{{"reason", reason}, {"field", field}}}}});
}

parsed_target parse_target(const std::string& target) {
  const auto mark = std::min(target.find('?'), target.size());
  const auto parts = split(std::string_view(target).substr(0, mark), '/');
  parsed_target out;
  std::size_t i = 0;
  const auto next = [&] { return i < parts.size() ? parts[i++] : std::string(); };
  if (next() == "apis") out.group = next();
  out.version = next();
  out.plural = next();
  if (out.plural == "namespaces" && parts.size() > i + 1) {
    out.ns = next();
    out.plural = next();
  }
  out.name = next();
  out.subresource = next();
  if (mark < target.size()) out.query = parse_query(std::string_view(target).substr(mark + 1));
  return out;
}

model_server::model_server(std::function<wall_time()> now) : now_(std::move(now)) {
  for (const auto& k : all_kinds())
    kinds_.push_back(std::make_unique<kind_store>(k));
}

std::string model_server::stamp() const {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(now_())));
}

kind_store& model_server::kind(std::string_view plural) {
  for (auto& k : kinds_) {
    if (k->kind().resource.plural == plural) return *k;
  }
  throw std::runtime_error("the model has no kind " + std::string(plural));
}

void model_server::advance_cache(std::string_view plural, version upto) {
  kind(plural).advance_cache(upto);
}

server_answer model_server::handle(const net::http_request& request, const std::string& who) {
  auto t = parse_target(request.target);
  const auto* known = find_kind(t.group, t.version, t.plural);
  if (known == nullptr) throw std::runtime_error("the model has no " + request.target);
  call c;
  c.request = &request;
  c.who = who;
  c.store = &kind(t.plural);
  c.name = {t.ns, t.name};
  c.subresource = t.subresource;
  c.query = std::move(t.query);
  c.manager = c.param("fieldManager").empty() ? "oarlockd" : c.param("fieldManager");
  for (const auto& h : request.headers) {
    if (h.name == "Content-Type") c.content_type = h.value;
  }
  return route(std::move(c));
}

server_answer model_server::route(call c) {
  const auto& method = c.request->method;
  if (!c.subresource.empty() && !(c.subresource == "status" && c.kind().has_status)) {
    throw std::runtime_error("the model has no " + c.request->target);
  }
  if (instant_cache) c.store->advance_cache(version_);
  if (method == "GET" && !c.name.name.empty()) return get(c);
  if (method == "GET") return c.param("watch") == "true" ? watch(c) : list(c);
  if (method == "DELETE" && c.name.name.empty()) {
    throw std::runtime_error("the model deletes no collections");
  }
  if (!c.request->body.empty()) {
    boost::system::error_code ec;
    auto parsed = js::parse(c.request->body, ec);
    if (ec) return refusal(400, "BadRequest", "the body is not JSON");
    if (parsed.is_object()) c.body = std::move(parsed.as_object());
  }
  if (method == "POST") return create(c);
  if (method == "PUT") return update(c);
  if (method == "PATCH") return patch(c);
  if (method == "DELETE") return remove(c);
  throw std::runtime_error("the model has no method " + method);
}

server_answer model_server::get(const call& c) {
  const auto* found = c.store->find(c.name);
  if (found == nullptr) return refusal(404, "NotFound", c.title() + " not found", c.details());
  return object_answer(200, *found->body);
}

server_answer model_server::list(const call& c) {
  const auto match = c.param("resourceVersionMatch");
  const auto wanted_text = c.param("resourceVersion");
  const auto wanted = c.version_param("resourceVersion");
  const auto token = c.param("continue");
  if (!match.empty() && wanted_text.empty()) {
    return bad_options("ListOptions", "FieldValueForbidden", "resourceVersionMatch",
                       "resourceVersionMatch is forbidden unless resourceVersion is provided");
  }
  if (!token.empty()) {
    const auto at = read_token(token, c.name.ns);
    if (!at) return refusal(400, "BadRequest", "continue key is not valid");
    if (at->at < oldest_) return expired();
    return page(c, c.store->state_at(at->at), at->at);
  }
  if (wanted_text.empty()) return page(c, c.store->state_at(version_), version_);
  const bool exact =
      match == "Exact" || (match.empty() && wanted != 0 && !c.param("limit").empty());
  if (exact && wanted == 0) {
    return bad_options("ListOptions", "FieldValueForbidden", "resourceVersionMatch",
                       "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  }
  if (wanted > version_) return too_large(wanted, version_);
  if (exact && wanted < oldest_) return expired();
  if (exact) return page(c, c.store->state_at(wanted), wanted);
  // Not older than that: the cache waits until it is there.
  c.store->advance_cache(wanted);
  return page(c, c.store->state_at(c.store->cached()), c.store->cached());
}

server_answer model_server::page(const call& c, const snapshot& state, version at) {
  selectors match{c.name.ns, parse_selector(c.param("labelSelector")),
                  parse_selector(c.param("fieldSelector"))};
  const auto& r = c.kind().resource;
  const auto limit = c.version_param("limit");
  const auto token = read_token(c.param("continue"), c.name.ns);
  js::array items;
  auto meta = object_of("resourceVersion", js::value(std::to_string(at)));
  object_name last;
  std::size_t left = 0;
  for (const auto& [name, object] : state) {
    if ((token && name <= token->after) || !match.match(*object)) continue;
    if (limit > 0 && items.size() == limit) {
      ++left;
      continue;
    }
    last = name;
    auto item = *object;
    // Items of built-in kinds do not say their kind again.
    if (!c.kind().is_custom) {
      item.stable_erase("kind");
      item.stable_erase("apiVersion");
    }
    items.emplace_back(std::move(item));
  }
  if (c.kind().is_custom) meta.emplace("continue", "");
  if (left > 0) {
    meta["continue"] = js::value(write_token({at, last, c.name.ns.empty()}));
    const bool all = match.labels.empty() && match.fields.empty();
    if (all) meta.emplace("remainingItemCount", left);
  }
  return object_answer(200, {{"kind", r.kind + "List"},
                             {"apiVersion", r.api_version()},
                             {"metadata", std::move(meta)},
                             {"items", std::move(items)}});
}

server_answer model_server::watch(const call& c) {
  const auto text = c.param("resourceVersion");
  const auto wanted = c.version_param("resourceVersion");
  const bool initial = c.param("sendInitialEvents") == "true";
  const auto match = c.param("resourceVersionMatch");
  if (initial && match != "NotOlderThan") {
    return bad_options("ListOptions", "FieldValueForbidden", "resourceVersionMatch",
                       "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  }
  if (!initial && !match.empty()) {
    return bad_options("ListOptions", "FieldValueForbidden", "resourceVersionMatch",
                       "resourceVersionMatch is forbidden for watch unless sendInitialEvents");
  }
  if (wanted > version_) return too_large(wanted, version_);
  model_watch::options o;
  o.match = {c.name.ns, parse_selector(c.param("labelSelector")),
             parse_selector(c.param("fieldSelector"))};
  o.bookmarks = c.param("allowWatchBookmarks") == "true";
  const bool legacy = !initial && wanted == 0;
  o.initial_events = initial || legacy;
  o.initial_end = o.bookmarks && (initial || (legacy && text == "0"));
  if (o.initial_events) {
    c.store->advance_cache(text.empty() ? version_ : wanted);
    o.from = c.store->cached();
  } else {
    o.from = wanted;
  }
  server_answer out;
  const auto seconds = c.version_param("timeoutSeconds");
  out.watch_timeout = std::chrono::seconds(seconds == 0 ? 1800 : seconds);
  if (!o.initial_events && wanted < oldest_) {
    out.body = model_watch::expired_line(wanted, oldest_);
    return out;
  }
  out.watch = std::make_shared<model_watch>(*c.store, std::move(o));
  return out;
}

}  // namespace oarlock::sim
