# Picks the compiler before project(): clang 19 where it is packaged (Debian 12), else the default.
# CC and CXX, or -DCMAKE_CXX_COMPILER, always win.
if(NOT DEFINED ENV{CXX} AND NOT DEFINED CMAKE_CXX_COMPILER)
  find_program(OARLOCK_CLANGXX clang++-19)
  find_program(OARLOCK_CLANG clang-19)
  if(OARLOCK_CLANGXX AND OARLOCK_CLANG)
    set(CMAKE_CXX_COMPILER "${OARLOCK_CLANGXX}")
    set(CMAKE_C_COMPILER "${OARLOCK_CLANG}")
  endif()
endif()
