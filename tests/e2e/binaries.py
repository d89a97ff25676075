#!/usr/bin/python3
"""Finds or makes the programs of a real cluster.

    tests/e2e/binaries.py                     make what the scenarios need, print where each program is
    tests/e2e/binaries.py kubelet agnhost     make these
    tests/e2e/binaries.py controllers node    make what stands in CONTROLLERS and NODE
    tests/e2e/binaries.py --packages          the Debian packages that making them needs

KUBERNETES=1.34.4 in the environment asks for that version. Without it KUBEBUILDER_ASSETS, if it names a folder with
etcd and kube-apiserver, is used; else the version in kubernetes/go.mod is built, where there is a Go that can; else
Debian's. What is made lands in ${XDG_CACHE_HOME:-~/.cache}/connhook-e2e. The folder that a recipe fills is named by
the recipe's hash, so a changed recipe is run again and an unchanged one never is.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

import recipes


class BuildError(Exception):
    """One sentence about what could not be made, and what to do."""


def cache_root():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "connhook-e2e")


def install_packages(wanted):
    """Installs what is missing of the packages. Without root: raises BuildError with the line to run."""
    missing = [package for package in wanted if not shutil.which(recipes.PACKAGES[package])]
    if not missing:
        return
    line = ["apt-get", "install", "-y", "--no-install-recommends"] + missing
    if os.geteuid() != 0:
        raise BuildError("Debian packages are missing; run: sudo " + " ".join(line))
    print("installing: " + " ".join(missing), flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in (line, ["apt-get", "update"], line):
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if command is line and done.returncode == 0:
            return
    raise BuildError("this failed: %s\n%s" % (" ".join(line), done.stdout[-4000:]))


def go_environment():
    """Where Go keeps what it fetched and built: recipes share it with the user, although their HOME is another."""
    if not shutil.which("go"):
        return {}
    names = ("GOENV", "GOCACHE", "GOMODCACHE")
    done = subprocess.run(["go", "env", *names], capture_output=True, text=True, check=True)
    return dict(zip(names, done.stdout.splitlines()))


def run_recipe(script, log_path, out, work):
    """Runs the script quietly at low priority in a process group of its own, which is ended with this process."""
    environment = dict(os.environ, OUT=out, HOME=work, LC_ALL="C.UTF-8", **go_environment())
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):  # of a make that runs this, not Kubernetes'
        environment.pop(name, None)
    with open(log_path, "wb") as log:
        process = subprocess.Popen(["nice", "-n", "15", "sh", "-eux", "-c", script], cwd=work, env=environment,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def make(recipe):
    """Returns the folder that the recipe filled, now or earlier. Two callers at once: the second waits."""
    root = cache_root()
    everything = recipe.script + "".join(name + text for name, text in sorted(recipe.files.items()))
    folder = os.path.join(root, "%s-%s" % (recipe.name, hashlib.sha256(everything.encode()).hexdigest()[:12]))
    if os.path.isdir(folder):
        return folder
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, recipe.name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(folder):
            return folder
        work, out, log = folder + ".work", folder + ".out", os.path.join(root, recipe.name + ".log")
        for leftover in (work, out):
            remove_tree(leftover)
            os.makedirs(leftover)
        for name, text in recipe.files.items():
            os.makedirs(os.path.dirname(os.path.join(work, name)), exist_ok=True)
            with open(os.path.join(work, name), "w", encoding="utf-8") as file:
                file.write(text)
        try:
            install_packages(recipe.packages)
            print("making %s, once; log: %s" % (recipe.name, log), flush=True)
            begin = time.monotonic()
            status = run_recipe(recipe.script, log, out, work)
            absent = [program for program in recipe.programs if not os.path.isfile(os.path.join(out, program))]
            if status != 0 or absent:
                with open(log, encoding="utf-8", errors="replace") as text:
                    tail = "".join(text.readlines()[-40:])
                raise BuildError("%s could not be made (exit %d); the end of %s:\n%s" %
                                 (recipe.name, status, log, tail))
            os.rename(out, folder)
            print("made %s in %.0f s" % (recipe.name, time.monotonic() - begin), flush=True)
        finally:
            remove_tree(work)
            remove_tree(out)
    return folder


def remove_tree(path):
    """Go keeps its caches read-only, which stops rmtree for anyone but root."""
    if not os.path.isdir(path):
        return
    for folder, _, _ in os.walk(path):
        os.chmod(folder, 0o700)
    shutil.rmtree(path)


def find(names):
    """Returns {program: path}, making what is missing. A kubectl asked for without a cluster is npm's. BuildError."""
    found, known = {}, recipes.RECIPES
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and not os.environ.get("KUBERNETES"):
        for program in ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl"):
            path = os.path.join(os.path.abspath(assets), program)
            if program in names and os.access(path, os.X_OK):
                found[program] = path
        if "kube-apiserver" in names and not {"etcd", "kube-apiserver"} <= set(found):
            raise BuildError("KUBEBUILDER_ASSETS=%s has not both etcd and kube-apiserver; correct it or unset it" %
                             assets)
    elif set(names) & set(recipes.PACKAGES_OF) - {"kubectl"}:
        try:
            known = recipes.kubernetes(recipes.version()) + known
        except ValueError:
            raise BuildError("KUBERNETES=%s is no version such as %s" % (recipes.version(), recipes.pinned())) from None
    for program in names:
        recipe = next((each for each in known if program in each.programs), None)
        if program not in found and recipe:
            found[program] = os.path.join(make(recipe), program)
    return found


# What the scenarios run. There is no kube-controller-manager beside the programs of KUBEBUILDER_ASSETS, as a rule.
CLUSTER = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm")
# What the controllers' and the neighbours' scenarios run as well.
CONTROLLERS = ("kube-scheduler", "kwok", "rollouts-controller", "cert-manager")

# What a node runs beside them: tests/node.
NODE = ("kubelet", "containerd", "containerd-shim-runc-v2", "ctr", "runc", "bridge", "loopback", "host-local")
GROUPS = {"cluster": CLUSTER, "controllers": CONTROLLERS, "node": NODE}


def has_controllers():
    """Debian's Kubernetes and KUBEBUILDER_ASSETS come without."""
    assets = os.environ.get("KUBEBUILDER_ASSETS") and not os.environ.get("KUBERNETES")
    return not assets and recipes.version() != recipes.DEBIAN


def main(arguments):
    if arguments == ["--packages"]:
        print(" ".join(recipes.PACKAGES))
        return 0
    known = [*GROUPS, *recipes.PACKAGES_OF, *(program for recipe in recipes.RECIPES for program in recipe.programs)]
    if any(argument not in known for argument in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    # SIGTERM becomes an exception, so that a build that is stopped removes what it had.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        found = find([name for argument in arguments or ["cluster"] for name in GROUPS.get(argument, (argument,))
                      if has_controllers() or argument not in GROUPS or name in CLUSTER])
    except BuildError as error:
        print("e2e: %s" % error, file=sys.stderr)
        return 1
    for program, path in found.items():
        print("%-24s %s" % (program, path))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
