# Sourced by scripts/check-*: installing by name, free ports, processes that end with the script.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/hark
mkdir -p "$cache"
work=$(mktemp -d)
# What cannot be had here is told in one line at the end, by the outermost of the checks.
export HARK_NOT_TRIED=${HARK_NOT_TRIED:-$work/not-tried}
pids=()
emulators=
tell_not_tried() { # file
  [ ! -s "$1" ] || printf '\n%d not tried: %s\n' "$(sort -u "$1" | wc -l)" "$(sort -u "$1" | paste -sd '|' | sed 's/|/; /g')"
}
end_all() {
  local code=$?
  [ -z "$emulators" ] || "$root/scripts/emulators" stop "$emulators" || true
  [ ${#pids[@]} = 0 ] || kill -TERM "${pids[@]}" 2>/dev/null || true
  [ ${#pids[@]} = 0 ] || wait "${pids[@]}" 2>/dev/null || true
  tell_not_tried "$work/not-tried"
  rm -rf "$work"
  exit "$code"
}
trap end_all EXIT

step() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED  %s\n' "$*" >&2; exit 1; }
# What cannot be had on this machine, and why. With HARK_CHECK_ALL=1 that fails.
not_tried() { echo "$*" >>"$HARK_NOT_TRIED"; [ -z "${HARK_CHECK_ALL:-}" ] || fail "not tried: $*"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt_missing() { # packages: installs what Debian lacks here, and starts no service
  local missing=() package
  for package in "$@"; do dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package"); done
  [ ${#missing[@]} = 0 ] && return
  # One check at a time installs: the other finds it done.
  (
    flock 9
    echo "installing from Debian: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  ) 9>"$cache/installing"
}

venv() { # folder, requirements file, options of pip…
  local folder=$1 file=$2; shift 2
  (
    flock 9
    [ -x "$folder/bin/python" ] && cmp -s "$file" "$folder/requirements.txt" && exit
    echo "installing from PyPI: $(grep -vE '^(#|$)' "$file" | tr '\n' ' ')"
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --no-compile --disable-pip-version-check "$@" --requirement "$file"
    cp "$file" "$folder/requirements.txt"
  ) 9>"$cache/installing"
}

start_emulators() { # of Google's cloud, with the variables that lead to them
  local addresses
  emulators=$work/emulators
  # In two steps, so that a failure ends the script rather than asking Google itself.
  addresses=$("$root/scripts/emulators" start "$emulators")
  eval "$addresses"
  : "${PUBSUB_EMULATOR_HOST:?}" "${BIGQUERY_REST_ENDPOINT:?}"
  export PROJECT_ID=hark-test HARK__BUS__KIND=pubsub HARK__WAREHOUSE__KIND=bigquery
}

pubsub_jar() { # Google's emulator, or nothing
  local lib
  [ -z "${HARK_PUBSUB_JAR:-}" ] || { echo "$HARK_PUBSUB_JAR"; return; }
  lib=$(gcloud info --format='value(installation.sdk_root)' 2>/dev/null)/platform/pubsub-emulator/lib
  find "$lib" -name 'cloud-pubsub-emulator-*-all.jar' 2>/dev/null | sort | tail -n 1
}
speaks_to_google() { # hark, what is tried: whether emulators can be had here. A hark that lacks a part fails.
  (cd "$work" && PROJECT_ID=it HARK__BUS__KIND=pubsub HARK__WAREHOUSE__KIND=bigquery REDIS_URL=redis://127.0.0.1:1 "$1" config check >"$work/parts.log" 2>&1) ||
    fail "$2 needs a hark with all parts: cargo build --release --locked --features full"$'\n'"$(cat "$work/parts.log")"
  local tool
  for tool in gcloud javac; do
    command -v $tool >/dev/null || { not_tried "$2 (no $tool here)"; return 1; }
  done
  [ -n "$(pubsub_jar)" ] || { not_tried "$2 (the Google Cloud SDK here has no Pub/Sub emulator)"; return 1; }
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

wait_until() { # seconds, words, command…: tries the command until it succeeds
  local end=$((SECONDS + $1)) words=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || fail "waited in vain: $words"
    read -rt 0.2 <> <(:) || true
  done
}
