#!/usr/bin/python3
"""A node of Kubernetes that runs connhook's image: makes what it needs, then the scenarios in namespaces of their own.

    tests/node/run.py [Scenarios.test_NAME]...

Where a machine cannot run it, a sentence says what it lacks, and the status is 0: nothing was judged. Everything is
ended when this process ends, however it does; folders that a killed run left are removed by the next.
"""

import fcntl
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import images       # first: it makes the other folder's modules known
import binaries
import recipes
from cluster import die_with_parent

HERE = os.path.dirname(os.path.abspath(__file__))
TAG = "0.1.0"
UNSHARE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
GROUPS = ("kubepods", "k8s.io")     # of the kubelet's and of containerd's containers


def lacking():
    """One sentence about what this machine lacks, or nothing."""
    if os.geteuid() != 0:
        return "it needs root, for namespaces and containers"
    if not recipes.go_builds():
        return "it needs the Go of tests/e2e/kubernetes/go.mod, which builds Kubernetes %s" % recipes.pinned()
    if subprocess.run(UNSHARE + ["mount", "--make-rshared", "/"], capture_output=True, check=False).returncode != 0:
        return "it needs to make namespaces (network, mounts, processes), which this machine refuses root"
    with open("/proc/filesystems", encoding="ascii") as file:
        if "\toverlay\n" not in file.read():
            return "it needs the file system overlay, for containers"
    for group in control_groups():
        return "it needs a machine without a kubelet: %s is there already" % group
    return None


def control_groups():
    """Those of containers, the innermost first; empty ones that an earlier run left are removed on the way."""
    found = [folder for name in GROUPS for folder in glob.glob("/sys/fs/cgroup/**/%s/" % name, recursive=True)]
    left = []
    for top in found:
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                left.append(folder)
    return left


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    root = binaries.cache_root()
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, "node.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)    # one at a time: they share the machine's control groups
        why = lacking()
        if why:
            print("node: not run: %s" % why)
            return 0
        for folder in glob.glob(os.path.join(root, "node-state-*")):
            shutil.rmtree(folder)
        try:
            found = binaries.find(binaries.CLUSTER + ("kube-scheduler",) + binaries.NODE)
            archives = images.make(TAG)
        except binaries.BuildError as error:
            print("node: %s" % error, file=sys.stderr)
            return 1
        state = tempfile.mkdtemp(prefix="node-state-", dir=root)
        os.chmod(state, 0o755)
        inside = subprocess.Popen(
            UNSHARE + [sys.executable, os.path.join(HERE, "scenarios.py"), "--state", state,
                       "--programs", ",".join("%s=%s" % each for each in found.items()),
                       "--archives", ",".join(archives), *sys.argv[1:]],
            stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=die_with_parent)
        try:
            return inside.wait()
        finally:
            inside.kill()       # its first process dies with it, and with that one all others
            inside.wait()
            shutil.rmtree(state, ignore_errors=True)
            control_groups()


if __name__ == "__main__":
    sys.exit(main())
