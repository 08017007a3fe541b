# Language level, warnings, hardening, sanitizers, ccache: what every target of the tree shares.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR "expected GCC >= 13 or clang >= 17, found GCC ${CMAKE_CXX_COMPILER_VERSION}: "
    "older GCC miscompiles coroutines. On Debian 12 install clang-19 (make deps), or set CXX.")
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 17)
  message(FATAL_ERROR "expected clang >= 17 or GCC >= 13, found clang "
    "${CMAKE_CXX_COMPILER_VERSION}. On Debian 12 install clang-19 (make deps), or set CXX.")
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# PIC for executables too: they share the precompiled header of the libraries.
add_compile_options(-fPIC)
add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
# Not optimised: with sanitizers, optimising costs twice to three times all the rest of compiling.
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_C_FLAGS_RELEASE "-O2")

find_program(OARLOCK_CCACHE ccache)
if(OARLOCK_CCACHE)
  file(RELATIVE_PATH up "${CMAKE_BINARY_DIR}" "${PROJECT_SOURCE_DIR}")
  string(REGEX REPLACE "/$" "" up "${up}")
  foreach(lang C CXX)
    set(CMAKE_${lang}_COMPILER_LAUNCHER
      env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_PCH_EXTSUM=1
      "${PROJECT_SOURCE_DIR}/cmake/compile_relative.sh"
      "${PROJECT_SOURCE_DIR}" "${up}" "${OARLOCK_CCACHE}")
  endforeach()
  # The folder, which else is part of what is compiled: the compiler's working directory, __FILE__.
  add_compile_options("-fdebug-prefix-map=${PROJECT_SOURCE_DIR}=."
    "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=")
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wnon-virtual-dtor -Werror=return-type $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  add_compile_options(-Wno-c99-extensions "SHELL:-Xclang -fno-pch-timestamp")
  add_link_options(-fuse-ld=lld)
endif()

add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection)
add_compile_definitions($<$<COMPILE_LANGUAGE:CXX>:_GLIBCXX_ASSERTIONS>)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -ffunction-sections -fdata-sections)
  add_link_options(-Wl,--gc-sections -s)
endif()
add_link_options(-Wl,-z,relro,-z,now -Wl,--as-needed)

if(OARLOCK_MUTANTS)
  add_compile_definitions(OARLOCK_MUTANTS)
endif()

if(OARLOCK_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()

if(OARLOCK_SANITIZE STREQUAL "fuzzer")
  add_compile_options(-O1 -fsanitize=fuzzer-no-link)
endif()
if(OARLOCK_SANITIZE MATCHES "^(address|fuzzer)$")
  # RapidJSON adds an offset to a null pointer in its empty stack: not ours to mend.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  add_compile_definitions(OARLOCK_SANITIZED="address,undefined")
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    add_compile_options(
      "-fsanitize-ignorelist=${PROJECT_SOURCE_DIR}/cmake/sanitizer-ignorelist.txt")
  endif()
  add_link_options(-fsanitize=address,undefined)
elseif(OARLOCK_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_compile_definitions(OARLOCK_SANITIZED="thread")
  add_link_options(-fsanitize=thread)
elseif(OARLOCK_SANITIZE)
  message(FATAL_ERROR "OARLOCK_SANITIZE: expected address, thread, fuzzer or empty, found "
    "'${OARLOCK_SANITIZE}'")
endif()

if(NOT OARLOCK_OUTPUT_DIR)
  set(OARLOCK_OUTPUT_DIR "${CMAKE_BINARY_DIR}")
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${OARLOCK_OUTPUT_DIR}/bin")
set(OARLOCK_TEST_DIR "${CMAKE_BINARY_DIR}/tests")
set(OARLOCK_PLUGIN_DIR "${OARLOCK_OUTPUT_DIR}/plugins")
