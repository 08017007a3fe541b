// Boost.JSON is used as headers: its sources are here.
#include <boost/json/src.hpp>
