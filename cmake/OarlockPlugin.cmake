# Installed as it is, for projects that say find_package(Oarlock).
#
# oarlock_add_plugin(<name> SOURCES <files> [LIBS <targets>] [OUTPUT_DIR <folder>])
#   Builds <output dir>/<name>/lib<name>.so with one exported symbol and copies crds/, rbac/ and
#   samples/ beside it, and plugin.yaml when the library is there, so that a new manifest never
#   stands beside an old library: a folder ready for `oarlockd --plugin`. The `oarlock` tool makes
#   plugin.json from plugin.yaml and crds/*.json from crds/*.yaml, and C++ structs of the CRDs and
#   of configSchema of plugin.yaml: "example.com/v1/my_app.hpp", "myapp/config.hpp". Without
#   OUTPUT_DIR the folder is OARLOCK_PLUGIN_DIR/<name>, or the build folder itself where that is not
#   set.
function(oarlock_add_plugin name)
  cmake_parse_arguments(ARG "" "OUTPUT_DIR" "SOURCES;LIBS" ${ARGN})
  if(ARG_OUTPUT_DIR)
    set(out "${ARG_OUTPUT_DIR}/${name}")
  elseif(OARLOCK_PLUGIN_DIR)
    set(out "${OARLOCK_PLUGIN_DIR}/${name}")
  else()
    set(out "${CMAKE_BINARY_DIR}")
  endif()
  set(target plugin_${name})
  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE Oarlock::plugin_sdk ${ARG_LIBS})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} PREFIX lib
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY "${out}")
  set(script "${OARLOCK_PLUGIN_MAP}")
  target_link_options(${target} PRIVATE "-Wl,--version-script=${script}"
    -Wl,--exclude-libs,ALL)
  if(NOT OARLOCK_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-gnu-unique>)
  endif()
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${script}")
  oarlock_strip_plugin(${target} "${out}")

  # As a part of linking: `oarlock run` reloads when one of the two has changed.
  set(manifest "${CMAKE_CURRENT_SOURCE_DIR}/plugin.yaml")
  if(EXISTS "${manifest}")
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${manifest}")
    add_custom_command(TARGET ${target} POST_BUILD
      COMMAND ${CMAKE_COMMAND} -E copy "${manifest}" "${out}/plugin.yaml" VERBATIM)
  endif()

  set(stamps)
  foreach(item crds samples rbac)
    if(EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${item}")
      file(GLOB_RECURSE files CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${item}/*")
      set(stamp "${CMAKE_CURRENT_BINARY_DIR}/${name}-${item}.stamp")
      add_custom_command(OUTPUT "${stamp}"
        COMMAND ${CMAKE_COMMAND} -E make_directory "${out}"
        COMMAND ${CMAKE_COMMAND} -E copy_directory "${CMAKE_CURRENT_SOURCE_DIR}/${item}"
          "${out}/${item}"
        COMMAND ${CMAKE_COMMAND} -E touch "${stamp}"
        DEPENDS ${files} VERBATIM)
      list(APPEND stamps "${stamp}")
    endif()
  endforeach()
  file(GLOB yaml CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" plugin.yaml crds/*.yaml)
  foreach(item ${yaml})
    string(REGEX REPLACE "\\.yaml$" ".json" json "${out}/${item}")
    oarlock_plugin_json("${CMAKE_CURRENT_SOURCE_DIR}/${item}" "${json}")
    list(APPEND stamps "${json}")
  endforeach()
  # plugin.yaml may have a configSchema.
  file(GLOB described CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/crds/*.yaml" "${manifest}")
  if(described)
    oarlock_generate_types(${target} CRDS ${described})
  endif()
  add_custom_target(${target}_files ALL DEPENDS ${stamps})
  add_dependencies(${target} ${target}_files)
endfunction()

# What is shipped has no symbols. Of RelWithDebInfo they are set aside in .debug beside the library,
# where gdb looks for them; addr2line reads them for a frame "lib<name>.so(+0x1a2b)" of a crash
# record. The library is replaced, not written again: one that runs keeps its bytes.
function(oarlock_strip_plugin target out)
  target_link_options(${target} PRIVATE $<$<CONFIG:Release,MinSizeRel>:-s>)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" OR OARLOCK_SANITIZE OR NOT CMAKE_OBJCOPY)
    return()
  endif()
  set(library "$<TARGET_FILE:${target}>")
  set(symbols "${out}/.debug/$<TARGET_FILE_NAME:${target}>.debug")
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E make_directory "${out}/.debug"
    COMMAND ${CMAKE_OBJCOPY} --only-keep-debug "${library}" "${symbols}"
    COMMAND ${CMAKE_OBJCOPY} --strip-unneeded "--add-gnu-debuglink=${symbols}" "${library}"
      "${library}.stripped"
    COMMAND ${CMAKE_COMMAND} -E rename "${library}.stripped" "${library}" VERBATIM)
endfunction()

# Makes a JSON file of a plugin's YAML file, which is checked on the way. Written only when it is
# right: a half-written plugin.json would be worse than none.
function(oarlock_plugin_json yaml json)
  get_filename_component(folder "${json}" DIRECTORY)
  add_custom_command(OUTPUT "${json}"
    COMMAND ${CMAKE_COMMAND} -E make_directory "${folder}"
    COMMAND $<TARGET_FILE:Oarlock::oarlock> plugin json "${yaml}" > "${json}.new"
    COMMAND ${CMAKE_COMMAND} -E rename "${json}.new" "${json}"
    DEPENDS "${yaml}" $<TARGET_FILE:Oarlock::oarlock> VERBATIM)
endfunction()

# oarlock_generate_types(<target> CRDS <files>)
#   C++ structs of CRDs, and of the configSchema of a plugin.yaml, made before <target> is compiled,
#   which finds them as <group>/<version>/<kind>.hpp and <plugin>/config.hpp. Other targets that
#   include them link <target>_types. Whatever includes one is compiled anew when one has changed,
#   in the same build: all of them include the stamp, which is an output that the build knows; the
#   headers' names it does not know.
function(oarlock_generate_types target)
  cmake_parse_arguments(ARG "" "" "CRDS" ${ARGN})
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}-types")
  add_custom_command(OUTPUT "${folder}.stamp"
    COMMAND $<TARGET_FILE:Oarlock::oarlock> generate types ${ARG_CRDS} -o "${folder}"
      --stamp "${folder}.stamp" > "${folder}.log"
    DEPENDS ${ARG_CRDS} $<TARGET_FILE:Oarlock::oarlock> VERBATIM)
  add_custom_target(${target}_types_made DEPENDS "${folder}.stamp")
  add_library(${target}_types INTERFACE)
  target_include_directories(${target}_types INTERFACE "${folder}")
  add_dependencies(${target}_types ${target}_types_made)
  target_link_libraries(${target} PRIVATE ${target}_types)
endfunction()
