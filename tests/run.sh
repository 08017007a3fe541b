#!/usr/bin/env bash
# Builds, runs the test suites, and sums them up.
#
#   tests/run.sh check   units, cases, lints; no root, no cluster          (make check)
#   tests/run.sh api     integration tests on a real API server; no root   (make test-api)
#   tests/run.sh all     everything, sanitizers and the demo included      (make test)
#   tests/run.sh long    what waits for minutes on a real API server       (make test-long)
#                        or with KUBE=vX.Y.Z the integration tests on that Kubernetes
#   tests/run.sh soak    random faults by a seed; OARLOCK_SOAK_MINUTES=30  (make soak)
#
# The last line is "N passed, N failed, N skipped"; the exit code is 0 only if nothing failed.
# A suite that crashes, runs out of time or runs no test has failed. Results for machines:
# build/test-results/summary.json, with a log per test program beside it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly root
cd "$root"

readonly results=$root/build/test-results
readonly table=$results/suites.tsv # suite, name, passed, failed, skipped, milliseconds, note
readonly unit_seconds=300 integration_seconds=900 e2e_seconds=900 go_seconds=900
readonly soak_margin_seconds=1800 # to make the objects, to converge, to be silent
readonly build_seconds=3600 demo_seconds=2700
# Shows a minute of silence, and half a minute without an API server.
readonly mostly_waits=faults_test
demo_may_run=no
summed_up=no

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
section() { printf '\n== %s\n' "$*"; }

# --- results ---

record() { # SUITE NAME PASSED FAILED SKIPPED STARTED-MS NOTE [DETAILS]
  local took=$(($(now_ms) - $6)) word=PASS
  [[ $4 == 0 ]] || word=FAIL
  [[ "$3 $4" != '0 0' ]] || word=SKIP
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" "$took" "$7" >>"$table"
  printf '%s  %-34s %4d passed %3d failed %3d skipped %6d.%d s%s%s\n' "$word" "$1 $2" \
    "$3" "$4" "$5" $((took / 1000)) $((took / 100 % 10)) "${7:+  $7}" "${8:+$'\n'$8}"
}

write_json() {
  command -v jq >/dev/null || return 0
  jq -R -n '[inputs | split("\t") | {suite: .[0], name: .[1], passed: (.[2] | tonumber),
    failed: (.[3] | tonumber), skipped: (.[4] | tonumber), ms: (.[5] | tonumber), note: .[6]}]
    | {passed: (map(.passed) | add), failed: (map(.failed) | add), skipped: (map(.skipped) | add),
      suites: .}' "$table" >"$results/summary.json"
}

# Prints the last line and ends the script with the right code.
sum_up() {
  local passed failed skipped
  summed_up=yes
  write_json || true
  read -r passed failed skipped < <(awk -F '\t' '{ p += $3; f += $4; s += $5 }
    END { print p + 0, f + 0, s + 0 }' "$table")
  if [[ $passed == 0 && $failed == 0 ]]; then
    failed=1
    echo "no test ran"
  fi
  printf '\nresults: %s\n' "${results#"$root"/}/summary.json"
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  [[ $failed == 0 ]]
}

# --- processes ---

# Processes that run a program of this build, as "pid start-time".
build_processes() {
  local path program pid
  for path in /proc/[0-9]*; do
    program=$(readlink "$path/exe" 2>/dev/null) || continue
    [[ $program == "$root"/build/* ]] || continue
    pid=${path#/proc/}
    echo "$pid $(sed 's/.*) //' "$path/stat" 2>/dev/null | cut -d ' ' -f 20)"
  done
}

# Those of them that this run started and that are still there: the ones a killed test forgot.
stray_processes() {
  build_processes | grep -vxFf "$results/processes-before" || true
}

kill_strays() {
  local pid signal
  for signal in TERM KILL; do
    while read -r pid _; do
      kill "-$signal" "$pid" 2>/dev/null || true
    done < <(stray_processes)
    [[ -z $(stray_processes) ]] || sleep 2
  done
}

# Runs a command with a deadline; in the background, so that Ctrl-C is obeyed at once.
limited() { # SECONDS LOG COMMAND...
  local seconds=$1 log=$2
  shift 2
  mkdir -p "$(dirname "$log")"
  timeout -k 20 "$seconds" "$@" >"$log" 2>&1 </dev/null &
  wait $! 2>/dev/null # without the shell's own remark about a crash
}

# The same for commands that keep their own logs: the output stays on the terminal.
limited_shown() { # SECONDS COMMAND...
  timeout -k 20 "$@" </dev/null &
  wait $!
}

on_exit() {
  local status=$?
  trap '' INT TERM HUP
  # shellcheck disable=SC2046  # one argument per pid is meant
  kill $(jobs -p) 2>/dev/null || true
  if [[ $demo_may_run == yes ]]; then
    take_demo_down || true
  fi
  kill_strays
  if [[ $summed_up == no ]]; then
    record run "not finished" 0 1 0 "$(now_ms)" "interrupted or broken: exit $status"
    sum_up || true
    [[ $status != 0 ]] || status=1
  fi
  exit "$status"
}

# --- suites ---

build() { # TARGET...
  local started
  started=$(now_ms)
  section "build: $*"
  if limited_shown "$build_seconds" tools/build.sh "$@"; then
    return 0
  fi
  record build "$*" 0 1 0 "$started" "see above and build/logs"
  return 1
}

# "passed failed skipped" of a GoogleTest result file.
gtest_counts() {
  jq -r '[.testsuites[]?.testsuite[]?] | (map(select(.failures)) | length) as $failed
    | (map(select(.result == "COMPLETED" and (.failures | not))) | length) as $passed
    | "\($passed) \($failed) \(length - $passed - $failed)"' "$1"
}

# Why tests were skipped, and which failed, from the log of a test program.
gtest_details() {
  awk '/^\[ RUN      \]/ { name = $4 }
    /: Skipped$/ { getline why; print "      skipped: " name ": " why }
    /^\[  FAILED  \].*\(/ { print "      failed: " $4 }' "$1" | sort -u | head -40
}

gtest_end() { # LOG EXIT-CODE SECONDS: how a program ended that wrote no result
  local last
  last=$(awk '/^\[ RUN      \]/ { name = $4 } END { print name }' "$1")
  case $2 in
    124 | 137) echo "timed out after $3 s in ${last:-no test}" ;;
    *) echo "crashed (exit $2) in ${last:-no test}" ;;
  esac
}

run_gtest() { # SUITE PROGRAM SECONDS
  local suite=$1 program=$2 seconds=$3 name log json status=0 started
  local passed=0 failed=0 skipped=0 why='' details
  name=$(basename "$program")
  log=$results/$suite/$name.log
  json=$results/$suite/$name.json
  started=$(now_ms)
  limited "$seconds" "$log" "$program" "--gtest_output=json:$json" --gtest_color=no || status=$?
  if [[ -s $json ]] && read -r passed failed skipped < <(gtest_counts "$json"); then
    if [[ $status != 0 && $failed == 0 ]]; then
      failed=1
      why="exit $status although no test failed"
    elif [[ $passed$failed$skipped == 000 ]]; then
      failed=1
      why="ran no test"
    fi
  else
    passed=$(grep -c '^\[       OK \]' "$log" || true)
    failed=1
    why=$(gtest_end "$log" "$status" "$seconds")
  fi
  details=$(gtest_details "$log")
  if [[ $failed != 0 ]]; then
    details+="${details:+$'\n'}      log: ${log#"$root"/}"
    [[ -z $why ]] || details+=$'\n'$(tail -n 15 "$log" | cut -c 1-200 | sed 's/^/      | /')
  fi
  record "$suite" "$name" "$passed" "$failed" "$skipped" "$started" "$why" "$details"
}

# All programs of a folder, so many at a time and beside them the one that mostly waits; those that
# are named begin first.
gtest_suite() { # SUITE FOLDER SECONDS PARALLEL [PROGRAM...]
  local suite=$1 folder=$2 seconds=$3 parallel=$4 program found=0 started=' ' waiting=none
  shift 4
  section "$suite"
  mkdir -p "$results/$suite"
  for program in "${@/#/$folder/}" "$folder"/*_test; do
    [[ -f $program && -x $program && $started != *" $program "* ]] || continue
    found=1
    started+="$program "
    while (($(jobs -rp | grep -cvxF "$waiting") >= parallel)); do wait -n || true; done
    run_gtest "$suite" "$program" "$seconds" &
    [[ $program != */"$mostly_waits" ]] || waiting=$!
  done
  wait
  [[ $found == 1 ]] ||
    record "$suite" "${folder#"$root"/}" 0 1 0 "$(now_ms)" "ran no test: no test program there"
}

# One command is one test; exit code 77 means skipped, the last line of its output says why.
command_test() { # SUITE NAME SECONDS COMMAND...
  local suite=$1 name=$2 seconds=$3 started status=0 log=$results/$1/$2.log
  shift 3
  started=$(now_ms)
  limited "$seconds" "$log" "$@" || status=$?
  case $status in
    0) record "$suite" "$name" 1 0 0 "$started" '' ;;
    77) record "$suite" "$name" 0 0 1 "$started" "$(tail -n 1 "$log")" ;;
    *)
      record "$suite" "$name" 0 1 0 "$started" "exit $status" \
        "      log: ${log#"$root"/}"$'\n'"$(tail -n 25 "$log" | cut -c 1-200 | sed 's/^/      | /')"
      ;;
  esac
}

skip() { record "$1" "$2" 0 0 1 "$(now_ms)" "skipped: $3"; }

go_style() { # MODULE
  if ! command -v go >/dev/null; then
    skip lint "gofmt and vet of $1" "no go in PATH (make deps)"
    return
  fi
  # shellcheck disable=SC2016  # the inner shell's own variables
  command_test lint "go-${1//\//-}" 300 env CGO_ENABLED=0 GOFLAGS=-trimpath bash -euc 'cd "$1"
    unformatted=$(gofmt -l .)
    [[ -z $unformatted ]] || { echo "not as gofmt has it: $unformatted"; exit 1; }
    go vet ./...' go "$1"
}

lint_scripts() {
  if ! command -v shellcheck >/dev/null; then
    skip lint shellcheck "no shellcheck in PATH (make deps)"
    return
  fi
  # shellcheck disable=SC2016  # the inner shell's own arguments
  command_test lint shellcheck 120 bash -c 'find . \( -path ./.git -o -path ./build \) -prune -o \
    -type f \( -name "*.sh" -o -path ./.ci/run \) -print0 | xargs -0 shellcheck -x'
}

# Alerts say what their tests expect, and nothing else.
alert_rules() {
  if ! command -v promtool >/dev/null; then
    skip lint alert-rules "no promtool in PATH (make deps)"
    return
  fi
  # shellcheck disable=SC2016  # the inner shell's own variables
  command_test lint alert-rules 120 bash -euo pipefail -c '
    for tests in plugins/*/monitoring/rules_test.yaml; do
      promtool check rules "$(dirname "$tests")/rules.yaml"
      promtool test rules "$tests"
      # The same for the prometheus-operator, whose object has them below spec.
      "$(dirname "$tests")/prometheusrule.sh" | sed "1,/^spec:/d; s/^  //" |
        promtool check rules /dev/stdin
    done'
}

go_tests() { # SUITE MODULE PACKAGES FLAGS...   (PACKAGES: units or e2e)
  local suite=$1 module=$2 which=$3 started status=0 json passed failed skipped
  shift 3
  json=$results/$suite/${module//\//-}-$which.json
  if ! command -v go >/dev/null; then
    skip "$suite" "$module" "no go in PATH (make deps)"
    return
  fi
  started=$(now_ms)
  # Only packages with tests, built as deploy/devcluster/build.sh builds: anything else would
  # compile all of Kubernetes a second time.
  # shellcheck disable=SC2016  # the inner shell's own variables
  limited "$go_seconds" "$json" env CGO_ENABLED=0 GOFLAGS=-trimpath bash -euc 'cd "$1"
    packages=$(go list -f "{{if .TestGoFiles}}{{.ImportPath}}{{end}}" ./...)
    invert=-v
    [[ $2 != e2e ]] || invert=-h
    packages=$(grep . <<<"$packages" | grep "$invert" "/e2e\$" || true)
    shift 2
    [[ -z $packages ]] || exec go test -json "$@" $packages' go "$module" "$which" "$@" ||
    status=$?
  read -r passed failed skipped < <(jq -R -n -r '
    [inputs | fromjson? | select(type == "object" and .Test) | .Action] as $ends
    | def count($what): $ends | map(select(. == $what)) | length;
    "\(count("pass")) \(count("fail")) \(count("skip"))"' "$json")
  if [[ $status != 0 && $failed == 0 ]]; then failed=1; fi
  if [[ $passed$failed$skipped == 000 ]]; then
    skip "$suite" "$module" "the module has no such tests"
    return
  fi
  record "$suite" "$module" "$passed" "$failed" "$skipped" "$started" '' "$([[ $failed == 0 ]] || {
    echo "      log: ${json#"$root"/}"
    jq -R -r 'fromjson? | select(.Action == "output" or .Action == "build-output") | .Output' \
      "$json" | grep -v '^$' | tail -n 25 | cut -c 1-200 | sed 's/^/      | /'
  })"
}

units() { # PRESET PARALLEL
  gtest_suite "unit/$1" "$root/build/$1/tests" "$unit_seconds" "$2"
}

integration() { # PRESET
  # The long ones first: none of them shall be alone at the end.
  gtest_suite "integration/$1" "$root/build/$1/tests/integration" "$integration_seconds" 2 \
    "$mostly_waits" fault_rows_test plugin_objects_test child_home_test
  check_strays "integration/$1"
}

# SEEDS=n and START=s choose others.
simulation() {
  section "simulation"
  command_test simulation "${SEEDS:-1000} seeds from ${START:-1}" 600 env \
    SEEDS="${SEEDS:-1000}" START="${START:-1}" "$root/build/release/tests/sim_test" \
    --gtest_filter=swarm.seeds
}

# A test that leaves a process of the build behind has failed, whatever it reported itself.
check_strays() { # SUITE
  local left
  left=$(stray_processes | while read -r pid _; do
    echo "      $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c 1-150)"
  done)
  [[ -n $left ]] || return 0
  record "$1" "processes left" 0 1 0 "$(now_ms)" "stopping them" "$left"
  kill_strays
}

# A project of somebody else finds the client library by add_subdirectory, and nothing but it.
outside_project() {
  command_test lint outside-project 300 env CC="${CC:-$(command -v clang-19 || command -v cc)}" \
    CXX="${CXX:-$(command -v clang++-19 || command -v c++)}" \
    cmake -S tests/outside -B build/outside -G Ninja --fresh
}

# The Debian packages, and somebody else's plugin that is built against them.
debian_packages() {
  command_test packages build 600 tools/package.sh
  command_test packages outside-plugin 450 tests/outside/packages.sh build/release/packages
  command_test packages tutorial 600 tests/tutorial/run.sh build/release/packages
}

# The programs in the pods of ml-pipeline, with the wheels that their image has.
trainer() {
  section "trainer"
  command_test trainer units 900 plugins/ml-pipeline/trainer/test.sh
}

lints_and_go() { # PRESET
  section "lint"
  command_test lint clang-format 120 tools/format.sh --check
  lint_scripts
  alert_rules
  outside_project
  command_test lint sdk-gcc12 300 tests/sdk/compile.sh "build/$1"
  section "go"
  go_tests go deploy/devcluster units
  go_style core/package/helper
  go_tests go core/package/helper units
}

# --- demo and e2e ---

take_demo_down() {
  local status=0
  mkdir -p "$results/demo"
  cp -r build/demo/logs "$results/demo/" 2>/dev/null || true
  [[ ! -e build/demo/kubeconfig ]] ||
    timeout 30 build/bin/kubectl --kubeconfig build/demo/kubeconfig --namespace oarlock-system \
      logs --selector app.kubernetes.io/name=oarlock --all-containers --prefix --tail=5000 \
      >"$results/demo/oarlockd.log" 2>&1 || true
  PURGE='' limited 300 "$results/demo/down.log" deploy/demo/demo.sh down || status=$?
  demo_may_run=no
  return "$status"
}

e2e() {
  local script started
  section "demo and e2e"
  if [[ $(id -u) != 0 ]]; then
    skip e2e all "needs root: a Kubernetes node with namespaces, mounts and iptables"
    return
  fi
  take_demo_down || true # a clean start, and a clean picture to compare with
  tests/e2e/leftovers.sh snapshot "$results/leftovers-before"
  demo_may_run=yes
  command_test e2e demo "$demo_seconds" deploy/demo/demo.sh up
  for script in tests/e2e/*.sh; do
    [[ $(basename "$script") != leftovers.sh ]] || continue
    command_test e2e "$(basename "$script" .sh)" "$e2e_seconds" "$script"
  done
  gtest_suite e2e/release "$root/build/release/tests/e2e" "$e2e_seconds" 1
  go_tests e2e deploy/devcluster e2e -count=1
  started=$(now_ms)
  if take_demo_down; then
    record e2e demo-down 1 0 0 "$started" ''
  else
    record e2e demo-down 0 1 0 "$started" "see build/test-results/demo/down.log"
  fi
  # Training on a node of its own: a user's mistake, a pod that is deleted, a gate that is missed.
  command_test e2e ml-pipeline "$e2e_seconds" env ONLY='G2|G5|G16' tests/long/ml_pipeline.sh
  command_test e2e nothing-left 60 tests/e2e/leftovers.sh compare "$results/leftovers-before"
}

# --- what make calls ---

run_check() {
  if build dev; then units dev "$(nproc)"; fi
  lints_and_go dev
}

run_api() {
  if build devcluster fetch signkeyless dev; then integration dev; fi
}

# The integration tests on another Kubernetes than that of go.mod.
run_other_kubernetes() { # VERSION
  local folder=$root/build/kube-$1 started
  started=$(now_ms)
  section "build: Kubernetes $1"
  if ! limited_shown "$build_seconds" deploy/devcluster/build.sh "$folder" "$1"; then
    record build "kubernetes $1" 0 1 0 "$started" "see above"
    return
  fi
  build signkeyless release || return 0
  export OARLOCK_DEVCLUSTER=$folder/devcluster
  integration release
}

run_long() {
  if [[ -n ${KUBE:-} ]]; then
    [[ $KUBE =~ ^v[0-9]+[.][0-9]+[.][0-9]+$ ]] || {
      echo "error: expected KUBE=vX.Y.Z, found '$KUBE'" >&2
      exit 2
    }
    run_other_kubernetes "$KUBE"
    return
  fi
  build mysql || true # a row of its own; what needs it says so
  if build devcluster fetch release; then
    gtest_suite long/release build/release/tests/long "$integration_seconds" 1
    command_test long/node ml-pipeline $((2 * e2e_seconds)) tests/long/ml_pipeline.sh
    crds long/types build/bin/oarlock long 3600
  fi
}

# The figures of a soak are worth reading, also when it passed.
run_soak() {
  if build devcluster release; then
    gtest_suite soak/release build/release/tests/soak \
      $((${OARLOCK_SOAK_MINUTES:-30} * 60 + soak_margin_seconds)) 1
    grep -h '^soak: ' "$results"/soak/release/*.log || true
  fi
}

run_sanitizer() { # PRESET
  build "$1" || return 0
  units "$1" "$(nproc)"
  integration "$1"
}

# The Helm chart: by itself, and on an API server.
chart() {
  section "chart"
  build helm || return 0
  command_test chart rendered 300 tests/chart/run.sh build/tools/helm build/tools/kubeconform \
    build/bin/oarlock
  command_test chart api-server 300 tests/chart/cluster.sh build/tools/helm build/bin/devcluster \
    build/bin/oarlock build/plugins/myapp
}

# Types of other projects' CustomResourceDefinitions; the short run takes three of them.
crds() { # SUITE OARLOCK short|long SECONDS
  section "types of CRDs"
  command_test "$1" "crds-$3" "$4" tests/crds/run.sh "$2" "$3"
}

# Real MySQL servers on loopback under load: F1, F7 and F27. The rest of them is in make test-long.
mysql_losses() {
  section "mysql"
  command_test mysql losses 600 build/release/tests/long/mysql_losses_test \
    '--gtest_filter=homes/mysql_losses.*/core'
}

# Functions that need one core each; what they start ends with them.
side_by_side() { # FUNCTION...
  local one started status
  local -A pids
  started=$(now_ms)
  for one in "$@"; do
    (
      trap 'kill $(jobs -p) 2>/dev/null; exit 143' INT TERM HUP
      "$one"
    ) &
    pids[$one]=$!
  done
  for one in "$@"; do
    status=0
    wait "${pids[$one]}" || status=$?
    [[ $status == 0 ]] || record run "$one" 0 1 0 "$started" "not finished: exit $status"
  done
}

one_core_tests() {
  crds types build/bin/oarlock short 600
  trainer
  simulation
  chart
}

package_tests() {
  debian_packages
  command_test packages image 600 tests/images/run.sh
}

run_all() {
  local started
  section "packages"
  started=$(now_ms)
  limited_shown 2400 tools/deps.sh build go node rust registry mysql images python packages ||
    record packages deps 0 1 0 "$started" "see above"
  build mysql || true # a row of its own; what needs it says so
  # The sanitizers' presets have the asserts of dev: it is not built a fourth time.
  if build devcluster fetch cosign signkeyless release; then
    units release "$(nproc)"
    lints_and_go release
    go_tests e2e core/package/helper e2e -count=1
    integration release
    mysql_losses
    side_by_side one_core_tests package_tests
  fi
  run_sanitizer asan
  run_sanitizer tsan
  e2e
}

prepare() {
  rm -rf "$results"
  mkdir -p "$results"
  : >"$table"
  build_processes >"$results/processes-before"
  echo none >>"$results/processes-before" # grep -f with an empty file would match nothing at all
  trap on_exit EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  # A report must stop the test, with names instead of addresses in it.
  local symbolizer=/usr/lib/llvm-19/bin/llvm-symbolizer
  export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
  if [[ -x $symbolizer ]]; then
    export ASAN_SYMBOLIZER_PATH=$symbolizer
    export UBSAN_OPTIONS+=:external_symbolizer_path=$symbolizer
    export TSAN_OPTIONS+=:external_symbolizer_path=$symbolizer
  fi
  unset KUBECONFIG # tests name the cluster they mean
}

main() {
  case ${1:-} in
    check | api | all | long | soak) ;;
    *)
      echo "error: expected check, api, all, long or soak, found '${1:-nothing}'" >&2
      exit 2
      ;;
  esac
  if [[ $1 != all ]] && ! command -v jq >/dev/null; then
    echo "error: jq is not in PATH; install the packages first: make deps" >&2
    exit 1
  fi
  prepare
  "run_$1"
  sum_up
}

main "$@"
