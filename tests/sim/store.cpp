#include "tests/sim/store.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace oarlock::sim {

namespace {

// An object as it was, at another version: what a DELETED event shows.
js::object with_version(const js::object& object, version at) {
  js::object out = object;
  out["metadata"].as_object()["resourceVersion"] = std::to_string(at);
  return out;
}

}  // namespace

std::map<std::string, std::string> parse_selector(const std::string& text) {
  std::map<std::string, std::string> out;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const auto at = part.find('=');
    const bool simple = at != std::string::npos && at > 0 && part[at - 1] != '!' &&
                        part.find(' ') == std::string::npos;
    if (!simple) throw std::runtime_error("the model has no selector like '" + part + "'");
    out.emplace(part.substr(0, at), part.substr(part.find_last_of('=') + 1));
  }
  return out;
}

bool selectors::match(const js::object& object) const {
  if (!ns.empty() && meta_text(object, "namespace") != ns) return false;
  for (const auto& [field, wanted] : fields) {
    if (!field.starts_with("metadata.")) {
      throw std::runtime_error("the model has no field selector for " + field);
    }
    if (meta_text(object, field.substr(9)) != wanted) return false;
  }
  if (labels.empty()) return true;
  const auto* meta = object_at(object, "metadata");
  const auto* has = object_at(*meta, "labels");
  return std::all_of(labels.begin(), labels.end(), [&](const auto& l) {
    return has != nullptr && text_at(*has, l.first) == l.second;
  });
}

const stored_object* kind_store::find(const object_name& name) const {
  const auto found = live_.find(name);
  return found == live_.end() ? nullptr : &found->second;
}

void kind_store::put(const object_name& name, stored_object object, version at) {
  auto& slot = live_[name];
  history_.push_back({at, name, slot.body, object.body});
  slot = std::move(object);
}

void kind_store::erase(const object_name& name, object_json last, version at) {
  history_.push_back({at, name, std::move(last), nullptr});
  live_.erase(name);
}

snapshot kind_store::state_at(version at) const {
  snapshot out;
  for (const auto& event : history_) {
    if (event.at > at) break;
    if (event.after) {
      out[event.name] = event.after;
    } else {
      out.erase(event.name);
    }
  }
  return out;
}

model_watch::model_watch(const kind_store& store, options o)
    : store_(store), options_(std::move(o)), position_(options_.from) {
  const auto& history = store_.history();
  const auto after = std::upper_bound(history.begin(), history.end(), position_,
                                      [](version at, const stored_event& e) { return at < e.at; });
  next_ = static_cast<std::size_t>(after - history.begin());
}

std::string model_watch::line(const char* type, const js::object& object) const {
  return std::string(R"({"type":")") + type + R"(","object":)" + js::serialize(object) + "}\n";
}

std::string model_watch::bookmark_line(version at, bool initial_end) const {
  const auto& r = store_.kind().resource;
  auto meta = object_of("resourceVersion", js::value(std::to_string(at)));
  if (initial_end) {
    meta.emplace("annotations", object_of("k8s.io/initial-events-end", "true"));
  }
  return line(
      "BOOKMARK",
      js::object{{"kind", r.kind}, {"apiVersion", r.api_version()}, {"metadata", std::move(meta)}});
}

std::vector<std::string> model_watch::lines() {
  std::vector<std::string> out;
  if (!std::exchange(begun_, true) && options_.initial_events) {
    for (const auto& [name, object] : store_.state_at(position_)) {
      if (options_.match.match(*object)) out.push_back(line("ADDED", *object));
    }
    if (options_.initial_end) out.push_back(bookmark_line(position_, true));
  }
  const auto& history = store_.history();
  for (; next_ < history.size() && history[next_].at <= store_.cached(); ++next_) {
    const auto& event = history[next_];
    const bool was = event.before && options_.match.match(*event.before);
    const bool is = event.after && options_.match.match(*event.after);
    if (is) {
      out.push_back(line(was ? "MODIFIED" : "ADDED", *event.after));
    } else if (was) {
      out.push_back(line("DELETED", with_version(*event.before, event.at)));
    }
  }
  position_ = std::max(position_, store_.cached());
  return out;
}

std::optional<std::string> model_watch::bookmark() {
  if (!options_.bookmarks) return std::nullopt;
  return bookmark_line(position_, false);
}

std::string model_watch::expired_line(version position, version oldest) {
  const js::object status{{"kind", "Status"},
                          {"apiVersion", "v1"},
                          {"metadata", js::object()},
                          {"status", "Failure"},
                          {"message", "too old resource version: " + std::to_string(position) +
                                          " (" + std::to_string(oldest) + ")"},
                          {"reason", "Expired"},
                          {"code", 410}};
  return R"({"type":"ERROR","object":)" + js::serialize(status) + "}\n";
}

}  // namespace oarlock::sim
