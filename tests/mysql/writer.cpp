#include "tests/mysql/writer.hpp"

#include <algorithm>
#include <chrono>

namespace mysql_cluster::testing {

using namespace std::chrono_literals;

namespace {

constexpr auto connect_time = 3s;
// A server whose pod is gone does not even refuse: then the connection is given up.
constexpr auto write_time = 5s;
constexpr auto pause = 20ms;  // between writes: it is their order that matters, not their number
constexpr std::int64_t ids_of_a_connection = 1'000'000'000;

}  // namespace

std::int64_t writer::now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / 1ns;
}

writer::writer(std::string database, find_server find, int connections)
    : database_(std::move(database)), find_(std::move(find)) {
  for (int i = 0; i < connections; ++i)
    threads_.emplace_back([this, i] { work(i); });
}

writer::~writer() {
  if (!threads_.empty()) stop();
}

std::vector<write> writer::stop() {
  stops_ = true;
  for (auto& t : threads_)
    t.join();
  threads_.clear();
  const std::scoped_lock lock(mutex_);
  return std::move(writes_);
}

void writer::note(write w) {
  if (w.is_acknowledged) ++acknowledged_;
  const std::scoped_lock lock(mutex_);
  writes_.push_back(std::move(w));
}

std::int64_t writer::longest_gap_ns(std::int64_t since_ns) {
  std::vector<std::int64_t> ends{since_ns};
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& w : writes_) {
      if (w.is_acknowledged && w.end_ns > since_ns) ends.push_back(w.end_ns);
    }
  }
  std::ranges::sort(ends);
  std::int64_t longest = 0;
  for (std::size_t i = 1; i < ends.size(); ++i)
    longest = std::max(longest, ends[i] - ends[i - 1]);
  return longest;
}

void writer::work(int connection) {
  std::int64_t next = connection * ids_of_a_connection + 1;
  while (!stops_) {
    try {
      const auto target = find_();
      if (target) {
        sql_session server(*target, sql_session::now() + connect_time);
        write_until_error(connection, server, next);
      }
    } catch (const sql_error&) {  // refused, closed or late: what was noted says all about it
    }
    std::this_thread::sleep_for(pause);
  }
}

void writer::write_until_error(int connection, sql_session& server, std::int64_t& next) {
  const auto uuid = server.value("SELECT @@server_uuid", sql_session::now() + connect_time);
  server.query("CREATE TABLE IF NOT EXISTS `" + database_ +
                   "`.writes (id BIGINT PRIMARY KEY, connection INT NOT NULL)",
               sql_session::now() + write_time);
  while (!stops_) {
    write w;
    w.id = next++;
    w.server = uuid;
    w.begin_ns = now_ns();
    try {
      server.query("INSERT INTO `" + database_ + "`.writes VALUES (" + std::to_string(w.id) + ", " +
                       std::to_string(connection) + ")",
                   sql_session::now() + write_time);
      w.is_acknowledged = true;
    } catch (const sql_error&) {
      w.end_ns = now_ns();
      note(std::move(w));
      throw;
    }
    w.end_ns = now_ns();
    note(std::move(w));
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace mysql_cluster::testing
