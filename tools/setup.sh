#!/usr/bin/env bash
# Installs what probedarts needs from Debian, by package name. Safe to run again: what is there is left alone.
#
#   tools/setup.sh [build] [test] [bench] [lint]     (without a group: build test)
#
# Works as root or with sudo. With neither it prints the one command to run, and exits with 2 if something is missing.
set -euo pipefail

# Everything that a build of any preset includes or links.
build=(g++ cmake ninja-build git ccache python3
  libtorch-dev libopenblas0-pthread libopenblas-dev libopencv-imgcodecs-dev libopencv-imgproc-dev
  libcli11-dev nlohmann-json3-dev libtomlplusplus-dev libfmt-dev libxxhash-dev libhwy-dev zlib1g-dev libjs-chart.js
  libgtest-dev libgmock-dev libbenchmark-dev)
test=(chromium chromium-driver        # the report is looked at in a browser
  python3-torch)                      # checkpoints are exchanged with Python's PyTorch
bench=(python3-torch nodejs npm linux-perf)  # the peers that `make bench` measures against
lint=(clang-format-14 clang-tidy-14)  # tools/check

say() { printf 'setup: %s\n' "$*"; }

if (($# == 0)); then set -- build test; fi
wanted=()
for group in "$@"; do
  case "$group" in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    lint) wanted+=("${lint[@]}") ;;
    *)
      say "'$group' is no group; choose from build, test, bench, lint" >&2
      exit 2
      ;;
  esac
done

if ! command -v dpkg-query >/dev/null; then
  say "this system has no dpkg; install what corresponds to these Debian packages: ${wanted[*]}" >&2
  exit 2
fi

# How to become root: nothing, sudo, or not at all. A sudo that would ask is only of use to somebody at a terminal.
as_root=none
if [[ $(id -u) == 0 ]]; then
  as_root=""
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
  as_root=sudo
fi

# Installed packages and what they provide (another vendor's nodejs brings npm with it).
declare -A installed=()
while read -r status names; do
  [[ $status == installed ]] || continue
  for name in ${names//,/ }; do installed[$name]=1; done
done < <(dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n')
missing=()
for package in "${wanted[@]}"; do
  [[ -n ${installed[$package]:-} ]] || missing+=("$package")
done

if ((${#missing[@]} == 0)); then
  say "$* : all ${#wanted[@]} packages are installed"
elif [[ $as_root == none ]]; then
  say "missing: ${missing[*]}" >&2
  say "run this as root, then try again:" >&2
  echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 2
else
  say "$* : $((${#wanted[@]} - ${#missing[@]})) of ${#wanted[@]} packages are installed; installing ${missing[*]}"
  $as_root apt-get update
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
fi

# Debian's reference BLAS and LAPACK answer correctly and several times slower. An optimised library that the
# administrator chose is left alone; the reference is replaced by OpenBLAS.
check_algebra() {
  local link=$1 query value choice
  query=$(update-alternatives --query "$link" 2>/dev/null) || return 0
  value=$(sed -n 's/^Value: //p' <<<"$query")
  if [[ $value != */blas/* && $value != */lapack/* ]]; then
    say "$link is $value"
    return 0
  fi
  choice=$(sed -n 's/^Alternative: //p' <<<"$query" | grep -m 1 openblas-pthread) || {
    say "$link is the slow reference, $value, and OpenBLAS is no alternative: reinstall libopenblas0-pthread" >&2
    return 2
  }
  if [[ $as_root == none ]]; then
    say "$link is the slow reference; run this as root:" >&2
    echo "  update-alternatives --set $link $choice" >&2
    return 2
  fi
  $as_root update-alternatives --set "$link" "$choice" >/dev/null
  say "$link was the slow reference; set to $choice"
}

if [[ " $* " == *" build "* ]] && command -v update-alternatives >/dev/null; then
  triplet=$(gcc -print-multiarch 2>/dev/null || true)
  check_algebra "libblas.so.3${triplet:+-$triplet}"
  check_algebra "liblapack.so.3${triplet:+-$triplet}"
fi
