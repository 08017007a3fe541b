#include "tests/pch/pch.hpp"
