#include "core/plugin/review_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "core/base/mutant.hpp"
#include "core/base/result.hpp"
#include "core/json/parse.hpp"
#include "core/json/utf8.hpp"
#include "core/plugin/kept_table.hpp"
#include "core/plugin/lent_pages.hpp"
#include "core/plugin/lent_text.hpp"

namespace oarlock::plugin {

namespace {

using namespace review_limits;

const char* name_of(review_task task) {
  switch (task) {
    case review_task::validate:
      return "validate";
    case review_task::mutate:
      return "mutate";
    default:
      return "convert";
  }
}

// Used for one review after another.
class review_words final : public receiver {
 public:
  review_words() {
    table_.struct_size = sizeof(table_);
    table_.ctx = reinterpret_cast<oarlock_review_ctx*>(this);
    table_.refuse = [](oarlock_review_ctx* ctx, oarlock_str_view field,
                       oarlock_str_view message) noexcept {
      return during(ctx, stray_slot::review_refuse,
                    [&](review_words& w) { return w.take_refusal(field, message); });
    };
    table_.warn = [](oarlock_review_ctx* ctx, oarlock_str_view message) noexcept {
      return during(ctx, stray_slot::review_warn,
                    [&](review_words& w) { return w.take_warning(message); });
    };
    table_.object = [](oarlock_review_ctx* ctx, oarlock_encoding encoding,
                       oarlock_bytes_view lent) noexcept {
      return during(ctx, stray_slot::review_object,
                    [&](review_words& w) { return w.take_object(encoding, lent); });
    };
  }

  template <class Slot>
  review_answer ask(Slot slot, oarlock_instance* self, const oarlock_review_view& view,
                    std::chrono::milliseconds time_left) {
    said_ = {};
    said_.verdict = review_verdict::allowed;
    broken_.clear();
    oarlock_status returned = OARLOCK_ERROR;
    {
      const opening now(*this);
      if (checks_views) {
        const lent_pages lent(view);
        returned = slot(self, lent.view(), time_left.count(), &table_);
      } else {
        returned = slot(self, &view, time_left.count(), &table_);
      }
    }
    if (!broken_.empty()) return failed_review(broken_);
    if (returned != OARLOCK_OK) return failed_review(fmt::format("it returned {}", returned));
    return std::move(said_);
  }

 private:
  template <class Work>
  static oarlock_status during(oarlock_review_ctx* ctx, stray_slot slot, Work work) noexcept {
    if (ctx == nullptr) return OARLOCK_INVALID;
    auto& self = *reinterpret_cast<review_words*>(ctx);
    try {
      return self.takes_call(slot) ? work(self) : OARLOCK_INVALID;
    } catch (...) {
      return OARLOCK_LIMIT;  // out of memory
    }
  }

  oarlock_status broken(oarlock_status status, std::string why) {
    broken_ = std::move(why);
    return status;
  }

  oarlock_status take_refusal(oarlock_str_view field, oarlock_str_view message) {
    auto trouble = trouble_of_text(field, "field_path", field_bytes_max);
    if (trouble.empty()) trouble = trouble_of_text(message, "message", message_bytes_max);
    if (!trouble.empty()) return broken(OARLOCK_INVALID, "refuse(): " + trouble);
    said_.verdict = review_verdict::refused;
    said_.field = text_of(field);
    said_.why = text_of(message);
    return OARLOCK_OK;
  }

  oarlock_status take_warning(oarlock_str_view message) {
    const auto trouble = trouble_of_text(message, "message", warning_bytes_max);
    if (!trouble.empty()) return broken(OARLOCK_INVALID, "warn(): " + trouble);
    if (said_.warnings.size() >= warnings_max) return OARLOCK_LIMIT;
    said_.warnings.push_back(text_of(message));
    return OARLOCK_OK;
  }

  oarlock_status take_object(oarlock_encoding encoding, oarlock_bytes_view lent) {
    if (encoding != OARLOCK_ENCODING_JSON || lent.data == nullptr) {
      return broken(OARLOCK_INVALID, "object(): expected JSON (encoding 1)");
    }
    if (lent.size > object_bytes_max) {
      return broken(OARLOCK_LIMIT, fmt::format("object(): expected at most {} bytes, found {}",
                                               object_bytes_max, lent.size));
    }
    said_.object_json.assign(reinterpret_cast<const char*>(lent.data), lent.size);
    return OARLOCK_OK;
  }

  oarlock_review_out table_{};
  review_answer said_;
  std::string broken_;
};

using review_slot = oarlock_status (*)(oarlock_instance*, const oarlock_review_view*, std::int64_t,
                                       const oarlock_review_out*);

review_slot slot_of(const oarlock_plugin& table, oarlock_instance* self, review_task task) {
  if (!OARLOCK_HAS_FIELD(&table, oarlock_plugin, extension) || table.extension == nullptr) {
    return nullptr;
  }
  const auto* made =
      static_cast<const oarlock_plugin_review*>(table.extension(self, lend(OARLOCK_EXT_REVIEW)));
  if (made == nullptr || !OARLOCK_HAS_FIELD(made, oarlock_plugin_review, convert)) return nullptr;
  switch (task) {
    case review_task::validate:
      return made->validate;
    case review_task::mutate:
      return made->mutate;
    default:
      return made->convert;
  }
}

review_answer threw(const char* what) {
  return failed_review(std::string("an exception left it, which no plugin may let happen: ") +
                       what);
}

bool is_text(const std::string& text, std::size_t most) {
  return text.size() <= most && !json::first_not_utf8(text);
}

// Of what comes from a child.
bool is_sound(const review_answer& a) {
  return is_text(a.field, field_bytes_max) && is_text(a.why, message_bytes_max) &&
         a.warnings.size() <= warnings_max && a.object_json.size() <= object_bytes_max &&
         std::all_of(a.warnings.begin(), a.warnings.end(),
                     [](const auto& w) { return is_text(w, warning_bytes_max); });
}

// What of `now` is not as it was or has to be; empty: nothing.
std::string trouble_of_identity(const review_request& request, const rapidjson::Document& was,
                                const rapidjson::Document& now) {
  std::vector<const char*> same{"/kind", "/metadata/name", "/metadata/namespace", "/metadata/uid"};
  if (request.task == review_task::mutate) {
    same.insert(same.end(), {"/apiVersion", "/metadata/generateName"});
  } else if (json::string_at(now, "/apiVersion") != request.to_api_version) {
    return fmt::format("expected apiVersion {}, found {}", request.to_api_version,
                       json::string_at(now, "/apiVersion"));
  }
  for (const char* at : same) {
    const auto before = json::string_at(was, at);
    const auto after = json::string_at(now, at);
    if (before != after && !OARLOCK_MUTANT("review_rename_allowed")) {
      return fmt::format("expected {} to stay \"{}\", found \"{}\"", at, before, after);
    }
  }
  return {};
}

// As the API server does: of the metadata a conversion changes labels and annotations alone.
void keep_metadata(const rapidjson::Document& was, rapidjson::Document& now) {
  auto& memory = now.GetAllocator();
  rapidjson::Value kept;
  kept.CopyFrom(was["metadata"], memory);
  for (const char* name : {"labels", "annotations"}) {
    kept.RemoveMember(name);
    const auto found = now["metadata"].FindMember(name);
    if (found == now["metadata"].MemberEnd()) continue;
    kept.AddMember(rapidjson::Value(name, memory), rapidjson::Value(found->value, memory), memory);
  }
  now["metadata"] = kept;
}

bool has_metadata(const rapidjson::Document& object) {
  const auto* found = json::find(object, "/metadata");
  return found != nullptr && found->IsObject();
}

// The object of an answer that allows it, or why that has failed.
result<std::string> object_of(const review_request& request, const std::string& said) {
  const auto bad = [](std::string why) {
    return error{make_error_code(boost::system::errc::invalid_argument), std::move(why)};
  };
  if (said.empty() && request.task == review_task::mutate) return request.object_json;
  if (said.empty()) return bad("expected object() to be called, it was not");
  const auto was = json::parse(request.object_json);
  auto now = json::parse(said);
  if (!was) return was.error();
  if (!now) return bad("object(): " + now.error().message);
  if (!has_metadata(*was) || !has_metadata(*now)) return bad("expected objects with metadata");
  if (auto trouble = trouble_of_identity(request, *was, *now); !trouble.empty()) {
    return bad("object(): " + trouble);
  }
  if (request.task == review_task::mutate) return said;
  keep_metadata(*was, *now);
  return json::write(*now);
}

}  // namespace

review_answer failed_review(const std::string& why) {
  return {.verdict = review_verdict::failed, .why = shortened(why, message_bytes_max)};
}

oarlock_review_view lent_review(const review_request& r) {
  oarlock_review_view view{};
  view.struct_size = sizeof(view);
  view.operation = r.operation;
  view.encoding = OARLOCK_ENCODING_JSON;
  view.controller = lend(r.controller);
  view.object = lend_bytes(r.object_json);
  view.old_object = lend_bytes(r.old_object_json);
  view.to_api_version = lend(r.to_api_version);
  view.now_unix_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(r.now.time_since_epoch()).count();
  return view;
}

review_answer call_review(const oarlock_plugin& table, oarlock_instance* self, review_task task,
                          const oarlock_review_view& view, std::chrono::milliseconds time_left) {
  try {
    const auto slot = slot_of(table, self, task);
    if (slot == nullptr) return failed_review(fmt::format("it has no {}()", name_of(task)));
    const borrowed<review_words> words;
    return words->ask(slot, self, view, time_left);
  } catch (const std::exception& e) {
    return threw(e.what());
  } catch (...) {
    return threw("something that is not a std::exception");
  }
}

review_answer judged(const review_request& request, review_answer said) {
  const auto failed = [&](const std::string& why) {
    return failed_review(fmt::format("{}(): {}", name_of(request.task), why));
  };
  if (!is_sound(said)) return failed("the answer is larger than it may be, or not UTF-8");
  if (OARLOCK_MUTANT("review_failure_allowed") && said.verdict == review_verdict::failed) {
    said.verdict = review_verdict::allowed;
  }
  switch (said.verdict) {
    case review_verdict::allowed:
      break;
    case review_verdict::refused:
      if (request.task == review_task::convert) return failed(said.why);
      said.object_json.clear();
      return said;
    default:
      return failed(said.why);
  }
  if (request.task == review_task::validate) {
    if (!said.object_json.empty()) return failed("expected no object, found one");
    return said;
  }
  auto object = object_of(request, said.object_json);
  if (!object) return failed(object.error().message);
  said.object_json = std::move(*object);
  return said;
}

}  // namespace oarlock::plugin
