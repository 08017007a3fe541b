#pragma once
#include "servers.hpp"

namespace mysql_cluster {

/// The Secret with the servers' certificate: the own one, or that of spec.tls.secretName.
[[nodiscard]] std::string tls_secret_of(const my_sql_cluster& cluster);

/// What the cluster is asked for new passwords with; empty: it is not.
[[nodiscard]] std::string passwords_request(const my_sql_cluster& cluster);

/// Fills `into` from the cluster's Secrets; false when one is missing. Throws retry_error.
[[nodiscard]] bool read_secrets(const oarlock::sdk::live_reader& reads,
                                const my_sql_cluster& cluster, access& into);

/// The same, and what is to be written into them: "generated" are Secrets that are missing,
/// "renewed" are those with new certificates, as {"<name of the Secret>": {"<key>": "<text>"}},
/// sealed; "certificates" says what there is, "passwords" how far a change of them is, and what its
/// next step writes. False: servers cannot be asked before they are there.
[[nodiscard]] bool tend_secrets(const oarlock::sdk::live_reader& reads, const input& in,
                                access& into, oarlock::sdk::json::value& observation);

/// One value of a Secret as the API server gives it, without its base64. Empty when it is not
/// there.
[[nodiscard]] std::string secret_value(oarlock::sdk::json::node secret, std::string_view key);

}  // namespace mysql_cluster
