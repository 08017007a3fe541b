#include "parameters.hpp"

#include <algorithm>
#include <cmath>

namespace ml {

namespace {

parameter integer(const char* name, double from, double to) {
  return {name, "integer", from, to, {}, false, {}};
}
parameter number(const char* name, double from, double to) {
  return {name, "number", from, to, {}, false, {}};
}

std::string bound_text(double value) {
  json::value whole(static_cast<std::int64_t>(value));
  return std::trunc(value) == value ? whole.text() : json::value(value).text();
}

std::string range_text(const parameter& p) {
  std::string text = p.type == "integer" ? "a whole number" : "a number";
  if (p.minimum && p.maximum) {
    return text + " from " + bound_text(*p.minimum) + " to " + bound_text(*p.maximum);
  }
  if (p.minimum) return text + " of at least " + bound_text(*p.minimum);
  if (p.maximum) return text + " of at most " + bound_text(*p.maximum);
  return text;
}

std::string expected(const parameter& p) {
  if (p.type == "boolean") return "true or false";
  if (p.type != "string") return range_text(p);
  if (p.allowed.empty()) return "a text";
  std::string text = "one of";
  for (const auto& one : p.allowed)
    text += " " + one;
  return text;
}

bool fits(const parameter& p, const json::value& value) {
  if (p.type == "boolean") return value == json::value(true) || value == json::value(false);
  if (p.type == "string") {
    const auto* text = value.as_text();
    return text != nullptr &&
           (p.allowed.empty() || std::ranges::find(p.allowed, *text) != p.allowed.end());
  }
  const auto found = number_of(value);
  if (!found || !std::isfinite(*found)) return false;
  if (p.type == "integer" && std::trunc(*found) != *found) return false;
  return (!p.minimum || *found >= *p.minimum) && (!p.maximum || *found <= *p.maximum);
}

std::string names_of_all(const std::vector<parameter>& known) {
  std::string text;
  for (const auto& p : known)
    text += (text.empty() ? "" : ", ") + p.name;
  return text.empty() ? "none" : text;
}

}  // namespace

std::optional<double> number_of(const json::value& value) {
  if (const auto* whole = value.as_integer()) return static_cast<double>(*whole);
  if (value.is_null() || value.as_text() != nullptr || value.as_array() != nullptr ||
      value.as_object() != nullptr || value == json::value(true) || value == json::value(false)) {
    return std::nullopt;
  }
  return json::parse(value.text()).GetDouble();
}

std::vector<parameter> parameters_of(std::string_view algorithm) {
  if (algorithm == "logistic") {
    return {number("c", 1e-6, 1e6), integer("maxIter", 1, 100000), number("tolerance", 1e-9, 1)};
  }
  if (algorithm == "random-forest") {
    return {integer("maxDepth", 1, 1000), integer("minLeaf", 1, 100000),
            integer("trees", 1, 10000)};
  }
  if (algorithm == "xgboost") {
    return {number("colsample", 0.01, 1),     integer("earlyStopping", 0, 100000),
            number("gamma", 0, 1e6),          number("lambda", 0, 1e6),
            number("learningRate", 1e-6, 1),  integer("maxDepth", 1, 32),
            number("minChildWeight", 0, 1e6), integer("rounds", 1, 100000),
            number("subsample", 0.01, 1)};
  }
  if (algorithm == "mlp") {
    return {number("alpha", 0, 1e3), integer("epochs", 1, 100000), integer("hidden", 1, 4096),
            integer("layers", 1, 8), number("learningRate", 1e-6, 1)};
  }
  return {};
}

std::vector<parameter> parameters_of(const algorithm_template& from) {
  std::vector<parameter> all;
  for (const auto& [name, given] : from.spec->parameters) {
    parameter made;
    made.name = name;
    made.type = std::string(given.type.text());
    made.minimum = given.minimum;
    made.maximum = given.maximum;
    made.allowed = given.enum_;
    made.is_required = given.required;
    if (given.default_) made.fallback = given.default_.value();
    all.push_back(std::move(made));
  }
  return all;
}

json::value checked(const json::value& given, const std::vector<parameter>& known,
                    std::string_view algorithm) {
  json::value made = given.as_object() != nullptr ? given : json::object({});
  for (const auto& field : *made.as_object()) {
    const auto found = std::ranges::find(known, field.key, &parameter::name);
    if (found == known.end()) {
      throw user_mistake("InvalidParameters", "expected a parameter of " + std::string(algorithm) +
                                                  " (" + names_of_all(known) + "), found " +
                                                  sdk::shorten(field.key, 64));
    }
    if (!fits(*found, field.value)) {
      throw user_mistake("InvalidParameters", "expected " + field.key + " to be " +
                                                  expected(*found) + ", found " +
                                                  sdk::shorten(field.value.text(), 64));
    }
  }
  for (const auto& p : known) {
    if (made.find(p.name) != nullptr) continue;
    if (p.is_required && p.fallback.is_null()) {
      throw user_mistake("InvalidParameters", "expected the parameter " + p.name + " of " +
                                                  std::string(algorithm) + ", found none");
    }
    if (!p.fallback.is_null()) made.set(p.name, p.fallback);
  }
  return made;
}

}  // namespace ml
