# cmake -DPROGRAM=<file> -DNAME=<name> -DABOUT=<one line> -DVERSION=<version> -DOUT=<file.1.gz>
#   -P OarlockManPage.cmake: a manual page of what the program's own --help says, so that the two
#   cannot differ.
set(ENV{COLUMNS} 100)
if(NAME STREQUAL "oarlock")
  set(flag --help-all)  # its subcommands have the options
else()
  set(flag --help)
endif()
execute_process(COMMAND "${PROGRAM}" ${flag} OUTPUT_VARIABLE help COMMAND_ERROR_IS_FATAL ANY)
# CLI11 names the program by the path it was started with.
string(REPLACE "${PROGRAM}" "${NAME}" help "${help}")
string(REPLACE "\\" "\\e" help "${help}")
string(REPLACE "-" "\\-" help "${help}")
string(REGEX REPLACE "(^|\n)([.'])" "\\1\\\\&\\2" help "${help}")
string(REGEX REPLACE "\\.gz$" "" page "${OUT}")
file(WRITE "${page}" ".TH ${NAME} 1 \"\" \"oarlock ${VERSION}\" \"User Commands\"
.SH NAME
${NAME} \\- ${ABOUT}
.SH DESCRIPTION
.nf
${help}.fi
.SH SEE ALSO
/usr/share/doc/oarlock/README.md.gz
")
execute_process(COMMAND gzip -9nf "${page}" COMMAND_ERROR_IS_FATAL ANY)
