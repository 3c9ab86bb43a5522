#!/bin/bash
# Makes sure that what a make verb needs is on this machine: Debian packages by apt, and what cannot be had
# so (Bochs 3, QEMU 10 on Debian 12, QEMU 11, the arm64 gnu-efi on another machine) as trees in a cache of our own, one
# of them built from source (Bochs with XFD). Says what it does and why; says nothing, and costs milliseconds, when
# nothing is missing. No apt source and no foreign architecture is ever added to the machine.
#
#   tools/setup.sh SET...        sets: build run debug bochs qemu-10 qemu-11 u-boot sign test lint coverage bench all;
#                                ARCH=x86_64|arm64 narrows build, run, debug and qemu-N to one architecture (the others
#                                need both). tests/run asks for qemu-N and u-boot when a test it runs needs them
#   tools/setup.sh --print NAME  where something is: cache, gnuefi, qemu-10, qemu-11, bochs-tree, bochs-xfd (all by ARCH)
#
# FERMATA_CACHE          the cache; default ${XDG_CACHE_HOME:-$HOME/.cache}/fermata
# FERMATA_DEBIAN_MIRROR  the Debian archive for the trees; default http://deb.debian.org/debian
set -euo pipefail

die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

say() {
    printf 'setup: %s\n' "$*" >&2
}

home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
cache=${FERMATA_CACHE:-${XDG_CACHE_HOME:-${home:-/tmp}/.cache}/fermata}
mirror=${FERMATA_DEBIAN_MIRROR:-http://deb.debian.org/debian}
host=$(uname -m)

# QEMU 10: the first that intercepts a guest's XSETBV under SVM (7.2 lets a guest change the real XCR0 unseen).
qemu_x86_wanted=10
# Numbered: a change of what is in a tree changes its name, so that a stale one is never taken for it.
qemu_tree=$cache/qemu-trixie-1
qemu11_tree=$cache/qemu-trixie-backports-1
bochs_tree=$cache/bochs-trixie-1
# Bochs with our module in it: what goes into the build is in the name.
bochs_module=$(dirname "${BASH_SOURCE[0]}")/../tests/emu/bochs-xfd
bochs_options=(--with-nogui --with-rfb --enable-cpu-level=6 --enable-x86-64 --enable-smp --enable-all-optimizations
    --enable-amx --enable-avx --enable-evex --enable-cet --enable-svm --enable-vmx=2 --enable-pci --enable-memtype
    --enable-protection-keys --enable-monitor-mwait --enable-configurable-msrs --disable-docbook --disable-readline
    --enable-instrumentation=instrument/fermata)
bochs_xfd=$cache/bochs-xfd-1-$({ cat "$bochs_module"/{instrument.cc,instrument.h,Makefile.in} &&
    echo "${bochs_options[*]}"; } | sha256sum | cut -c1-12)
u_boot=/usr/lib/u-boot/qemu_arm64/u-boot.bin
sets='build run debug bochs qemu-10 qemu-11 u-boot sign test lint coverage bench all'
suite=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-unknown}")
gnuefi_arm64=$cache/gnu-efi-arm64-$suite-1

qemu_major() { # qemu_major ARCH: of the machine's own QEMU; 0 if there is none
    local program=qemu-system-x86_64 version
    [ "$1" = x86_64 ] || program=qemu-system-aarch64
    version=$("$program" --version 2>/dev/null | sed -n '1s/.*version \([0-9]*\).*/\1/p')
    echo "${version:-0}"
}

need_tree() { # true if x86-64 machines must come from the extracted tree
    [ "$suite" = bookworm ] && [ "$(qemu_major x86_64)" -lt "$qemu_x86_wanted" ]
}

qemu_is_own() { # qemu_is_own MAJOR ARCH: is the machine's own QEMU, or the one Debian would install, of that version?
    local major
    major=$(qemu_major "$2")
    [ "$major" = "$1" ] || { [ "$major" = 0 ] && [ "$suite" = trixie ] && [ "$1" = 10 ]; }
}

packages=()
reasons=()

want() { # want PACKAGE WHY TEST...: note the package unless the test succeeds
    local package=$1 why=$2
    shift 2
    "$@" >/dev/null 2>&1 && return 0
    case " ${packages[*]-} " in *" $package "*) return 0 ;; esac
    packages+=("$package")
    reasons+=("$package: $why")
}

have() {
    command -v "$1"
}

want_build() { # want_build ARCH
    want gcc "compiler" have gcc
    want libc6-dev "C library headers (stdint.h of the host's compiler)" test -e /usr/include/stdlib.h
    want make "the build" have make
    want binutils "linker, objcopy, nm" have ld
    want python3 "image checks, symbol table, tools/run" have python3
    if [ "$1" = x86_64 ]; then
        want gnu-efi "EFI start-up code and headers" test -e /usr/lib/crt0-efi-x86_64.o
        [ "$host" = x86_64 ] ||
            want gcc-x86-64-linux-gnu "compiler for x86-64" have x86_64-linux-gnu-gcc
    else
        want gcc-aarch64-linux-gnu "compiler for arm64" have aarch64-linux-gnu-gcc
        [ "$host" = aarch64 ] || [ -e "$gnuefi_arm64/.complete" ] || want_mmdebstrap "the arm64 gnu-efi"
    fi
}

want_mmdebstrap() { # want_mmdebstrap FOR
    want mmdebstrap "extracts Debian packages into a tree: $1" have mmdebstrap
    want debian-archive-keyring "Debian's keys" test -e /usr/share/keyrings/debian-archive-keyring.gpg
}

want_run() { # want_run ARCH
    want mtools "makes the EFI system partition" have mcopy
    want python3 "tools/run" have python3
    if [ "$1" = arm64 ]; then
        want qemu-system-arm "the arm64 machine" have qemu-system-aarch64
        want qemu-efi-aarch64 "its firmware" test -e /usr/share/AAVMF/AAVMF_CODE.fd
    elif need_tree; then
        [ -e "$qemu_tree/.complete" ] || want_mmdebstrap "QEMU $qemu_x86_wanted and OVMF for x86-64"
    else
        want qemu-system-x86 "the x86-64 machine" have qemu-system-x86_64
        want ovmf "its firmware" test -e /usr/share/OVMF/OVMF_CODE_4M.fd
    fi
}

want_qemu() { # want_qemu MAJOR ARCH: a tests' machine of that version of QEMU
    want_run "$2"
    qemu_is_own "$1" "$2" || [ -e "$(print "qemu-$1")/.complete" ] || want_mmdebstrap "QEMU $1"
}

want_bochs() {
    want mtools "makes the EFI system partition" have mcopy
    [ -e "$bochs_tree/.complete" ] || want_mmdebstrap "Bochs 3"
    [ -e "$bochs_xfd/.complete" ] && return
    want g++ "builds Bochs with XFD" have g++
    want xz-utils "unpacks its source" have xz
    want debian-archive-keyring "Debian's keys" test -e /usr/share/keyrings/debian-archive-keyring.gpg
}

want_sign() {
    want python3 "tools/secure_boot.py" have python3
    want sbsigntool "signs the image for Secure Boot" have sbsign
    want openssl "makes keys" have openssl
}

want_set() { # want_set SET ARCH...
    local set=$1 arch
    shift
    for arch in "$@"; do
        case $set in
        build) want_build "$arch" ;;
        run | debug | test | bench | coverage)
            want_build "$arch"
            want_run "$arch"
            ;;
        lint) want_build "$arch" ;;
        sign) want_sign ;;
        bochs)
            want_build "$arch"
            want_bochs
            ;;
        qemu-*) want_qemu "${set#qemu-}" "$arch" ;;
        u-boot) want u-boot-qemu "the other firmware of the arm64 machine" test -e "$u_boot" ;;
        *) die "unknown set '$set' ($sets)" ;;
        esac
    done
    case $set in
    test | debug) want gdb-multiarch "gdb for both architectures" have gdb-multiarch ;;&
    test | coverage)
        want libcmocka-dev "host tests" test -e /usr/include/cmocka.h
        want perl "prove" have prove
        want qemu-user "runs the host tests of the moves" have qemu-aarch64
        want_sign
        want dosfstools "a second opinion on the disk image's file system" test -x /usr/sbin/fsck.fat
        want gdisk "a second opinion on the disk image's partition table" test -x /usr/sbin/sgdisk
        ;;&
    coverage) want lcov "coverage pages" have genhtml ;;
    lint)
        want clang "second compiler" have clang
        want clang-format "format check" have clang-format
        want clang-tidy "static checks" have clang-tidy
        want cppcheck "static checks" have cppcheck
        want shellcheck "shell checks" have shellcheck
        want pyflakes3 "python checks" have pyflakes3
        want libcmocka-dev "host tests are checked too" test -e /usr/include/cmocka.h
        ;;
    esac
}

install_packages() {
    [ ${#packages[@]} -gt 0 ] || return 0
    local line root=()
    [ -e /etc/debian_version ] ||
        die "this is not Debian; install by hand what answers to: ${packages[*]}"
    say "this machine lacks:"
    for line in "${reasons[@]}"; do
        say "  $line"
    done
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
            root=(sudo)
        else
            die "not root and no sudo; run: apt-get install --no-install-recommends ${packages[*]}"
        fi
    fi
    local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3)
    local install=("${apt[@]}" install -y --no-install-recommends "${packages[@]}")
    say "apt-get install --no-install-recommends ${packages[*]}"
    # The package lists of a fresh machine may be empty or old: then once more with new ones.
    "${install[@]}" >"$log" 2>&1 && return
    say "the package lists are missing or old: apt-get update"
    { "${apt[@]}" update && "${install[@]}"; } >"$log" 2>&1 || {
        tail -n 15 "$log" >&2
        die "apt-get could not install ${packages[*]} (above: its last words)"
    }
}

extract() { # extract DIR SUITE ARCHITECTURE PACKAGE...: a tree of packages and what they depend on
    local dir=$1 suite=$2 architecture=$3 tmp options=() sources=("$mirror")
    shift 3
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    if [[ $suite = *-backports ]]; then # packages of backports, and of the release under them what they need
        options=("--aptopt=APT::Default-Release \"$suite\"")
        sources=("deb $mirror ${suite%-backports} main" "deb $mirror $suite main")
    fi
    # chrootless + extract: nothing is executed or mounted, so it needs neither root nor user namespaces.
    if ! mmdebstrap --mode=chrootless --skip=check/chrootless,output/mknod --variant=extract \
        --architectures="$architecture" --aptopt='Acquire::Retries "3"' \
        "${options[@]}" --include="$(IFS=,; echo "$*")" "${suite%-backports}" "$tmp/tree" "${sources[@]}" \
        >"$log" 2>&1; then
        rm -rf "$tmp"
        grep -v '^I:' "$log" | tail -n 15 >&2
        die "could not get $* of Debian $suite ($architecture) from $mirror (above: mmdebstrap's last words)." \
            "Is the network there? FERMATA_DEBIAN_MIRROR names another mirror."
    fi
    rm -rf "$tmp/tree/usr/share/doc" "$tmp/tree/usr/share/locale" "$tmp/tree/usr/share/man" \
        "$tmp/tree/usr/share/icons" "$tmp/tree/usr/share/fonts"
    touch "$tmp/tree/.complete"
    # Whole or not at all: another process sees the tree only once it is complete.
    rm -rf "$dir"
    mv -T "$tmp/tree" "$dir"
    rm -rf "$tmp"
}

# The source of Bochs by apt from a source list of its own. Only the orig tarball (--tar-only): some mirrors do not have
# the .dsc. apt checks its SHA-256 by the archive's signed index.
fetch_bochs_source() { # fetch_bochs_source DIR
    local dir=$1
    mkdir -p "$dir"/state/lists/partial "$dir"/cache/archives/partial
    touch "$dir/status"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$dir/sources.list"
    local apt=(apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User="$(id -un)" -o Dir::State="$dir/state"
        -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" -o Dir::Etc::sourcelist="$dir/sources.list"
        -o Dir::Etc::sourceparts=/dev/null)
    (cd "$dir" && "${apt[@]}" update && "${apt[@]}" source --download-only --tar-only bochs=3.0+dfsg-1) >"$log" 2>&1 &&
        ls "$dir"/bochs_*.orig.tar.* >/dev/null 2>&1
}

build_bochs() {
    local tmp source files jobs builder all=470
    tmp=$(mktemp -d "$cache/tmp.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$tmp' '$log'" EXIT
    say "no Bochs of any distribution has XFD: building Bochs 3.0 with tests/emu/bochs-xfd in it (once; about 3 minutes)"
    fetch_bochs_source "$tmp/apt" || bochs_failed "could not get the source of Bochs from $mirror"
    mkdir "$tmp/source"
    tar -C "$tmp/source" --strip-components=1 -xf "$tmp"/apt/bochs_*.orig.tar.* >"$log" 2>&1 ||
        bochs_failed "could not unpack the source of Bochs"
    source=$tmp/source
    mkdir "$source/instrument/fermata"
    cp "$bochs_module"/{instrument.cc,instrument.h,Makefile.in} "$source/instrument/fermata/"
    (cd "$source" && CFLAGS=-O2 CXXFLAGS=-O2 ./configure "${bochs_options[@]}") >"$log" 2>&1 ||
        bochs_failed "Bochs does not configure"
    jobs=$(nproc)
    make -C "$source" -j"$jobs" bochs >"$log" 2>&1 &
    builder=$!
    local shown=0 every=20
    [ -t 2 ] && every=1
    while kill -0 "$builder" 2>/dev/null; do
        sleep 1
        files=$(grep -c -- ' -c ' "$log" || true)
        shown=$((shown + 1))
        [ $((shown % every)) = 0 ] || continue
        if [ -t 2 ]; then printf '\rsetup: compiling: %d of about %d files ' "$files" "$all" >&2
        else say "compiling: $files of about $all files"; fi
    done
    [ ! -t 2 ] || printf '\n' >&2
    wait "$builder" || bochs_failed "Bochs does not build"
    mkdir "$tmp/out"
    strip -o "$tmp/out/bochs" "$source/bochs"
    touch "$tmp/out/.complete"
    rm -rf "$bochs_xfd"
    mv -T "$tmp/out" "$bochs_xfd"
    rm -rf "$tmp"
    say "Bochs with XFD is in $bochs_xfd"
}

bochs_failed() { # bochs_failed WHAT
    tail -n 15 "$log" >&2
    die "$1 (above: the last words)"
}

make_trees() { # make_trees SET ARCH...
    local set=$1 arch
    shift
    for arch in "$@"; do
        if [ "$arch" = arm64 ] && [ "$host" != aarch64 ] && [ ! -e "$gnuefi_arm64/.complete" ]; then
            say "extracting the arm64 gnu-efi of Debian $suite into $gnuefi_arm64 (dpkg is not touched)"
            extract "$gnuefi_arm64" "$suite" arm64 gnu-efi
        fi
        if [ "$set" = bochs ] && [ ! -e "$bochs_tree/.complete" ]; then
            say "Debian 12's Bochs has neither UEFI nor AMX: extracting Bochs 3 of Debian 13 into" \
                "$bochs_tree (140 MB, about 30 s; nothing of it is installed)"
            extract "$bochs_tree" trixie "$(dpkg --print-architecture)" bochs bochs-term vgabios ovmf libc6
        fi
        if [ "$set" = bochs ] && [ ! -e "$bochs_xfd/.complete" ]; then build_bochs; fi
        if tree_missing "$set" "$arch" 10; then
            say "extracting QEMU 10 of Debian 13 into $qemu_tree (650 MB, about 10 s; nothing of it is installed):" \
                "Debian 12's cannot intercept a guest's XSETBV, and tests want both"
            extract_qemu "$qemu_tree" trixie
        fi
        if tree_missing "$set" "$arch" 11; then
            say "extracting QEMU 11 of Debian 13's backports into $qemu11_tree (650 MB, about 10 s; nothing of it" \
                "is installed): the first with SME2, ZT0 and FPMR"
            extract_qemu "$qemu11_tree" trixie-backports
        fi
    done
}

extract_qemu() { # extract_qemu DIR SUITE: both architectures, with their firmware
    extract "$1" "$2" "$(dpkg --print-architecture)" \
        qemu-system-x86 ovmf qemu-system-arm qemu-efi-aarch64 libc6
}

tree_missing() { # tree_missing SET ARCH MAJOR: must this QEMU be extracted for it?
    local tree
    tree=$(print "qemu-$3")
    [ ! -e "$tree/.complete" ] || return 1
    case $1 in
    "qemu-$3") ! qemu_is_own "$3" "$2" ;;
    run | test | coverage | bench) [ "$3" = 10 ] && [ "$2" = x86_64 ] && need_tree ;;
    *) return 1 ;;
    esac
}

print() { # print NAME
    case $1 in
    cache) echo "$cache" ;;
    qemu-10) echo "$qemu_tree" ;;
    qemu-11) echo "$qemu11_tree" ;;
    bochs-tree) echo "$bochs_tree" ;;
    bochs-xfd) echo "$bochs_xfd" ;;
    gnuefi) if [ "${ARCH:-x86_64}" = arm64 ] && [ "$host" != aarch64 ]; then echo "$gnuefi_arm64"; fi ;;
    *) die "nothing is called '$1' (cache, gnuefi, qemu-10, qemu-11, bochs-tree, bochs-xfd)" ;;
    esac
}

archs_of() { # archs_of SET: the architectures it is for, in archs
    case $1 in
    build | run | debug | qemu-*) read -ra archs <<<"${ARCH:-x86_64 arm64}" ;;
    bochs | sign) archs=(x86_64) ;;
    u-boot) archs=(arm64) ;;
    *) archs=(x86_64 arm64) ;;
    esac
}

main() {
    [ $# -gt 0 ] || die "usage: tools/setup.sh SET... ($sets)"
    if [ "$1" = --print ]; then
        print "${2:-}"
        return
    fi
    local set archs=()
    for set in "$@"; do
        case $set in
        all) main bochs qemu-10 qemu-11 u-boot sign test lint coverage bench; continue ;;
        esac
        archs_of "$set"
        want_set "$set" "${archs[@]}"
    done
    install_packages
    packages=()
    for set in "$@"; do
        archs_of "$set"
        if [ "$set" = all ] || ! trees_missing "$set" "${archs[@]}"; then continue; fi
        mkdir -p "$cache" || die "cannot write $cache; set FERMATA_CACHE to a directory that can be written"
        (
            flock 9 # two makes at once: the second waits, then finds it done
            make_trees "$set" "${archs[@]}"
        ) 9>"$cache/.lock"
    done
}

trees_missing() { # trees_missing SET ARCH...
    local set=$1 arch
    shift
    [ "$set" = bochs ] && { [ ! -e "$bochs_tree/.complete" ] || [ ! -e "$bochs_xfd/.complete" ]; } && return 0
    for arch in "$@"; do
        [ "$arch" = arm64 ] && [ "$host" != aarch64 ] && [ ! -e "$gnuefi_arm64/.complete" ] && return 0
        tree_missing "$set" "$arch" 10 && return 0
        tree_missing "$set" "$arch" 11 && return 0
    done
    return 1
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
main "$@"
