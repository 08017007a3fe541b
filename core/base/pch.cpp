#include "core/base/pch.hpp"
