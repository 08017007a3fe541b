# The contract plugin in Rust and Go, where their compilers are: the tests of those that could not
# be built are skipped with the reason.
set(contract_missing)

find_program(RUSTC rustc)
if(RUSTC)
  set(rust "${CMAKE_CURRENT_SOURCE_DIR}/contract/rust")
  set(library "${zoo_dir}/libcontract-rust.so")
  add_custom_command(OUTPUT "${library}"
    COMMAND ${CMAKE_COMMAND} -E make_directory "${zoo_dir}"
    COMMAND "${RUSTC}" --edition 2021 --crate-type cdylib --crate-name contract
      -C opt-level=1 -C strip=debuginfo "${rust}/contract.rs" -o "${library}"
    DEPENDS "${rust}/contract.rs" "${rust}/abi.rs" VERBATIM)
  add_custom_target(zoo_contract-rust DEPENDS "${library}")
  list(APPEND zoo_targets zoo_contract-rust)
else()
  list(APPEND contract_missing "no rustc in PATH")
endif()

find_program(GO go)
if(OARLOCK_SANITIZE)
  list(APPEND contract_missing "Go and sanitizers do not share a process")
elseif(GO)
  set(go "${CMAKE_CURRENT_SOURCE_DIR}/contract/go")
  set(library "${zoo_dir}/libcontract-go.so")
  # The cache of go does not look at headers of other folders.
  set(header_texts)
  foreach(header ${abi_header_files})
    file(SHA256 "${header}" hash)
    string(APPEND header_texts "${hash}")
  endforeach()
  string(SHA256 header_texts "${header_texts}")
  set(go_flags "-O1 -DABI=${header_texts} -I${PROJECT_SOURCE_DIR}/plugin-api/include")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${abi_header_files})
  # The C header beside the library is of no use, but go makes it.
  add_custom_command(OUTPUT "${library}"
    COMMAND ${CMAKE_COMMAND} -E env CGO_ENABLED=1 "CC=${CMAKE_C_COMPILER}" GOTOOLCHAIN=local
      GOFLAGS=-buildvcs=false "CGO_CFLAGS=${go_flags}"
      "${GO}" build -C "${go}" -buildmode=c-shared -trimpath
      "-ldflags=-s -w -extldflags=-Wl,--version-script=${zoo_script}" -o "${library}" .
    DEPENDS "${go}/main.go" "${go}/entry.c" "${go}/shim.h" "${go}/go.mod" ${abi_header_files}
    VERBATIM)
  add_custom_target(zoo_contract-go DEPENDS "${library}")
  list(APPEND zoo_targets zoo_contract-go)
else()
  list(APPEND contract_missing "no go in PATH")
endif()

list(JOIN contract_missing ", " contract_skipped)
list(TRANSFORM languages REPLACE "(.+)" "\"\\1\"" OUTPUT_VARIABLE contract_languages)
list(JOIN contract_languages "," contract_languages)
