#include "run_config.hpp"

#include "search.hpp"

namespace ml {

std::string hash_of(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  std::string made(16, '0');
  for (std::size_t i = made.size(); i-- > 0; hash >>= 4U)
    made[i] = "0123456789abcdef"[hash & 0xFU];
  return made;
}

std::string spec_hash_of(const types::spec& spec) {
  types::spec counted = spec;
  counted.suspend = decltype(counted.suspend)::unset(false);
  counted.priority = decltype(counted.priority)::unset(0);
  counted.ttl_seconds_after_finished = decltype(counted.ttl_seconds_after_finished)::unset(0);
  counted.queue.reset();
  return hash_of(sdk::to_json(counted));
}

run_config freeze(const types::spec& spec, const std::string& run_id,
                  const algorithm_template* algorithm) {
  run_config made;
  made.spec = spec;
  made.run_id = run_id;
  made.spec_hash = spec_hash_of(spec);
  std::vector<parameter> known;
  if (algorithm != nullptr) {
    const auto& given = *algorithm->spec;
    made.image = given.image;
    made.command = given.command;
    made.algorithm = given.algorithm ? std::string(given.algorithm.text())
                                     : spec.algorithm->template_ref.value_or("");
    known = parameters_of(*algorithm);
    if (known.empty() && given.algorithm) known = parameters_of(given.algorithm.text());
  } else {
    made.image = default_image;
    made.algorithm = std::string(spec.algorithm->name.text());
    known = parameters_of(spec.algorithm->name.text());
    if (known.empty()) {
      throw user_mistake("UnknownAlgorithm",
                         "expected spec.algorithm.name to be logistic, random-forest, xgboost or "
                         "mlp, found " +
                             made.algorithm);
    }
  }
  if (spec.algorithm->image) made.image = *spec.algorithm->image;
  made.trials = trials_of(spec, known, made.algorithm);
  return made;
}

core::config_map to_config_map(const run_config& run, const std::string& name) {
  json::items command(run.command.begin(), run.command.end());
  const auto spec = json::parse(sdk::to_json(run.spec));
  const json::value whole = json::object({{"runID", run.run_id},
                                          {"specHash", run.spec_hash},
                                          {"image", run.image},
                                          {"algorithm", run.algorithm},
                                          {"command", command},
                                          {"trials", json::items(run.trials)},
                                          {"spec", json::copy(json::node{&spec})}});
  core::config_map made;
  made.metadata->name = name;
  made.immutable = true;
  made.data["run.json"] = whole.text();
  return made;
}

std::optional<run_config> from_config_map(const core::config_map& there) {
  const auto text = there.data.find("run.json");
  if (text == there.data.end()) return std::nullopt;
  try {
    const auto document = json::parse(text->second);
    const json::node root{&document};
    run_config made;
    made.spec = sdk::from_json<types::spec>(*root["spec"].raw());
    made.run_id = root["runID"].text();
    made.spec_hash = root["specHash"].text();
    made.image = root["image"].text();
    made.algorithm = root["algorithm"].text();
    for (const auto word : root["command"])
      made.command.emplace_back(word.text());
    for (const auto trial : root["trials"])
      made.trials.push_back(json::copy(trial));
    if (made.trials.empty() || made.image.empty()) return std::nullopt;
    return made;
  } catch (const json::parse_error&) {
    return std::nullopt;
  }
}

}  // namespace ml
