#!/bin/sh
# Prints the licences of the Go modules that oarlock-fetch is linked from: they come along with it.
set -eu
cd "$(dirname "$0")"
go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' . |
    sort -u | while read -r module version folder; do
    printf '==== %s %s\n\n' "$module" "$version"
    found=
    for file in "$folder"/LICENSE* "$folder"/COPYING* "$folder"/NOTICE*; do
        [ -f "$file" ] || continue
        cat "$file"
        echo
        found=1
    done
    [ -n "$found" ] || { echo "$0: expected a licence in $folder, found none" >&2; exit 1; }
done
printf '==== Go itself\n\n'
cat "$(go env GOROOT)/LICENSE" 2>/dev/null || cat /usr/share/doc/golang*/copyright
