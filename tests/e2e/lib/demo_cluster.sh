#!/usr/bin/env bash
# Sourced by tests on the demo cluster: the cluster, and a user who edits MyApps all the time while
# the test changes what runs them. What was written is counted as the API server has it.
# shellcheck disable=SC2154  # root, work, apps and objects are the test's
set -euo pipefail
readonly demo=$root/build/demo
readonly system=oarlock-system

kc() { build/bin/kubectl --kubeconfig "$demo/kubeconfig" --request-timeout=30s "$@"; }

fail() {
  printf 'error: %s\n' "$*" >&2
  kc get pods -n "$system" -o wide >&2 || true
  exit 1
}

# Waits for a command that prints what is expected.
await() { # SECONDS EXPECTED WHAT COMMAND...
  local deadline=$((SECONDS + $1)) expected=$2 what=$3 found=''
  shift 3
  until found=$("$@" 2>/dev/null) && [[ $found == "$expected" ]]; do
    ((SECONDS < deadline)) || fail "$what: expected '$expected', found '$found'"
    sleep 0.2
  done
}

# --- plugin images ---

# In the cluster's registry, signed by the key that the demo trusts.
publish_plugin() { # FOLDER IMAGE
  build/bin/oarlock plugin build "$1" -o "$work/plugin.tar" >/dev/null
  build/bin/oarlock plugin push "$work/plugin.tar" "$2" --plain-http >/dev/null
  build/bin/oarlock plugin sign "$2" --key "$demo/pki/plugins.key" \
    --password-file "$demo/pki/plugins.password" --plain-http >/dev/null
}

# The demo's own.
install_myapp() { # NAMESPACE RUNTIME
  build/bin/oarlock plugin install "$(cat "$demo/images/myapp.image")" --namespace "$1" \
    --runtime "$2" --daemon-service-account "$2" --kubeconfig "$demo/kubeconfig" --plain-http
}

# --- a user who edits objects all the time ---

apply_objects() { # IMAGE [NAMESPACE]
  local i
  for ((i = 0; i < objects; i++)); do
    printf -- '---\napiVersion: example.com/v1alpha1\nkind: MyApp\nmetadata: {name: app-%d}\n' "$i"
    printf 'spec: {replicas: 0, image: "%s"}\n' "$1"
  done | kc apply -n "${2:-$apps}" -f - >/dev/null
}

images_in() { # NAMESPACE
  kc get deployments -n "$1" -o json | jq -r '.items[]
    | .metadata.name + " " + .spec.template.spec.containers[0].image' | sort
}

# How many Deployments have the image: each object was seen.
with_image() { # IMAGE [NAMESPACE]
  images_in "${2:-$apps}" | cut -d ' ' -f 2 | grep -cxF "$1" || true
}

api_access() {
  local config
  config=$(kc config view --raw -o json)
  jq -r '.clusters[0].cluster["certificate-authority-data"]' <<<"$config" | base64 -d >"$work/ca"
  jq -r '.users[0].user["client-certificate-data"]' <<<"$config" | base64 -d >"$work/crt"
  (umask 077 && jq -r '.users[0].user["client-key-data"]' <<<"$config" | base64 -d >"$work/key")
  server=$(jq -r '.clusters[0].cluster.server' <<<"$config")
}

# One app in turn each 100 ms, while there is the file editing-NAMESPACE; the last images of all are
# then in last-NAMESPACE, in edits-NAMESPACE how many edits there were.
edit_objects() { # NAMESPACE
  local i name due rest
  local -A last=()
  for ((i = 0; i < objects; i++)); do last[app-$i]=myapp:zero; done
  due=${EPOCHREALTIME/./}
  for ((i = 0; ; i++)); do
    [[ -e $work/editing-$1 ]] || break
    name=app-$((i % objects))
    last[$name]=myapp:edit-$i
    curl -fsS --max-time 30 --cacert "$work/ca" --cert "$work/crt" --key "$work/key" -X PATCH \
      -H 'Content-Type: application/merge-patch+json' -d '{"spec":{"image":"myapp:edit-'"$i"'"}}' \
      "$server/apis/example.com/v1alpha1/namespaces/$1/myapps/$name" >/dev/null || return 1
    echo $((i + 1)) >"$work/edits-$1"
    due=$((due + 100000))
    printf -v rest '%06d' $((due - ${EPOCHREALTIME/./}))
    [[ $rest == -* ]] || sleep "0.$rest"
  done
  for name in "${!last[@]}"; do echo "$name ${last[$name]}"; done | sort >"$work/last-$1"
}

begin_edits() { # NAMESPACE
  kc create namespace "$1" >/dev/null
  apply_objects myapp:zero "$1"
  await 60 "$objects" "Deployments in $1" with_image myapp:zero "$1"
  touch "$work/editing-$1"
  edit_objects "$1" &
}

# So many edits more; each object is edited once unless a number is given.
more_edits() { # NAMESPACE [NUMBER]
  local until
  until=$(($(cat "$work/edits-$1" 2>/dev/null || echo 0) + ${2:-$objects}))
  await 60 yes "edits in $1" edits_reach "$until" "$1"
}
edits_reach() { # NUMBER NAMESPACE
  if (($(cat "$work/edits-$2") >= $1)); then echo yes; fi
}

# How often each object was written, as the API server has it: MyApps by the user, Deployments by
# the plugin, which creates them by a patch, too.
writes_in() { # NAMESPACE RESOURCE
  local since # a run before had a namespace of this name
  since=$(kc get namespace "$1" -o 'jsonpath={.metadata.creationTimestamp}')
  jq -nr --arg namespace "$1" --arg resource "$2" --arg since "$since" '[inputs
    | select((.verb == "patch" or .verb == "create") and .stage == "ResponseComplete"
      and .objectRef.resource == $resource and .objectRef.namespace == $namespace
      and .objectRef.subresource == null and .responseStatus.code < 300
      and .requestReceivedTimestamp[:19] >= $since[:19]) | .objectRef.name]
    | group_by(.)[] | "\(.[0]) \(length)"' "$demo/cluster/audit.log" | sort
}
# A write that says again what is there makes no generation.
generations_in() { # NAMESPACE
  kc get deployments -n "$1" -o json |
    jq -r '.items[].metadata | "\(.name) \(.generation)"' | sort
}

# The last edit of each object has arrived, and nothing was written twice.
end_edits() { # NAMESPACE WHAT
  rm "$work/editing-$1"
  wait $! || fail "$2: an edit failed"
  await 60 "$(cat "$work/last-$1")" "$2: images" images_in "$1"
  writes_in "$1" deployments >"$work/writes-$1"
  generations_in "$1" >"$work/generations-$1"
  cmp -s "$work/writes-$1" "$work/generations-$1" ||
    fail "$2: expected as many writes as generations:
$(diff "$work/writes-$1" "$work/generations-$1")"
  printf '%s: %d edits arrived, nothing was written twice\n' "$2" "$(cat "$work/edits-$1")"
}
