#pragma once
#include "plan.hpp"

namespace mysql_cluster {

/// New certificates get into their Secrets; the CA of the application's into its own `with_app`,
/// which is not so when the plan writes that one anyway.
void write_renewed_secrets(const input& in, bool with_app, output& out);
/// Servers that show another certificate than the Secret has are told to load it, as the last steps
/// of the plan; when it ends is said in `status`.
void tend_certificates(const input& in, const view& v, my_sql_cluster::status_type& status,
                       output& out);

}  // namespace mysql_cluster
