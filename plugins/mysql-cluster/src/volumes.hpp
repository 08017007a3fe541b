#pragma once
#include "plan.hpp"

namespace mysql_cluster {

/// Claims of the members whose size is not the one that is asked for are patched, as the last steps
/// of a plan; one that is refused is tried again a minute later. Says in `status` what there is.
void tend_volumes(const input& in, const view& v, my_sql_cluster::status_type& status, output& out);

}  // namespace mysql_cluster
