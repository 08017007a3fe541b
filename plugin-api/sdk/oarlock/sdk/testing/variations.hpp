#pragma once
// Objects made of a CRD's schema and one object that is right: each field that may be added,
// changed or removed, its bounds, and what is just beyond them.
//
// plan_variations() of gtest.hpp has a plugin plan all of them.
#include <string>
#include <utility>
#include <vector>

#include "oarlock/sdk/testing/schema.hpp"

namespace oarlock::sdk::testing {

struct variation {
  std::string what;    ///< ".spec.replicas at its maximum 10000"
  json::value object;  ///< the whole object
  bool is_valid;       ///< as the schema sees it, defaults not yet filled in
};

namespace detail {

constexpr std::int64_t length_tried_max = 100'000;  // longer texts and lists prove nothing more

class varier {
 public:
  explicit varier(const json::value& base) : base_(base) {}

  std::vector<variation> all(const json::value& schema) {
    const auto* known = schema.find("properties");
    for (const auto& f : known != nullptr ? *known->as_object() : json::members{}) {
      if (f.key == "apiVersion" || f.key == "kind" || f.key == "metadata") continue;
      if (f.key != "status") field(f.value, {f.key}, is_required(schema, f.key));
    }
    return std::move(made_);
  }

 private:
  using path = std::vector<std::string>;

  static bool is_required(const json::value& schema, const std::string& key) {
    const auto* required = schema.find("required");
    if (required == nullptr || required->as_array() == nullptr) return false;
    const auto& all = *required->as_array();
    return std::find(all.begin(), all.end(), json::value(key)) != all.end();
  }

  [[nodiscard]] const json::value* at(const path& where) const {
    const json::value* v = &base_;
    for (const auto& key : where)
      v = v != nullptr ? v->find(key) : nullptr;
    return v;
  }
  // `in` with this field set, or without it.
  static json::value with(json::value in, const path& where, std::size_t depth,
                          const std::optional<json::value>& v) {
    if (depth + 1 == where.size()) {
      if (v) {
        in.set(where[depth], *v);
      } else {
        in.erase(where[depth]);
      }
      return in;
    }
    const auto* inner = in.find(where[depth]);
    json::value changed = with(inner != nullptr ? *inner : json::object({}), where, depth + 1, v);
    in.set(where[depth], std::move(changed));
    return in;
  }

  static std::string name_of(const path& where) {
    std::string name;
    for (const auto& key : where)
      name += "." + key;
    return name;
  }
  void add(const path& where, const std::string& how, const std::optional<json::value>& v,
           bool is_valid) {
    made_.push_back({name_of(where) + " " + how, with(base_, where, 0, v), is_valid});
  }

  void field(const json::value& schema, const path& where, bool required) {
    const auto* now = at(where);
    const auto sample = sample_of(schema);
    // A default fills in what is removed.
    if (now != nullptr) {
      add(where, "removed", std::nullopt, !required || schema.find("default") != nullptr);
    }
    if (now == nullptr && sample) add(where, "added", sample, true);
    const std::string type = type_of(schema);
    if (type == "anything" || type.empty()) return;
    const bool takes_text = type == "string" || type == "int-or-string";
    add(where, "of another type", takes_text ? json::value(true) : json::value("text"), false);
    if (const auto* choice = schema.find("enum"); choice != nullptr && choice->as_array()) {
      for (const auto& one : *choice->as_array())
        add(where, "as " + one.text(), one, true);
      if (type == "string") add(where, "outside of its enum", json::value("no-such-choice"), false);
      return;
    }
    by_type(schema, where, type);
  }

  void by_type(const json::value& schema, const path& where, const std::string& type) {
    if (type == "integer" || type == "number") numbers(schema, where);
    if (type == "boolean") {
      add(where, "as true", true, true);
      add(where, "as false", false, true);
    }
    if (type == "string") texts(schema, where);
    if (type == "array") lists(schema, where);
    if (type == "object") fields(schema, where);
  }

  // Of an object that is not there: the fields of the smallest one that may be.
  void fields(const json::value& schema, const path& where) {
    const auto* known = schema.find("properties");
    const auto sample = sample_of(schema);
    if (known == nullptr || (at(where) == nullptr && !sample)) return;
    const json::value before = base_;
    if (at(where) == nullptr) base_ = with(base_, where, 0, sample);
    for (const auto& f : *known->as_object()) {
      path inner = where;
      inner.push_back(f.key);
      field(f.value, inner, is_required(schema, f.key));
    }
    base_ = before;
  }

  void numbers(const json::value& schema, const path& where) {
    const auto least = number_at(schema, "minimum"), most = number_at(schema, "maximum");
    if (least) {
      add(where, "at its minimum " + std::to_string(*least), *least, true);
      if (*least > INT64_MIN) add(where, "below its minimum", *least - 1, false);
    }
    if (most) {
      add(where, "at its maximum " + std::to_string(*most), *most, true);
      if (*most < INT64_MAX) add(where, "above its maximum", *most + 1, false);
    }
    changed(schema, where, {json::value(2), json::value(3)});
  }

  void texts(const json::value& schema, const path& where) {
    const auto least = number_at(schema, "minLength"), most = number_at(schema, "maxLength");
    const auto as = [](std::int64_t n) {
      return json::value(std::string(static_cast<std::size_t>(n), 'a'));
    };
    const auto at_bound = [&](std::int64_t n, const std::string& how) {
      if (refusal(schema, as(n)).empty()) add(where, how, as(n), true);
    };
    if (least && *least > 0) {
      at_bound(*least, "of its minLength " + std::to_string(*least));
      add(where, "shorter than its minLength", as(*least - 1), false);
    }
    if (most && *most < length_tried_max) {
      at_bound(*most, "of its maxLength " + std::to_string(*most));
      add(where, "longer than its maxLength", as(*most + 1), false);
    }
    const auto shortest = static_cast<std::size_t>(std::max<std::int64_t>(1, least.value_or(1)));
    changed(schema, where, {json::value(std::string(shortest, 'b')), json::value("changed")});
  }

  void lists(const json::value& schema, const path& where) {
    const auto* items = schema.find("items");
    const auto one = items != nullptr ? sample_of(*items) : std::nullopt;
    if (!one || schema.find("x-kubernetes-list-type") != nullptr) return;
    const auto of = [&](std::int64_t n) {
      return json::value(json::items(static_cast<std::size_t>(n), *one));
    };
    const auto least = number_at(schema, "minItems").value_or(0);
    const auto most = number_at(schema, "maxItems");
    if (least > 0) add(where, "with too few items", of(least - 1), false);
    if (most && *most < length_tried_max) add(where, "with too many items", of(*most + 1), false);
    add(where, "with one item", of(1), least <= 1 && (!most || *most >= 1));
  }

  // The first candidate that is legal and differs from what is there.
  void changed(const json::value& schema, const path& where,
               const std::vector<json::value>& candidates) {
    const auto* now = at(where);
    for (const auto& one : candidates) {
      if ((now != nullptr && *now == one) || !refusal(schema, one).empty()) continue;
      return add(where, "changed", one, true);
    }
  }

  json::value base_;
  std::vector<variation> made_;
};

}  // namespace detail

/// All variations of `base`, which has to be valid.
[[nodiscard]] inline std::vector<variation> variations(const json::value& schema,
                                                       const json::value& base) {
  if (const auto why = refusal(schema, base); !why.empty()) {
    throw std::runtime_error("expected an object that the schema accepts, found: " + why);
  }
  return detail::varier(base).all(schema);
}

/// An object of YAML.
[[nodiscard]] inline json::value read_object(const std::filesystem::path& file) {
  return from_yaml(YAML::LoadFile(file.string()));
}

}  // namespace oarlock::sdk::testing
