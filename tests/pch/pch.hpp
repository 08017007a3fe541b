#pragma once
// The precompiled header of test programs: that of the core, and GoogleTest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/pch.hpp"
