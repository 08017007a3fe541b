#include "tests/mysql/loopback_node.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <charconv>
#include <chrono>
#include <fstream>
#include <sstream>

#include "core/json/parse.hpp"
#include "plugins/mysql-cluster/src/names.hpp"

namespace mysql_cluster::testing {

using namespace std::chrono_literals;
namespace files = std::filesystem;
namespace json = oarlock::json;
using oarlock::testing::background;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr auto tick = 200ms;
constexpr auto probe_period = 1s;
constexpr auto restart_delay = 500ms;
constexpr const char* node_name = "loopback";
constexpr const char* server_container = "mysqld";
constexpr const char* program_name = "oarlock-mysql";  // process 1

files::path root_dir() {
  return oarlock::testing::source_dir() / "build/mysql/root";
}

std::string text(const rapidjson::Value& in, std::string_view pointer) {
  return std::string(json::string_at(in, pointer));
}

std::vector<const rapidjson::Value*> items(const rapidjson::Value& in, std::string_view pointer) {
  std::vector<const rapidjson::Value*> made;
  const auto* found = json::find(in, pointer);
  if (found == nullptr || !found->IsArray()) return made;
  for (const auto& item : found->GetArray())
    made.push_back(&item);
  return made;
}

const rapidjson::Value* named(const rapidjson::Value& in, std::string_view pointer,
                              std::string_view name) {
  for (const auto* item : items(in, pointer)) {
    if (text(*item, "/name") == name) return item;
  }
  return nullptr;
}

/// 0 for a text that begins with no number.
int number_of(const std::string& digits) {
  int made = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), made);
  return made;
}

// "pid (comm) state ppid ...": a comm may hold anything, and is in brackets.
std::optional<std::pair<std::string, pid_t>> process(const files::path& proc) {
  std::ifstream in(proc / "stat");
  std::string all;
  std::getline(in, all);
  const auto open = all.find('('), close = all.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  std::istringstream rest(all.substr(close + 1));
  char state = 0;
  pid_t parent = 0;
  rest >> state >> parent;
  return std::pair{all.substr(open + 1, close - open - 1), parent};
}

/// The process `comm` below `top`, -1 when there is none.
pid_t descendant(pid_t top, const std::string& comm) {
  std::map<pid_t, pid_t> parents;
  std::vector<pid_t> called;
  for (const auto& entry : files::directory_iterator("/proc")) {
    const pid_t pid = number_of(entry.path().filename());
    if (pid <= 0) continue;
    const auto found = process(entry.path());
    if (!found) continue;
    parents[pid] = found->second;
    if (found->first == comm) called.push_back(pid);
  }
  for (const pid_t pid : called) {
    for (pid_t up = pid; up > 1; up = parents[up]) {
      if (up == top) return pid;
    }
  }
  return -1;
}

std::string log_of(const files::path& file) {
  std::ifstream in(file);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

}  // namespace

std::string why_no_servers() {
  if (!files::exists(root_dir() / "usr/local/bin/oarlock-mysql")) {
    return "no MySQL in " + root_dir().string() + ": tools/build.sh mysql";
  }
  const auto tried = oarlock::testing::run(
      {"sh", "-c",
       "exec bwrap --unshare-user --uid 999 --gid 999 --unshare-pid --ro-bind \"$0\" / "
       "--proc /proc --dev /dev mysqld --version",
       root_dir()});
  if (tried.exit_code == 0) return {};
  return "bubblewrap cannot run a server here (tools/deps.sh mysql; the kernel has to allow user "
         "namespaces): " +
         tried.err;
}

struct loopback_node::running_pod {
  std::string name, uid, address;
  rapidjson::Document object;  // as it was seen first
  files::path dir;
  std::vector<std::string> sandbox;  // the command that runs others in the pod
  bool is_prepared = false, is_initialised = false, is_ready = false, is_leaving = false;
  bool is_stopping = false;
  int restarts = 0;
  std::unique_ptr<background> container, hook, probe;
  clock_type::time_point not_before{}, probe_at{}, kill_at{};
  std::string told;

  [[nodiscard]] const rapidjson::Value& server() const {
    const auto* found = named(object, "/spec/containers", server_container);
    if (found == nullptr) throw std::runtime_error("expected a container mysqld in " + name);
    return *found;
  }
  std::unique_ptr<background> start(const rapidjson::Value& container_or_hook,
                                    std::string_view pointer, const char* log) const {
    auto argv = sandbox;
    for (const auto* word : items(container_or_hook, pointer))
      argv.emplace_back(word->GetString());
    return std::make_unique<background>(argv, dir / log);
  }
  void signal(const char* comm, int number) const {
    if (!container) return;
    const pid_t pid = descendant(container->pid(), comm);
    if (pid > 0) kill(pid, number);
  }
};

loopback_node::loopback_node(const oarlock::testing::kubectl_user& kube, std::string ns)
    : kube_(kube), ns_(std::move(ns)) {
  // Other test programs on this machine have other addresses, as they have other folders.
  const auto number = std::hash<std::string>()(dir_.path());
  network_ = fmt::format("127.{}.{}", 10 + number % 240, number / 240 % 256);
  kube_.must(
      {"create", "-f", "-"},
      fmt::format(R"({{"apiVersion":"v1","kind":"Node","metadata":{{"name":"{}"}}}})", node_name));
  thread_ = std::thread([this] { loop(); });
}

loopback_node::~loopback_node() {
  {
    const std::scoped_lock lock(mutex_);
    stops_ = true;
  }
  thread_.join();
}

void loopback_node::loop() {
  while (true) {
    const auto pods = kube_.kubectl({"get", "pods", "-n", ns_, "-l", cluster_label, "-o", "json"});
    {
      const std::scoped_lock lock(mutex_);
      if (stops_) {
        pods_.clear();  // by the thread that started them: they end with it
        return;
      }
      if (pods.exit_code == 0) take(pods.out);
      for (auto& [name, p] : pods_)
        step(*p);
    }
    std::this_thread::sleep_for(tick);
  }
}

void loopback_node::take(const std::string& pods_json) {
  const auto said = json::parse(pods_json);
  if (!said) return;
  std::set<std::string> seen;
  std::multimap<std::string, std::string> addresses;
  for (const auto* item : items(*said, "/items")) {
    const auto name = text(*item, "/metadata/name"), uid = text(*item, "/metadata/uid");
    seen.insert(name);
    auto& p = pods_[name];
    if (p && p->uid != uid) p.reset();  // deleted at once, and made anew
    if (!p) {
      p = std::make_unique<running_pod>();
      p->name = name;
      p->uid = uid;
      p->object.CopyFrom(*item, p->object.GetAllocator());
      p->dir = dir_.path() / (name + "-" + uid);
      p->address = fmt::format("{}.{}", network_, 1 + number_of(name.substr(name.rfind('-') + 1)));
    }
    addresses.emplace(text(*item, "/metadata/labels/mysql.oarlock.dev~1role"), p->address);
    if (text(*item, "/metadata/deletionTimestamp").empty() || p->is_leaving) continue;
    p->is_leaving = true;
    const auto grace = json::int_at(*item, "/metadata/deletionGracePeriodSeconds").value_or(30);
    p->kill_at = clock_type::now() + std::chrono::seconds(grace);
  }
  std::erase_if(pods_, [&](const auto& entry) { return !seen.contains(entry.first); });
  const std::scoped_lock lock(roles_mutex_);
  addresses_ = std::move(addresses);
}

void loopback_node::step(running_pod& p) {
  if (p.is_leaving) return leave(p);
  if (!p.is_prepared) prepare(p);
  serve(p);
  tell(p);
}

// Volumes as folders, and the command that runs others among them.
void loopback_node::prepare(running_pod& p) {
  kube_.must({"create", "--raw", fmt::format("/api/v1/namespaces/{}/pods/{}/binding", ns_, p.name),
              "-f", "-"},
             fmt::format(R"({{"apiVersion":"v1","kind":"Binding","metadata":{{"name":"{}"}},)"
                         R"("target":{{"apiVersion":"v1","kind":"Node","name":"{}"}}}})",
                         p.name, node_name));
  files::create_directories(p.dir);
  p.sandbox = {"bwrap",
               "--unshare-user",
               "--uid",
               "999",
               "--gid",
               "999",
               "--unshare-pid",
               "--as-pid-1",
               "--die-with-parent",
               "--ro-bind",
               root_dir(),
               "/",
               "--proc",
               "/proc",
               "--dev",
               "/dev",
               "--clearenv",
               "--setenv",
               "PATH",
               "/usr/local/bin:/usr/sbin:/usr/bin"};
  const auto& server = p.server();
  for (const auto* m : items(server, "/volumeMounts"))
    mount(p, text(*m, "/name"), text(*m, "/mountPath"),
          json::bool_at(*m, "/readOnly").value_or(false));
  for (const auto* e : items(server, "/env")) {
    const auto field = text(*e, "/valueFrom/fieldRef/fieldPath");
    const auto value = field == "metadata.name"  ? p.name
                       : field == "status.podIP" ? p.address
                                                 : text(*e, "/value");
    p.sandbox.insert(p.sandbox.end(), {"--setenv", text(*e, "/name"), value});
  }
  p.is_prepared = true;
}

void loopback_node::mount(running_pod& p, const std::string& volume, const std::string& path,
                          bool read_only) {
  const auto* source = named(p.object, "/spec/volumes", volume);
  if (source == nullptr) throw std::runtime_error("no volume " + volume + " in " + p.name);
  auto folder = p.dir / volume;
  const auto claim = text(*source, "/persistentVolumeClaim/claimName");
  if (!claim.empty()) folder = dir_.path() / "volumes" / claim;
  files::create_directories(folder);
  project(*source, folder);
  p.sandbox.insert(p.sandbox.end(), {read_only ? "--ro-bind" : "--bind", folder, path});
}

// What a volume has of a ConfigMap or a Secret, as files. A server may read them meanwhile.
void loopback_node::project(const rapidjson::Value& volume, const files::path& folder) {
  const auto config = text(volume, "/configMap/name"), secret = text(volume, "/secret/secretName");
  if (config.empty() && secret.empty()) return;
  const auto all = kube_.must(
      {"get", config.empty() ? "secret" : "configmap", config.empty() ? secret : config, "-n", ns_,
       "-o",
       config.empty() ? "go-template={{range $k,$v := .data}}@@@{{$k}}@{{base64decode $v}}{{end}}"
                      : "go-template={{range $k,$v := .data}}@@@{{$k}}@{{$v}}{{end}}"});
  for (std::size_t at = 0; (at = all.find("@@@", at)) != std::string::npos;) {
    const auto end = std::min(all.find("@@@", at + 3), all.size());
    const auto key_end = all.find('@', at + 3);
    const auto file = folder / all.substr(at + 3, key_end - at - 3), fresh = folder / ".new";
    std::ofstream(fresh) << all.substr(key_end + 1, end - key_end - 1);
    files::permissions(fresh, files::perms::owner_read | files::perms::group_read);
    files::rename(fresh, file);
    at = end;
  }
}

void loopback_node::serve(running_pod& p) {
  const auto now = clock_type::now();
  if (p.container && !p.container->running()) {
    if (!p.is_initialised && p.container->wait(0ms) == 0)
      p.is_initialised = true;
    else if (p.is_initialised)
      ++p.restarts;
    p.not_before = p.is_initialised && p.restarts == 0 ? now : now + restart_delay;
    p.container.reset();
    p.is_ready = false;
  }
  if (!p.container) {
    if (held_.contains(p.name) || now < p.not_before) return;
    const auto inits = items(p.object, "/spec/initContainers");
    p.container = p.is_initialised || inits.empty()
                      ? p.start(p.server(), "/command", "mysqld.log")
                      : p.start(*inits.front(), "/command", "mysqld.log");
    return;
  }
  if (!p.is_initialised) return;
  if (p.probe && !p.probe->running()) {
    p.is_ready = p.probe->wait(0ms) == 0;
    p.probe.reset();
    p.probe_at = now + probe_period;
  }
  if (!p.probe && now >= p.probe_at) {
    p.probe = p.start(p.server(), "/readinessProbe/exec/command", "probe.log");
  }
}

// preStop, SIGTERM to process 1, SIGKILL when the time is over; then the object goes.
void loopback_node::leave(running_pod& p) {
  const auto now = clock_type::now();
  if (p.container && p.container->running() && now < p.kill_at) {
    if (!p.hook) p.hook = p.start(p.server(), "/lifecycle/preStop/exec/command", "pre-stop.log");
    if (!p.hook->running() && !p.is_stopping) {
      p.is_stopping = true;
      p.signal(program_name, SIGTERM);
    }
    return;
  }
  p.container.reset();
  kube_.kubectl(
      {"delete", "pod", p.name, "-n", ns_, "--grace-period=0", "--force", "--wait=false"});
}

void loopback_node::tell(running_pod& p) {
  const bool runs = p.container != nullptr && p.is_initialised;
  const char* state =
      runs ? R"({"running":{}})" : R"({"waiting":{"reason":"CrashLoopBackOff","message":"held"}})";
  if (!runs && p.restarts == 0) state = R"({"waiting":{"reason":"PodInitializing"}})";
  auto status = fmt::format(
      R"({{"status":{{"phase":"{}","podIP":"{}","podIPs":[{{"ip":"{}"}}],"conditions":[)"
      R"({{"type":"Ready","status":"{}"}},{{"type":"PodScheduled","status":"True"}}],)"
      R"("containerStatuses":[{{"name":"{}","image":"loopback","imageID":"loopback",)"
      R"("ready":{},"restartCount":{},"state":{}}}]}}}})",
      p.is_initialised ? "Running" : "Pending", p.address, p.address, p.is_ready ? "True" : "False",
      server_container, p.is_ready, p.restarts, state);
  if (status == p.told) return;
  const auto done = kube_.kubectl(
      {"patch", "pod", p.name, "-n", ns_, "--subresource=status", "--type=merge", "-p", status});
  if (done.exit_code == 0) p.told = std::move(status);
}

loopback_node::running_pod* loopback_node::find(const std::string& pod) {
  const auto found = pods_.find(pod);
  return found == pods_.end() ? nullptr : found->second.get();
}

void loopback_node::kill_server(const std::string& pod) {
  const std::scoped_lock lock(mutex_);
  if (auto* p = find(pod)) p->signal(server_container, SIGKILL);
}

void loopback_node::stop_server(const std::string& pod) {
  const std::scoped_lock lock(mutex_);
  if (auto* p = find(pod)) p->signal(program_name, SIGTERM);
}

void loopback_node::hold(const std::string& pod, bool on) {
  const std::scoped_lock lock(mutex_);
  if (on)
    held_.insert(pod);
  else
    held_.erase(pod);
}

void loopback_node::freeze(const std::string& pod, bool on) {
  const std::scoped_lock lock(mutex_);
  if (auto* p = find(pod)) p->signal(server_container, on ? SIGSTOP : SIGCONT);
}

void loopback_node::project_secrets() {
  const std::scoped_lock lock(mutex_);
  for (const auto& [name, p] : pods_) {
    for (const auto* volume : items(p->object, "/spec/volumes")) {
      if (p->is_prepared) project(*volume, p->dir / text(*volume, "/name"));
    }
  }
}

std::optional<std::string> loopback_node::address_of(const std::string& role) {
  const std::scoped_lock lock(roles_mutex_);
  if (addresses_.count(role) != 1) return std::nullopt;
  return addresses_.find(role)->second;
}

std::string loopback_node::log(const std::string& pod) {
  const std::scoped_lock lock(mutex_);
  const auto* p = find(pod);
  return p == nullptr ? std::string() : log_of(p->dir / "mysqld.log");
}

}  // namespace mysql_cluster::testing
