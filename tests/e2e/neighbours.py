#!/usr/bin/python3
"""connhook among its neighbours, which write into the same objects: no fight, nothing that grows.

    tests/e2e/neighbours.py --program build/connhook                  all
    tests/e2e/neighbours.py --program build/connhook CertManager

cert-manager is real (see certmanager/main.go), so are server-side apply and a MutatingAdmissionPolicy. Kyverno and KEDA
do not run: what their documentation says they write is written by the test. Prints `N passed, N failed`.
"""

import argparse
import base64
import json
import os
import sys
import time
import unittest

import binaries
import scenarios
from cluster import Cluster, ClusterError, free_ports, to_yaml, wait_for
from scenarios import (FIXTURES, NEW_IMAGE, ROOT, container_of, migration_of, pod_of, secrets_of, template_of,
                       with_image, workload)
from webhook import KINDS, Connhook, Webhook

SETTLE_SECONDS = 60     # for a controller that was told to do something
QUIET_SECONDS = 3       # in which one that fights would have written again
LIMITS = {"limits": {"memory": "256Mi"}}
TEAM = {"team": "payments"}

CLUSTER = None          # set by main
HOOK = None


class Base(scenarios.Base):

    def versions(self, *things):
        return [CLUSTER.get_json(kind, name, space)["metadata"]["resourceVersion"] for kind, name, space in things]

    def assert_quiet(self, *things):
        """Nobody writes these objects, of which each is (kind, name, namespace)."""
        before = self.versions(*things)
        time.sleep(QUIET_SECONDS)
        self.assertEqual(self.versions(*things), before)

    def assert_stable(self, manifest):
        """After one round: nobody writes, the same manifest is no difference, and a write of another is no rollout."""
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        self.assert_quiet((kind, name, self.namespace))
        before = self.get(kind, name)
        diff = self.kubectl("diff", "-f", "-", input=to_yaml(manifest), check=False)
        self.assertEqual((diff.status, diff.out), (0, ""), diff)
        self.apply(manifest)
        self.assertEqual(self.get(kind, name), before)
        self.kubectl("label", kind, name, "--overwrite", "touched=%d" % time.monotonic_ns())
        after = self.get(kind, name)
        self.assertEqual(after["spec"], before["spec"])
        self.assert_generation(after, before["metadata"]["generation"])
        return after


# --- cert-manager

class Issued(Connhook):
    """connhook with the certificate that stands in a Secret."""

    def __init__(self, cluster, program, namespace, secret):
        super().__init__(cluster, program, name=secret)
        self.namespace, self.secret = namespace, secret

    def identity(self):
        os.makedirs(self.certificates, exist_ok=True)
        data = self.cluster.get_json("secret", self.secret, self.namespace)["data"]
        for name in ("tls.key", "tls.crt", "ca.crt"):
            with open(os.path.join(self.certificates, name), "wb") as file:
                file.write(base64.b64decode(data[name]))
        return ["--tls-cert", os.path.join(self.certificates, "tls.crt"),
                "--tls-key", os.path.join(self.certificates, "tls.key")]


class CertManager(Base):
    """Its controller makes the certificate, its cainjector fills the caBundle of both registrations."""

    @classmethod
    def setUpClass(cls):
        found = binaries.find(("cert-manager",))
        CLUSTER.programs.update(found)
        CLUSTER.kubectl("apply", "--server-side", "-f", os.path.join(os.path.dirname(found["cert-manager"]), "crds"))
        CLUSTER.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        CLUSTER.start("cert-manager", [CLUSTER.path("kubeconfig-admin")])

    def certificate(self):
        """A CA of its own, and what it signs: as docs/certificates.md has it, for an address instead of a Service."""
        group = {"apiVersion": "cert-manager.io/v1"}
        reference = {"group": "cert-manager.io", "kind": "Issuer"}
        return [
            dict(group, kind="Issuer", metadata={"name": "self"}, spec={"selfSigned": {}}),
            dict(group, kind="Certificate", metadata={"name": "ca"}, spec={
                "isCA": True, "commonName": "ca", "secretName": "ca", "issuerRef": dict(reference, name="self"),
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Never"}}),
            dict(group, kind="Issuer", metadata={"name": "ca"}, spec={"ca": {"secretName": "ca"}}),
            dict(group, kind="Certificate", metadata={"name": "connhook"}, spec={
                "secretName": "issued", "ipAddresses": ["127.0.0.1"], "issuerRef": dict(reference, name="ca"),
                "usages": ["digital signature", "server auth"],
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"}}),
        ]

    def bundles(self):
        return [CLUSTER.get_json(kind, "connhook")["webhooks"][0]["clientConfig"].get("caBundle") for kind in KINDS]

    def serial(self):
        return CLUSTER.get_json("secret", "issued", self.namespace)["data"]["tls.crt"]

    def test_its_certificate_and_ca_bundle(self):
        self.apply(self.certificate())
        self.kubectl("wait", "--for=condition=Ready", "certificate/connhook", "--timeout=%ds" % SETTLE_SECONDS)
        HOOK.unregister()
        self.addCleanup(lambda: HOOK.register(HOOK.configurations()))
        issued = Issued(CLUSTER, HOOK.program, self.namespace, "issued")
        self.addCleanup(issued.close)
        issued.start()
        text = CLUSTER.run([HOOK.program, "webhook-config", "--cert-manager", self.namespace + "/connhook", "--url",
                            issued.url, "--kubernetes-version", "%d.%d" % CLUSTER.version]).out
        self.assertNotIn("caBundle", text)
        issued.register(text)
        authority = CLUSTER.get_json("secret", "issued", self.namespace)["data"]["ca.crt"]
        self.assertEqual(self.bundles(), [authority] * 2)
        self.apply(workload())
        self.assert_injected(self.get())

        self.assert_quiet(*((kind, "connhook", None) for kind in KINDS))
        diff = CLUSTER.kubectl("diff", "-f", "-", input=text, check=False)
        self.assertEqual((diff.status, diff.out), (0, ""), diff)
        CLUSTER.apply(text)
        self.assertEqual(self.bundles(), [authority] * 2)
        self.renewed(issued, authority)

    def renewed(self, issued, authority):
        """As its command line tool renews: the condition Issuing. The CA stays, and connhook serves the new one."""
        before = self.serial()
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        issuing = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "lastTransitionTime": now,
                   "message": "Certificate re-issuance manually triggered"}
        self.kubectl("patch", "certificate", "connhook", "--subresource=status", "--type=json", "-p", json.dumps(
            [{"op": "add", "path": "/status/conditions/-", "value": issuing}]))
        wait_for(lambda: self.serial() != before, SETTLE_SECONDS, "cert-manager has made another certificate")
        issued.identity()       # the kubelet's part
        with open(os.path.join(issued.certificates, "tls.crt"), encoding="ascii") as file:
            wait_for(lambda text=file.read(): served(issued) in text.replace("\n", ""), SETTLE_SECONDS,
                     "connhook serves it")
        self.assertEqual(self.bundles(), [authority] * 2)
        self.apply(workload(image=NEW_IMAGE))
        self.assert_injected(self.get(), image=NEW_IMAGE)


def served(hook):
    """The certificate that it shows, as in a PEM file without line ends."""
    text = scenarios.ssl.get_server_certificate(("127.0.0.1", hook.ports[0][0]))
    return "".join(text.split("-----")[2].split())


# --- policies of others

def policy(request):
    """Limits where a container has none, and a label: as Kyverno's autogen writes such a policy into Pod templates."""
    template = request["object"]["spec"]["template"]
    patch = [{"op": "add", "path": "/spec/template/spec/%s/%d/resources" % (field, index),
              "value": dict(container.get("resources") or {}, **LIMITS)}
             for field in ("initContainers", "containers")
             for index, container in enumerate(template["spec"].get(field, []))
             if "limits" not in (container.get("resources") or {})]
    if "team" not in template["metadata"]["labels"]:
        patch.append({"op": "add", "path": "/spec/template/metadata/labels/team", "value": TEAM["team"]})
    return patch


# The same natively, and a pull policy. It runs before all webhooks, and again after one has changed the object.
POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: neighbour}
spec:
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
    objectSelector: {matchLabels: {e2e/policy: "true"}}
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >
        Object{spec: Object.spec{template: Object.spec.template{
          metadata: Object.spec.template.metadata{labels: {"team": "payments"}},
          spec: Object.spec.template.spec{
            initContainers: (has(object.spec.template.spec.initContainers) ?
              object.spec.template.spec.initContainers : []).map(c,
                Object.spec.template.spec.initContainers{name: c.name, imagePullPolicy: "Always"}),
            containers: object.spec.template.spec.containers.map(c,
              Object.spec.template.spec.containers{name: c.name, imagePullPolicy: "Always"})}}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: neighbour}
spec: {policyName: neighbour}
"""


class Policies(Base):

    def life(self, label):
        """Made, looked at, changed, made plain again. `label` makes the neighbour look at it."""
        manifest = workload(labels={label: "true"})
        self.apply(manifest)
        first = self.assert_stable(manifest)
        self.assert_injected(first)
        self.assertEqual(template_of(first)["metadata"]["labels"]["team"], TEAM["team"])
        self.apply(with_image(manifest, NEW_IMAGE))
        second = self.assert_stable(with_image(manifest, NEW_IMAGE))
        self.assert_injected(second, image=NEW_IMAGE)
        plain = workload(bindings=None, migrate=None, labels={label: "true"})
        self.apply(plain)
        third = self.assert_stable(plain)
        self.assert_plain(third)
        return first, second, third

    def webhook(self, configuration):
        other = Webhook(CLUSTER, configuration, policy)
        self.addCleanup(other.close)
        other.register()
        first, second, third = self.life("e2e/other")
        for thing in (first, second, third):
            for container in pod_of(thing)["containers"] + pod_of(thing).get("initContainers", []):
                self.assertEqual(container["resources"]["limits"], LIMITS["limits"], container["name"])
        self.assertEqual(migration_of(first)["resources"]["requests"], {"cpu": "100m", "memory": "128Mi"})

    def test_limits_and_a_label_before_connhook(self):
        self.webhook("aaa-kyverno")

    def test_limits_and_a_label_after_connhook(self):
        self.webhook("kyverno-resource-mutating-webhook-cfg")

    def test_a_mutating_admission_policy(self):
        if CLUSTER.version < (1, 36):
            self.skipTest("MutatingAdmissionPolicy is there from Kubernetes 1.36 on")
        CLUSTER.apply(POLICY)
        self.addCleanup(CLUSTER.kubectl, "delete", "-f", "-", input=POLICY)
        path = "/apis/apps/v1/namespaces/%s/deployments?dryRun=All" % self.namespace
        probe = workload(bindings=None, migrate=None, labels={"e2e/policy": "true"})

        def in_force():
            made = CLUSTER.request("POST", path, probe, expect=201)[1]
            return "team" in template_of(made)["metadata"]["labels"]
        wait_for(in_force, SETTLE_SECONDS, "the policy is in force")
        for thing in self.life("e2e/policy"):
            for container in pod_of(thing)["containers"] + pod_of(thing).get("initContainers", []):
                self.assertEqual(container["imagePullPolicy"], "Always", container["name"])


# --- who scales, and who applies

class Managers(Base):

    def test_a_scaled_object(self):
        """What KEDA writes to its target: the replicas, through the scale subresource, from 0 and to 0."""
        manifest = workload()
        del manifest["spec"]["replicas"]
        scaled = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "shop"},
                  "spec": {"scaleTargetRef": {"name": "shop"}, "minReplicaCount": 0,
                           "triggers": [{"type": "nats-jetstream", "metadata": {"stream": "SHOP"}}]}}
        self.apply([manifest, scaled])
        first = self.get()
        self.assert_injected(first)
        for number, replicas in enumerate((0, 1, 4, 0), 1):
            self.patch(manifest, {"spec": {"replicas": replicas}}, scale=True, expect=200)
            after = self.get()
            self.assertEqual((after["spec"]["replicas"], template_of(after)), (replicas, template_of(first)))
            self.assert_generation(after, 1 + number)
        self.assert_stable(manifest)

    def patch(self, manifest, body, scale=False, **options):
        path = self.path(manifest, named=True) + ("/scale" if scale else "")
        return CLUSTER.request("PATCH", path, body, content_type="application/merge-patch+json", **options)

    def test_two_managers(self):
        """Server-side apply of the whole by one, and of limits and a variable by another: each as often as it likes."""
        whole = workload()
        part = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": {
            "template": {"spec": {"containers": [{"name": "shop", "resources": LIMITS,
                                                  "env": [{"name": "LOG_LEVEL", "value": "debug"}]}]}}}}

        def first(*more):
            return self.apply(whole, "--server-side", "--field-manager=first", *more)

        def second(*more):
            return self.apply(part, "--server-side", "--field-manager=second", "--validate=false", *more)
        first()
        second()
        settled = self.get()
        self.assert_injected(settled)
        self.assertEqual(container_of(settled)["resources"], LIMITS)
        self.assertEqual(migration_of(settled)["env"], container_of(settled)["env"])
        for _ in range(3):
            first()
            second()
        self.assert_quiet(("Deployment", "shop", self.namespace))
        after = self.get()
        self.assertEqual(after["spec"], settled["spec"])
        self.assertEqual(after["metadata"]["resourceVersion"], settled["metadata"]["resourceVersion"])
        # The first one no longer asks for jwt, and the second withdraws: what was theirs goes, and nothing else.
        whole = workload(bindings="db")
        first()
        part["spec"]["template"]["spec"]["containers"] = [{"name": "shop", "resources": LIMITS}]
        second()
        last = self.get()
        self.assertEqual(secrets_of(container_of(last)), ["shop-db"])
        self.assertEqual((container_of(last).get("env"), migration_of(last).get("env")), (None, None))
        self.assertEqual(container_of(last)["resources"], LIMITS)


def main():
    global CLUSTER, HOOK
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "connhook"), help="the connhook to test")
    parser.add_argument("tests", nargs="*", help="Class or Class.test; default: all")
    options = parser.parse_args()
    try:
        if not binaries.has_controllers():
            print("skipped: the neighbours need a current Kubernetes")
            return 0
        with Cluster(controllers=["namespace-controller"]) as CLUSTER:
            scenarios.CLUSTER = CLUSTER
            CLUSTER.kubectl("apply", "-f", os.path.join(FIXTURES, "crds.yaml"))
            CLUSTER.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
            HOOK = scenarios.HOOK = Connhook(CLUSTER, options.program)
            HOOK.start()
            try:
                HOOK.register(HOOK.configurations())
                suite = unittest.defaultTestLoader.loadTestsFromNames(options.tests, sys.modules[__name__]) \
                    if options.tests else unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
                result = unittest.TextTestRunner(verbosity=2).run(suite)
                CLUSTER.keep_logs = not result.wasSuccessful()
            finally:
                HOOK.close()
    except (binaries.BuildError, ClusterError) as error:
        print("e2e: %s" % error, file=sys.stderr)
        return 1
    return scenarios.report(result)


if __name__ == "__main__":
    sys.exit(main())
