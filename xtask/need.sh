# shellcheck shell=bash
# What ./run and ./check share: is everything there that they need? As root on Debian they install it; otherwise they
# print the one line that does, and end with 2.

packages=()

# need PROGRAM PACKAGE...: PROGRAM, or the packages that bring it
need() {
  command -v "$1" >/dev/null 2>&1 || packages+=("${@:2}")
}

install_needed() {
  if [[ ${#packages[@]} -eq 0 ]]; then
    return
  fi
  if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null 2>&1; then
    echo "missing; install with:  sudo apt-get install -y ${packages[*]}" >&2
    exit 2
  fi
  echo "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}"; } </dev/null >/dev/null
}

# Cargo 1.95 or newer. Under rustup, rust-toolchain.toml names the exact one and rustup fetches it at the first call;
# any other cargo ignores that file.
need_cargo() {
  local version major minor
  if ! command -v cargo >/dev/null 2>&1; then
    echo "missing: Rust 1.95 or newer; install it by rustup (https://rustup.rs)" >&2
    exit 2
  fi
  version=$(cargo --version | cut -d' ' -f2)
  IFS=. read -r major minor _ <<<"$version"
  if ((major == 1 && minor < 95)); then
    echo "cargo is $version, 1.95 or newer is needed; with rustup:  rustup update stable" >&2
    exit 2
  fi
}
