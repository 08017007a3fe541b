#include "core/daemon/debug_dump.hpp"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include "core/json/utf8.hpp"

namespace oarlock::daemon {

namespace {

constexpr std::size_t keys_max = 100;

using writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void text(writer& w, const char* key, const std::string& value) {
  w.Key(key);
  w.String(json::first_not_utf8(value) ? std::string("(not UTF-8)") : value);
}
void flag(writer& w, const char* key, bool value) {
  w.Key(key);
  w.Bool(value);
}
void number(writer& w, const char* key, std::uint64_t value) {
  w.Key(key);
  w.Uint64(value);
}
void seconds(writer& w, const char* key, duration value) {
  w.Key(key);
  w.Double(std::chrono::duration<double>(value).count());
}

// {"count": 3, "first": [...]}
template <class Range, class Each>
void list(writer& w, const char* key, std::size_t count, const Range& range, const Each& each) {
  w.Key(key);
  w.StartObject();
  number(w, "count", count);
  w.Key("first");
  w.StartArray();
  for (const auto& one : range)
    each(one);
  w.EndArray();
  w.EndObject();
}

void write_lease(writer& w, const lease_view& l) {
  w.Key("lease");
  w.StartObject();
  text(w, "name", l.name);
  flag(w, "leading", l.leading);
  text(w, "holder", l.holder);
  if (l.renewed_ago) seconds(w, "renewedSecondsAgo", *l.renewed_ago);
  text(w, "trouble", l.trouble);
  w.EndObject();
}

void write_controller(writer& w, const work_view::controller_view& c) {
  w.StartObject();
  text(w, "plugin", c.plugin);
  text(w, "controller", c.name);
  flag(w, "leading", c.leading);
  flag(w, "synced", c.synced);
  text(w, "trouble", c.trouble);
  const auto timed = [&w](const char* what) {
    return [&w, what](const controller::queue_snapshot::waiting& one) {
      w.StartObject();
      text(w, "key", one.key.text());
      seconds(w, what, one.time);
      w.EndObject();
    };
  };
  const auto& q = c.queue;
  list(w, "ready", q.ready_count, q.ready, [&](const auto& key) { w.String(key.text()); });
  list(w, "delayed", q.delayed_count, q.delayed, timed("readyInSeconds"));
  list(w, "processing", q.processing_count, q.processing, timed("forSeconds"));
  list(w, "failing", q.failing_count, q.failures, [&](const auto& one) {
    w.StartObject();
    text(w, "key", one.key.text());
    number(w, "failures", one.failures);
    w.EndObject();
  });
  w.EndObject();
}

void write_informer(writer& w, const work_view::informer_view& i) {
  w.StartObject();
  text(w, "resource", i.resource);
  text(w, "namespace", i.ns);
  flag(w, "metadataOnly", i.metadata_only);
  flag(w, "synced", i.synced);
  text(w, "trouble", i.trouble);
  text(w, "resourceVersion", i.resource_version);
  number(w, "epoch", i.epoch);
  number(w, "objects", i.objects);
  number(w, "bytes", i.bytes);
  w.EndObject();
}

}  // namespace

work_view view_of(const std::vector<controller::controller*>& controllers,
                  const std::vector<const cache::informer*>& informers) {
  work_view v;
  for (const auto* c : controllers) {
    v.controllers.push_back({c->spec().plugin, c->spec().name, c->leading(), c->synced(),
                             c->trouble(), c->snapshot(keys_max)});
  }
  for (const auto* i : informers) {
    const auto& what = i->what();
    v.informers.push_back({what.resource.name(), what.ns, what.metadata_only, i->synced(),
                           i->trouble(), i->seen_version(), i->epoch(), i->object_count(),
                           i->object_bytes()});
  }
  return v;
}

std::string dump_json(const process_view& process, const std::optional<work_view>& work) {
  rapidjson::StringBuffer out;
  writer w(out);
  w.SetIndent(' ', 2);
  w.StartObject();
  w.Key("apiServer");
  w.StartObject();
  text(w, "host", process.server);
  text(w, "trouble", process.server_trouble);
  w.EndObject();
  flag(w, "started", process.started);
  flag(w, "stopping", process.stopping);
  if (process.lease) write_lease(w, *process.lease);
  if (work) {
    w.Key("controllers");
    w.StartArray();
    for (const auto& c : work->controllers)
      write_controller(w, c);
    w.EndArray();
    w.Key("informers");
    w.StartArray();
    for (const auto& i : work->informers)
      write_informer(w, i);
    w.EndArray();
  } else {
    text(w, "trouble", "the stream loop did not answer within a second");
  }
  w.EndObject();
  return std::string(out.GetString(), out.GetSize()) + "\n";
}

}  // namespace oarlock::daemon
