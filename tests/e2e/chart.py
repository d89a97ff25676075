#!/usr/bin/python3
"""The Helm chart against a real API server: install, upgrade, uninstall, its notes, its test, the kustomize overlay.

    tests/e2e/chart.py --program build/connhook [TEST]...

Nothing runs here: what the chart makes is stored and checked by the API server. Where connhook must answer, it runs
as a process, and the registration that the chart made is pointed at it. Prints `N passed, N failed`.
"""

import argparse
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import yaml

import binaries
from cluster import Cluster, ClusterError, wait_for
from webhook import Connhook

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CHART = os.path.join(ROOT, "charts", "connhook")
CRDS = os.path.join(ROOT, "tests", "chart", "fixtures", "crds.yaml")

HOOKS = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")
NOTICE_SECONDS = 30     # until the API server has noticed a registration
HELM_TEST_SECONDS = 60
RECORD = "sh.helm.release."     # how the names begin of the Secrets in which Helm keeps its records

# What must be there for connhook to be called.
SERVING = ("configmaps", "deployments", "secrets", "services")
# Fails as long as a webhook that nobody answers is registered.
PROBE = ("create", "deployment", "probe", "--image=registry.test/probe:1", "--namespace=default", "--dry-run=server")

# Bindings and a prefix that no shipped configuration has.
OWN = {"apiVersion": "connhook.zerotouch.io/v1alpha1", "kind": "InjectorConfig",
       "bindings": [{"name": "queue", "secretName": "{app}-queue"}]}

CLUSTER = PROGRAM = None    # set by main


def values_file(values):
    path = CLUSTER.path("values.yaml")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(values, file)
    return path


def lacks(rendered, stored, path=""):
    """What of `rendered` is not in `stored`, as paths. Defaults that the API server added are no difference."""
    if isinstance(rendered, dict) and isinstance(stored, dict):
        return [line for key, value in rendered.items()
                for line in (lacks(value, stored[key], "%s.%s" % (path, key)) if key in stored
                             else [] if value in ({}, []) else ["%s.%s is gone" % (path, key)])]
    if isinstance(rendered, list) and isinstance(stored, list) and len(rendered) == len(stored):
        return [line for index, value in enumerate(rendered)
                for line in lacks(value, stored[index], "%s[%d]" % (path, index))]
    return [] if rendered == stored else ["%s: %r became %r" % (path, rendered, stored)]


def everything(namespace):
    """{resource/name} of all objects in the namespace and of all registrations, Helm's own records left out."""
    kinds = CLUSTER.kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name").out.split()
    listed = CLUSTER.kubectl("get", ",".join(kinds), "-n", namespace, "-o", "name").out.split()
    listed += CLUSTER.kubectl("get", ",".join(HOOKS), "-o", "name").out.split()
    return {name for name in listed if not name.startswith(("secret/" + RECORD, "event"))}


class Release:
    """The chart installed once; `uninstall` is part of leaving."""

    def __init__(self, test, values, name="connhook", namespace=None):
        self.test, self.name = test, name
        self.namespace = namespace or re.sub(r"[^a-z0-9]+", "-", test.id().rpartition(".")[2])[:50].strip("-")
        CLUSTER.create_namespace(self.namespace)
        self.before = everything(self.namespace)
        self.first_event = len(CLUSTER.audit_events())
        test.addCleanup(self.remove)
        self.run("install", values)

    def run(self, command, values, *arguments):
        return CLUSTER.helm(command, self.name, CHART, "-n", self.namespace, "--values", values_file(values),
                            *arguments)

    def get(self, resource, name=None):
        place = None if resource in HOOKS else self.namespace
        return CLUSTER.get_json(resource, name or self.name, place)

    def hook(self, kind):
        return self.get(kind)["webhooks"][0]

    def manifest(self):
        text = CLUSTER.helm("get", "manifest", self.name, "-n", self.namespace).out
        return [document for document in yaml.safe_load_all(text) if document]

    def check_stored(self):
        """The API server has stored every field of what was rendered."""
        for document in self.manifest():
            resource = document["kind"].lower()
            stored = self.get(resource, document["metadata"]["name"])
            self.test.assertEqual(lacks(document, stored), [], resource)

    def uninstall(self):
        """Uninstalls; nothing of it may be left."""
        CLUSTER.helm("uninstall", self.name, "-n", self.namespace)
        self.test.assertEqual(everything(self.namespace), self.before)

    def remove(self):
        """For the next test: uninstalled, and the API server has noticed, which takes it a moment."""
        CLUSTER.helm("uninstall", self.name, "-n", self.namespace, "--ignore-not-found")
        wait_for(lambda: CLUSTER.kubectl(*PROBE, check=False).status == 0, NOTICE_SECONDS,
                 "the API server calls no webhook")

    def serve(self):
        """Starts connhook with the release's own ConfigMap, and points the registration at it."""
        config = CLUSTER.path(self.namespace + ".yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(self.get("configmap")["data"]["config.yaml"])
        hook = Connhook(CLUSTER, PROGRAM, config=config, name=self.namespace)
        hook.start()
        self.test.addCleanup(hook.close)
        with open(hook.ca_file, "rb") as file:
            bundle = base64.b64encode(file.read()).decode()
        for kind, path in zip(HOOKS, ("/mutate", "/validate")):
            client = {"url": hook.url + path, "caBundle": bundle}
            patch = [{"op": "replace", "path": "/webhooks/0/clientConfig", "value": client}]
            CLUSTER.kubectl("patch", kind, self.name, "--type=json", "-p", json.dumps(patch))
        return hook


class Modes(unittest.TestCase):
    """Install, upgrade, uninstall, for each way to certificates."""

    def provided(self):
        folder = tempfile.mkdtemp(dir=CLUSTER.folder)
        out = os.path.join(folder, "certs")
        subprocess.run([PROGRAM, "certs", "init", "--out", out], check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(out, "ca.crt"), encoding="ascii") as file:
            return {"mode": "provided", "provided": {"secretName": "my-tls", "caBundle": file.read()}}

    def life(self, values):
        """Install, upgrade with another configuration, uninstall. Returns the Secrets and hooks before and after."""
        release = Release(self, values)
        release.check_stored()
        before = release.get("deployment")
        was = self.certificates(release)
        self.assertIn("name: db", release.get("configmap")["data"]["config.yaml"])

        release.run("upgrade", dict(values, config=OWN))
        release.check_stored()
        after = release.get("deployment")
        self.assertIn("name: queue", release.get("configmap")["data"]["config.yaml"])
        self.assertEqual(after["spec"]["template"], before["spec"]["template"], "a new configuration restarts Pods")
        self.assertEqual(after["metadata"]["generation"], before["metadata"]["generation"])
        now = self.certificates(release)
        release.uninstall()
        return was, now

    def test_a_changed_configuration_says_what_was_before(self):
        """For a new Pod, which does not know what the others still inject by."""
        release = Release(self, {})
        first = release.get("configmap")["data"]
        self.assertEqual(set(first), {"config.yaml"})
        begun = int(time.time())
        release.run("upgrade", {"config": OWN})
        second = release.get("configmap")["data"]
        self.assertEqual(second["previous.yaml"], first["config.yaml"])
        self.assertTrue(begun <= int(second["replaced"]) <= time.time())
        release.run("upgrade", {"config": OWN, "replicaCount": 3})
        self.assertEqual(release.get("configmap")["data"], second)
        release.run("upgrade", {"profile": "in-cluster"})
        third = release.get("configmap")["data"]
        self.assertEqual(third["previous.yaml"], first["config.yaml"], "OWN was never used")
        CLUSTER.kubectl("patch", "configmap", "connhook", "-n", release.namespace, "-p",
                        json.dumps({"data": {"replaced": str(begun - 1000)}}))
        release.run("upgrade", {"config": OWN}, "--force-conflicts")
        self.assertEqual(release.get("configmap")["data"]["previous.yaml"], third["config.yaml"])

    def certificates(self, release):
        secrets = json.loads(CLUSTER.kubectl("get", "secrets", "-n", release.namespace, "-o", "json",
                                             "--field-selector", "type=kubernetes.io/tls").out)["items"]
        return ([secret["data"] for secret in secrets],
                [release.hook(kind)["clientConfig"].get("caBundle") for kind in HOOKS])

    def test_cert_manager(self):
        was, _ = self.life({"serviceMonitor": {"enabled": True}})
        self.assertEqual(was, ([], [None, None]))

    def test_helm_keeps_what_it_made(self):
        was, now = self.life({"certificates": {"mode": "helm"}})
        self.assertEqual(was, now)
        secret, = was[0]
        self.assertEqual(was[1], [secret["ca.crt"]] * 2)

    def test_provided(self):
        values = {"certificates": self.provided()}
        was, now = self.life(values)
        self.assertEqual(was, now)
        self.assertEqual([base64.b64decode(bundle).decode() for bundle in was[1]],
                         [values["certificates"]["provided"]["caBundle"]] * 2)

    def test_helm_makes_new_ones_when_asked(self):
        """As the documentation says: delete the Secret, upgrade."""
        values = {"certificates": {"mode": "helm"}}
        release = Release(self, values)
        was = self.certificates(release)
        CLUSTER.kubectl("delete", "secret", "connhook-tls", "-n", release.namespace)
        release.run("upgrade", values)
        now = self.certificates(release)
        self.assertNotEqual(was[0][0]["ca.crt"], now[0][0]["ca.crt"])
        self.assertEqual(now[1], [now[0][0]["ca.crt"]] * 2)

    def test_change_of_mode(self):
        release = Release(self, {})
        release.run("upgrade", {"certificates": {"mode": "helm"}})
        names = everything(release.namespace) - release.before
        self.assertFalse([name for name in names if "cert-manager" in name])
        for kind in HOOKS:
            self.assertTrue(release.hook(kind)["clientConfig"]["caBundle"])
            self.assertNotIn("cert-manager.io/inject-ca-from", release.get(kind)["metadata"].get("annotations", {}))
        release.uninstall()

    def test_dry_run_stores_nothing(self):
        namespace = CLUSTER.create_namespace("dry-run")
        before = everything(namespace)
        CLUSTER.helm("install", "connhook", CHART, "-n", namespace, "--dry-run=server")
        self.assertEqual(everything(namespace), before)


class Registered(unittest.TestCase):
    def test_order(self):
        """Registered last and withdrawn first, so that connhook is called only while there is something to call."""
        release = Release(self, {"certificates": {"mode": "helm"}})
        release.uninstall()
        created, deleted = ([], []), ([], [])
        for index, event in enumerate(CLUSTER.audit_events()[release.first_event:]):
            reference = event["objectRef"]
            is_hook = reference["resource"].endswith("webhookconfigurations")
            is_part = reference["resource"] in SERVING and reference.get("namespace") == release.namespace and \
                not reference["name"].startswith(RECORD)
            if not is_hook and not is_part:
                continue
            if event["responseStatus"]["code"] == 201:
                created[is_hook].append(index)
            elif event["verb"] == "delete":
                deleted[is_hook].append(index)
        self.assertEqual([len(found) for found in (*created, *deleted)], [len(SERVING), 2, len(SERVING), 2])
        self.assertLess(max(created[False]), min(created[True]))
        self.assertLess(max(deleted[True]), min(deleted[False]))

    def test_ca_of_cert_manager_survives_upgrades(self):
        """cert-manager's injector writes into an object that Helm keeps."""
        release = Release(self, {})
        bundle = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n").decode()
        patch = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]
        for kind in HOOKS:
            CLUSTER.kubectl("patch", kind, "connhook", "--type=json", "--field-manager=cert-manager-cainjector", "-p",
                            json.dumps(patch))
        for seconds, way in ((6, "--server-side=true"), (7, "--server-side=false")):
            release.run("upgrade", {"webhooks": {"validating": {"timeoutSeconds": seconds}}}, way)
            for kind in HOOKS:
                self.assertEqual(release.hook(kind)["clientConfig"].get("caBundle"), bundle, way)
            self.assertEqual(release.hook(HOOKS[1])["timeoutSeconds"], seconds)

    def test_connhook_down_does_not_lock_its_own_namespace(self):
        """Nothing answers, and the validating webhook fails closed: others wait, the release can still be mended."""
        release = Release(self, {"certificates": {"mode": "helm"}})
        wait_for(lambda: "failed calling webhook" in CLUSTER.kubectl(*PROBE, check=False).err, NOTICE_SECONDS,
                 "the API server calls the webhook")
        generation = release.get("deployment")["metadata"]["generation"]
        release.run("upgrade", {"certificates": {"mode": "helm"}, "image": {"tag": "next"}})
        self.assertEqual(release.get("deployment")["metadata"]["generation"], generation + 1)

    def test_two_releases(self):
        # Nobody answers the first one's calls while the second one is installed.
        values = {"certificates": {"mode": "helm"}, "webhooks": {"validating": {"failurePolicy": "Ignore"}}}
        first = Release(self, values, namespace="first")
        second = Release(self, values, name="second", namespace="second")
        self.assertEqual(second.get("service", "second-connhook")["metadata"]["name"], "second-connhook")
        second.uninstall()
        self.assertEqual(first.hook(HOOKS[0])["clientConfig"]["service"]["namespace"], "first")


class Called(unittest.TestCase):
    """connhook answers: what the notes say works, and helm test tells whether it does."""

    def notes_command(self, release):
        notes = CLUSTER.helm("get", "notes", release.name, "-n", release.namespace).out
        command, manifest = re.search(r"^  kubectl (apply .*) <<EOF\n(.*?)^  EOF$", notes, re.M | re.S).groups()
        return command.split(), re.sub(r"^  ", "", manifest, flags=re.M)

    def try_notes(self, release, edit=lambda text: text):
        command, manifest = self.notes_command(release)
        return CLUSTER.kubectl(*command, input=edit(manifest), check=False)

    def wait_until_called(self, release):
        wait_for(lambda: "/status" in self.try_notes(release).out, NOTICE_SECONDS, "connhook is called")

    def test_notes(self):
        release = Release(self, {"certificates": {"mode": "helm"}})
        release.serve()
        self.wait_until_called(release)
        done = self.try_notes(release)
        self.assertEqual(done.status, 0, done)
        deployment = yaml.safe_load(done.out)
        self.assertIn("inject.zerotouch.io/status", deployment["metadata"]["annotations"])
        self.assertEqual(deployment["spec"]["template"]["spec"]["containers"][0]["envFrom"],
                         [{"secretRef": {"name": "try-connhook-db", "optional": False}}])
        denied = self.try_notes(release, lambda text: text.replace("bindings: db", "bindings: bd"))
        self.assertNotEqual(denied.status, 0)
        self.assertIn("llm-keys", denied.err)
        absent = CLUSTER.kubectl("get", "deployment", "try-connhook", check=False)
        self.assertIn("not found", absent.err)

    def start_helm_test(self, release):
        log = CLUSTER.path("helm-test.log")
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [CLUSTER.programs["helm"], "test", release.name, "-n", release.namespace, "--timeout",
                 "%ds" % HELM_TEST_SECONDS], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                env=CLUSTER.environment(), cwd=CLUSTER.folder)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def find_job():
            done = CLUSTER.kubectl("get", "job", "connhook-test", "-n", "default", "-o", "json", check=False)
            if done.status != 0 and process.poll() is not None:
                with open(log, encoding="utf-8") as text:
                    raise ClusterError("helm test ended: " + text.read())
            return json.loads(done.out) if done.status == 0 else None
        return process, log, wait_for(find_job, HELM_TEST_SECONDS, "helm test has made its Job")

    def run_job(self, job):
        """As a kubelet and the Job controller would: the init containers, the containers, and then the status."""
        pod = job["spec"]["template"]["spec"]
        volume = tempfile.mkdtemp(dir=CLUSTER.folder)
        succeeded = True
        for container in pod.get("initContainers", []) + pod["containers"]:
            mount, = container["volumeMounts"]
            command = [part.replace(mount["mountPath"], volume)
                       for part in container["command"] + container.get("args", [])]
            self.assertEqual(command[0], "connhook")
            done = subprocess.run([PROGRAM, *command[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, check=False)
            if done.returncode != 0:
                succeeded = False
                break
        now = job["metadata"]["creationTimestamp"]
        # The verdict, then, when all Pods have ended, the end: an API server from 1.31 on takes only both.
        conditions = [{"type": each, "status": "True", "lastTransitionTime": now, "lastProbeTime": now}
                      for each in (("SuccessCriteriaMet", "Complete") if succeeded else ("FailureTarget", "Failed"))]
        status = {"startTime": now, "conditions": conditions, "succeeded" if succeeded else "failed": 1}
        if succeeded:
            status["completionTime"] = now
        CLUSTER.kubectl("patch", "job", job["metadata"]["name"], "-n", "default", "--subresource=status",
                        "--type=merge", "-p", json.dumps({"status": status}))
        return succeeded

    def end_helm_test(self, process, log):
        status = process.wait(HELM_TEST_SECONDS)
        with open(log, encoding="utf-8") as text:
            return status, text.read()

    def test_helm_test_succeeds_when_connhook_injects(self):
        release = Release(self, {"certificates": {"mode": "helm"}})
        release.serve()
        self.wait_until_called(release)
        process, log, job = self.start_helm_test(release)
        self.assertEqual([c["name"] for c in job["spec"]["template"]["spec"]["initContainers"]], ["run-migrations"])
        self.assertTrue(self.run_job(job))
        status, said = self.end_helm_test(process, log)
        self.assertEqual(status, 0, said)
        self.assertIn("Succeeded", said)
        gone = CLUSTER.kubectl("get", "job", "connhook-test", "-n", "default", check=False)
        self.assertIn("not found", gone.err)

    def test_helm_test_fails_when_connhook_is_not_called(self):
        """The webhooks are there and let everything pass, which is what a wrong selector or Ignore does."""
        release = Release(self, {"certificates": {"mode": "helm"},
                                 "webhooks": {"objectSelector": {"matchLabels": {"never": "set"}}}})
        process, log, job = self.start_helm_test(release)
        self.addCleanup(CLUSTER.kubectl, "delete", "job", "connhook-test", "-n", "default")
        self.assertNotIn("initContainers", job["spec"]["template"]["spec"])
        self.assertFalse(self.run_job(job))
        status, said = self.end_helm_test(process, log)
        self.assertNotEqual(status, 0, said)


class Kustomize(unittest.TestCase):
    """webhook-config/ applied as its README says."""

    def apply(self, folder):
        CLUSTER.kubectl("apply", "-k", folder)
        self.addCleanup(CLUSTER.kubectl, "delete", "-k", folder)

    def test_base(self):
        self.apply(os.path.join(ROOT, "webhook-config"))
        for kind in HOOKS:
            stored = CLUSTER.get_json(kind, "connhook")
            self.assertEqual(stored["metadata"]["annotations"]["cert-manager.io/inject-ca-from"], "connhook/connhook")

    def test_overlay(self):
        copy_of = CLUSTER.path("webhook-config")
        shutil.copytree(os.path.join(ROOT, "webhook-config"), copy_of)
        certificates = CLUSTER.path("overlay-certs")
        subprocess.run([PROGRAM, "certs", "init", "--out", certificates], check=True, stdout=subprocess.DEVNULL)
        shutil.copy(os.path.join(certificates, "ca.crt"), os.path.join(copy_of, "provided-ca"))
        self.apply(os.path.join(copy_of, "provided-ca"))
        with open(os.path.join(certificates, "ca.crt"), "rb") as file:
            pem = file.read()
        for kind in HOOKS:
            client = CLUSTER.get_json(kind, "connhook")["webhooks"][0]["clientConfig"]
            self.assertEqual(base64.b64decode(client["caBundle"]), pem)


def main():
    global CLUSTER, PROGRAM
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "connhook"), help="the connhook to test")
    parser.add_argument("tests", nargs="*", help="Class or Class.test; default: all")
    options = parser.parse_args()
    PROGRAM = os.path.abspath(options.program)
    if not os.access(PROGRAM, os.X_OK):
        print("e2e: there is no program %s; build it, or name one with --program" % PROGRAM, file=sys.stderr)
        return 1
    try:
        with Cluster() as CLUSTER:
            CLUSTER.kubectl("apply", "-f", CRDS)
            CLUSTER.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
            result = unittest.main(argv=sys.argv[:1] + options.tests, exit=False, verbosity=2).result
            CLUSTER.keep_logs = not result.wasSuccessful()
    except (binaries.BuildError, ClusterError) as error:
        print("e2e: %s" % error, file=sys.stderr)
        return 1
    bad = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
    print("%d passed, %d failed" % (result.testsRun - len(bad), len(bad)))
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
