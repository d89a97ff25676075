"""The images of a node, without a registry: Debian by debootstrap, connhook by buildah from charts/Dockerfile, a pause.

Each is an archive for `ctr images import`, made once by a recipe as tests/e2e/binaries.py runs them.
"""

import glob
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

import binaries  # noqa: E402
import recipes  # noqa: E402

CONNHOOK = "docker.io/library/connhook"
PAUSE = "registry.test/pause:1"
SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"

# What FROM debian:bookworm-slim names: a minimal system with the package sources of a release.
DEBIAN = """
debootstrap --variant=minbase %(suite)s root %(mirror)s
cat > root/etc/apt/sources.list <<'END'
deb %(mirror)s %(suite)s main
deb %(mirror)s %(suite)s-updates main
deb %(mirror)s-security %(suite)s-security main
END
rm -rf root/var/cache/apt/archives/*.deb root/var/lib/apt/lists/* root/usr/share/doc/* root/usr/share/man/*
tar -C root --exclude=./dev --exclude=./proc/* --exclude=./sys/* -cf "$OUT/debian.tar" .
""" % {"suite": SUITE, "mirror": MIRROR}

# In a mount namespace of its own, with which buildah's mounts go.
BUILD = """
cat > build.sh <<'END'
set -eux
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=overlay
case $(stat -f -c %%T .) in overlayfs) STORAGE_DRIVER=vfs;; esac
b="buildah --root $PWD/storage --runroot $PWD/storage-run"
%s
END
unshare --mount sh build.sh
"""
SCRATCH = """
c=$($b from scratch)
%s
$b commit --quiet --rm $c %s
"""
SAVE = """
$b push --quiet %s "docker-archive:$OUT/image.tar:%s"
"""


def pause_recipe():
    name = "node-pause"
    return recipes.Recipe(name, "gcc -static -Os -o pause pause.c\n" + BUILD % (SCRATCH % (
        "$b copy --quiet $c pause /pause\n$b config --entrypoint '[\"/pause\"]' --user 65535:65535 $c", PAUSE) +
        SAVE % (PAUSE, PAUSE)), ["image.tar"], files=recipes.read_files(HERE, "pause.c"))


def connhook_recipe(base, tag):
    """The image from charts/Dockerfile and what that copies: another source is another recipe."""
    names = ["Makefile", "charts/Dockerfile"] + sorted(
        os.path.relpath(path, ROOT) for path in glob.glob(ROOT + "/src/**", recursive=True) if os.path.isfile(path))
    files = {"context/" + name: text for name, text in recipes.read_files(ROOT, *names).items()}
    image = "%s:%s" % (CONNHOOK, tag)
    return recipes.Recipe("node-connhook", BUILD % (SCRATCH % (
        "$b add --quiet $c %s/debian.tar /\n$b config --cmd '[\"bash\"]' $c" % base,
        "docker.io/library/debian:%s-slim" % SUITE) +
        "$b bud --quiet --pull-never --network host -t %s -f context/charts/Dockerfile context\n" % image +
        SAVE % (image, image)), ["image.tar"], files=files)


def make(tag):
    """Returns the archives' paths: pause, connhook under that tag. Raises binaries.BuildError."""
    pause = binaries.make(pause_recipe())
    base = binaries.make(recipes.Recipe("node-debian", DEBIAN, ["debian.tar"]))
    connhook = binaries.make(connhook_recipe(base, tag))
    # One source, one image: those of earlier sources would pile up.
    for folder in glob.glob(os.path.join(binaries.cache_root(), "node-connhook-*")):
        if folder != connhook and os.path.isdir(folder):
            shutil.rmtree(folder, ignore_errors=True)
    return [os.path.join(folder, "image.tar") for folder in (pause, connhook)]


if __name__ == "__main__":
    try:
        print("\n".join(make("0.1.0")))
    except binaries.BuildError as error:
        sys.exit("node: %s" % error)
