"""Load on the API server: clients that create Deployments as dry runs, each of which connhook must inject."""

import http.client
import json
import ssl
import threading
import time

CLIENTS = 4
SECONDS = 35        # for one call: longer than the API server's own limit
PATH = "/apis/apps/v1/namespaces/default/deployments?dryRun=All"


def deployment(padding=0):
    """A Deployment that asks for the binding db; `padding`: bytes of an environment variable that make it large."""
    container = {"name": "app", "image": "registry.test/app:1"}
    if padding:
        container["env"] = [{"name": "PADDING_%d" % number, "value": "x" * 1000} for number in range(padding // 1000)]
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "load", "annotations": {"inject.zerotouch.io/bindings": "db"}},
            "spec": {"selector": {"matchLabels": {"app": "load"}},
                     "template": {"metadata": {"labels": {"app": "load"}}, "spec": {"containers": [container]}}}}


class Load:
    """`with Load(node) as load:` calls until the block is left. `calls`; `lost`: what the calls that were not injected
    gave, each with its second; `names`: the Secrets that the last answer injected; `slowest`, in seconds."""

    def __init__(self, node, padding=0):
        self.calls, self.lost, self.names, self.slowest = 0, [], [], 0.0
        self._node, self._body = node, json.dumps(deployment(padding)).encode()
        self._tls = ssl.create_default_context(cafile=node.path("ca.crt"))
        self._end, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._call) for _ in range(CLIENTS)]
        self._begun = time.monotonic()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _call(self):
        connection = None
        while not self._end.is_set():
            begun, names = time.monotonic(), []
            try:
                if connection is None:
                    connection = http.client.HTTPSConnection("10.10.0.1", 6443, timeout=SECONDS, context=self._tls)
                connection.request("POST", PATH, self._body, {
                    "Content-Type": "application/json", "Authorization": "Bearer " + self._node.token})
                answer = connection.getresponse()
                text = answer.read()
                what = "%d %.300s" % (answer.status, text.decode("utf-8", "replace"))
                if answer.status == 201:
                    container = json.loads(text)["spec"]["template"]["spec"]["containers"][0]
                    names = [source["secretRef"]["name"] for source in container.get("envFrom", ())]
            except (OSError, http.client.HTTPException) as error:
                what, connection = repr(error), None
            with self._lock:
                self.calls += 1
                self.slowest = max(self.slowest, time.monotonic() - begun)
                if names:
                    self.names = names
                else:
                    self.lost.append("second %.1f: %s" % (begun - self._begun, what))

    def report(self, what):
        text = "measured: %-34s %5d calls, %d lost, slowest %.1f s" % (what, self.calls, len(self.lost), self.slowest)
        print("\n".join([text] + self.lost[:5]), flush=True)
