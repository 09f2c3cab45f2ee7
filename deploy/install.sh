# Sourced by ./run and ./test: says what is missing and installs it with the system's package manager.
# shellcheck shell=bash

need_cargo() {
  if ! command -v cargo >/dev/null && [[ -x $HOME/.cargo/bin/cargo ]]; then PATH=$HOME/.cargo/bin:$PATH; fi
  command -v cargo >/dev/null || die "cargo is missing: install Rust from https://rustup.rs"
}

# need COMMAND PACKAGE WHAT: COMMAND must be there, or PACKAGE is installed.
need() {
  command -v "$1" >/dev/null && return 0
  say "$3 is missing; installing $2"
  install_packages "$2"
  command -v "$1" >/dev/null || die "$1 is still missing after installing $2"
}

install_packages() {
  local as_root=()
  if command -v apt-get >/dev/null; then
    if ((EUID != 0)); then
      command -v sudo >/dev/null || die "run as root, or with sudo installed: apt-get install $*"
      as_root=(sudo)
    fi
    # "${a[@]+…}": bash before 4.4 takes an empty array for an unset variable.
    "${as_root[@]+"${as_root[@]}"}" apt-get update -qq >/dev/null &&
      "${as_root[@]+"${as_root[@]}"}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
      die "apt-get could not install: $*"
  elif command -v brew >/dev/null; then
    brew install --quiet "$@" || die "brew could not install: $*"
  else
    die "there is no apt-get and no brew here; install by hand: $*"
  fi
}

# need_space DIRECTORY MEBIBYTES
need_space() {
  local free
  free=$(df -Pk "$1" | awk 'NR == 2 { print int($4 / 1024) }')
  ((free >= $2)) || die "too little space in $1: $free MiB are free, $2 MiB are needed"
}
