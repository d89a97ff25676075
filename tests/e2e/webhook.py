"""connhook as processes beside a Cluster, registered with its API server by URL.

    hook = Connhook(cluster, "build/connhook")
    hook.start()
    hook.register(hook.configurations())

Processes end with the cluster's owner; their logs are in the cluster's folder and are kept with it.
"""

import asyncio
import base64
import http.server
import json
import os
import re
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

from cluster import (ClusterError, base64_file, free_ports, peak_memory, read_tail, start_process, stop_process,
                     wait_for)

READY_SECONDS = 20
END_SECONDS = 60        # from SIGTERM to the end, draining included
NOTICE_SECONDS = 30     # until the API server has noticed a changed registration
KINDS = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")

# Objects that connhook denies while mutating and while validating. Sent as a dry run, they tell whether the API
# server calls it.
PROBE_MUTATE = ("/apis/apps/v1/namespaces/default/deployments?dryRun=All", {
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"name": "e2e-probe", "annotations": {"inject.zerotouch.io/bindings": "no-such-binding"}},
    "spec": {"selector": {"matchLabels": {"app": "e2e-probe"}},
             "template": {"metadata": {"labels": {"app": "e2e-probe"}},
                          "spec": {"containers": [{"name": "app", "image": "registry.test/app:1"}]}}}})
PROBE_VALIDATE = ("/apis/cache.bizmatters.io/v1alpha1/namespaces/default/dragonflyinstances?dryRun=All", {
    "apiVersion": "cache.bizmatters.io/v1alpha1", "kind": "DragonflyInstance", "metadata": {"name": "e2e-probe"},
    "spec": {"connectionSecretName": "wrong"}})


class Balancer:
    """One address for several servers: each new connection goes to the next one that accepts it, as behind a
    Service. It forwards bytes and knows nothing of TLS."""

    def __init__(self, backends):
        self.backends = list(backends)      # ports
        self.port = free_ports(1)[0]
        self._next = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", self.port))

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def remove(self, port):
        """No new connection for it from now on, as when a pod leaves its Service."""
        self.backends = [backend for backend in self.backends if backend != port]

    async def _connect(self):
        for _ in range(len(self.backends)):
            self._next += 1
            try:
                return await asyncio.open_connection("127.0.0.1", self.backends[self._next % len(self.backends)])
            except OSError:
                continue
        return None

    async def _serve(self, client_in, client_out):
        server = await self._connect()
        if server:
            server_in, server_out = server
            pumps = [asyncio.ensure_future(self._pump(client_in, server_out)),
                     asyncio.ensure_future(self._pump(server_in, client_out))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            server_out.close()
        client_out.close()

    @staticmethod
    async def _pump(source, target):
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except OSError:
            pass    # the other side is gone: the connection is over, which the caller sees

    def stop(self):
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Connhook:
    """`instances` connhook servers with one certificate, behind one URL."""

    def __init__(self, cluster, program, config=None, instances=1, arguments=(), name="connhook"):
        self.cluster, self.program, self.config, self.name = cluster, os.path.abspath(program), config, name
        self.arguments = list(arguments)
        self.certificates = cluster.path(name + "-tls")
        self.ca_file = os.path.join(self.certificates, "ca.crt")
        self.ports = [tuple(free_ports(2)) for _ in range(instances)]     # (webhook, admin)
        self.processes = [None] * instances
        self.balancer = Balancer([port for port, _ in self.ports]) if instances > 1 else None
        self.url = "https://127.0.0.1:%d" % (self.balancer.port if self.balancer else self.ports[0][0])

    def log_path(self, index):
        return self.cluster.path("%s-%d.log" % (self.name, index))

    def identity(self):
        """The options that give it its certificate."""
        return ["--self-signed", self.certificates]

    def start(self):
        """Starts the instances that are not running, one after the other: the first one makes the certificates."""
        for index, (port, admin) in enumerate(self.ports):
            if self.processes[index] is None:
                config = ["--config", self.config] if self.config else []
                self.processes[index] = start_process(
                    [self.program, "serve", *config, *self.identity(),
                     "--listen", "127.0.0.1:%d" % port, "--admin-listen", "127.0.0.1:%d" % admin, *self.arguments],
                    self.log_path(index))
                wait_for(lambda i=index: self.is_ready(i), READY_SECONDS, "connhook %d is ready" % index,
                         lambda i=index: "\n" + read_tail(self.log_path(i)))

    def is_ready(self, index=0):
        process = self.processes[index]
        if process.poll() is not None:
            raise ClusterError("connhook ended with status %d:\n%s" % (process.returncode,
                                                                      read_tail(self.log_path(index))))
        try:
            return self.admin("/readyz", index)[0] == 200
        except OSError:
            return False

    def admin(self, path, index=0):
        """GET from the admin listener. Returns (status, text)."""
        url = "http://127.0.0.1:%d%s" % (self.ports[index][1], path)
        try:
            with urllib.request.urlopen(url, timeout=READY_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()

    def metric_sum(self, metric, index=0, **labels):
        """The sum over the series of `metric` that have these labels; 0 when there is none."""
        return sum_metric(self.admin("/metrics", index)[1], metric, **labels)

    def signal(self, number, index=0):
        """Sends the signal. After SIGKILL and SIGTERM, `wait` must follow before the next `start`."""
        self.processes[index].send_signal(number)

    def wait(self, index=0):
        """Waits for the instance to end and returns its exit status."""
        process, self.processes[index] = self.processes[index], None
        return process.wait(END_SECONDS)

    def stop(self):
        """Ends all instances. They can be started again, on the same ports."""
        for index, process in enumerate(self.processes):
            if process is not None:
                stop_process(process)
                self.processes[index] = None

    def close(self):
        """Ends all instances and the balancer, for good."""
        self.stop()
        if self.balancer:
            self.balancer.stop()
            self.balancer = None

    def memory(self):
        """The highest resident memory of each running instance, in MiB."""
        return [peak_memory(process.pid) for process in self.processes if process is not None]

    # --- registration

    def configurations(self):
        """Returns the two configurations as YAML text: what `connhook webhook-config` prints, or the template that
        CONNHOOK_E2E_WEBHOOKS names."""
        template = os.environ.get("CONNHOOK_E2E_WEBHOOKS")
        if template:
            with open(template, encoding="utf-8") as file:
                return file.read().replace("@URL@", self.url).replace("@CA@", base64_file(self.ca_file))
        config = ["--config", self.config] if self.config else []
        return self.cluster.run([self.program, "webhook-config", *config, "--ca-file", self.ca_file, "--url", self.url,
                                 "--kubernetes-version", "%d.%d" % self.cluster.version]).out

    def register(self, text, is_effective=None):
        """Applies the configurations and waits until the API server calls connhook."""
        self.cluster.apply(text)
        wait_for(is_effective or (lambda: self.is_called(PROBE_MUTATE) and self.is_called(PROBE_VALIDATE)),
                 NOTICE_SECONDS, "the API server calls connhook",
                 lambda: "\n" + read_tail(self.cluster.path("kube-apiserver.log")))

    def unregister(self):
        """Removes the configurations and waits until the API server no longer calls connhook."""
        for kind in KINDS:
            self.cluster.kubectl("delete", kind, "connhook", "--ignore-not-found")
        wait_for(lambda: not self.is_called(PROBE_MUTATE) and not self.is_called(PROBE_VALIDATE), NOTICE_SECONDS,
                 "the API server no longer calls connhook")

    def is_called(self, probe):
        path, body = probe
        status, answer, _ = self.cluster.request("POST", path, body)
        if status == 201:
            return False
        if "denied the request" not in answer.get("message", ""):
            raise ClusterError("POST %s: %s %s" % (path, status, answer))
        return True


class Webhook:
    """A mutating webhook that is not connhook. `configuration` decides by its name whether it is called before or
    after connhook; `patch(request)` returns JSON Patch operations. It sees objects with the label e2e/other."""

    def __init__(self, cluster, configuration, patch, again="IfNeeded"):
        self.cluster, self.configuration, self.patch, self.calls = cluster, configuration, patch, 0
        self.port = free_ports(1)[0]
        certificate, key = (cluster.path("%s.%s" % (configuration, end)) for end in ("crt", "key"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-keyout", key, "-out", certificate, "-subj", "/CN=other",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(owner.answer(review["request"])).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.text = {
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": configuration},
            "webhooks": [{
                "name": "mirror.other.test", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "reinvocationPolicy": again, "failurePolicy": "Fail",
                "clientConfig": {"url": "https://127.0.0.1:%d/" % self.port, "caBundle": base64_file(certificate)},
                "objectSelector": {"matchLabels": {"e2e/other": "true"}},
                "rules": [{"apiGroups": ["apps", "batch", "argoproj.io"], "apiVersions": ["*"],
                           "operations": ["CREATE", "UPDATE"],
                           "resources": ["deployments", "statefulsets", "daemonsets", "jobs", "cronjobs", "rollouts"]}],
            }]}

    def answer(self, request):
        self.calls += 1
        patch = self.patch(request)
        response = {"uid": request["uid"], "allowed": True}
        if patch:
            response["patchType"] = "JSONPatch"
            response["patch"] = json_base64(patch)
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}

    def register(self):
        self.cluster.apply(self.text)
        path, body = PROBE_MUTATE
        body = json.loads(json.dumps(body))
        body["metadata"] = {"name": "e2e-probe", "labels": {"e2e/other": "true"}}
        before = self.calls

        def is_called():
            self.cluster.request("POST", path, body, expect=201)
            return self.calls > before
        wait_for(is_called, NOTICE_SECONDS, "the API server calls the other webhook")

    def close(self):
        self.cluster.kubectl("delete", KINDS[0], self.configuration, "--ignore-not-found")
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


MIRROR = "mirror.test/"
SIDECAR = {"name": "istio-proxy", "image": MIRROR + "istio/proxyv2:1", "env": [{"name": "MESH", "value": "on"}]}


def mirror_and_mesh(request):
    """Moves images to a mirror and adds a sidecar, as an image mirror and a service mesh do."""
    spec = request["object"]["spec"]["template"]["spec"]
    patch = []
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field, [])):
            if not container["image"].startswith(MIRROR):
                patch.append({"op": "replace", "path": "/spec/template/spec/%s/%d/image" % (field, index),
                              "value": MIRROR + container["image"]})
    if not any(container["name"] == SIDECAR["name"] for container in spec["containers"]):
        patch.append({"op": "add", "path": "/spec/template/spec/containers/0", "value": SIDECAR})
    # Adding at the front moves the others, so the images go first, which the order above sees to.
    return patch


def json_base64(value):
    return base64.b64encode(json.dumps(value).encode()).decode()


def sum_metric(text, metric, **labels):
    """Sums the series of `metric` in Prometheus text whose labels include the given ones."""
    total = 0.0
    for line in text.splitlines():
        match = re.match(r"%s(?:\{(.*)\})? (\S+)" % re.escape(metric), line)
        if match:
            found = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(1) or ""))
            if all(found.get(key) == value for key, value in labels.items()):
                total += float(match.group(2))
    return total
