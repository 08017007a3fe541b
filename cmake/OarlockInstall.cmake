# cmake --install and the Debian packages (make package): `oarlock`, what a machine or an image
# runs, and `oarlock-dev`, what a project needs that builds plugins.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(OARLOCK_DATA_DIR "${CMAKE_INSTALL_DATADIR}/oarlock")
set(OARLOCK_CMAKE_DIR "${CMAKE_INSTALL_DATADIR}/cmake/Oarlock")
set(generated "${CMAKE_BINARY_DIR}/install")

# --- oarlock ---
install(TARGETS oarlockd oarlock COMPONENT runtime)
install(TARGETS oarlock-plugin-host COMPONENT runtime
  DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/oarlock")
# Made by Go (tools/build.sh fetch), not by CMake: without it, images cannot be made or pulled.
install(PROGRAMS "${PROJECT_SOURCE_DIR}/build/bin/oarlock-fetch" COMPONENT runtime OPTIONAL
  DESTINATION "${CMAKE_INSTALL_LIBEXECDIR}/oarlock")
install(FILES "${PROJECT_SOURCE_DIR}/build/tools/oarlock-fetch.licenses.gz" OPTIONAL
  DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/oarlock" COMPONENT runtime)
# It is one file by design, as Go links it.
install(FILES "${PROJECT_SOURCE_DIR}/deploy/debian/lintian-overrides" RENAME oarlock
  DESTINATION "${CMAKE_INSTALL_DATADIR}/lintian/overrides" COMPONENT runtime)
set(about_oarlockd "runs Kubernetes operators that are plugins")
set(about_oarlock "makes plugins of oarlockd, looks at them and prepares them")
foreach(program oarlockd oarlock)
  set(page "${generated}/${program}.1.gz")
  add_custom_command(OUTPUT "${page}"
    COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:${program}> -DNAME=${program}
      "-DABOUT=${about_${program}}" -DVERSION=${PROJECT_VERSION} -DOUT=${page}
      -P "${PROJECT_SOURCE_DIR}/cmake/OarlockManPage.cmake"
    DEPENDS ${program} "${PROJECT_SOURCE_DIR}/cmake/OarlockManPage.cmake" VERBATIM)
  list(APPEND pages "${page}")
endforeach()
install(FILES ${pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT runtime)

# Policy: texts above 4 kB and every changelog are compressed, without a time stamp.
function(oarlock_compressed source name)
  set(file "${generated}/${name}.gz")
  add_custom_command(OUTPUT "${file}"
    COMMAND ${CMAKE_COMMAND} -E copy "${source}" "${generated}/${name}"
    COMMAND gzip -9nf "${generated}/${name}" DEPENDS "${source}" VERBATIM)
endfunction()
file(CONFIGURE OUTPUT "${generated}/changelog.text" CONTENT
"oarlock (@PROJECT_VERSION@) unstable; urgency=medium

  * Built from the project's own tree; its git log says what changed.

 -- The Oarlock authors <maintainers@oarlock.dev>  Thu, 01 Jan 2026 00:00:00 +0000
" @ONLY)
oarlock_compressed("${PROJECT_SOURCE_DIR}/README.md" README.md)
oarlock_compressed("${generated}/changelog.text" changelog)
add_custom_target(install_files ALL
  DEPENDS ${pages} "${generated}/README.md.gz" "${generated}/changelog.gz")
add_dependencies(install_files oarlock_builtin_types)
foreach(package oarlock oarlock-dev)
  set(component runtime)
  if(package STREQUAL oarlock-dev)
    set(component development)
  endif()
  install(FILES "${PROJECT_SOURCE_DIR}/deploy/debian/copyright" "${generated}/changelog.gz"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/${package}" COMPONENT ${component})
endforeach()
add_dependencies(install_files oarlock_builtin_types)
install(FILES "${generated}/README.md.gz" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/oarlock"
  COMPONENT runtime)
# What the daemon itself may do, for whoever sets up a cluster.
install(FILES "${PROJECT_SOURCE_DIR}/deploy/rbac/oarlock.yaml"
  DESTINATION "${OARLOCK_DATA_DIR}/rbac" COMPONENT runtime)

# --- oarlock-dev ---
install(DIRECTORY "${PROJECT_SOURCE_DIR}/plugin-api/include/oarlock"
  "${PROJECT_SOURCE_DIR}/plugin-api/sdk/oarlock"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(DIRECTORY "${OARLOCK_BUILTIN_TYPES_DIR}/oarlock"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development)
install(FILES "${PROJECT_SOURCE_DIR}/plugin-api/plugin.map"
  "${PROJECT_SOURCE_DIR}/plugin-api/plugin-manifest.schema.json"
  DESTINATION "${OARLOCK_DATA_DIR}" COMPONENT development)
file(STRINGS "${PROJECT_SOURCE_DIR}/plugin-api/include/oarlock/abi.h" numbers
  REGEX "^#define OARLOCK_ABI_(MAJOR|MINOR) ")
string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" OARLOCK_ABI_VERSION
  "${numbers}")
configure_package_config_file(cmake/OarlockConfig.cmake.in "${generated}/OarlockConfig.cmake"
  INSTALL_DESTINATION "${OARLOCK_CMAKE_DIR}"
  PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_BINDIR OARLOCK_DATA_DIR)
write_basic_package_version_file("${generated}/OarlockConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${generated}/OarlockConfig.cmake" "${generated}/OarlockConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/OarlockPlugin.cmake"
  DESTINATION "${OARLOCK_CMAKE_DIR}" COMPONENT development)

# --- the packages ---
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME oarlock)
set(CPACK_PACKAGE_CONTACT "The Oarlock authors <maintainers@oarlock.dev>")
set(CPACK_PACKAGE_HOMEPAGE_URL "https://oarlock.dev")
set(CPACK_PACKAGE_DIRECTORY "${CMAKE_BINARY_DIR}/packages")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL runtime development)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME oarlock)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "daemon that runs many Kubernetes operators
One process runs many Kubernetes operators. Each is a plugin: a shared library
with a small C ABI. They share one API client, one cache, one leader election
and one metrics endpoint.
.
This package has the daemon oarlockd, the tool oarlock, and oarlock-fetch,
which pulls, verifies and makes plugin images for both.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME oarlock-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "oarlock (>= ${PROJECT_VERSION}), \
cmake (>= 3.25), rapidjson-dev (>= 1.1.0+dfsg2-7.4), libyaml-cpp-dev")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_RECOMMENDS
  "g++ (>= 4:12) | clang-19, libgtest-dev, make, ninja-build")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "headers and tools to write plugins for oarlock
The C ABI of plugins, a C++20 SDK over it, the schema of plugin.yaml, a kit to
test plugins without a cluster, and find_package(Oarlock) for CMake.")
# Only what is packaged is built: cpack would build all else.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
include(CPack)
