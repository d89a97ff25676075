#!/usr/bin/python3
"""connhook's image and chart on a node, under load. tests/node/run.py starts it, in namespaces of its own."""

import argparse
import json
import os
import shutil
import socket
import ssl
import sys
import time
import unittest
import urllib.request

import images
from cluster import ClusterError, wait_for
from load import Load
from node import Node

CHART = os.path.join(images.ROOT, "charts", "connhook")
NAMESPACE = "connhook"
ROLLOUT = "--timeout=180s"
SETTLE_SECONDS = 120    # the kubelet brings a changed ConfigMap or Secret within its sync period and cache's age
HANDOVER_SECONDS = 300  # a changed configuration is in use two to three minutes after the change
QUIET_SECONDS = 5       # of load before and after what is done
LARGE = 900000          # bytes of a review that fills memory

OWN = {"apiVersion": "connhook.zerotouch.io/v1alpha1", "kind": "InjectorConfig",
       "bindings": [{"name": "db", "secretName": "{app}-database"}]}

NODE = None     # set by main


def pods():
    """The running Pods of connhook that are not being ended."""
    found = NODE.get("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=connhook")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("podIP")]


def ready():
    return [pod for pod in pods() if any(c["type"] == "Ready" and c["status"] == "True"
                                         for c in pod["status"].get("conditions", ()))]


def restarts():
    return sum(status["restartCount"] for pod in pods() for status in pod["status"].get("containerStatuses", ()))


def served(pod):
    """The certificate that the Pod shows, DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((pod["status"]["podIP"], 8443), 10) as plain:
        with context.wrap_socket(plain) as tls:
            return tls.getpeercert(True)


def configuration(pod):
    """The fingerprint of the configuration that the Pod uses."""
    with urllib.request.urlopen("http://%s:8080/version" % pod["status"]["podIP"], timeout=10) as answer:
        return json.load(answer)["configuration"]


def swapped(pod, volume, kind):
    """What the kubelet's `..data` of the Pod's volume points to."""
    return os.readlink("/var/lib/kubelet/pods/%s/volumes/kubernetes.io~%s/%s/..data" %
                       (pod["metadata"]["uid"], kind, volume))


class Scenarios(unittest.TestCase):
    """In order: the release of one test is the next one's."""

    def install(self, command, **values):
        NODE.write("values.yaml", dict({"topologySpread": {"enabled": False}}, **values))
        how = "--create-namespace" if command == "install" else "--reset-values"
        NODE.helm(command, "connhook", NODE.path("chart"), "-n", NAMESPACE, how, "--values", NODE.path("values.yaml"),
                  "--wait", "--timeout", "240s")

    def secret(self, name):
        """Writes the Secret from NAME.crt and NAME.key, as an administrator rotates it."""
        text = NODE.kubectl("create", "secret", "tls", "own-tls", "-n", NAMESPACE, "--cert", NODE.path(name + ".crt"),
                            "--key", NODE.path(name + ".key"), "--dry-run=client", "-o", "yaml").stdout
        NODE.kubectl("apply", "-f", NODE.write("secret.yaml", text))

    def helm_test(self):
        begun = time.monotonic()
        done = NODE.helm("test", "connhook", "-n", NAMESPACE, "--timeout", "150s")
        self.assertIn("Succeeded", done.stdout)
        print("measured: helm test %.1f s" % (time.monotonic() - begun), flush=True)

    def loaded(self, what, action):
        """Runs the action under load; returns the load, of which nothing has been lost."""
        with Load(NODE) as load:
            time.sleep(QUIET_SECONDS)
            action()
            time.sleep(QUIET_SECONDS)
        load.report(what)
        self.assertGreater(load.calls, 0)
        self.assertEqual(load.lost, [])
        return load

    def provided(self, **values):
        with open(NODE.path("own-ca.crt"), encoding="ascii") as file:
            bundle = file.read()
        return dict({"certificates": {"mode": "provided", "provided": {"secretName": "own-tls", "caBundle": bundle}}},
                    **values)

    def test_1_helm_certificates(self):
        self.install("install", certificates={"mode": "helm"})
        self.helm_test()
        NODE.helm("uninstall", "connhook", "-n", NAMESPACE, "--wait")

    def test_2_provided_certificates(self):
        NODE.certificate("own-ca", "/CN=own-ca", ca=None)
        for name in ("first", "second"):
            NODE.certificate(name, "/CN=connhook", "subjectAltName=DNS:connhook.%s.svc" % NAMESPACE, ca="own-ca")
        self.secret("first")
        self.install("install", **self.provided())
        self.helm_test()

    def test_3_rollout_restart(self):
        def restart():
            NODE.kubectl("rollout", "restart", "deployment/connhook", "-n", NAMESPACE)
            NODE.kubectl("rollout", "status", "deployment/connhook", "-n", NAMESPACE, ROLLOUT)
        self.loaded("rollout restart", restart)

    def upgrade(self, what, name, **values):
        """Upgrades under load, until every Pod injects the Secret of that name."""
        def change():
            begun = time.monotonic()
            self.install("upgrade", **self.provided(**values))
            wait_for(lambda: all(configuration(pod) != before for pod in ready()), HANDOVER_SECONDS,
                     "all Pods use the new configuration")
            print("measured: in use after %.0f s" % (time.monotonic() - begun), flush=True)
        before = configuration(ready()[0])
        self.assertEqual(self.loaded(what, change).names, [name])

    def test_4a_upgrade(self):
        NODE.ctr("images", "tag", images.CONNHOOK + ":0.1.0", images.CONNHOOK + ":next")
        self.upgrade("helm upgrade, configuration and tag", "load-database", config=OWN, image={"tag": "next"})
        self.assertTrue(all(pod["spec"]["containers"][0]["image"].endswith(":next") for pod in ready()))

    def test_4b_upgrade_of_the_configuration_alone(self):
        names = [pod["metadata"]["name"] for pod in ready()]
        self.upgrade("helm upgrade, configuration alone", "load-db", image={"tag": "next"})
        self.assertEqual([pod["metadata"]["name"] for pod in ready()], names, "no Pod was replaced")

    def test_5_the_kubelet_swaps_a_rotated_certificate(self):
        with open(NODE.path("second.crt"), encoding="ascii") as file:
            new = ssl.PEM_cert_to_DER_cert(file.read())
        before = {pod["metadata"]["name"]: swapped(pod, "tls", "secret") for pod in ready()}
        self.assertEqual(len(before), 2)

        def rotate():
            begun = time.monotonic()
            self.secret("second")
            wait_for(lambda: all(served(pod) == new for pod in ready()), SETTLE_SECONDS, "the new one is served")
            print("measured: the rotated certificate is served after %.0f s" % (time.monotonic() - begun), flush=True)
        self.loaded("rotation of the certificate", rotate)
        after = {pod["metadata"]["name"]: swapped(pod, "tls", "secret") for pod in ready()}
        self.assertEqual(set(after), set(before), "no Pod was replaced")
        self.assertTrue(all(after[name] != before[name] for name in before), "..data points elsewhere")
        print("measured: ..data of a Pod %s, then %s" % next((before[n], after[n]) for n in before), flush=True)
        self.assertEqual(restarts(), 0)

    def test_6_drain(self):
        def drain():
            done = NODE.kubectl("drain", "node1", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=40s",
                                "--pod-selector=app.kubernetes.io/name=connhook", check=False)
            self.assertIn("disruption budget", done.stdout + done.stderr)
            self.assertEqual(len(ready()), 1)
            NODE.kubectl("uncordon", "node1")
            NODE.kubectl("rollout", "status", "deployment/connhook", "-n", NAMESPACE, ROLLOUT)
        self.loaded("drain and uncordon", drain)

    def test_7_a_killed_container_comes_back(self):
        """Nobody planned it: what was under way in it may be lost, and no more."""
        before = restarts()
        with Load(NODE) as load:
            time.sleep(QUIET_SECONDS)
            container = ready()[0]["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
            NODE.ctr("tasks", "kill", "-s", "SIGKILL", container)
            wait_for(lambda: restarts() > before and len(ready()) == 2, SETTLE_SECONDS, "it runs again")
        load.report("a killed container")
        self.loaded("afterwards", lambda: None)

    def test_8_at_the_memory_limit(self):
        memory = {"memory": "32Mi"}
        self.install("upgrade", **self.provided(resources={"requests": memory, "limits": memory}))
        with Load(NODE, LARGE) as load:
            time.sleep(20)
        load.report("large reviews, 32 MiB of memory")
        print("measured: restarts at the memory limit: %d" % restarts(), flush=True)
        wait_for(lambda: len(ready()) == 2, SETTLE_SECONDS, "both Pods are ready again")
        self.loaded("afterwards", lambda: None)


def main():
    global NODE     # pylint: disable=global-statement
    options = argparse.ArgumentParser(description=__doc__)
    for name in ("--state", "--programs", "--archives"):
        options.add_argument(name, required=True)
    options.add_argument("tests", nargs="*")
    options = options.parse_args()
    programs = dict(each.split("=", 1) for each in options.programs.split(","))
    try:
        begun = time.monotonic()
        shutil.copytree(CHART, os.path.join(options.state, "chart"))    # a clone below /tmp is not seen inside
        with Node(options.state, programs, options.archives.split(","), images.PAUSE) as NODE:
            print("measured: the node is Ready after %.0f s" % (time.monotonic() - begun), flush=True)
            result = unittest.main(argv=sys.argv[:1] + options.tests, exit=False, verbosity=2, failfast=False).result
            if not result.wasSuccessful():
                print(NODE.kubectl("get", "pods,events", "-A", "-o", "wide", check=False).stdout, file=sys.stderr)
                NODE.show_logs()
    except ClusterError as error:
        print("node: %s" % error, file=sys.stderr)
        return 1
    bad = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
    print("%d passed, %d failed" % (result.testsRun - len(bad), len(bad)))
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
