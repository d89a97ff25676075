"""A node of Kubernetes, run by the first process of namespaces of its own: tests/node/run.py makes those.

    with Node(state, programs, archives) as node:
        node.kubectl("get", "nodes")

etcd, kube-apiserver, kube-controller-manager, kube-scheduler, containerd and a kubelet. The network has no way out.
Nothing is ended here: when the first process ends, the kernel ends all of them.
"""

import json
import os
import secrets
import subprocess
import sys

import yaml

from cluster import ClusterError, read_tail, start_process, wait_for

ADDRESS = "10.10.0.1"
URL = "https://%s:6443" % ADDRESS
NAME = "node1"
START_SECONDS = 180
USERS = {"admin": ("admin", "system:masters"), "controllers": ("system:kube-controller-manager", ""),
         "scheduler": ("system:kube-scheduler", ""), "kubelet": ("system:node:" + NAME, "system:nodes")}
NETWORK = {"cniVersion": "1.0.0", "name": "pods", "plugins": [{
    "type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True,
    "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
CONTAINERD = """\
version = 3
root = '%(state)s/containerd'
state = '/run/containerd'
[grpc]
  address = '/run/containerd/containerd.sock'
[plugins.'io.containerd.nri.v1.nri']
  disable = true
[plugins.'io.containerd.internal.v1.opt']
  path = '%(state)s/opt'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '%(pause)s'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = '%(runc)s'
      SystemdCgroup = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['%(plugins)s']
    conf_dir = '%(state)s/network'
"""
# The kubelet refuses cgroup v1 unless told otherwise, and needs no more of the host than its own folders.
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "failCgroupV1": False,
    "cgroupDriver": "cgroupfs", "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "address": ADDRESS, "healthzBindAddress": "127.0.0.1", "oomScoreAdj": 0, "failSwapOn": False, "resolvConf": "",
    "clusterDomain": "cluster.local",
    "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
}


def run(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **options)
    if done.returncode != 0:
        raise ClusterError("%s\nexit %d\n%s" % (" ".join(command), done.returncode, done.stdout))
    return done.stdout


class Node:
    """`folder` and `token` (of the administrator) are for reading."""

    def __init__(self, folder, programs, archives, pause):
        self.folder, self.programs, self.archives, self.pause = folder, programs, archives, pause
        self.tokens = {user: secrets.token_hex(16) for user in USERS}
        self.token = self.tokens["admin"]

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else yaml.safe_dump(content))
        return self.path(name)

    def __enter__(self):
        try:
            self._mounts()
            self._network()
            self._keys()
            self._start()
        except ClusterError:
            self.show_logs()
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            self.show_logs()

    def show_logs(self):
        for name in ("kube-apiserver", "containerd", "kubelet"):
            if os.path.exists(self.path(name + ".log")):
                print("==== the end of %s.log\n%s" % (name, read_tail(self.path(name + ".log"), 25)), file=sys.stderr)

    def _mounts(self):
        """What the programs write anywhere is in the folder, or gone with the namespace."""
        run("mount", "--make-rshared", "/")
        for name in ("lib", "log"):
            os.makedirs(self.path(name))
            run("mount", "--bind", self.path(name), "/var/" + name)
        for place in ("/run", "/tmp"):
            run("mount", "-t", "tmpfs", "tmpfs", place)
        for place in ("/run/containerd", "/var/lib/kubelet", "/var/lib/cni", self.path("network")):
            os.makedirs(place)

    def _network(self):
        for line in ("link set lo up", "link add node0 type veth peer name node0p", "link set node0p up",
                     "addr add %s/24 dev node0" % ADDRESS, "link set node0 up", "route add blackhole default"):
            run("ip", *line.split())
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
            file.write("1")
        self.write("network/10-pods.conflist", json.dumps(NETWORK))

    def openssl(self, *arguments):
        run("openssl", *arguments, cwd=self.folder)

    def certificate(self, name, subject, *extensions, ca="ca"):
        """Writes NAME.crt and NAME.key, signed by that CA; by itself where `ca` is None."""
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-keyout", name + ".key", "-out", name + ".crt", "-subj", subject,
                     *(("-CA", ca + ".crt", "-CAkey", ca + ".key", "-addext", "basicConstraints=critical,CA:FALSE")
                       if ca else ()), *(word for each in extensions for word in ("-addext", each)))

    def _keys(self):
        self.certificate("ca", "/CN=node-ca", ca=None)
        self.certificate("api", "/CN=kube-apiserver",
                         "subjectAltName=IP:%s,IP:10.96.0.1,DNS:kubernetes.default.svc" % ADDRESS)
        self.certificate("kubelet-client", "/O=system:masters/CN=kubelet-client", "extendedKeyUsage=clientAuth")
        self.openssl("genrsa", "-out", "sa.key", "2048")
        self.openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
        self.write("tokens.csv", "".join('%s,%s,%s,"%s"\n' % (self.tokens[user], name, user, groups)
                                         for user, (name, groups) in USERS.items()))
        for user, token in self.tokens.items():
            self.write("kubeconfig-" + user, {
                "apiVersion": "v1", "kind": "Config", "current-context": "node",
                "clusters": [{"name": "node", "cluster": {"server": URL,
                                                          "certificate-authority": self.path("ca.crt")}}],
                "users": [{"name": user, "user": {"token": token}}],
                "contexts": [{"name": "node", "context": {"cluster": "node", "user": user}}]})

    def _program(self, program, *arguments):
        start_process([self.programs[program], *arguments], self.path(program + ".log"), dict(
            os.environ, HOME=self.folder, PATH=":".join(
                [os.path.dirname(self.programs[name]) for name in ("containerd", "runc")] + [os.environ["PATH"]])))

    def _start(self):
        self._program("etcd", "--data-dir=" + self.path("etcd"), "--unsafe-no-fsync")
        self.write("containerd.toml", CONTAINERD % {
            "state": self.folder, "pause": self.pause, "runc": self.programs["runc"],
            "plugins": os.path.dirname(self.programs["bridge"])})
        self._program("containerd", "--config", self.path("containerd.toml"))
        # Aggregator routing: webhooks are reached at their Pods, so that no kube-proxy is needed.
        self._program("kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", "--bind-address=" + ADDRESS,
                      "--advertise-address=" + ADDRESS, "--secure-port=6443",
                      "--service-cluster-ip-range=10.96.0.0/16", "--enable-aggregator-routing=true",
                      "--tls-cert-file=" + self.path("api.crt"), "--tls-private-key-file=" + self.path("api.key"),
                      "--cert-dir=" + self.path("certs"), "--token-auth-file=" + self.path("tokens.csv"),
                      "--authorization-mode=Node,RBAC", "--client-ca-file=" + self.path("ca.crt"),
                      "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
                      "--service-account-issuer=https://kubernetes.default.svc",
                      "--service-account-key-file=" + self.path("sa.pub"),
                      "--service-account-signing-key-file=" + self.path("sa.key"),
                      "--kubelet-client-certificate=" + self.path("kubelet-client.crt"),
                      "--kubelet-client-key=" + self.path("kubelet-client.key"),
                      "--kubelet-preferred-address-types=InternalIP")
        wait_for(lambda: self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0, START_SECONDS,
                 "kube-apiserver is ready")
        self._program("kube-controller-manager", "--kubeconfig=" + self.path("kubeconfig-controllers"),
                      "--root-ca-file=" + self.path("ca.crt"), "--bind-address=127.0.0.1", "--leader-elect=false",
                      "--service-account-private-key-file=" + self.path("sa.key"),
                      "--use-service-account-credentials=true", "--cert-dir=" + self.path("certs-controllers"))
        self._program("kube-scheduler", "--kubeconfig=" + self.path("kubeconfig-scheduler"), "--leader-elect=false",
                      "--bind-address=127.0.0.1", "--cert-dir=" + self.path("certs-scheduler"))
        wait_for(lambda: os.path.exists("/run/containerd/containerd.sock"), START_SECONDS, "containerd listens")
        for archive in self.archives:
            self.ctr("images", "import", archive)
        authentication = {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                          "x509": {"clientCAFile": self.path("ca.crt")}}
        self.write("kubelet.yaml", dict(KUBELET, authentication=authentication))
        self._program("kubelet", "--config=" + self.path("kubelet.yaml"), "--node-ip=" + ADDRESS,
                      "--kubeconfig=" + self.path("kubeconfig-kubelet"), "--hostname-override=" + NAME)
        wait_for(lambda: "True" in self.kubectl("get", "node", NAME, "-o", "jsonpath={.status.conditions[?(@.type==\""
                                                "Ready\")].status}", check=False).stdout, START_SECONDS,
                 "the node is Ready")
        wait_for(lambda: self.kubectl("get", "serviceaccount", "default", check=False).returncode == 0, START_SECONDS,
                 "service accounts are there")

    def ctr(self, *arguments):
        return run(self.programs["ctr"], "--address", "/run/containerd/containerd.sock", "-n", "k8s.io", *arguments)

    def tool(self, program, *arguments, check=True):
        """kubectl or helm as the administrator."""
        command = [self.programs[program], "--kubeconfig", self.path("kubeconfig-admin"), *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              env=dict(os.environ, HOME=self.folder))
        if check and done.returncode != 0:
            raise ClusterError("%s\nexit %d\n%s%s" % (" ".join(command), done.returncode, done.stdout, done.stderr))
        return done

    def kubectl(self, *arguments, check=True):
        return self.tool("kubectl", *arguments, check=check)

    def helm(self, *arguments, check=True):
        return self.tool("helm", *arguments, check=check)

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)
