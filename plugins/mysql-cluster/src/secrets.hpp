#pragma once
#include "servers.hpp"

namespace mysql_cluster {

/// Fills `into` from the cluster's Secrets. Those that are missing are generated instead, as
/// {"<name of the Secret>": {"<key>": "<text>"}}; nothing when all are there. Throws retry_error.
[[nodiscard]] std::optional<oarlock::sdk::json::value> read_secrets(
    const oarlock::sdk::live_reader& reads, const my_sql_cluster& cluster, const std::string& name,
    const std::string& ns, access& into);

/// One value of a Secret as the API server gives it, without its base64. Empty when it is not
/// there.
[[nodiscard]] std::string secret_value(oarlock::sdk::json::node secret, std::string_view key);

}  // namespace mysql_cluster
