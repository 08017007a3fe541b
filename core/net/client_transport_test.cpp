#include "core/net/client_transport.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include "core/net/transport_fixture_test.hpp"

namespace oarlock::net {
namespace {

using namespace testing;
using namespace std::chrono_literals;

class client_transport_test : public transport_fixture {};

TEST_F(client_transport_test, reuses_a_connection_whose_answer_was_read_to_its_end) {
  loopback_server server(echo);
  const auto t = plain(server.port());
  EXPECT_EQ(fetch(*t, "/a").second, "GET /a HTTP/1.1");
  EXPECT_EQ(fetch(*t, "/b").second, "GET /b HTTP/1.1");
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(t->host(), "127.0.0.1:" + server.port());
}

TEST_F(client_transport_test, sends_body_and_headers) {
  std::promise<std::string> seen;
  loopback_server server([&](peer& p, int) {
    seen.set_value(p.read_request());
    p.write(ok_answer(""));
  });
  client_transport_config config;
  config.host = "127.0.0.1";
  config.port = server.port();
  config.tls = false;
  config.path_prefix = "/k8s/c-1";
  const auto t = make(config);
  auto got = open(*t, {"POST", "/x", {{"Content-Type", "text/plain"}}, "hello"}, by(patience));
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(seen.get_future().get(),
            "POST /k8s/c-1/x HTTP/1.1\r\nHost: 127.0.0.1:" + server.port() +
                "\r\nUser-Agent: oarlock\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n"
                "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
}

TEST_F(client_transport_test, drops_a_connection_whose_exchange_was_left_early) {
  loopback_server server(echo);
  const auto t = plain(server.port());
  {
    const auto left = open(*t, {"GET", "/", {}, ""}, by(patience));
  }
  EXPECT_EQ(fetch(*t).first, 200);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(client_transport_test, hands_out_chunks_as_they_arrive) {
  std::promise<void> first_was_read;
  loopback_server server([&](peer& p, int) {
    p.read_request();
    p.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n");
    first_was_read.get_future().wait();
    p.write("4\r\ntwo\n\r\n0\r\n\r\n");
  });
  const auto t = plain(server.port());
  auto options = by(patience);
  options.dedicated = true;
  auto got = open(*t, {"GET", "/", {}, ""}, options);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(read(**got)->value(), "one\n");
  first_was_read.set_value();
  EXPECT_EQ(read(**got)->value(), "two\n");
  EXPECT_FALSE(read(**got)->has_value());
  EXPECT_FALSE(read(**got)->has_value()) << "the end stays the end";
}

TEST_F(client_transport_test, decodes_gzip) {
  std::string zipped(200, '\0');
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  const std::string text(5000, 'x');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = 5000;
  z.next_out = reinterpret_cast<Bytef*>(zipped.data());
  z.avail_out = 200;
  deflate(&z, Z_FINISH);
  zipped.resize(z.total_out);
  deflateEnd(&z);
  loopback_server server([&](peer& p, int number) {
    p.read_request();
    const auto bytes = number == 0 ? zipped : zipped.substr(0, zipped.size() - 9);
    p.write(ok_answer(bytes, "Content-Encoding: gzip\r\nConnection: close\r\n"));
  });
  const auto t = plain(server.port());
  EXPECT_EQ(fetch(*t).second, text);
  const auto cut = fetch(*t).second;
  EXPECT_TRUE(cut.starts_with("!")) << cut;
}

TEST_F(client_transport_test, refuses_an_unknown_content_coding) {
  loopback_server server([](peer& p, int) {
    p.read_request();
    p.write(ok_answer("x", "Content-Encoding: br\r\n"));
  });
  EXPECT_EQ(failure(*plain(server.port())), net_error::bad_answer);
}

TEST_F(client_transport_test, does_not_reuse_a_connection_that_the_server_closed) {
  std::promise<void> closed;
  loopback_server server([&](peer& p, int number) {
    p.read_request();
    p.write(ok_answer("x"));
    if (number > 0) return p.wait_for_close();
    p.cut();
    closed.set_value();
  });
  const auto t = plain(server.port());
  EXPECT_EQ(fetch(*t).first, 200);
  closed.get_future().wait();
  EXPECT_EQ(fetch(*t).first, 200);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(client_transport_test, does_not_send_again_when_a_kept_connection_closes_under_a_request) {
  loopback_server server([&](peer& p, int) {
    p.read_request();
    p.write(ok_answer("x"));
    p.read_request();
    p.cut();
  });
  const auto t = plain(server.port());
  EXPECT_EQ(fetch(*t).first, 200);
  EXPECT_EQ(failure(*t), net_error::no_answer);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(client_transport_test, connects_anew_after_a_401) {
  loopback_server server([&](peer& p, int) {
    while (!p.read_request().empty()) {
      p.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    }
  });
  const auto t = plain(server.port());
  EXPECT_EQ(fetch(*t).first, 401);
  EXPECT_EQ(fetch(*t).first, 401);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(client_transport_test, takes_an_answer_that_came_before_the_request_was_read) {
  loopback_server server([&](peer& p, int) {
    p.write("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    p.wait_for_close();
  });
  const auto t = plain(server.port());
  auto got = open(*t, {"POST", "/", {}, std::string(1U << 20U, 'x')}, by(patience));
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ((*got)->head().status, 413);
}

struct silence {
  const char* name;
  std::string sends;  // before it falls silent
  net_error expected;
};
class silent_server : public client_transport_test,
                      public ::testing::WithParamInterface<silence> {};

TEST_P(silent_server, is_given_up_at_the_deadline) {
  loopback_server server([&](peer& p, int) {
    p.read_request();
    p.write(GetParam().sends);
    p.wait_for_close();
  });
  const auto t = plain(server.port());
  auto got = open(*t, {"GET", "/", {}, ""}, by(GetParam().sends.empty() ? soon : patience));
  if (!got) {
    EXPECT_EQ(got.error().code, GetParam().expected);
    return;
  }
  auto piece = read(**got, patience);
  while (piece && *piece)
    piece = read(**got, soon);
  ASSERT_FALSE(piece.has_value());
  EXPECT_EQ(piece.error().code, GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    table, silent_server,
    ::testing::Values(silence{"before_the_head", "", net_error::no_answer},
                      silence{"in_the_body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
                              net_error::broken_body},
                      silence{"in_a_stream",
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
                              net_error::broken_body}),
    [](const auto& info) { return info.param.name; });

struct broken {
  const char* name;
  std::string sends;  // before it closes
  net_error expected;
};
class broken_server : public client_transport_test, public ::testing::WithParamInterface<broken> {};

TEST_P(broken_server, is_told_apart) {
  loopback_server server([&](peer& p, int) {
    p.read_request();
    p.write(GetParam().sends);
  });
  const auto t = plain(server.port());
  auto got = open(*t, {"GET", "/", {}, ""}, by(patience));
  if (!got) {
    EXPECT_EQ(got.error().code, GetParam().expected) << got.error().message;
    return;
  }
  auto piece = read(**got);
  while (piece && *piece)
    piece = read(**got);
  ASSERT_FALSE(piece.has_value());
  EXPECT_EQ(piece.error().code, GetParam().expected) << piece.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    table, broken_server,
    ::testing::Values(broken{"no_bytes", "", net_error::no_answer},
                      broken{"half_a_head", "HTTP/1.1 200 OK\r\nConte", net_error::no_answer},
                      broken{"not_http", "220 mail ready\r\n\r\n", net_error::bad_answer},
                      broken{"header_too_large",
                             "HTTP/1.1 200 OK\r\nA: " +
                                 std::string(limits::response_header_bytes_max, 'x') + "\r\n\r\n",
                             net_error::bad_answer},
                      broken{"short_body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
                             net_error::broken_body},
                      broken{"cut_chunks",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
                             net_error::broken_body}),
    [](const auto& info) { return info.param.name; });

TEST_F(client_transport_test, says_not_sent_when_nobody_listens) {
  std::string port;
  {
    loopback_server gone(echo);
    port = gone.port();
  }
  EXPECT_EQ(failure(*plain(port)), net_error::not_sent);
  EXPECT_NE(last_message_.find("127.0.0.1:" + port), std::string::npos) << last_message_;
}

TEST_F(client_transport_test, says_not_sent_for_a_request_that_it_refuses) {
  loopback_server server(echo);
  const auto t = plain(server.port());
  auto got = open(*t, {"GET", "/a\r\nX: y", {}, ""}, by(patience));
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, net_error::not_sent);
  EXPECT_EQ(server.connections(), 0);
  EXPECT_EQ(failure(*t, by(-1s)), net_error::not_sent);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(client_transport_test, resolves_names) {
  loopback_server server(echo);
  client_transport_config config;
  config.host = "localhost";
  config.port = server.port();
  config.tls = false;
  EXPECT_EQ(fetch(*make(config)).first, 200);
  config.host = "no-such-host.invalid";
  EXPECT_EQ(failure(*make(config)), net_error::not_sent);
}

TEST_F(client_transport_test, tells_how_long_a_name_took) {
  loopback_server server(echo);
  client_transport_config config;
  config.port = server.port();
  config.tls = false;
  int told = 0;
  config.resolved = [&](duration took) { told += took >= duration::zero() ? 1 : 100; };
  config.host = "localhost";
  EXPECT_EQ(fetch(*make(config)).first, 200);
  EXPECT_EQ(told, 1);
  config.host = "127.0.0.1";
  EXPECT_EQ(fetch(*make(config)).first, 200);
  EXPECT_EQ(told, 1) << "an address needs no resolving";
}

TEST_F(client_transport_test, stops_at_once_from_another_thread) {
  std::promise<void> asked;
  loopback_server server([&](peer& p, int) {
    p.read_request();
    asked.set_value();
    p.wait_for_close();
  });
  const auto t = plain(server.port());
  std::stop_source stop;
  std::thread stopper([&] {
    asked.get_future().wait();
    stop.request_stop();
  });
  auto options = by(patience);
  options.stop = stop.get_token();
  EXPECT_EQ(failure(*t, options), net_error::cancelled);
  stopper.join();
  EXPECT_EQ(failure(*t, options), net_error::cancelled) << "stopped before it began";
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(client_transport_test, stops_a_stream_that_is_being_read) {
  loopback_server server([&](peer& p, int) {
    p.read_request();
    p.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    p.wait_for_close();
  });
  const auto t = plain(server.port());
  std::stop_source stop;
  auto options = by(patience);
  options.stop = stop.get_token();
  options.dedicated = true;
  auto got = open(*t, {"GET", "/", {}, ""}, options);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(read(**got)->value(), "a");
  std::thread stopper([&] { stop.request_stop(); });
  const auto piece = read(**got);
  stopper.join();
  ASSERT_FALSE(piece.has_value());
  EXPECT_EQ(piece.error().code, net_error::cancelled);
}

TEST_F(client_transport_test, a_stop_after_the_end_does_not_touch_the_next_request) {
  loopback_server server(echo);
  const auto t = plain(server.port());
  std::stop_source stop;
  auto options = by(patience);
  options.stop = stop.get_token();
  {
    auto first = open(*t, {"GET", "/", {}, ""}, options);
    ASSERT_TRUE(first.has_value());
    while (read(**first)->has_value()) {
    }
    stop.request_stop();
  }
  EXPECT_EQ(fetch(*t).first, 200);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(client_transport_test, an_exchange_may_go_while_it_is_read) {
  loopback_server server([&](peer& p, int) {
    p.read_request();
    p.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    p.wait_for_close();
  });
  const auto t = plain(server.port());
  auto got = open(*t, {"GET", "/", {}, ""}, by(patience));
  ASSERT_TRUE(got.has_value());
  bool ended = false;
  boost::asio::co_spawn(io_, (*got)->read_some(clock_.now() + patience),
                        [&](std::exception_ptr, result<std::optional<std::string>> piece) {
                          ended = !piece.has_value();
                          io_.stop();
                        });
  boost::asio::post(io_, [&] { got->reset(); });
  io_.restart();
  io_.run();
  EXPECT_TRUE(ended);
}

TEST_F(client_transport_test, a_loop_may_go_while_requests_wait) {
  loopback_server server([&](peer& p, int) { p.wait_for_close(); });
  auto io = std::make_unique<boost::asio::io_context>();
  client_transport_config config;
  config.host = "127.0.0.1";
  config.port = server.port();
  config.tls = false;
  config.connections_max = 1;
  auto t = make_client_transport(io->get_executor(), clock_, config);
  std::stop_source stop;
  for (int i = 0; i < 2; ++i) {
    exchange_options options{clock_.now() + patience, stop.get_token()};
    boost::asio::co_spawn(*io, t->open({"GET", "/", {}, ""}, options), boost::asio::detached);
  }
  io->poll();
  t.reset();
  io.reset();
  stop.request_stop();
}

TEST_F(client_transport_test, bounds_its_connections_and_serves_waiters_in_order) {
  loopback_server server(echo);
  client_transport_config config;
  config.host = "127.0.0.1";
  config.port = server.port();
  config.tls = false;
  config.connections_max = 1;
  const auto t = make(config);
  auto first = open(*t, {"GET", "/first", {}, ""}, by(patience));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(failure(*t, by(soon)), net_error::not_sent) << "no place before the deadline";

  std::string order;
  std::vector<opened> held;
  const auto ask = [&](char name) {
    boost::asio::co_spawn(io_, t->open({"GET", "/", {}, ""}, by(patience)),
                          [&, name](std::exception_ptr, opened got) {
                            order += got ? name : '!';
                            got->reset();  // early: the place goes to the next
                            if (order.size() == 3) io_.stop();
                          });
  };
  ask('a');
  ask('b');
  ask('c');
  auto dedicated = by(patience);
  dedicated.dedicated = true;
  EXPECT_TRUE(open(*t, {"GET", "/", {}, ""}, dedicated).has_value()) << "watches do not wait";
  EXPECT_EQ(order, "");
  first->reset();
  io_.restart();
  io_.run();
  EXPECT_EQ(order, "abc");
}

// Starts requests of one flow and keeps what is answered, so that its connection stays in use.
struct flow_of_requests {
  transport& t;
  boost::asio::io_context& io;
  exchange_options options;
  std::vector<std::unique_ptr<http_exchange>> held{};

  void ask(int count) {
    for (int i = 0; i < count; ++i) {
      boost::asio::co_spawn(io, t.open({"GET", "/", {}, ""}, options),
                            [this](std::exception_ptr, opened got) {
                              if (got) held.push_back(std::move(*got));
                            });
    }
  }
  std::size_t answered() const { return held.size(); }
};

TEST_F(client_transport_test, asks_whether_it_may_send_once_it_has_waited_for_a_connection) {
  std::atomic<int> requests = 0;
  loopback_server server([&](peer& p, int) {
    for (auto r = p.read_request(); !r.empty(); r = p.read_request()) {
      ++requests;
      p.write(ok_answer("x"));
    }
  });
  client_transport_config config;
  config.host = "127.0.0.1";
  config.port = server.port();
  config.tls = false;
  config.connections_max = 1;
  const auto t = make(config);
  auto first = open(*t, {"GET", "/first", {}, ""}, by(patience));
  ASSERT_TRUE(first.has_value());
  int asked = 0;
  auto options = by(patience);
  options.may_send = [&] {
    ++asked;
    return false;
  };
  std::optional<error> refused;
  boost::asio::co_spawn(io_, t->open({"POST", "/", {}, ""}, options),
                        [&](std::exception_ptr, opened got) {
                          refused = got.error();
                          io_.stop();
                        });
  io_.restart();
  io_.poll();
  EXPECT_EQ(asked, 0) << "it waits, and much may happen before it can send";
  first->reset();
  io_.restart();
  io_.run();
  EXPECT_EQ(asked, 1);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, net_error::not_sent);
  EXPECT_EQ(fetch(*t).first, 200) << "the connection serves the next";
  EXPECT_EQ(requests, 2);
}

TEST_F(client_transport_test, a_flow_leaves_as_many_connections_free_as_it_uses) {
  loopback_server server(echo);
  client_transport_config config;
  config.host = "127.0.0.1";
  config.port = server.port();
  config.tls = false;
  config.connections_max = 8;
  const auto t = make(config);
  const auto of_flow = [&](const char* flow) {
    return flow_of_requests{*t, io_, {clock_.now() + patience, {}, false, flow}};
  };
  auto greedy = of_flow("greedy");
  auto other = of_flow("other");
  auto third = of_flow("third");
  const auto until = [&](auto done) {
    io_.restart();
    while (!done() && io_.run_one_for(patience) > 0) {
    }
  };
  greedy.ask(100);
  until([&] { return greedy.answered() == 4; });
  other.ask(3);
  until([&] { return other.answered() == 2; });
  third.ask(1);
  until([&] { return third.answered() == 1; });
  EXPECT_EQ(greedy.answered(), 4U) << "half of what there is, however much it asks for";
  EXPECT_EQ(other.answered(), 2U) << "half of what was left";
  EXPECT_EQ(third.answered(), 1U);

  // What comes free goes to the flow that uses fewer, though the other has asked before.
  third.held.clear();
  greedy.held.pop_back();
  until([&] { return other.answered() == 3; });
  EXPECT_EQ(greedy.answered(), 3U);
  EXPECT_EQ(other.answered(), 3U);
  // Alone again it gets half of all.
  other.held.clear();
  until([&] { return greedy.answered() == 4; });
  EXPECT_EQ(greedy.answered(), 4U);
  EXPECT_LE(server.connections(), 12) << "each one dropped is one more";
}

TEST_F(client_transport_test, makes_no_more_use_of_a_connection_that_is_old) {
  loopback_server server(echo);
  client_transport_config config;
  config.host = "127.0.0.1";
  config.port = server.port();
  config.tls = false;
  config.age_max = 0s;
  const auto t = make(config);
  EXPECT_EQ(fetch(*t).first, 200);
  EXPECT_EQ(fetch(*t).first, 200);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(client_transport_test, sends_its_own_headers_with_each_request) {
  std::vector<std::string> requests;
  loopback_server server([&](peer& p, int) {
    for (auto r = p.read_request(); !r.empty(); r = p.read_request()) {
      requests.push_back(r);
      p.write(ok_answer("x"));
    }
  });
  client_transport_config config;
  config.host = "127.0.0.1";
  config.port = server.port();
  config.tls = false;
  config.headers = {{"Impersonate-User", "jane"}};
  const auto t = make(config);
  EXPECT_EQ(fetch(*t).first, 200);
  EXPECT_EQ(fetch(*t).first, 200);
  EXPECT_EQ(requests.size(), 2U);
  for (const auto& r : requests)
    EXPECT_NE(r.find("Impersonate-User: jane\r\n"), std::string::npos) << r;
}

TEST_F(client_transport_test, closes_idle_connections_in_time) {
  std::promise<void> closed;
  loopback_server server([&](peer& p, int) {
    p.read_request();
    p.write(ok_answer("x"));
    p.wait_for_close();
    closed.set_value();
  });
  client_transport_config config;
  config.host = "127.0.0.1";
  config.port = server.port();
  config.tls = false;
  config.idle_max = 1ms;
  const auto t = make(config);
  EXPECT_EQ(fetch(*t).first, 200);
  auto gone = closed.get_future();
  io_.restart();
  while (gone.wait_for(0s) != std::future_status::ready)
    io_.run_one_for(1ms);
}

}  // namespace
}  // namespace oarlock::net
