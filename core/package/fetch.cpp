#include "core/package/fetch.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>

#include "core/base/base64.hpp"
#include "core/json/parse.hpp"
#include "core/package/errors.hpp"

namespace oarlock::package {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t answer_bytes_max = 4U << 20U;
// The helper ends by itself when its time is over; this is for one that hangs.
constexpr auto kill_margin = 10s;
// Of all credential providers together. What is in the store does not wait for longer.
constexpr auto providers_limit = 20s;
constexpr auto prune_limit = 60s;
// Of images that no Plugin names: revisions that people may go back to.
constexpr std::int64_t spare_bytes = 256 << 20;
constexpr std::string_view secret_type = "kubernetes.io/dockerconfigjson";

rapidjson::Value text(std::string_view of, rapidjson::Document& doc) {
  return {of.data(), static_cast<rapidjson::SizeType>(of.size()), doc.GetAllocator()};
}

// JSON that was made or checked before.
rapidjson::Value parsed(const std::string& json_text, rapidjson::Document& doc) {
  const auto value = json::parse(json_text);
  if (!value) return rapidjson::Value(rapidjson::kObjectType);
  return {*value, doc.GetAllocator()};
}

}  // namespace

std::string request_json(const fetch_request& request) {
  rapidjson::Document doc(rapidjson::kObjectType);
  auto& memory = doc.GetAllocator();
  doc.AddMember("version", 1, memory);
  doc.AddMember("image", text(request.image, doc), memory);
  doc.AddMember("outputDir", text(request.output.string(), doc), memory);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(request.timeout);
  doc.AddMember("timeoutMillis", static_cast<std::int64_t>(millis.count()), memory);
  auto registry = parsed(request.admin.registry, doc);
  registry.AddMember("storeDir", text(request.store.string(), doc), memory);
  if (!request.docker_config.empty()) {
    registry.AddMember("dockerConfig", parsed(request.docker_config, doc), memory);
  }
  doc.AddMember("registry", registry, memory);
  doc.AddMember("policy", parsed(request.admin.policy, doc), memory);
  return json::write(doc);
}

result<fetched_image> parse_answer(std::string_view answer) {
  const auto doc = json::parse(answer);
  if (!doc || json::int_at(*doc, "/version") != 1) {
    return error{package_error::helper_failed,
                 "expected an answer of oarlock-fetch of version 1, found " +
                     (doc ? std::string("another") : doc.error().message) +
                     "; daemon and helper must be of one build"};
  }
  if (json::find(*doc, "/error") != nullptr) {
    error e{error_of(json::string_at(*doc, "/error/reason")),
            std::string(json::string_at(*doc, "/error/message"))};
    if (const auto wait = json::int_at(*doc, "/error/retryAfterSeconds")) {
      e.retry_after = std::chrono::seconds(*wait);
    }
    return e;
  }
  fetched_image out;
  out.image = json::string_at(*doc, "/image");
  out.digest = json::string_at(*doc, "/digest");
  out.rule = json::string_at(*doc, "/verification/rule");
  out.mode = json::string_at(*doc, "/verification/mode");
  out.signer = json::string_at(*doc, "/verification/signer");
  if (const auto* files = json::find(*doc, "/files"); files != nullptr && files->IsArray()) {
    for (const auto& file : files->GetArray())
      out.files[std::string(json::string_at(file, "/path"))] = json::string_at(file, "/sha256");
  }
  if (out.digest.empty() || out.mode.empty() || out.files.empty()) {
    return error{package_error::helper_failed,
                 "expected digest, verification and files in the answer of oarlock-fetch, found "
                 "none"};
  }
  return out;
}

std::string repository_of(std::string_view image) {
  image = image.substr(0, image.find('@'));
  const auto colon = image.rfind(':');
  const auto slash = image.rfind('/');
  // "localhost:5000/x": the colon of a port stands before the last slash.
  const bool has_tag =
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  return std::string(has_tag ? image.substr(0, colon) : image);
}

docker_configs::docker_configs() : all_(rapidjson::kObjectType) {
  all_.AddMember("auths", rapidjson::Value(rapidjson::kObjectType), all_.GetAllocator());
}

result<> docker_configs::add(const std::string& name, std::string_view secret_json) {
  const auto refuse = [&](const std::string& found) {
    return error{
        package_error::pull_secret,
        fmt::format("Secret {}: expected type {} with auths, found {}", name, secret_type, found)};
  };
  const auto secret = json::parse(secret_json);
  if (!secret) return refuse("no JSON");
  if (const auto type = json::string_at(*secret, "/type"); type != secret_type) {
    return refuse(fmt::format("type {}", type));
  }
  const auto config = base64_decode(json::string_at(*secret, "/data/.dockerconfigjson"));
  const auto doc = config ? json::parse(*config) : result<rapidjson::Document>(refuse("none"));
  const auto* auths = doc ? json::find(*doc, "/auths") : nullptr;
  if (auths == nullptr || !auths->IsObject()) return refuse("none");
  merge(*auths);
  return {};
}

void docker_configs::add_config(std::string_view config_json) {
  const auto doc = json::parse(config_json);
  const auto* auths = doc ? json::find(*doc, "/auths") : nullptr;
  if (auths != nullptr && auths->IsObject() && !auths->ObjectEmpty()) merge(*auths);
}

void docker_configs::merge(const rapidjson::Value& auths) {
  auto& memory = all_.GetAllocator();
  for (const auto& entry : auths.GetObject()) {
    if (all_["auths"].HasMember(entry.name)) continue;
    all_["auths"].AddMember(rapidjson::Value(entry.name, memory),
                            rapidjson::Value(entry.value, memory), memory);
  }
  has_any_ = true;
}

std::string docker_configs::json() const {
  return has_any_ ? json::write(all_) : std::string();
}

std::string credentials_request_json(const std::string& image, const image_policy& admin,
                                     const std::string& cache) {
  rapidjson::Document doc(rapidjson::kObjectType);
  auto& memory = doc.GetAllocator();
  doc.AddMember("version", 1, memory);
  doc.AddMember("image", text(image, doc), memory);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(providers_limit);
  doc.AddMember("timeoutMillis", static_cast<std::int64_t>(millis.count()), memory);
  doc.AddMember("registry", parsed(admin.registry, doc), memory);
  auto providers = parsed(admin.providers, doc);
  for (const char* name : {"config", "binDir"})
    doc.AddMember(rapidjson::StringRef(name), providers[name], memory);
  if (!cache.empty()) doc.AddMember("cache", parsed(cache, doc), memory);
  return json::write(doc);
}

result<provided_credentials> parse_credentials(std::string_view answer) {
  const auto doc = json::parse(answer);
  if (doc && json::find(*doc, "/error") != nullptr) {
    return error{error_of(json::string_at(*doc, "/error/reason")),
                 std::string(json::string_at(*doc, "/error/message"))};
  }
  const auto* config = doc ? json::find(*doc, "/dockerConfig") : nullptr;
  const auto* cache = doc ? json::find(*doc, "/cache") : nullptr;
  if (!doc || json::int_at(*doc, "/version") != 1 || config == nullptr || cache == nullptr) {
    return error{package_error::helper_failed,
                 "expected credentials from oarlock-fetch of version 1, found something else; "
                 "daemon and helper must be of one build"};
  }
  provided_credentials out{json::write(*config), json::write(*cache), {}};
  if (const auto* problems = json::find(*doc, "/problems");
      problems != nullptr && problems->IsArray()) {
    for (const auto& one : problems->GetArray()) {
      if (!one.IsString()) continue;
      out.problems += (out.problems.empty() ? "" : "; ") + std::string(one.GetString());
    }
  }
  return out;
}

task<result<provided_credentials>> ask_providers(kube::exec_runner run, std::string program,
                                                 std::string image, image_policy admin,
                                                 std::string cache) {
  kube::exec_command command;
  command.program = std::move(program);
  command.args = {"credentials"};
  command.limit = providers_limit + kill_margin;
  command.output_bytes_max = answer_bytes_max;
  command.input = credentials_request_json(image, admin, cache);
  command.any_exit_code = true;
  const auto answer = co_await run(std::move(command));
  if (!answer) {
    co_return error{package_error::helper_failed, "oarlock-fetch: " + answer.error().message};
  }
  co_return parse_credentials(*answer);
}

task<result<std::int64_t>> prune(kube::exec_runner run, std::string program,
                                 std::filesystem::path folder, std::vector<std::string> images) {
  rapidjson::Document doc(rapidjson::kObjectType);
  auto& memory = doc.GetAllocator();
  rapidjson::Value keep(rapidjson::kArrayType);
  for (const auto& image : images)
    keep.PushBack(text(image, doc), memory);
  const auto store = folder.string();
  doc.AddMember("version", 1, memory);
  doc.AddMember("storeDir", text(store, doc), memory);
  doc.AddMember("keep", keep, memory);
  doc.AddMember("spareBytes", spare_bytes, memory);
  kube::exec_command command;
  command.program = std::move(program);
  command.args = {"prune"};
  command.limit = prune_limit;
  command.output_bytes_max = answer_bytes_max;
  command.input = json::write(doc);
  command.only_this_env = true;
  command.any_exit_code = true;
  const auto answer = co_await run(std::move(command));
  const auto said = answer ? json::parse(*answer) : result<rapidjson::Document>(answer.error());
  const auto removed = said ? json::int_at(*said, "/removedBytes") : std::nullopt;
  if (!said || json::find(*said, "/error") != nullptr || !removed) {
    const auto why =
        said ? std::string(json::string_at(*said, "/error/message")) : said.error().message;
    co_return error{package_error::helper_failed, "oarlock-fetch prune: " + why};
  }
  co_return *removed;
}

task<result<fetched_image>> fetch(kube::exec_runner run, std::string program,
                                  fetch_request request) {
  kube::exec_command command;
  command.program = std::move(program);
  command.args = {"pull"};
  command.limit = request.timeout + kill_margin;
  command.output_bytes_max = answer_bytes_max;
  command.input = request_json(request);
  command.only_this_env = true;
  command.any_exit_code = true;
  constexpr std::array passed_on = {"HTTPS_PROXY", "https_proxy", "NO_PROXY",      "no_proxy",
                                    "HTTP_PROXY",  "http_proxy",  "SSL_CERT_FILE", "SSL_CERT_DIR"};
  for (const char* name : passed_on) {
    if (const char* set = std::getenv(name); set != nullptr) command.env.emplace_back(name, set);
  }
  const auto answer = co_await run(std::move(command));
  if (!answer) {
    co_return error{package_error::helper_failed, "oarlock-fetch: " + answer.error().message};
  }
  co_return parse_answer(*answer);
}

}  // namespace oarlock::package
