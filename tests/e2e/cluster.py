"""A real API server for tests: etcd and kube-apiserver as plain processes on loopback.

    with Cluster() as cluster:
        cluster.kubectl("get", "namespaces")

Without `controllers` no controller runs: objects are stored, defaulted, validated and admitted, and that is all.
Everything is ended and removed when the block is left: by return, exception, Ctrl-C, SIGTERM, or the death of the
test process itself. After a failure the logs stay, and their folder is printed.
"""

import base64
import ctypes
import json
import os
import random
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import yaml

import binaries

START_SECONDS = 120     # etcd and kube-apiserver until ready; a busy machine takes half a minute
STOP_SECONDS = 20       # from SIGTERM to SIGKILL
KUBECTL_SECONDS = 180
HTTP_SECONDS = 60
POLL_SECONDS = 0.05

PORTS = range(20000, 30000)     # below the range that outgoing connections take theirs from

# Who may talk to the API server: name -> (user name, groups).
USERS = {
    "admin": ("admin", ["system:masters"]),
    "tenant": ("tenant", ["tenants"]),
    "deployment-controller": ("system:serviceaccount:kube-system:deployment-controller",
                              ["system:serviceaccounts", "system:serviceaccounts:kube-system"]),
    "controller-manager": ("system:kube-controller-manager", []),
    "scheduler": ("system:kube-scheduler", []),
    "rollouts": ("system:serviceaccount:argo-rollouts:argo-rollouts",
                 ["system:serviceaccounts", "system:serviceaccounts:argo-rollouts"]),
}

# A tenant may do anything in namespaces but nothing with the cluster.
TENANT_RBAC = {
    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
    "metadata": {"name": "e2e-tenants"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "e2e-tenant"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "tenants"}],
}
TENANT_ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "e2e-tenant"},
    "rules": [{"apiGroups": ["", "apps", "batch", "argoproj.io", "keda.sh", "external-secrets.io",
                             "cache.bizmatters.io", "database.bizmatters.io", "platform.bizmatters.io",
                             "postgresql.cnpg.io"],
               "resources": ["*"], "verbs": ["*"]}],
}

AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create, update, patch, delete]
"""


# The name that the API server's client certificate has. It shows it to webhooks that ask for one.
CLIENT_NAME = "kube-apiserver"


class ClusterError(Exception):
    """The cluster did not start, or a command against it failed."""


def die_with_parent():
    """Runs in a child before exec: the kernel ends the child when the test process dies, however it dies."""
    PRCTL(1, signal.SIGKILL, 0, 0, 0)   # PR_SET_PDEATHSIG


PRCTL = ctypes.CDLL(None, use_errno=True).prctl


def free_ports(count):
    """Returns `count` different ports on which nothing listens."""
    found = []
    while len(found) < count:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def wait_for(condition, seconds, what, on_timeout=lambda: ""):
    """Calls `condition` until it returns something true, and returns that; ClusterError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise ClusterError("waited %g s in vain: %s%s" % (seconds, what, on_timeout()))
        time.sleep(POLL_SECONDS)


def start_process(command, log_path, environment=None):
    """Starts a process that does not outlive this one; its output goes to the log."""
    with open(log_path, "ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                env=environment, start_new_session=True, preexec_fn=die_with_parent)


def stop_process(process, seconds=STOP_SECONDS):
    """SIGTERM, and SIGKILL when that does not help in time. Returns the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def peak_memory(pid):
    """Returns the highest resident memory that the process had, in MiB."""
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def read_tail(path, lines=30):
    with open(path, encoding="utf-8", errors="replace") as text:
        return "".join(text.readlines()[-lines:])


class Completed:
    """What a kubectl or helm run gave: status, out, err."""

    def __init__(self, command, status, out, err):
        self.command, self.status, self.out, self.err = command, status, out, err

    def __str__(self):
        return "%s\nexit %d\n%s%s" % (" ".join(self.command), self.status, self.out, self.err)


class Cluster:
    """One etcd, one kube-apiserver, and a kube-controller-manager with these `controllers`, of which each has the
    credentials of its own service account. `url`, `ca_file`, `client_ca_file` (of the certificate that the API
    server shows to webhooks), `folder`, `programs`, `version` and `start_seconds` are for reading."""

    def __init__(self, keep_logs=False, controllers=()):
        self.keep_logs = keep_logs      # set by a test run that failed, to have the logs
        self.controllers = controllers  # their names, "*" for all that run by default
        self.programs = binaries.find(binaries.CLUSTER)
        self.folder = self.url = self.ca_file = self.client_ca_file = self.audit_log = None
        self.version = None             # (major, minor)
        self.start_seconds = 0.0
        self.processes = {}
        self._reaper = None
        self._old_handler = None
        self.tokens = {user: secrets.token_hex(16) for user in USERS}
        self.tls = None

    # --- life

    def __enter__(self):
        begin = time.monotonic()
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            # SIGTERM becomes an exception, so that all `with` blocks and `finally` clauses run.
            self._old_handler = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            self._make_folder()
            self._start()
        except BaseException:
            self.stop(failed=True)
            raise
        self.start_seconds = time.monotonic() - begin
        print("cluster: kube-apiserver %d.%d ready after %.1f s" % (*self.version, self.start_seconds),
              file=sys.stderr, flush=True)
        return self

    def __exit__(self, kind, value, trace):
        self.stop(failed=kind is not None)

    def stop(self, failed=False):
        """Ends the processes, the API server first, and removes the folder. May be called twice."""
        for name in reversed(list(self.processes)):
            stop_process(self.processes.pop(name))
        if self.folder and os.path.isdir(self.folder):
            if failed or self.keep_logs:
                kept = tempfile.mkdtemp(prefix="connhook-e2e-logs-")
                for name in os.listdir(self.folder):
                    if name.endswith(".log"):
                        shutil.copy(os.path.join(self.folder, name), kept)
                print("cluster: logs kept in %s" % kept, file=sys.stderr, flush=True)
            shutil.rmtree(self.folder)
        if self._reaper:
            self._reaper.stdin.close()
            self._reaper.wait()
            self._reaper = None
        if self._old_handler is not None:
            signal.signal(signal.SIGTERM, self._old_handler)
            self._old_handler = None

    def _make_folder(self):
        self.folder = tempfile.mkdtemp(prefix="connhook-e2e-")
        # Removes the folder when this process dies without having done so: its end closes the pipe. The loop is
        # for processes that are still writing while the kernel ends them.
        self._reaper = subprocess.Popen(["sh", "-c", 'cat >/dev/null; while ! rm -rf "$1"; do :; done', "reaper",
                                         self.folder], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)

    def path(self, name):
        """A path inside the cluster's folder, which goes when the cluster goes."""
        return os.path.join(self.folder, name)

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, cwd=self.folder)

    def _make_client(self):
        """The certificate that the API server shows to webhooks, and its CA."""
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        self._openssl("req", "-x509", *key, "-keyout", "client-ca.key", "-out", "client-ca.crt", "-subj", "/CN=clients")
        self._openssl("req", "-x509", *key, "-keyout", "client.key", "-out", "client.crt",
                      "-subj", "/CN=" + CLIENT_NAME, "-addext", "basicConstraints=critical,CA:FALSE",
                      "-addext", "extendedKeyUsage=clientAuth", "-CA", "client-ca.crt", "-CAkey", "client-ca.key")
        self.client_ca_file = self.path("client-ca.crt")

    def _write_admission(self):
        """What makes it do so."""
        kubeconfig = self._write("webhook-kubeconfig.yaml", yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "users": [{"name": "*", "user": {
                "client-certificate": self.path("client.crt"), "client-key": self.path("client.key")}}]}))
        group = "apiserver.config.k8s.io/v1"
        return self._write("admission.yaml", yaml.safe_dump({
            "apiVersion": group, "kind": "AdmissionConfiguration",
            "plugins": [{"name": name, "configuration": {"apiVersion": group, "kind": "WebhookAdmissionConfiguration",
                                                         "kubeConfigFile": kubeconfig}}
                        for name in ("MutatingAdmissionWebhook", "ValidatingAdmissionWebhook")]}))

    def _start(self):
        client, peer, api = free_ports(3)
        etcd_url = "http://127.0.0.1:%d" % client
        peer_url = "http://127.0.0.1:%d" % peer
        self.processes["etcd"] = start_process(
            [self.programs["etcd"], "--name=e2e", "--data-dir=" + self.path("etcd-data"), "--unsafe-no-fsync",
             "--listen-client-urls=" + etcd_url, "--advertise-client-urls=" + etcd_url,
             "--listen-peer-urls=" + peer_url, "--initial-advertise-peer-urls=" + peer_url,
             "--initial-cluster=e2e=" + peer_url], self.path("etcd.log"))

        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-keyout", "api.key", "-out", "api.crt", "-subj", "/CN=e2e",
                      "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self._openssl("genrsa", "-out", "sa.key", "2048")
        self._openssl("rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
        self._make_client()
        self.ca_file = self.path("api.crt")
        self.audit_log = self.path("audit.log")
        tokens = "".join('%s,%s,%s,"%s"\n' % (self.tokens[key], name, key, ",".join(groups))
                         for key, (name, groups) in USERS.items())
        # Streamed lists need a younger etcd than Debian's. Said so at once, clients list as they used to; otherwise
        # they try again and again, and see nothing for half a minute.
        gates = ["--feature-gates=WatchList=false"] if self.controllers else []
        # The loopback address may not be an endpoint of the service "kubernetes": no endpoint reconciler.
        self.processes["kube-apiserver"] = start_process(
            [self.programs["kube-apiserver"], "--etcd-servers=" + etcd_url,
             "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=%d" % api,
             "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24",
             "--tls-cert-file=" + self.ca_file, "--tls-private-key-file=" + self.path("api.key"),
             "--cert-dir=" + self.path("certs"), "--token-auth-file=" + self._write("tokens.csv", tokens),
             "--authorization-mode=RBAC", "--service-account-issuer=https://kubernetes.default.svc",
             "--service-account-key-file=" + self.path("sa.pub"),
             "--service-account-signing-key-file=" + self.path("sa.key"),
             "--disable-admission-plugins=ServiceAccount", "--allow-privileged=true",
             "--admission-control-config-file=" + self._write_admission(),
             "--audit-policy-file=" + self._write("audit-policy.yaml", AUDIT_POLICY),
             "--audit-log-path=" + self.audit_log, *gates],
            self.path("kube-apiserver.log"))

        self.url = "https://127.0.0.1:%d" % api
        self.tls = ssl.create_default_context(cafile=self.ca_file)
        for user in USERS:
            self._write_kubeconfig(user)
        wait_for(self._is_ready, START_SECONDS, "kube-apiserver is ready")
        told = self.request("GET", "/version", expect=200)[1]
        self.version = int(told["major"]), int(told["minor"].rstrip("+"))
        for resource, body in (("clusterroles", TENANT_ROLE), ("clusterrolebindings", TENANT_RBAC)):
            self.request("POST", "/apis/rbac.authorization.k8s.io/v1/" + resource, body, expect=201)
        for name in ("default", "kube-system"):
            wait_for(lambda path="/api/v1/namespaces/" + name: self.request("GET", path, expect=(200, 404))[0] == 200,
                     START_SECONDS, "the namespace %s exists" % name)
            self.label_namespace(name)
        # RBAC reads through caches of its own, which a request just made may be ahead of.
        wait_for(lambda: self.request("GET", "/api/v1/namespaces/default/secrets", user="tenant",
                                      expect=(200, 403))[0] == 200, START_SECONDS, "the tenant has its rights")
        if self.controllers:
            self.start_controllers()

    def start_controllers(self):
        if "kube-controller-manager" not in self.programs:
            raise ClusterError("there is no kube-controller-manager beside this kube-apiserver")
        self.start("kube-controller-manager", [
            "--kubeconfig=" + self.path("kubeconfig-controller-manager"),
            "--controllers=" + ",".join(self.controllers), "--use-service-account-credentials=true",
            "--service-account-private-key-file=" + self.path("sa.key"), "--root-ca-file=" + self.ca_file,
            "--leader-elect=false", "--bind-address=127.0.0.1", "--secure-port=%d" % free_ports(1)[0],
            "--cert-dir=" + self.path("certs-controllers")])

    def start(self, program, arguments):
        """One more process that ends with the cluster."""
        self.processes[program] = start_process([self.programs[program], *arguments], self.path(program + ".log"),
                                                self.environment())

    def _is_ready(self):
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise ClusterError("%s ended with status %d:\n%s" %
                                   (name, process.returncode, read_tail(self.path(name + ".log"))))
        try:
            return self.request("GET", "/readyz", expect=(200, 401, 403, 500))[0] == 200
        except (urllib.error.URLError, OSError):
            return False

    def _write_kubeconfig(self, user):
        self._write("kubeconfig-" + user, yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": {"server": self.url, "certificate-authority": self.ca_file}}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": user}}]}))

    # --- clients

    def environment(self, user="admin"):
        """The environment for a client program: the user's kubeconfig, caches inside the cluster's folder."""
        return dict(os.environ, HOME=self.folder, KUBECONFIG=self.path("kubeconfig-" + user),
                    XDG_CACHE_HOME=self.path("cache"), XDG_CONFIG_HOME=self.path("config"),
                    XDG_DATA_HOME=self.path("data"))

    def run(self, command, input=None, user="admin", check=True, extra_environment=None):
        """Runs a client program to its end. With `check` a failure is a ClusterError with all it printed."""
        environment = dict(self.environment(user), **(extra_environment or {}))
        done = subprocess.run(command, input=input, env=environment, text=True, capture_output=True,
                              timeout=KUBECTL_SECONDS, check=False, cwd=self.folder)
        completed = Completed(command, done.returncode, done.stdout, done.stderr)
        if check and done.returncode != 0:
            raise ClusterError(str(completed))
        return completed

    def kubectl(self, *args, input=None, user="admin", check=True, extra_environment=None):
        """The current kubectl. Returns a Completed; `input` is for its standard input."""
        return self.run([self.programs["kubectl"], *args], input, user, check, extra_environment)

    def kubectl_system(self, *args, input=None, user="admin", check=True):
        """The kubectl that is on PATH; None where there is none."""
        program = shutil.which("kubectl")
        return self.run([program, *args], input, user, check) if program else None

    def helm(self, *args, input=None, user="admin", check=True):
        return self.run([self.programs["helm"], *args], input, user, check)

    def apply(self, manifest, *args, user="admin", check=True):
        """kubectl apply of YAML text, or of an object or a list of objects."""
        return self.kubectl("apply", "-f", "-", *args, input=to_yaml(manifest), user=user, check=check)

    def get_json(self, resource, name, namespace=None):
        """Returns the object as kubectl get -o json prints it, managedFields included."""
        where = ["--namespace", namespace] if namespace else []
        return json.loads(self.kubectl("get", resource, name, *where, "--show-managed-fields", "-o", "json").out)

    def request(self, method, path, body=None, user="admin", content_type="application/json", expect=None):
        """One raw request. Returns (status, JSON or text, headers). `expect`: the allowed status(es)."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "Bearer " + self.tokens[user], "Content-Type": content_type,
                   "User-Agent": "connhook-e2e"}
        message = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(message, timeout=HTTP_SECONDS, context=self.tls) as answer:
                status, text, answer_headers = answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as answer:
            status, text, answer_headers = answer.code, answer.read().decode(), answer.headers
        if expect is not None and status not in (expect if isinstance(expect, tuple) else (expect,)):
            raise ClusterError("%s %s: %d instead of %s: %s" % (method, path, status, expect, text))
        is_json = answer_headers.get_content_type() == "application/json"
        return status, json.loads(text) if is_json else text, answer_headers

    def label_namespace(self, name):
        """Gives the namespace the label with its name, as API servers from 1.21 on do by themselves."""
        labels = {"metadata": {"labels": {"kubernetes.io/metadata.name": name}}}
        self.request("PATCH", "/api/v1/namespaces/" + name, labels,
                     content_type="application/merge-patch+json", expect=200)

    def create_namespace(self, name, labels=None):
        metadata = {"name": name, "labels": dict(labels or {}, **{"kubernetes.io/metadata.name": name})}
        self.request("POST", "/api/v1/namespaces", {"metadata": metadata}, expect=201)
        return name

    def metrics(self):
        """The API server's own metrics, as text."""
        return self.request("GET", "/metrics", expect=200)[1]

    def audit_events(self):
        """The events of the audit log so far, writes only."""
        with open(self.audit_log, encoding="utf-8") as log:
            return [json.loads(line) for line in log if line.endswith("\n")]

    def memory(self):
        """Returns {process: highest resident memory in MiB}."""
        return {name: peak_memory(process.pid) for name, process in self.processes.items()}


def to_yaml(manifest):
    """YAML text from text, an object, or a list of objects."""
    if isinstance(manifest, str):
        return manifest
    return yaml.safe_dump_all(manifest if isinstance(manifest, list) else [manifest], sort_keys=False)


def base64_file(path):
    with open(path, "rb") as file:
        return base64.b64encode(file.read()).decode()
