#include "core/plugin/inbound_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "core/json/parse.hpp"
#include "core/json/utf8.hpp"
#include "core/plugin/kept_table.hpp"
#include "core/plugin/lent_pages.hpp"
#include "core/plugin/lent_text.hpp"

namespace oarlock::plugin {

namespace {

using namespace inbound_limits;

constexpr int status_min = 200;
constexpr int status_max = 599;

bool is_status(int status) {
  return status >= status_min && status <= status_max;
}

// It becomes a header: nothing that could end one.
bool is_content_type(std::string_view text) {
  return text.size() <= content_type_bytes_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_note_name(std::string_view name) {
  return name.size() <= note_name_bytes_max && is_effect_name(name);
}

bool is_known(const std::vector<std::string>& controllers, std::string_view name) {
  return std::find(controllers.begin(), controllers.end(), name) != controllers.end();
}

// Used for one request after another.
class inbound_words final : public receiver {
 public:
  inbound_words() {
    table_.struct_size = sizeof(table_);
    table_.ctx = reinterpret_cast<oarlock_inbound_ctx*>(this);
    table_.answer = [](oarlock_inbound_ctx* ctx, std::int32_t status, oarlock_str_view type,
                       oarlock_bytes_view body) noexcept {
      return during(ctx, stray_slot::inbound_answer,
                    [&](inbound_words& w) { return w.take_answer(status, type, body); });
    };
    table_.note = [](oarlock_inbound_ctx* ctx, oarlock_str_view controller, oarlock_str_view name,
                     oarlock_encoding encoding, oarlock_bytes_view lent) noexcept {
      return during(ctx, stray_slot::inbound_note, [&](inbound_words& w) {
        return w.take_note(controller, name, encoding, lent);
      });
    };
  }

  inbound_answer ask(const oarlock_plugin_inbound& handler, oarlock_instance* self,
                     const oarlock_request_view& view, std::chrono::milliseconds time_left,
                     const std::vector<std::string>& controllers) {
    said_ = {};
    refused_.clear();
    controllers_ = &controllers;
    oarlock_status returned = OARLOCK_ERROR;
    {
      const opening now(*this);
      if (checks_views) {
        const lent_pages lent(view);
        returned = handler.request(self, lent.view(), time_left.count(), &table_);
      } else {
        returned = handler.request(self, &view, time_left.count(), &table_);
      }
    }
    if (!refused_.empty()) {
      return core_answer(500, "the plugin answered what cannot be sent", std::move(refused_));
    }
    if (returned != OARLOCK_OK) {
      return core_answer(500, "the plugin failed on this request",
                         fmt::format("its request() returned status {}", returned));
    }
    return std::move(said_);
  }

 private:
  template <class Work>
  static oarlock_status during(oarlock_inbound_ctx* ctx, stray_slot slot, Work work) noexcept {
    if (ctx == nullptr) return OARLOCK_INVALID;
    auto& self = *reinterpret_cast<inbound_words*>(ctx);
    try {
      return self.takes_call(slot) ? work(self) : OARLOCK_INVALID;
    } catch (...) {
      return OARLOCK_LIMIT;  // out of memory
    }
  }

  oarlock_status refuse(oarlock_status status, std::string why) {
    refused_ = std::move(why);
    return status;
  }

  oarlock_status take_answer(std::int32_t status, oarlock_str_view type, oarlock_bytes_view body) {
    if (!is_status(status)) {
      return refuse(OARLOCK_INVALID,
                    fmt::format("answer(): expected a status of 200 to 599, found {}", status));
    }
    if (body.size > body_bytes_max) {
      return refuse(OARLOCK_LIMIT, fmt::format("answer(): expected at most {} bytes, found {}",
                                               body_bytes_max, body.size));
    }
    if ((body.data == nullptr && body.size > 0) || (type.data == nullptr && type.size > 0)) {
      return refuse(OARLOCK_INVALID, "answer(): expected bytes, found NULL");
    }
    const std::string_view type_text(type.data, type.data == nullptr ? 0 : type.size);
    if (!is_content_type(type_text)) {
      return refuse(OARLOCK_INVALID, "answer(): expected a content type in visible ASCII");
    }
    said_.status = status;
    said_.content_type = type_text;
    said_.body.clear();
    if (body.size > 0) said_.body.assign(reinterpret_cast<const char*>(body.data), body.size);
    return OARLOCK_OK;
  }

  oarlock_status take_note(oarlock_str_view controller, oarlock_str_view name,
                           oarlock_encoding encoding, oarlock_bytes_view lent) {
    if (!trouble_of_text(name, "note_name", note_name_bytes_max).empty() ||
        !is_note_name(text_of(name))) {
      return refuse(OARLOCK_INVALID,
                    "note(): expected a name of letters, digits and \"-_.\", 63 at most");
    }
    if (!is_known(*controllers_, text_of(controller))) {
      return refuse(OARLOCK_INVALID, "note(): expected a controller of plugin.yaml");
    }
    if (encoding != OARLOCK_ENCODING_JSON || lent.data == nullptr) {
      return refuse(OARLOCK_INVALID, "note(): expected JSON (encoding 1)");
    }
    if (lent.size > note_bytes_max || said_.notes.size() >= notes_max) {
      return refuse(OARLOCK_LIMIT, fmt::format("note(): expected {} notes of {} bytes at most",
                                               notes_max, note_bytes_max));
    }
    std::string json(reinterpret_cast<const char*>(lent.data), lent.size);
    if (const auto parsed = json::parse(json); !parsed) {
      return refuse(OARLOCK_INVALID, "note(): " + parsed.error().message);
    }
    said_.notes.push_back({text_of(controller), text_of(name), std::move(json)});
    return OARLOCK_OK;
  }

  oarlock_inbound_out table_{};
  const std::vector<std::string>* controllers_ = nullptr;
  inbound_answer said_;
  std::string refused_;
};

const oarlock_plugin_inbound* handler_of(const oarlock_plugin& table, oarlock_instance* self) {
  if (!OARLOCK_HAS_FIELD(&table, oarlock_plugin, extension) || table.extension == nullptr) {
    return nullptr;
  }
  const auto* made =
      static_cast<const oarlock_plugin_inbound*>(table.extension(self, lend(OARLOCK_EXT_INBOUND)));
  const bool is_whole = made != nullptr &&
                        OARLOCK_HAS_FIELD(made, oarlock_plugin_inbound, request) &&
                        made->request != nullptr;
  return is_whole ? made : nullptr;
}

inbound_answer threw(const char* what) {
  return core_answer(500, "the plugin failed on this request",
                     std::string("an exception left it, which no plugin may let happen: ") + what);
}

}  // namespace

inbound_answer core_answer(int status, std::string body, std::string why) {
  return {status, {}, std::move(body) + "\n", {}, std::move(why)};
}

oarlock_request_view lent_request(const inbound_request& r) {
  oarlock_request_view view{};
  view.struct_size = sizeof(view);
  view.method = lend(r.method);
  view.object_namespace = lend(r.ns);
  view.object_name = lend(r.name);
  view.rest = lend(r.rest);
  view.query = lend(r.query);
  view.content_type = lend(r.content_type);
  view.body = lend_bytes(r.body);
  view.service_account = lend(r.service_account);
  view.pod_name = lend(r.pod_name);
  view.pod_uid = lend(r.pod_uid);
  view.now_unix_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(r.now.time_since_epoch()).count();
  return view;
}

inbound_answer call_inbound(const oarlock_plugin& table, oarlock_instance* self,
                            const oarlock_request_view& view, std::chrono::milliseconds time_left,
                            const std::vector<std::string>& controllers) {
  try {
    const auto* handler = handler_of(table, self);
    if (handler == nullptr) return core_answer(404, "this plugin takes no requests");
    const borrowed<inbound_words> words;
    return words->ask(*handler, self, view, time_left, controllers);
  } catch (const std::exception& e) {
    return threw(e.what());
  } catch (...) {
    return threw("something that is not a std::exception");
  }
}

bool is_sound(const inbound_answer& a, const std::vector<std::string>& controllers) {
  return is_status(a.status) && is_content_type(a.content_type) &&
         a.body.size() <= body_bytes_max && a.notes.size() <= notes_max &&
         !json::first_not_utf8(a.why) &&
         std::all_of(a.notes.begin(), a.notes.end(), [&](const auto& n) {
           return is_note_name(n.name) && n.json.size() <= note_bytes_max &&
                  is_known(controllers, n.controller) && json::parse(n.json).has_value();
         });
}

}  // namespace oarlock::plugin
