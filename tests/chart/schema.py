#!/usr/bin/python3
"""values.schema.json rejects what is wrong, with a word that helps, and knows what values.yaml and connhook know.

    tests/chart/schema.py PATH_TO_CONNHOOK [TEST]...
"""

import json
import os
import re
import sys
import unittest

import yaml

from generate import SCHEMA, allowed_keys
from harness.chart import CHART, IDENTITY, ROOT, Strict, main

CONNHOOK = TOOLS = None     # set by main

# values, YAML -> what the message must hold: where it is wrong, and what is.
REJECTED = [
    ("replicas: 3", "'replicas' not allowed"),
    ("replicaCount: two", "/replicaCount"),
    ("image: {tga: v1}", "'tga' not allowed"),
    ("image: {tag: 1.10}", "got number, want string"),
    ("image: {digest: abc}", "/image/digest"),
    ("image: {digest: 'sha256:ABC'}", "/image/digest"),
    ("image: {repository: 'Team/Hook'}", "/image/repository"),
    ("image: {pullPolicy: Sometimes}", "'Always', 'IfNotPresent', 'Never'"),
    ("imagePullSecrets: [pull]", "got string, want object"),
    ("profile: in-claster", "'managed', 'in-cluster'"),
    ("certificates: {mode: certmanager}", "'certManager', 'provided', 'helm'"),
    ("certificates: {certManager: {duration: 90d}}", "/certificates/certManager/duration"),
    ("certificates: {certManager: {issuerRef: {kind: ClusterIssuer}}}", "issuerRef"),
    ("certificates: {provided: {secretName: My_Secret}}", "/certificates/provided/secretName"),
    ("certificates: {provided: {caBundle: LS0tLS1CRUdJTg==}}", "/certificates/provided/caBundle"),
    ("certificates: {provided: {caBundle: '-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----'}}", "caBundle"),
    ("certificates: {helm: {days: 0}}", "/certificates/helm/days"),
    ("webhooks: {validating: {failurePolicy: fail}}", "'Ignore', 'Fail'"),
    ("webhooks: {mutating: {timeoutSeconds: 31}}", "maximum: got 31, want 30"),
    ("webhooks: {validating: {reinvocationPolicy: Never}}", "'reinvocationPolicy' not allowed"),
    ("webhooks: {matchConditions: yes please}", "/webhooks/matchConditions"),
    ("webhooks: {extraMatchConditions: [{name: a}]}", "missing property 'expression'"),
    ("webhooks: {namespaceSelector: {matchLabel: {a: b}}}", "'matchLabel' not allowed"),
    ("webhooks: {objectSelector: {matchExpressions: [{key: a, operator: Is}]}}", "'NotIn'"),
    ("server: {port: 443}", "minimum: got 443, want 1,024"),
    ("server: {port: 70000}", "/server/port"),
    ("server: {threads: 17}", "/server/threads"),
    ("server: {logFormat: yaml}", "'text', 'json'"),
    ("server: {logLevel: trace}", "'debug', 'info', 'warn', 'error'"),
    ("server: {listenAddress: '::'}", "/server/listenAddress"),
    ("server: {drainDelay: 5s}", "got string, want integer"),
    ("server: {tlsPriorities: 1.3}", "got number, want string"),
    ("clientCertificates: {name: [a]}", "'name' not allowed"),
    ("clientCertificates: {names: kube-apiserver}", "got string, want array"),
    ("clientCertificates: {names: ['']}", "/clientCertificates/names/0"),
    ("clientCertificates: {secretName: My_Secret}", "/clientCertificates/secretName"),
    ("clientCertificates: {key: a/b}", "/clientCertificates/key"),
    ("hostNetwork: 'yes'", "got string, want boolean"),
    ("service: {type: LoadBalancer}", "'type' not allowed"),
    ("serviceMonitor: {interval: '30'}", "/serviceMonitor/interval"),
    ("prometheusRule: {series: job=connhook}", "/prometheusRule/series"),
    ("prometheusRule: {thresholds: {latency: 1}}", "'latency' not allowed"),
    ("prometheusRule: {thresholds: {errorRatio: 5}}", "maximum: got 5, want 1"),
    ("networkPolicy: {adminFrom: [{}]}", "minProperties"),
    ("podDisruptionBudget: {maxUnavailable: some}", "/podDisruptionBudget/maxUnavailable"),
    ("topologySpread: {whenUnsatisfiable: Never}", "'ScheduleAnyway', 'DoNotSchedule'"),
    ("securityContext: {runAsUser: 0}", "minimum: got 0, want 1"),
    ("securityContext: {privileged: true}", "'privileged' not allowed"),
    ("resources: {limit: {cpu: 1}}", "'limit' not allowed"),
    ("podAnnotations: {a: 1}", "got number, want string"),
    ("tolerations: [{key: a, effect: NoRun}]", "'NoSchedule'"),
    ("test: {namespace: Default}", "/test/namespace"),
    ("config: {bindings: []}", "'apiVersion'"),
    ("config: {apiVersion: v1, kind: InjectorConfig}", "connhook.zerotouch.io/v1alpha1"),
]
REJECTED += [("config: {apiVersion: connhook.zerotouch.io/v1alpha1, kind: InjectorConfig, %s}" % part, word)
             for part, word in [
    ("binding: []", "'binding' not allowed"),
    ("bindings: [{name: a, secret: b}]", "'secret' not allowed"),
    ("bindings: [{secretName: a}]", "missing property 'name'"),
    ("defaults: [{namespace: a, bindings: b}]", "'namespace' not allowed"),
    ("migration: {shell: /bin/sh}", "got string, want array"),
    ("imagePullSecrets: [{name: a}]", "missing property 'registries'"),
    ("exempt: {namespace: [a]}", "'namespace' not allowed"),
    ("reloader: 'on'", "got string, want boolean"),
    ("rules: {env-colision: {mode: warn}}", "'env-colision' not allowed"),
    ("rules: {env-collision: {mode: on}}", "'enforce', 'warn', 'off'"),
    ("rules: {env-collision: {kinds: {extend: []}}}", "'kinds' not allowed"),
]]

# Which definition of the schema describes the mapping that the unknown key `zzz` stands in.
DEFINITIONS = {
    "config": "zzz: 1",
    "binding": "bindings: [{zzz: 1}]",
    "env": "bindings: [{name: a, secretName: b, env: [{zzz: 1}]}]",
    "default": "defaults: [{zzz: 1}]",
    "migration": "migration: {zzz: 1}",
    "pullSecret": "imagePullSecrets: [{zzz: 1}]",
    "exempt": "exempt: {zzz: 1}",
    "rules": "rules: {zzz: 1}",
}


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader=Strict) if path.endswith(".yaml") else json.load(file)


class Schema(unittest.TestCase):
    def setUp(self):
        self.schema = load(SCHEMA)

    def test_rejections(self):
        for text, word in REJECTED:
            with self.subTest(text):
                status, _, err = TOOLS.try_template(yaml.safe_load(text))
                self.assertNotEqual(status, 0, "accepted")
                self.assertIn("values don't meet the specifications of the schema", err)
                self.assertIn(word, err)

    def test_unquoted_off_is_a_mode(self):
        """YAML 1.1 reads it as false, and so does connhook."""
        values = yaml.safe_load(IDENTITY) | {"rules": {"env-collision": {"mode": False}}}
        chart = TOOLS.template({"config": values})
        status, out, err = CONNHOOK.run("config", "check", "-", text=chart.config())
        self.assertEqual(status, 0, out + err)

    def test_knows_the_keys_that_connhook_knows(self):
        for name, config in DEFINITIONS.items():
            with self.subTest(name):
                self.assertEqual(sorted(self.schema["definitions"][name]["properties"]),
                                 sorted(allowed_keys(CONNHOOK, config, "zzz")),
                                 "correct definitions.%s in values.schema.json by hand" % name)

    def test_every_object_is_closed(self):
        """A typo is found wherever it is, apart from what Kubernetes defines and the chart hands through."""
        self.assertEqual(self.open_objects(self.schema, ""), {
            "/properties/global", "/properties/affinity/properties/nodeAffinity",
            "/properties/affinity/properties/podAffinity", "/properties/affinity/properties/podAntiAffinity"})

    def open_objects(self, schema, path):
        found = set()
        if isinstance(schema, dict):
            if schema.get("type") == "object" and "additionalProperties" not in schema:
                found.add(path)
            for key, value in schema.items():
                found |= self.open_objects(value, "%s/%s" % (path, key))
        elif isinstance(schema, list):
            for index, value in enumerate(schema):
                found |= self.open_objects(value, "%s/%d" % (path, index))
        return found

    def test_every_value_stands_in_values_yaml(self):
        """values.yaml is the list of what can be set."""
        self.compare(self.schema, load(os.path.join(CHART, "values.yaml")), "")

    def compare(self, schema, values, path):
        schema = self.schema["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        if "properties" in schema and values:
            self.assertEqual(set(schema["properties"]) - {"global"}, set(values), path)
            for key, value in values.items():
                self.compare(schema["properties"][key], value, "%s.%s" % (path, key))

    def test_documentation_names_values_that_exist(self):
        values = load(os.path.join(CHART, "values.yaml"))
        checked = 0
        for name in ("docs/install.md", "webhook-config/README.md"):
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                text = file.read()
            for path in re.findall(r"--set(?:-file|-string)? '?([A-Za-z][\w.]*)", text):
                place = values
                for key in path.split("."):
                    self.assertIn(key, place, "%s: --set %s" % (name, path))
                    place = place[key]
                checked += 1
        self.assertGreater(checked, 3)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
