#include <gtest/gtest.h>

#include "core/net/client_transport.hpp"
#include "core/net/transport_fixture_test.hpp"

namespace oarlock::net {
namespace {

using namespace testing;
using namespace std::chrono_literals;

class tls_test : public transport_fixture {};

struct trust_case {
  const char* name;
  key_kind server_key;
  std::string names;        // in the server's certificate
  std::string server_name;  // that the client expects; empty: 127.0.0.1
  bool right_ca = true;
  long valid_seconds = 3600;
  bool works = false;
  std::string complaint = {};
};
class tls_trust : public tls_test, public ::testing::WithParamInterface<trust_case> {};

TEST_P(tls_trust, is_given_to_the_right_certificate_only) {
  const auto& c = GetParam();
  authority_for_tests ours(c.server_key);
  authority_for_tests other;
  loopback_server server(echo, {ours.issue(c.server_key, c.names, c.valid_seconds), {}});
  tls_material material;
  material.ca_pem = c.right_ca ? other.pem() + ours.pem() : other.pem();
  material.server_name = c.server_name;
  const auto t = secure(server.port(), material);
  if (c.works) {
    EXPECT_EQ(fetch(*t, "/a").second, "GET /a HTTP/1.1");
    EXPECT_EQ(fetch(*t, "/b").second, "GET /b HTTP/1.1");
    EXPECT_EQ(server.connections(), 1) << "keep-alive works under TLS";
    return;
  }
  EXPECT_EQ(failure(*t), net_error::untrusted);
  EXPECT_NE(last_message_.find(c.complaint), std::string::npos) << last_message_;
}

INSTANTIATE_TEST_SUITE_P(
    table, tls_trust,
    ::testing::Values(
        trust_case{"ip_rsa", key_kind::rsa, "IP:127.0.0.1", "", true, 3600, true},
        trust_case{"ip_ec", key_kind::ec, "IP:127.0.0.1", "", true, 3600, true},
        trust_case{"dns_by_server_name", key_kind::ec, "DNS:api.test", "api.test", true, 3600,
                   true},
        trust_case{"wildcard", key_kind::ec, "DNS:*.cluster.test", "api.cluster.test", true, 3600,
                   true},
        trust_case{"wrong_ip", key_kind::ec, "IP:127.0.0.2", "", true, 3600, false, "mismatch"},
        trust_case{"wrong_name", key_kind::ec, "DNS:api.test,IP:127.0.0.1", "db.test", true, 3600,
                   false, "mismatch"},
        // The common name is 127.0.0.1 everywhere.
        trust_case{"only_common_name", key_kind::ec, "", "", true, 3600, false, "mismatch"},
        trust_case{"ip_as_dns_name", key_kind::ec, "DNS:127.0.0.1", "", true, 3600, false,
                   "mismatch"},
        trust_case{"wrong_authority", key_kind::ec, "IP:127.0.0.1", "", false, 3600, false,
                   "local issuer"},
        trust_case{"expired", key_kind::ec, "IP:127.0.0.1", "", true, -3600, false, "expired"}),
    [](const auto& info) { return info.param.name; });

TEST_F(tls_test, can_be_told_not_to_verify) {
  authority_for_tests ours;
  loopback_server server(echo, {ours.issue(key_kind::ec, ""), {}});
  tls_material material;
  material.verify_peer = false;
  EXPECT_EQ(fetch(*secure(server.port(), material)).first, 200);
}

TEST_F(tls_test, presents_client_certificates_of_every_key_format) {
  authority_for_tests ours;
  loopback_server server(
      [](peer& p, int) {
        p.read_request();
        p.write(ok_answer(p.client_name()));
      },
      {ours.issue(key_kind::rsa, "IP:127.0.0.1"), ours.pem()});
  for (const auto kind : {key_kind::rsa, key_kind::ec}) {
    const auto own = ours.issue(kind, "");
    for (const auto& key : {own.key_pem, own.key_old_pem}) {
      const auto t = secure(server.port(), {ours.pem(), own.cert_pem, key, "", true});
      EXPECT_EQ(fetch(*t), std::pair(200, std::string("127.0.0.1")));
    }
  }
}

TEST_F(tls_test, refuses_unusable_material_before_it_sends) {
  authority_for_tests ours;
  const auto own = ours.issue(key_kind::rsa, "IP:127.0.0.1");
  const auto other = ours.issue(key_kind::rsa, "");
  loopback_server server(echo, {own, {}});
  const std::pair<tls_material, const char*> cases[] = {
      {{"no pem", "", "", "", true}, "certificate authority"},
      {{ours.pem() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "", "", "",
        true},
       "damaged"},
      {{ours.pem(), own.cert_pem, "", "", true}, "only one of them"},
      {{ours.pem(), own.cert_pem, other.key_pem, "", true}, "does not belong"},
      {{ours.pem(), "no pem", own.key_pem, "", true}, "client certificate"},
      {{ours.pem(), own.cert_pem, "no pem", "", true}, "client key"},
  };
  for (const auto& [material, complaint] : cases) {
    EXPECT_EQ(failure(*secure(server.port(), material)), net_error::not_sent) << complaint;
    EXPECT_NE(last_message_.find(complaint), std::string::npos) << last_message_;
  }
}

TEST_F(tls_test, reads_its_tls_material_for_each_connection) {
  authority_for_tests ours;
  loopback_server server(echo, {ours.issue(key_kind::ec, "IP:127.0.0.1"), {}});
  client_transport_config config;
  config.host = "127.0.0.1";
  config.port = server.port();
  int loads = 0;
  config.load_tls = [&]() -> result<tls_material> {
    if (++loads == 1) return error{net_error::not_sent, "ca.crt: not there yet"};
    return tls_material{ours.pem(), "", "", "", true};
  };
  const auto t = make(config);
  EXPECT_EQ(failure(*t), net_error::not_sent);
  EXPECT_NE(last_message_.find("not there yet"), std::string::npos) << last_message_;
  EXPECT_EQ(fetch(*t).first, 200);
  EXPECT_EQ(loads, 2);
}

TEST_F(tls_test, does_not_take_a_cut_tls_stream_for_its_end) {
  authority_for_tests ours;
  loopback_server server(
      [](peer& p, int) {
        p.read_request();
        p.write("HTTP/1.1 200 OK\r\n\r\nuntil the connection clo");
        p.cut();  // no close_notify: an attacker can do that
      },
      {ours.issue(key_kind::ec, "IP:127.0.0.1"), {}});
  const auto got = fetch(*secure(server.port(), {ours.pem(), "", "", "", true}));
  EXPECT_TRUE(got.second.starts_with("!")) << got.second;
}

TEST_F(tls_test, gives_up_a_silent_handshake) {
  authority_for_tests ours;
  loopback_server server([](peer& p, int) { p.wait_for_close(); });
  const auto t = secure(server.port(), {ours.pem(), "", "", "", true});
  EXPECT_EQ(failure(*t, by(soon)), net_error::not_sent);
}

// A proxy that has one script for CONNECT and then is the server itself, TLS aside.
TEST_F(tls_test, asks_a_proxy_for_a_tunnel) {
  std::string asked;
  loopback_server proxy([&](peer& p, int) {
    asked = p.read_request();
    p.write("HTTP/1.1 200 Connection established\r\n\r\n");
    echo(p, 0);
  });
  client_transport_config config;
  config.host = "api.test";
  config.port = "6443";
  config.tls = false;
  config.via = net::proxy{"127.0.0.1", proxy.port(), "Basic dTpw"};
  const auto t = make(config);
  EXPECT_EQ(fetch(*t, "/x").second, "GET /x HTTP/1.1");
  EXPECT_EQ(asked,
            "CONNECT api.test:6443 HTTP/1.1\r\nHost: api.test:6443\r\n"
            "Proxy-Authorization: Basic dTpw\r\n\r\n");
  EXPECT_EQ(t->host(), "api.test:6443");
}

struct proxy_case {
  const char* answer;
  const char* complaint;
};
class bad_proxy : public tls_test, public ::testing::WithParamInterface<proxy_case> {};
TEST_P(bad_proxy, is_named_with_what_it_said) {
  loopback_server proxy([](peer& p, int) {
    p.read_request();
    p.write(GetParam().answer);
    if (std::string_view(GetParam().answer).empty()) return;
    p.wait_for_close();
  });
  client_transport_config config;
  config.host = "api.test";
  config.port = "6443";
  config.tls = false;
  config.via = net::proxy{"127.0.0.1", proxy.port(), "Basic secret"};
  EXPECT_EQ(failure(*make(config), by(1s)), net_error::not_sent);
  EXPECT_NE(last_message_.find("proxy 127.0.0.1:" + proxy.port()), std::string::npos)
      << last_message_;
  EXPECT_NE(last_message_.find(GetParam().complaint), std::string::npos) << last_message_;
  EXPECT_EQ(last_message_.find("secret"), std::string::npos);
}
INSTANTIATE_TEST_SUITE_P(
    table, bad_proxy,
    ::testing::Values(proxy_case{"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                                 "found 407 Proxy"},
                      proxy_case{"HTTP/1.1 502 Bad Gateway\r\n\r\n", "found 502 Bad Gateway"},
                      proxy_case{"SSH-2.0-OpenSSH_9\r\n\r\n", "no HTTP answer"},
                      proxy_case{"HTTP/1.1 200 OK\r\n\r\nextra", "found 200 OK"},
                      proxy_case{"HTTP/1.1 200 OK\r\n", "no progress before the deadline"},
                      proxy_case{"", "the server closed"}));

}  // namespace
}  // namespace oarlock::net
