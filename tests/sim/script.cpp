#include "tests/sim/script.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

namespace oarlock::sim {

namespace {

const std::set<std::string, std::less<>> times{"time",           "creationTimestamp",
                                               "eventTime",      "deletionTimestamp",
                                               "lastUpdateTime", "lastTransitionTime"};

// Gives names to what differs between two servers.
class normaliser {
 public:
  explicit normaliser(std::string ns) : ns_(std::move(ns)) {}

  js::value clean(const js::value& v, std::string_view key = {}) {
    if (const auto* object = v.if_object()) return clean_object(*object);
    if (const auto* list = v.if_array()) return clean_list(*list, key);
    if (!v.is_string()) return v;
    const std::string text(v.as_string());
    if (key == "uid") return js::value(name_of(uids_, "uid-", text));
    if (key == "resourceVersion") return js::value(name_of(versions_, "rv-", text));
    if (key == "continue") return text.empty() ? "" : "token";
    if (times.contains(key)) return "time";
    if (text == ns_) return "$NS";
    return v;
  }

 private:
  static std::string name_of(std::map<std::string, std::string>& known, const char* prefix,
                             const std::string& text) {
    return known.emplace(text, prefix + std::to_string(known.size() + 1)).first->second;
  }

  js::value clean_object(const js::object& object) {
    if (text_at(object, "kind") == "Status") return clean_status(object);
    const bool is_list = text_at(object, "kind").ends_with("List");
    const bool only_meta = !object.contains("spec") && !object.contains("data") &&
                           text_at(object, "kind") != "" && object.size() <= 4;
    std::map<std::string, js::value> sorted;  // servers differ in the order of members
    for (const auto& member : object) {
      const std::string key(member.key());
      if (key == "metadata" && (is_list || (only_meta && is_bookmark(object)))) {
        sorted[key] = clean_list_meta(member.value().as_object());
      } else {
        const bool by_uid = key.starts_with("k:{\"uid\"");
        sorted[by_uid ? "k:uid" : key] = clean(member.value(), key);
      }
    }
    js::object out;
    for (auto& [key, value] : sorted)
      out.emplace(key, std::move(value));
    return out;
  }

  static bool is_bookmark(const js::object& object) { return meta_text(object, "uid").empty(); }

  // The version of a list counts the writes of everybody: its value means nothing here.
  js::value clean_list_meta(const js::object& meta) {
    js::object copy = meta;
    if (copy.contains("resourceVersion")) copy["resourceVersion"] = 0;
    return clean(copy);
  }

  js::value clean_list(const js::array& list, std::string_view key) {
    js::array out;
    for (const auto& item : list)
      out.push_back(clean(item));
    if (key != "managedFields") return out;
    for (auto& entry : out) {
      entry.as_object().erase("time");  // left out where nothing but owners changed
      // What an update owns depends on schema details that nothing of ours looks at.
      if (text_at(entry.as_object(), "operation") == "Update") entry.as_object()["fieldsV1"] = "?";
    }
    std::sort(out.begin(), out.end(), [](const js::value& a, const js::value& b) {
      return js::serialize(a) < js::serialize(b);
    });
    return out;
  }

  // Messages are for people and differ between versions of Kubernetes.
  js::value clean_status(const js::object& status) {
    js::object out;
    for (const auto* key : {"status", "reason", "code"}) {
      if (const auto* v = status.if_contains(key)) out.emplace(key, *v);
    }
    const auto* details = object_at(status, "details");
    if (details == nullptr) return out;
    js::object kept;
    for (const auto* key : {"group", "kind", "name", "uid"}) {
      if (const auto* v = details->if_contains(key)) kept.emplace(key, clean(*v, key));
    }
    if (const auto* causes = array_at(*details, "causes")) {
      std::set<std::string> fields;
      for (const auto& c : *causes) {
        auto field = text_at(c.as_object(), "field");
        if (field == "<nil>") continue;  // rules that could not be tried after another failure
        if (field.starts_with('.')) field.erase(0, 1);
        fields.insert(text_at(c.as_object(), "reason") + " " + field);
      }
      js::array list;
      for (const auto& f : fields)
        list.push_back(js::value(f));
      kept.emplace("causes", std::move(list));
    }
    if (!kept.empty()) out.emplace("details", std::move(kept));
    return out;
  }

  std::string ns_;
  std::map<std::string, std::string> uids_;
  std::map<std::string, std::string> versions_;
};

class runner {
 public:
  runner(script_target& target, std::string ns)
      : target_(target), ns_(std::move(ns)), names_(ns_) {}

  js::object step(const js::object& s) {
    if (s.contains("compact")) {
      target_.compact();
      return {};
    }
    if (s.contains("watch")) return watch(s);
    auto request = request_of(s, text_at(s, "send"));
    const auto reply = target_.send(request);
    auto out = object_of("status", reply.status);
    if (!reply.retry_after.empty()) out.emplace("retryAfter", reply.retry_after);
    boost::system::error_code ec;
    const auto body = js::parse(reply.body, ec);
    out.emplace("body", ec ? js::value("text") : names_.clean(body));
    if (!ec && s.contains("save")) saved_[text_at(s, "save")] = body;
    return out;
  }

 private:
  js::object watch(const js::object& s) {
    const auto request = request_of(s, "GET " + text_at(s, "watch"));
    const auto wanted = static_cast<std::size_t>(s.at("events").as_int64());
    js::array events;
    for (const auto& line : target_.watch(request, wanted)) {
      boost::system::error_code ec;
      const auto event = js::parse(line, ec);
      events.push_back(ec ? js::value("text") : names_.clean(event));
    }
    return object_of("events", std::move(events));
  }

  // "${x.metadata.uid}" is a field of the answer that was saved as x.
  std::string fill(std::string text) const {
    for (auto at = text.find("${"); at != std::string::npos; at = text.find("${")) {
      const auto end = text.find('}', at);
      std::istringstream path(text.substr(at + 2, end - at - 2));
      std::string part;
      std::getline(path, part, '.');
      const auto* v = &saved_.at(part);
      while (std::getline(path, part, '.'))
        v = &v->at(part);
      text.replace(at, end - at + 1, std::string(v->as_string()));
    }
    for (auto at = text.find("$NS"); at != std::string::npos; at = text.find("$NS"))
      text.replace(at, 3, ns_);
    return text;
  }

  // "PATCH deployments/web/status"
  net::http_request request_of(const js::object& s, const std::string& what) const {
    const auto space = what.find(' ');
    const auto where = what.substr(space + 1);
    const auto plural = where.substr(0, where.find('/'));
    const auto known = std::find_if(all_kinds().begin(), all_kinds().end(),
                                    [&](const auto& k) { return k.resource.plural == plural; });
    if (known == all_kinds().end()) throw std::runtime_error("no kind " + plural);
    std::string rest = fill(where.substr(plural.size()));
    const auto ns = text_at(s, "namespace").empty() ? ns_ : text_at(s, "namespace");
    net::http_request out{what.substr(0, space), known->resource.path(ns) + rest, {}, {}};
    const auto query = fill(text_at(s, "query"));
    if (!query.empty()) out.target += "?" + query;
    out.headers.push_back({"Accept", "application/json"});
    if (const auto* body = s.if_contains("body")) {
      out.body = fill(js::serialize(*body));
      if (body->is_string()) out.body = fill(std::string(body->as_string()));
      out.headers.push_back({"Content-Type", content_type(text_at(s, "type"))});
    }
    return out;
  }

  static std::string content_type(const std::string& type) {
    if (type == "apply") return "application/apply-patch+yaml";
    if (type == "merge") return "application/merge-patch+json";
    if (type == "json-patch") return "application/json-patch+json";
    return "application/json";
  }

  script_target& target_;
  std::string ns_;
  normaliser names_;
  std::map<std::string, js::value> saved_;
};

}  // namespace

std::vector<script> load_scripts(const std::filesystem::path& folder) {
  std::map<std::string, script> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream in(entry.path());
    std::stringstream text;
    text << in.rdbuf();
    const auto name = entry.path().stem().string();
    found[name] = {name, js::parse(text.str()).as_object()};
  }
  std::vector<script> out;
  for (auto& [name, s] : found)
    out.push_back(std::move(s));
  return out;
}

js::array replay(const script& s, script_target& target, const std::string& ns) {
  target.make_namespace(ns);
  runner r(target, ns);
  js::array out;
  for (const auto& step : s.content.at("steps").as_array())
    out.push_back(r.step(step.as_object()));
  return out;
}

std::string pretty(const js::value& v, int indent) {
  const auto flat = js::serialize(v);
  if (flat.size() + static_cast<std::size_t>(indent) <= 96 || (!v.is_object() && !v.is_array())) {
    return flat;
  }
  const std::string in(static_cast<std::size_t>(indent) + 1, ' ');
  std::string out = v.is_object() ? "{\n" : "[\n";
  bool first = true;
  const auto item = [&](const std::string& text) {
    out += (std::exchange(first, false) ? "" : ",\n") + in + text;
  };
  if (const auto* object = v.if_object()) {
    for (const auto& m : *object)
      item(js::serialize(js::value(m.key())) + ": " + pretty(m.value(), indent + 1));
  } else {
    for (const auto& i : v.as_array())
      item(pretty(i, indent + 1));
  }
  return out + "\n" + in.substr(1) + (v.is_object() ? "}" : "]");
}

}  // namespace oarlock::sim
