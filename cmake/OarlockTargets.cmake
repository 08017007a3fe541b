# oarlock_core_library(<folder> [DEPS <folders left of it>] [LIBS <packages>] [ASIO])
#   One static library per folder of core/: every *.cpp but the tests. *_test.cpp become the
#   executable <folder>_test. ASIO: its sources see Asio, so they share the precompiled header.
function(oarlock_core_library folder)
  cmake_parse_arguments(ARG "ASIO" "" "DEPS;LIBS;TEST_LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" *.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$|^(main|pch)\\.cpp$")
  list(TRANSFORM ARG_DEPS PREPEND oarlock_)
  set(target oarlock_${folder})
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} PUBLIC ${ARG_DEPS} ${ARG_LIBS})
  if(ARG_ASIO)
    target_precompile_headers(${target} REUSE_FROM oarlock_pch)
    target_link_libraries(${target} PUBLIC oarlock_pch)
  endif()
  if(OARLOCK_TESTS AND tests)
    oarlock_test(NAME ${folder}_test SOURCES ${tests} LIBS ${target} ${ARG_TEST_LIBS})
  endif()
endfunction()

# A test costs its compilation, not its run: its own sources are not optimised, whatever the preset.
set(oarlock_test_options -O0 -U_FORTIFY_SOURCE)

# oarlock_test(NAME <name> SOURCES <files> [LIBS <targets>] [DIR <sub-folder of tests>] [NO_CTEST]
#   [OPTIMISED])
#   One GoogleTest executable in build/<preset>/tests. Integration and e2e tests pass DIR. Of those
#   that run without sanitizers only (long, soak, e2e) a sanitizer's preset builds none by itself.
#   OPTIMISED: one that computes for minutes, in every preset.
function(oarlock_test)
  cmake_parse_arguments(ARG "NO_CTEST;OPTIMISED" "NAME;DIR" "SOURCES;LIBS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SOURCES})
  if(ARG_OPTIMISED)
    target_compile_options(${ARG_NAME} PRIVATE -O1)
  else()
    target_compile_options(${ARG_NAME} PRIVATE ${oarlock_test_options})
    target_precompile_headers(${ARG_NAME} REUSE_FROM oarlock_test_pch)
  endif()
  if(OARLOCK_SANITIZE AND ARG_DIR MATCHES "^(long|soak|e2e)$")
    set_target_properties(${ARG_NAME} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_LIBS} GTest::gmock GTest::gtest_main)
  target_include_directories(${ARG_NAME} PRIVATE "${PROJECT_SOURCE_DIR}")
  set_target_properties(${ARG_NAME} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${OARLOCK_TEST_DIR}/${ARG_DIR}")
  if(NOT ARG_NO_CTEST)
    add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME})
    set_tests_properties(${ARG_NAME} PROPERTIES TIMEOUT 300)
  endif()
endfunction()

# oarlock_paths(<files>): these sources may use OARLOCK_SOURCE_DIR, OARLOCK_BUILD_DIR and
# OARLOCK_OUTPUT_DIR.
function(oarlock_paths)
  set(definitions "OARLOCK_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\""
    "OARLOCK_BUILD_DIR=\"${CMAKE_BINARY_DIR}\"" "OARLOCK_OUTPUT_DIR=\"${OARLOCK_OUTPUT_DIR}\"")
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_DEFINITIONS "${definitions}")
endfunction()
