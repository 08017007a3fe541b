# Third-party packages, all from the distribution; each check names the remedy.
include(CheckCXXSourceCompiles)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Boost 1.83 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
if(OARLOCK_TESTS)
  find_package(GTest REQUIRED)
endif()
if(OARLOCK_BENCH)
  find_package(benchmark REQUIRED)
endif()

find_path(SECCOMP_INCLUDE_DIR seccomp.h REQUIRED)
find_library(SECCOMP_LIBRARY seccomp REQUIRED)
find_path(ZSTD_INCLUDE_DIR zstd.h REQUIRED)
find_library(ZSTD_LIBRARY zstd REQUIRED)

find_path(RAPIDJSON_INCLUDE_DIR rapidjson/document.h REQUIRED)
add_library(rapidjson INTERFACE)
target_include_directories(rapidjson SYSTEM INTERFACE "${RAPIDJSON_INCLUDE_DIR}")
target_compile_definitions(rapidjson INTERFACE RAPIDJSON_HAS_STDSTRING=1)

# Releases before 1.1.0+dfsg2-7.4 of Debian do not compile with clang 19 (const member assigned in
# GenericStringRef) and abort on numbers such as 0.<300 zeros>1e-2147483600.
set(CMAKE_REQUIRED_INCLUDES "${RAPIDJSON_INCLUDE_DIR}")
set(CMAKE_REQUIRED_FLAGS "-std=c++20")
check_cxx_source_compiles("
  #include <rapidjson/document.h>
  int main() { rapidjson::Document d; d.Parse(\"{}\"); rapidjson::Document e; e.Swap(d);
    rapidjson::Value v(rapidjson::kObjectType); v.AddMember(\"a\", 1, d.GetAllocator()); return 0; }
  " OARLOCK_RAPIDJSON_COMPILES)
unset(CMAKE_REQUIRED_INCLUDES)
unset(CMAKE_REQUIRED_FLAGS)
if(NOT OARLOCK_RAPIDJSON_COMPILES)
  message(FATAL_ERROR "RapidJSON in ${RAPIDJSON_INCLUDE_DIR} does not compile with this compiler: "
    "expected 1.1.0+dfsg2-7.4 or newer (on Debian 12 the package of trixie; make deps installs it)")
endif()
