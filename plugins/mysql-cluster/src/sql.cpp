#include "sql.hpp"

#define BOOST_MYSQL_SEPARATE_COMPILATION
#define BOOST_ASIO_DISABLE_CONCEPTS
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/mysql.hpp>
#include <boost/mysql/src.hpp>
#include <sstream>

#include "openssl.hpp"

namespace mysql_cluster {

namespace asio = boost::asio;
namespace mysql = boost::mysql;

namespace {

std::string text_of(mysql::field_view field) {
  if (field.is_string()) return std::string(field.get_string());
  std::ostringstream text;
  text << field;
  return std::move(text).str();
}

}  // namespace

struct sql_session::state {
  asio::io_context loop{1};
  asio::ssl::context tls{asio::ssl::context::tls_client};
  std::optional<mysql::tcp_ssl_connection> connection;

  // Starts `work` with a handler and runs it to its end or to the deadline. False: it was late.
  template <class Work>
  bool finishes(Work work, sql_time deadline) {
    mysql::error_code error;
    mysql::diagnostics diagnostics;
    bool is_done = false;
    work(diagnostics, [&](mysql::error_code e) {
      error = e;
      is_done = true;
    });
    loop.restart();
    loop.run_until(deadline);
    if (!is_done) {
      close();
      loop.restart();
      loop.run();  // the handler hears that its socket is closed
      return false;
    }
    if (error) {
      const std::string said(diagnostics.server_message());
      const bool is_server = error.category() == mysql::get_common_server_category() ||
                             error.category() == mysql::get_mysql_server_category();
      throw sql_error(is_server ? error.value() : 0, said.empty() ? error.message() : said);
    }
    return true;
  }

  template <class Work>
  void must_finish(const char* what, Work work, sql_time deadline) {
    if (!finishes(work, deadline)) throw sql_error(0, std::string(what) + ": no answer in time");
  }

  void close() {
    mysql::error_code ignored;
    connection->stream().lowest_layer().close(ignored);
  }
};

sql_session::sql_session(const sql_target& to, sql_time deadline) {
  auto other = to.other_passwords.begin();
  for (const std::string* password = &to.password;; password = &*other++) {
    try {
      connect(to, *password, deadline);
      return;
    } catch (const sql_error& e) {
      if (e.code() != access_denied || other == to.other_passwords.end()) throw;
    }
  }
}

void sql_session::connect(const sql_target& to, const std::string& password, sql_time deadline) {
  state_ = std::make_unique<state>();
  mysql::error_code error;
  const auto address = asio::ip::make_address(to.address, error);
  if (error) throw sql_error(0, "expected an IP address, found \"" + to.address + "\"");
  state_->tls.set_verify_mode(asio::ssl::verify_peer);
  state_->tls.add_certificate_authority(asio::buffer(to.ca), error);
  if (error) throw sql_error(0, "expected a CA certificate in PEM: " + error.message());
  // One that was not renewed in time is replaced over such a connection, and a server is not lost
  // for its date.
  state_->tls.set_verify_callback([](bool is_fine, asio::ssl::verify_context& check) {
    return is_fine ||
           X509_STORE_CTX_get_error(check.native_handle()) == X509_V_ERR_CERT_HAS_EXPIRED;
  });
  state_->connection.emplace(state_->loop, state_->tls);
  const asio::ip::tcp::endpoint endpoint(address, static_cast<std::uint16_t>(to.port));
  const mysql::handshake_params params(to.user, password);
  state_->must_finish(
      "connect",
      [&](mysql::diagnostics& diagnostics, auto handler) {
        state_->connection->async_connect(endpoint, params, diagnostics, std::move(handler));
      },
      deadline);
}

sql_session::~sql_session() {
  if (state_ && state_->connection) state_->close();
}

sql_session::shown sql_session::certificate() const {
  const certificate_ptr of(SSL_get1_peer_certificate(state_->connection->stream().native_handle()));
  if (of == nullptr) return {};
  return {fingerprint(of.get()), unix_ms(X509_get0_notAfter(of.get()))};
}

std::vector<sql_row> sql_session::query(std::string_view statement, sql_time deadline) {
  mysql::results found;
  state_->must_finish(
      "query",
      [&](mysql::diagnostics& diagnostics, auto handler) {
        state_->connection->async_execute(mysql::string_view(statement), found, diagnostics,
                                          std::move(handler));
      },
      deadline);
  std::vector<sql_row> rows;
  if (!found.has_value()) return rows;
  for (const auto row : found.rows()) {
    auto& made = rows.emplace_back();
    for (const auto field : row) {
      if (field.is_null()) {
        made.emplace_back();
      } else {
        made.emplace_back(text_of(field));
      }
    }
  }
  return rows;
}

std::string sql_session::value(std::string_view statement, sql_time deadline) {
  const auto rows = query(statement, deadline);
  return rows.empty() || rows.front().empty() ? std::string() : rows.front().front().value_or("");
}

bool sql_session::send(std::string_view statement, sql_time deadline) {
  mysql::results found;
  return !state_->finishes(
      [&](mysql::diagnostics& diagnostics, auto handler) {
        state_->connection->async_execute(mysql::string_view(statement), found, diagnostics,
                                          std::move(handler));
      },
      deadline);
}

std::string sql_quoted(std::string_view text) {
  std::string made = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') made += '\\';
    made += c;
  }
  return made + "'";
}

std::string sql_name(std::string_view name) {
  std::string made = "`";
  for (const char c : name)
    made += c == '`' ? "``" : std::string(1, c);
  return made + "`";
}

}  // namespace mysql_cluster
