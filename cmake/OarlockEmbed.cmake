# cmake -DFOLDER=<templates> -DOUT=<file.cpp> -P OarlockEmbed.cmake: the *.in of a folder as the
# definition of oarlock::cli::template_files().
file(GLOB_RECURSE paths RELATIVE "${FOLDER}" "${FOLDER}/*.in")
list(SORT paths)
set(out "#include \"core/cli/scaffold/templates.hpp\"

namespace oarlock::cli {

namespace {

constexpr template_file files[] = {
")
foreach(path ${paths})
  file(READ "${FOLDER}/${path}" text)
  string(REGEX REPLACE "\\.in$" "" name "${path}")
  string(APPEND out "    {\"${name}\", R\"oarlock_tpl(${text})oarlock_tpl\"},\n")
endforeach()
string(APPEND out "};

}  // namespace

std::span<const template_file> template_files() {
  return files;
}

}  // namespace oarlock::cli
")
file(WRITE "${OUT}" "${out}")
