#include "plugins/mysql-cluster/src/settings.hpp"

#include <gtest/gtest.h>

namespace mysql_cluster {
namespace {

TEST(mysql_settings, tells_what_can_be_set_while_a_server_runs) {
  EXPECT_EQ(dynamic_default("max_connections"), "151");
  EXPECT_EQ(dynamic_default("innodb_log_buffer_size"), "");
  EXPECT_EQ(dynamic_of({{"max_connections", "5"}, {"table_open_cache", "7"}}),
            (settings{{"max_connections", "5"}}));
}

TEST(mysql_settings, compares_values_and_not_their_spelling) {
  for (const auto& [one, other] : {std::pair{"1K", "1024"},
                                   {"16m", "16777216"},
                                   {"2.5", "2.500000"},
                                   {"10", "10.000000"},
                                   {"on", "ON"},
                                   {"1", "ON"},
                                   {"false", "OFF"},
                                   {"read-committed", "READ-COMMITTED"}}) {
    EXPECT_TRUE(is_same_value(one, other)) << one << ' ' << other;
  }
  for (const auto& [one, other] :
       {std::pair{"1K", "1000"}, {"2.5", "2.6"}, {"ON", "OFF"}, {"", "0"}})
    EXPECT_FALSE(is_same_value(one, other)) << one << ' ' << other;
}

TEST(mysql_settings, says_numbers_as_statements_need_them) {
  EXPECT_EQ(plain_value("2G"), "2147483648");
  EXPECT_EQ(plain_value("2.5"), "2.5");
  EXPECT_EQ(plain_value("ON"), "ON");
  EXPECT_EQ(plain_value("99999999999T"), "99999999999T") << "more than 64 bits";
  EXPECT_EQ(plain_value("1X"), "1X");
}

TEST(mysql_settings, are_read_again_as_they_were_written) {
  const settings all = {{"a", "1"}, {"b", "x=y"}};
  EXPECT_EQ(settings_in(lines_of(all)), all);
  EXPECT_EQ(settings_in("z=0\n# here\n" + lines_of(all), "# here\n"), all);
  EXPECT_TRUE(settings_in("z=0\n", "# here\n").empty());
}

}  // namespace
}  // namespace mysql_cluster
