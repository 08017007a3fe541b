#include "tests/support/fault_gate.hpp"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "core/base/base64.hpp"
#include "core/base/task.hpp"
#include "core/kube/kubeconfig.hpp"
#include "core/kube/url.hpp"
#include "core/net/answer_parser.hpp"
#include "core/net/message.hpp"
#include "core/net/tls.hpp"
#include "tests/support/process.hpp"

namespace oarlock::testing {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using tcp = asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

namespace {

constexpr auto awaited = asio::as_tuple(asio::use_awaitable_t<executor>{});
constexpr std::size_t requests_kept_max = 200'000;
constexpr std::size_t server_header_bytes_max = 1U << 20U;

template <class T>
T must(result<T> r, const std::string& what) {
  if (!r) throw std::runtime_error(what + ": " + r.error().message);
  return std::move(*r);
}

std::string data_or_file(const std::string& data, const std::string& file) {
  if (!data.empty()) return data;
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::shared_ptr<ssl::context> server_context(const test::identity& own) {
  auto out = std::make_shared<ssl::context>(ssl::context::tls_server);
  out->use_certificate_chain(asio::buffer(own.cert_pem));
  out->use_private_key(asio::buffer(own.key_pem), ssl::context::pem);
  return out;
}

// The value of a header in a request's head; our own client writes it in this spelling.
std::string header_of(const std::string& head, const std::string& name) {
  const auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const auto begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

// The server sees its own name, no compression, a new connection for each request.
std::string head_for_server(const gate_request& r, const std::string& host) {
  std::string out = r.method + " " + r.target + " HTTP/1.1\r\nHost: " + host + "\r\n";
  for (const auto* name : {"Accept", "Content-Type", "User-Agent"}) {
    const auto value = header_of(r.head, name);
    if (!value.empty()) out += std::string(name) + ": " + value + "\r\n";
  }
  if (r.is_write()) out += "Content-Length: " + std::to_string(r.body.size()) + "\r\n";
  return out + "Connection: close\r\n\r\n";
}

std::string chunk_of(const std::string& bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

std::string head_of(const net::http_head& from) {
  std::string out = fmt::format("HTTP/1.1 {} Answer\r\n", from.status);
  for (const auto& h : from.headers) {
    const auto is = [&](const char* name) { return net::same_name(h.name, name); };
    if (is("Content-Length") || is("Transfer-Encoding") || is("Connection")) continue;
    out += h.name + ": " + h.value + "\r\n";
  }
  return out + "Transfer-Encoding: chunked\r\n\r\n";
}

bool matches(const gate_rule& rule, const gate_request& r) {
  const bool method =
      rule.method.empty() || rule.method == r.method || (rule.method == "WRITE" && r.is_write());
  return method && r.target.starts_with(rule.path) &&
         r.target.find(rule.has) != std::string::npos &&
         r.target.find(rule.has_too) != std::string::npos &&
         (rule.lacks.empty() || r.target.find(rule.lacks) == std::string::npos);
}

// Cuts a body into lines and edits them.
class line_editor {
 public:
  explicit line_editor(const gate_fault& f) : edit_(f.edit) {}
  std::string take(const std::string& bytes) {
    if (!edit_) return bytes;
    rest_ += bytes;
    std::string out;
    for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
      out += edited(rest_.substr(0, end));
      rest_.erase(0, end + 1);
    }
    return out;
  }
  std::string finish() { return rest_.empty() ? std::string() : edited(std::exchange(rest_, {})); }

 private:
  std::string edited(const std::string& line) {
    std::string out;
    for (const auto& l : edit_(line))
      out += l + "\n";
    return out;
  }
  const std::function<std::vector<std::string>(const std::string&)>& edit_;
  std::string rest_;
};

}  // namespace

namespace gate {

gate_fault answer(int status, const std::string& body, const std::string& headers) {
  return raw(
      fmt::format("HTTP/1.1 {} Answer\r\nContent-Type: application/json\r\n{}"
                  "Content-Length: {}\r\n\r\n{}",
                  status, headers, body.size(), body));
}

gate_fault raw(std::string bytes) {
  gate_fault out;
  out.forward = false;
  out.answer = std::move(bytes);
  return out;
}

gate_fault watch_of(const std::string& lines) {
  auto out =
      raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked"
          "\r\n\r\n" +
          (lines.empty() ? std::string() : chunk_of(lines)));
  out.stay = true;
  return out;
}

gate_fault swallow_reply() {
  gate_fault out;
  out.drop = true;
  return out;
}

gate_fault close() {
  gate_fault out;
  out.forward = false;
  out.drop = true;
  return out;
}

gate_fault hold() {
  gate_fault out;
  out.hold = true;
  return out;
}

gate_fault delay(std::chrono::milliseconds by) {
  gate_fault out;
  out.delay = by;
  return out;
}

gate_fault lag(std::chrono::milliseconds by) {
  gate_fault out;
  out.lag = by;
  return out;
}

gate_fault cut_after(std::size_t bytes) {
  gate_fault out;
  out.cut_after = bytes;
  return out;
}

gate_fault throttle(std::size_t bytes_per_second) {
  gate_fault out;
  out.bytes_per_second = bytes_per_second;
  return out;
}

gate_fault edit(std::function<std::vector<std::string>(const std::string&)> lines) {
  gate_fault out;
  out.edit = std::move(lines);
  return out;
}

std::string status_body(int code, const std::string& reason, const std::string& message) {
  return fmt::format(R"({{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure",)"
                     R"("message":"{}","reason":"{}","code":{}}})",
                     message, reason, code);
}

}  // namespace gate

struct fault_gate::impl {
  explicit impl(const std::filesystem::path& file);
  task<> accept_all();
  std::optional<gate_fault> fault_for(const gate_request& r);
  task<> until_released();
  task<> until_thawed();

  scratch_dir dir;
  std::filesystem::path kubeconfig = dir.path() / "gate.kubeconfig";
  test::authority_for_tests authority;
  tcp::endpoint server;
  std::string server_name;
  std::unique_ptr<ssl::context> to_server;

  mutable std::mutex mutex;  // guards down to the empty line
  struct counted_rule {
    gate_rule rule;
    int number = 0;
    int seen = 0;
  };
  std::vector<counted_rule> rules;
  std::vector<int> hits;
  std::function<std::optional<gate_fault>(const gate_request&)> chooser;
  std::vector<gate_request> requests;
  gate_door door = gate_door::open;
  std::shared_ptr<ssl::context> presented;

  std::atomic<int> accepted = 0;
  std::atomic<int> open = 0;
  // The gate's thread only.
  std::set<session*> sessions;
  std::uint64_t released = 0;
  bool frozen = false;
  asio::io_context io{1};
  tcp::acceptor acceptor{io, {asio::ip::make_address("127.0.0.1"), 0}};
  asio::steady_timer wake_held{io, asio::steady_timer::time_point::max()};
  asio::steady_timer wake_frozen{io, asio::steady_timer::time_point::max()};
  std::thread worker;
};

fault_gate::impl::impl(const std::filesystem::path& file) {
  kube::config_sources sources;
  sources.flag_path = file.string();
  const auto config = must(kube::load_cluster_config(sources), "gate");
  const auto url = must(kube::parse_server_url(config.server), "gate");
  server_name = url.host;
  server = {asio::ip::make_address(url.host), static_cast<unsigned short>(std::stoi(url.port))};
  net::tls_material material;
  material.ca_pem = data_or_file(config.ca_data, config.ca_file);
  material.client_cert_pem = data_or_file(config.client_cert_data, config.client_cert_file);
  material.client_key_pem = data_or_file(config.client_key_data, config.client_key_file);
  to_server = must(net::make_tls_context(material), "gate");
  presented = server_context(authority.issue(test::key_kind::ec, "IP:127.0.0.1"));
  std::ofstream(kubeconfig) << fmt::format(
      "apiVersion: v1\nkind: Config\ncurrent-context: gate\n"
      "clusters: [{{name: gate, cluster: {{server: 'https://127.0.0.1:{}', "
      "certificate-authority-data: {}}}}}]\nusers: [{{name: gate, user: {{token: gate}}}}]\n"
      "contexts: [{{name: gate, context: {{cluster: gate, user: gate}}}}]\n",
      acceptor.local_endpoint().port(), base64_encode(authority.pem()));
}

std::optional<gate_fault> fault_gate::impl::fault_for(const gate_request& r) {
  const std::lock_guard lock(mutex);
  if (requests.size() < requests_kept_max) requests.push_back(r);
  for (auto& c : rules) {
    if (!matches(c.rule, r)) continue;
    const int turn = c.seen++ - c.rule.skip;
    if (turn < 0 || (c.rule.times > 0 && turn >= c.rule.times)) continue;
    ++hits[c.number];
    return c.rule.what;
  }
  if (chooser) return chooser(r);
  return {};
}

task<> fault_gate::impl::until_released() {
  const auto before = released;
  while (released == before)
    co_await wake_held.async_wait(awaited);
}

task<> fault_gate::impl::until_thawed() {
  while (frozen)
    co_await wake_frozen.async_wait(awaited);
}

// One connection of the subject. Lives in its own coroutine.
struct fault_gate::session {
  session(impl& of, tcp::socket s, std::shared_ptr<ssl::context> with)
      : gate(of), socket(std::move(s)), tls(std::move(with)), stream(socket, *tls) {
    gate.sessions.insert(this);
    ++gate.open;
  }
  ~session() {
    gate.sessions.erase(this);
    --gate.open;
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  void cut() {
    error_code ignored;
    socket.close(ignored);
  }
  // Ends when the subject closes: while an answer is on its way it sends nothing else.
  task<> pause(std::chrono::steady_clock::duration how_long) {
    asio::steady_timer timer(gate.io, how_long);
    co_await (timer.async_wait(awaited) || closed());
  }
  task<> closed() { co_await socket.async_wait(tcp::socket::wait_read, awaited); }
  task<bool> meet(gate_door how);
  task<std::optional<gate_request>> read_request();
  task<bool> send(std::string bytes);
  task<bool> serve(gate_request r);
  task<bool> forward(gate_request r);
  using server_stream = ssl::stream<tcp::socket>;
  task<bool> ask_server(server_stream* up, const gate_request* r, net::answer_parser* answer);
  task<bool> feed(server_stream* up, net::answer_parser* answer);
  task<bool> pass_on(server_stream* up, net::answer_parser* answer);
  static task<> run(std::shared_ptr<session> self, gate_door how);

  impl& gate;
  tcp::socket socket;
  std::shared_ptr<ssl::context> tls;
  ssl::stream<tcp::socket&> stream;
  std::string pending;
  gate_fault fault;  // of the request that is served
};

task<bool> fault_gate::session::meet(gate_door how) {
  if (how == gate_door::closed) co_return false;
  if (how == gate_door::silent) {
    std::array<char, 4096> swallowed{};
    error_code ec;
    while (!ec)
      std::tie(ec, std::ignore) = co_await socket.async_read_some(asio::buffer(swallowed), awaited);
    co_return false;
  }
  if (how == gate_door::cut_handshake) {
    char first = 0;
    co_await socket.async_read_some(asio::buffer(&first, 1), awaited);
    co_return false;
  }
  const auto [ec] = co_await stream.async_handshake(ssl::stream_base::server, awaited);
  co_return !ec;
}

task<std::optional<gate_request>> fault_gate::session::read_request() {
  std::array<char, 16384> buffer{};
  gate_request out;
  std::size_t wanted = 0;
  while (true) {
    const auto end = pending.find("\r\n\r\n");
    if (end != std::string::npos) {
      out.head = pending.substr(0, end + 2);
      const auto length = header_of(out.head, "Content-Length");
      wanted = end + 4 + (length.empty() ? 0 : std::stoul(length));
      if (pending.size() >= wanted) break;
    }
    const auto [ec, got] = co_await stream.async_read_some(asio::buffer(buffer), awaited);
    if (ec) co_return std::nullopt;
    pending.append(buffer.data(), got);
  }
  out.body = pending.substr(out.head.size() + 2, wanted - out.head.size() - 2);
  pending.erase(0, wanted);
  out.method = out.head.substr(0, out.head.find(' '));
  const auto begin = out.method.size() + 1;
  out.target = out.head.substr(begin, out.head.find(' ', begin) - begin);
  out.when = std::chrono::steady_clock::now();
  co_return out;
}

// What is left of the fault decides how much, and how fast. False: the connection is to be closed.
task<bool> fault_gate::session::send(std::string bytes) {
  const auto step = fault.bytes_per_second == 0
                        ? bytes.size()
                        : std::max<std::size_t>(fault.bytes_per_second / 10, 1);
  for (std::size_t at = 0; at < bytes.size();) {
    co_await gate.until_thawed();
    auto size = std::min(step, bytes.size() - at);
    if (fault.cut_after) size = std::min(size, *fault.cut_after);
    const auto piece = asio::buffer(bytes.data() + at, size);
    if (size > 0) {
      const auto [ec, sent] = co_await asio::async_write(stream, piece, awaited);
      if (ec) co_return false;
    }
    at += size;
    if (fault.cut_after && (*fault.cut_after -= size) == 0) co_return false;
    if (fault.bytes_per_second == 0) continue;
    co_await pause(1000ms * size / fault.bytes_per_second);
  }
  co_return true;
}

task<bool> fault_gate::session::serve(gate_request r) {
  fault = gate.fault_for(r).value_or(gate_fault{});
  if (fault.delay > 0ms) co_await pause(fault.delay);
  co_await gate.until_thawed();
  if (fault.forward) co_return co_await forward(std::move(r));
  if (fault.then) fault.then();
  if (fault.hold) co_await (gate.until_released() || closed());
  if (fault.drop || !co_await send(fault.answer)) co_return false;
  if (!fault.stay) co_return true;
  co_await closed();
  co_return false;
}

task<bool> fault_gate::session::feed(server_stream* up, net::answer_parser* answer) {
  std::array<char, 16384> buffer{};
  auto either = co_await (up->async_read_some(asio::buffer(buffer), awaited) || closed());
  if (either.index() == 1) co_return false;
  const auto [ec, got] = std::get<0>(either);
  const auto fed = ec ? answer->feed_end() : answer->feed({buffer.data(), got});
  co_return fed.has_value();
}

task<bool> fault_gate::session::ask_server(server_stream* up, const gate_request* r,
                                           net::answer_parser* answer) {
  const auto [refused] = co_await up->next_layer().async_connect(gate.server, awaited);
  if (refused) co_return false;
  const auto [ec] = co_await up->async_handshake(ssl::stream_base::client, awaited);
  if (ec) co_return false;
  const auto bytes = head_for_server(*r, gate.server_name) + r->body;
  const auto [unsent, sent] = co_await asio::async_write(*up, asio::buffer(bytes), awaited);
  if (unsent) co_return false;
  while (!answer->head_ready()) {
    if (!co_await feed(up, answer)) co_return false;
  }
  co_return true;
}

task<bool> fault_gate::session::forward(gate_request r) {
  server_stream up(gate.io, *gate.to_server);
  net::answer_parser answer(server_header_bytes_max, r.method == "HEAD");
  if (!co_await ask_server(&up, &r, &answer)) co_return false;
  if (fault.then) fault.then();
  if (fault.hold) co_await (gate.until_released() || closed());
  if (fault.drop) co_return false;
  if (fault.answer.empty()) co_return co_await pass_on(&up, &answer);
  if (!co_await send(fault.answer)) co_return false;
  if (fault.stay) co_await closed();
  co_return !fault.stay;
}

task<bool> fault_gate::session::pass_on(server_stream* up, net::answer_parser* answer) {
  line_editor editor(fault);
  if (!co_await send(head_of(answer->head()))) co_return false;
  while (true) {
    const auto body = answer->take_body();
    if (fault.record) fault.record->append(body);
    const auto out = editor.take(body);
    if (!body.empty()) co_await pause(fault.lag);
    if (!out.empty() && !co_await send(chunk_of(out))) co_return false;
    if (answer->done()) break;
    if (!co_await feed(up, answer)) co_return false;
  }
  const auto last = editor.finish();
  co_return co_await send((last.empty() ? std::string() : chunk_of(last)) + "0\r\n\r\n");
}

task<> fault_gate::session::run(std::shared_ptr<session> self, gate_door how) {
  if (co_await self->meet(how)) {
    while (auto r = co_await self->read_request()) {
      if (!co_await self->serve(std::move(*r))) break;
    }
  }
  self->cut();
}

task<> fault_gate::impl::accept_all() {
  while (true) {
    auto [ec, socket] = co_await acceptor.async_accept(awaited);
    if (ec) co_return;
    ++accepted;
    socket.set_option(tcp::no_delay(true), ec);
    std::unique_lock lock(mutex);
    const auto how = door;
    const auto with = presented;
    lock.unlock();
    spawn(io.get_executor(),
          session::run(std::make_shared<session>(*this, std::move(socket), with), how));
  }
}

fault_gate::fault_gate(const std::filesystem::path& kubeconfig)
    : impl_(std::make_unique<impl>(kubeconfig)) {
  spawn(impl_->io.get_executor(), impl_->accept_all());
  impl_->worker = std::thread([this] { impl_->io.run(); });
}

fault_gate::~fault_gate() {
  impl_->io.stop();
  impl_->worker.join();
}

const std::filesystem::path& fault_gate::kubeconfig() const {
  return impl_->kubeconfig;
}

std::string fault_gate::port() const {
  return std::to_string(impl_->acceptor.local_endpoint().port());
}

int fault_gate::add(gate_rule rule) {
  const std::lock_guard lock(impl_->mutex);
  const int number = static_cast<int>(impl_->hits.size());
  impl_->hits.push_back(0);
  impl_->rules.push_back({std::move(rule), number});
  return number;
}

void fault_gate::remove(int rule) {
  const std::lock_guard lock(impl_->mutex);
  std::erase_if(impl_->rules, [rule](const auto& c) { return c.number == rule; });
}

void fault_gate::clear() {
  const std::lock_guard lock(impl_->mutex);
  impl_->rules.clear();
  impl_->chooser = nullptr;
}

int fault_gate::hits(int rule) const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->hits.at(rule);
}

void fault_gate::choose(std::function<std::optional<gate_fault>(const gate_request&)> by) {
  const std::lock_guard lock(impl_->mutex);
  impl_->chooser = std::move(by);
}

void fault_gate::release() {
  asio::post(impl_->io, [i = impl_.get()] {
    ++i->released;
    i->wake_held.cancel();
  });
}

void fault_gate::freeze(bool frozen) {
  asio::post(impl_->io, [i = impl_.get(), frozen] {
    i->frozen = frozen;
    i->wake_frozen.cancel();
  });
}

void fault_gate::cut_all() {
  asio::post(impl_->io, [i = impl_.get()] {
    for (auto* s : i->sessions)
      s->cut();
  });
}

void fault_gate::set_door(gate_door how) {
  const std::lock_guard lock(impl_->mutex);
  impl_->door = how;
}

void fault_gate::present(const test::identity& own) {
  const std::lock_guard lock(impl_->mutex);
  impl_->presented = server_context(own);
}

test::authority_for_tests& fault_gate::authority() {
  return impl_->authority;
}

std::vector<gate_request> fault_gate::requests() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->requests;
}

void fault_gate::forget_requests() {
  const std::lock_guard lock(impl_->mutex);
  impl_->requests.clear();
}

int fault_gate::accepted() const {
  return impl_->accepted;
}

int fault_gate::open() const {
  return impl_->open;
}

}  // namespace oarlock::testing
