#!/usr/bin/python3
"""The registration in the chart and in webhook-config/ is what `connhook webhook-config` prints.

    tests/chart/registration.py PATH_TO_CONNHOOK [TEST]...
"""

import base64
import os
import re
import shutil
import subprocess
import sys
import unittest

import yaml

from harness.chart import IDENTITY, PROFILES, ROOT, documents, main

CONNHOOK = TOOLS = None     # set by main

KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
# The conditions of every configuration.
COMMON = dict(zip(KINDS, (["not-deleting", "not-owned", "not-controller"], ["not-deleting", "not-controller"])))
OLD, NEW = "1.29", "1.30"
FOLDER = os.path.join(ROOT, "webhook-config")

# Has what moves the registration away from a profile's: kinds, exempt namespaces and users, defaults, a prefix.
OWN = yaml.safe_load(IDENTITY) | {
    "annotationPrefix": "own.example.org",
    "bindings": [{"name": "queue", "secretName": "{app}-queue"}],
    "defaults": [{"namespaces": ["tenant-*"], "bindings": "queue"}],
    "exempt": {"namespaces": ["infra", "sandbox-*"], "users": ["robot"]},
    "rules": {"claim-secret-name": {"kinds": {"extend": [{"group": "queues.example.org", "kind": "Queue"}]}}},
}


def hooks(text):
    """{kind: the one webhook}, without the CA."""
    found = {}
    for document in documents(text):
        if document["kind"] in KINDS:
            hook, = document["webhooks"]
            hook["clientConfig"].pop("caBundle", None)
            found[document["kind"]] = hook
    return found


def sort_namespaces(found):
    """The order of excluded namespaces says nothing."""
    for hook in found.values():
        hook["namespaceSelector"]["matchExpressions"][0]["values"].sort()
    return found


def condition_names(hook):
    return [condition["name"] for condition in hook.get("matchConditions", [])]


class Chart(unittest.TestCase):
    maxDiff = None

    def registered(self, config, service, version):
        text = CONNHOOK.registration(config, service, version=version)
        return sort_namespaces(hooks(text))

    def rendered(self, values, *arguments, namespace="connhook", release="connhook"):
        chart = TOOLS.template(values, *arguments, namespace=namespace, release=release)
        return chart, sort_namespaces(hooks(chart.text))

    def test_profiles(self):
        for profile in PROFILES:
            for version in (OLD, NEW):
                for namespace, release, service in (("connhook", "connhook", "connhook/connhook"),
                                                    ("platform", "hook", "platform/hook-connhook"),
                                                    ("kube-system", "connhook", "kube-system/connhook"),
                                                    ("argocd", "connhook", "argocd/connhook")):
                    with self.subTest(profile=profile, version=version, namespace=namespace):
                        chart, found = self.rendered({"profile": profile}, "--kube-version", version + ".0",
                                                     namespace=namespace, release=release)
                        self.assertEqual(found, self.registered(chart.config(), service, version))
                        self.assertEqual(set(found), set(KINDS))

    def test_match_conditions_follow_the_clusters_version(self):
        for setting, version, expected in (("auto", "1.29.9", False), ("auto", "1.30.0", True),
                                           (False, "1.34.0", False), (True, "1.29.9", True),
                                           ("auto", "v1.30.2-gke.1587003", True)):
            with self.subTest(setting=setting, version=version):
                _, found = self.rendered({"webhooks": {"matchConditions": setting}}, "--kube-version", version)
                for hook in found.values():
                    self.assertEqual("matchConditions" in hook, expected)

    def test_service_port(self):
        chart, found = self.rendered({"service": {"port": 8443}}, "--kube-version", "1.30.0")
        self.assertEqual(found, self.registered(chart.config(), "connhook/connhook:8443", NEW))

    def test_certificates_of_cert_manager_are_named_alike(self):
        chart = TOOLS.template({})
        printed = documents(CONNHOOK.registration(chart.config(), "connhook/connhook"))
        key = "cert-manager.io/inject-ca-from"
        for document in printed:
            rendered = chart.one(document["kind"])
            self.assertEqual(rendered["metadata"]["annotations"][key], document["metadata"]["annotations"][key])
            self.assertEqual(rendered["metadata"]["name"], document["metadata"]["name"])

    def test_own_configuration_with_its_registration(self):
        """Printed as the values file says: for another namespace than the release's, and another name."""
        config = yaml.safe_dump(OWN)
        for printed_for in ("connhook/connhook", "platform/hook"):
            text = CONNHOOK.registration(config, printed_for, version=NEW)
            values = {"config": OWN, "fullnameOverride": "hook", "webhooks": {"registration": text}}
            for version in (OLD, NEW):
                with self.subTest(printed_for=printed_for, version=version):
                    _, found = self.rendered(values, "--kube-version", version + ".0", namespace="platform")
                    self.assertEqual(found, self.registered(config, "platform/hook", version))
        groups = [rule["apiGroups"] for rule in found["ValidatingWebhookConfiguration"]["rules"]]
        self.assertIn(["queues.example.org"], groups)

    def test_own_configuration_as_documented(self):
        """docs/install.md turns a configuration into values with a line of shell; connhook prints the registration."""
        with open(os.path.join(ROOT, "docs", "install.md"), encoding="utf-8") as file:
            line, = re.findall(r"^ {4}(\(echo config:.*) > values.yaml$", file.read(), re.M)
        config = CONNHOOK.profile("in-cluster").replace('"off"', "off")
        TOOLS.write("connhook.yaml", config)
        done = subprocess.run(["sh", "-c", line], cwd=TOOLS.folder, text=True, capture_output=True, check=True)
        registration = TOOLS.write("webhooks.yaml", CONNHOOK.registration(config, "connhook/connhook", version=NEW))
        chart, found = self.rendered(yaml.safe_load(done.stdout), "--kube-version", "1.30.0",
                                     "--set-file", "webhooks.registration=" + registration)
        self.assertEqual(yaml.safe_load(chart.config()), yaml.safe_load(config))
        self.assertEqual(found, self.registered(config, "connhook/connhook", NEW))

    def test_own_configuration_without_its_registration(self):
        """The profile's rules, and nothing that could keep a request away that the configuration wants to see."""
        _, found = self.rendered({"config": OWN}, "--kube-version", "1.30.0")
        profile = self.registered(CONNHOOK.profile("managed"), "connhook/connhook", NEW)
        for kind, hook in found.items():
            self.assertEqual(hook["rules"], profile[kind]["rules"])
            self.assertEqual(hook["namespaceSelector"]["matchExpressions"][0]["values"], ["connhook", "kube-system"])
            self.assertEqual(condition_names(hook), COMMON[kind])
            self.assertLess(set(condition_names(hook)), set(condition_names(profile[kind])))

    def test_conditions_that_fit_every_configuration_are_the_same_for_all(self):
        """Two configurations that differ in everything have exactly these conditions in common."""
        one = self.registered(CONNHOOK.profile("managed"), "connhook/connhook", NEW)
        other = self.registered(yaml.safe_dump(OWN), "connhook/connhook", NEW)
        for kind in KINDS:
            common = [condition["name"] for condition in one[kind]["matchConditions"]
                      if condition in other[kind]["matchConditions"]]
            self.assertEqual(common, COMMON[kind])

    def test_wrong_registration(self):
        url = CONNHOOK.output("webhook-config", "--url", "https://hook.example", "--cert-manager", "a/b")
        for text, word in (("kind: ConfigMap\n", "not what connhook webhook-config prints"), (url, "with --service")):
            status, _, err = TOOLS.try_template({"config": OWN, "webhooks": {"registration": text}})
            self.assertNotEqual(status, 0)
            self.assertIn(word, err)

    def test_settings(self):
        """What values add or change; the rest stays."""
        _, plain = self.rendered({}, "--kube-version", "1.30.0")
        _, found = self.rendered({"webhooks": {
            "annotations": {"note": "x"},
            "namespaceSelector": {"matchLabels": {"tenant": "true"},
                                  "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "NotIn",
                                                        "values": ["cert-manager"]}]},
            "objectSelector": {"matchLabels": {"hook": "on"}},
            "extraMatchConditions": [{"name": "mine", "expression": "request.dryRun == false"}],
            "mutating": {"failurePolicy": "Fail", "timeoutSeconds": 7, "reinvocationPolicy": "Never"},
            "validating": {"failurePolicy": "Ignore", "timeoutSeconds": 9}}}, "--kube-version", "1.30.0")
        expected = {"MutatingWebhookConfiguration": ("Fail", 7, "Never"),
                    "ValidatingWebhookConfiguration": ("Ignore", 9, None)}
        for kind, hook in found.items():
            self.assertEqual((hook["failurePolicy"], hook["timeoutSeconds"], hook.get("reinvocationPolicy")),
                             expected[kind])
            expressions = hook["namespaceSelector"]["matchExpressions"]
            self.assertEqual(expressions[0], plain[kind]["namespaceSelector"]["matchExpressions"][0])
            self.assertEqual(expressions[1]["values"], ["cert-manager"])
            self.assertEqual(hook["namespaceSelector"]["matchLabels"], {"tenant": "true"})
            self.assertEqual(hook["objectSelector"], {"matchLabels": {"hook": "on"}})
            self.assertEqual(hook["matchConditions"][-1], {"name": "mine", "expression": "request.dryRun == false"})
            self.assertEqual(hook["matchConditions"][:-1], plain[kind]["matchConditions"])
            self.assertEqual(hook["rules"], plain[kind]["rules"])

    def test_test_job_asks_with_the_configurations_prefix(self):
        for values, prefix in (({}, "inject.zerotouch.io"), ({"config": OWN}, "own.example.org")):
            annotations = TOOLS.template(values).one("Job")["metadata"]["annotations"]
            self.assertIn(prefix + "/migrate", annotations)

    def test_test_job_tells_whether_connhook_was_there(self):
        """connhook injects the init container; what both containers run proves it, and fails without it."""
        for values in ({}, {"profile": "in-cluster"}, {"config": OWN}):
            with self.subTest(values=values):
                chart = TOOLS.template(values)
                status, out, err = CONNHOOK.run("review", "--config", TOOLS.write("config.yaml", chart.config()),
                                                "-o", "yaml", "-", text=yaml.safe_dump(chart.one("Job")))
                self.assertEqual(status, 0, out + err)
                pod = documents(out)[0]["spec"]["template"]["spec"]
                injected, = pod["initContainers"]
                own, = pod["containers"]
                self.assertEqual(injected["volumeMounts"], own["volumeMounts"])
                self.assertEqual(injected["securityContext"], own["securityContext"])
                volume = os.path.join(TOOLS.folder, "proof")
                shutil.rmtree(volume, ignore_errors=True)
                os.mkdir(volume)
                self.assertNotEqual(self.run_container(own, volume), 0)
                self.assertEqual(self.run_container(injected, volume), 0)
                self.assertEqual(self.run_container(own, volume), 0)

    def run_container(self, container, volume):
        mount, = container["volumeMounts"]
        command = container["command"] + container.get("args", [])
        self.assertEqual(command[0], "connhook")
        return CONNHOOK.run(*[part.replace(mount["mountPath"], volume) for part in command[1:]])[0]


class Kustomize(unittest.TestCase):
    def build(self, folder):
        return documents(TOOLS.kubectl.output("kustomize", folder))

    def test_base_is_what_the_command_prints(self):
        printed = CONNHOOK.output("webhook-config", "--service", "connhook/connhook", "--cert-manager",
                                  "connhook/connhook")
        self.assertEqual(self.build(FOLDER), documents(printed))

    def test_overlay_sets_the_ca_of_a_file(self):
        copy = os.path.join(TOOLS.folder, "webhook-config")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(FOLDER, copy)
        certificates = os.path.join(TOOLS.folder, "certs")
        if not os.path.isdir(certificates):
            CONNHOOK.output("certs", "init", "--out", certificates)
        ca = shutil.copy(os.path.join(certificates, "ca.crt"), os.path.join(copy, "provided-ca", "ca.crt"))
        found = self.build(os.path.join(copy, "provided-ca"))
        expected = documents(CONNHOOK.output("webhook-config", "--service", "connhook/connhook", "--ca-file", ca))
        with open(ca, "rb") as file:
            pem = file.read()
        for document in found + expected:
            client = document["webhooks"][0]["clientConfig"]
            self.assertEqual(base64.b64decode(client.pop("caBundle")), pem)
        self.assertEqual(found, expected)

    def test_overlay_without_the_file_says_so(self):
        copy = os.path.join(TOOLS.folder, "without")
        shutil.copytree(FOLDER, copy, ignore=shutil.ignore_patterns("ca.crt"), dirs_exist_ok=True)
        status, _, err = TOOLS.kubectl.run("kustomize", os.path.join(copy, "provided-ca"))
        self.assertNotEqual(status, 0)
        self.assertIn("ca.crt", err)

    def test_ca_is_ignored_by_git(self):
        path = os.path.join(FOLDER, "provided-ca", "ca.crt")
        done = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False)
        if done.returncode == 128:
            self.skipTest("not a git checkout")
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
