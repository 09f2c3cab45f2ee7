#!/usr/bin/env bash
# Makes what a release consists of, from a clean clone: binaries, what they are made of, and sums. docs/releasing.md
#
#   deploy/release.sh                       checks, then all binaries, into target/dist
#   deploy/release.sh check                 licences, sources, bans and known holes of the dependencies only
#   deploy/release.sh build [PACKAGE…]      the archive only; the same commit gives the same bytes on the same platform
#
# SEGUE_OFFLINE=1 leaves out the list of known holes, which is fetched from GitHub.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

die() { echo "release: $*" >&2; exit 1; }
say() { echo "==> $*"; }
. ./deploy/install.sh

deny=0.20.2
cyclonedx=0.5.9
binaries=(segue upload-api transcode-worker transcoder notification-ingest messages-api local-cloud)
dist=target/dist

# tool NAME VERSION: that version, in a directory of its own.
tool() {
  [[ -x target/tools/bin/$1 ]] && target/tools/bin/"$1" "${1#cargo-}" --version | grep -qF " $2" && return 0
  say "installing $1 $2"
  cargo install --quiet --locked --root target/tools --target-dir target/tools/build "$1@$2"
}

check() {
  tool cargo-deny $deny
  if [[ ${SEGUE_OFFLINE:-} == 1 ]]; then
    say "licences, bans and sources; known holes are not looked up"
    target/tools/bin/cargo-deny --offline --locked check licenses bans sources
  else
    target/tools/bin/cargo-deny --locked check
  fi
}

# Nothing of the machine goes into what is compiled: no path, no time, no order of a directory.
build() {
  local cargo_home=${CARGO_HOME:-$HOME/.cargo} version name packages=("$@")
  version=$(cargo pkgid --locked -p segue | sed 's/.*[#@]//')
  name=segue-$version-$(rustc -vV | sed -n 's/^host: //p')
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
  export SOURCE_DATE_EPOCH
  export CFLAGS="-ffile-prefix-map=$root=/src -ffile-prefix-map=$cargo_home=/cargo"
  export RUSTFLAGS="--remap-path-prefix=$root=/src --remap-path-prefix=$cargo_home=/cargo"
  export CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_INCREMENTAL=0
  say "binaries"
  cargo build --release --locked --bins --target-dir target/release-build "${packages[@]/#/-p}"
  rm -rf "$dist" && mkdir -p "$dist/$name"
  cp "${packages[@]/#/target/release-build/release/}" README.md LICENSE-APACHE LICENSE-MIT .env.example "$dist/$name/"
  sbom "$dist/$name" "${packages[@]}"
  say "archive"
  tar --sort=name --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w --mtime="@$SOURCE_DATE_EPOCH" \
    -C "$dist" -cf - "$name" | gzip -n9 >"$dist/$name.tar.gz"
  rm -r "${dist:?}/$name"
  (cd "$dist" && sha256sum -- *.tar.gz >SHA256SUMS && cat SHA256SUMS)
}

# sbom DIRECTORY PACKAGE…: what each is made of, in CycloneDX.
sbom() {
  local directory=$1 package
  shift
  tool cargo-cyclonedx $cyclonedx
  say "bills of materials"
  # It writes one into the directory of every package.
  target/tools/bin/cargo-cyclonedx cyclonedx --quiet --format json --spec-version 1.5 --override-filename release.cdx
  for package in "$@"; do
    # bom-refs name the directory of the sources.
    sed "s|$root|/src|g" {services,crates}/"$package"/release.cdx.json 2>/dev/null >"$directory/$package.cdx.json" || true
    [[ -s $directory/$package.cdx.json ]] || die "there is no bill of materials for $package"
  done
  rm -f -- */release.cdx.json */*/release.cdx.json
}

need_cargo
need git git git
[[ -z $(git status --porcelain --untracked-files=no) ]] || die "there are changes that are not committed"
case ${1:-all} in
  all) check && ./test && build "${binaries[@]}" ;;
  check) check ;;
  build) shift && build "${@:-${binaries[@]}}" ;;
  *) die "unknown command $1 (see the top of deploy/release.sh)" ;;
esac
