#!/usr/bin/python3
"""connhook against a real API server: what users do with kubectl, and what has to come of it.

    tests/e2e/scenarios.py --program build/connhook              all scenarios
    tests/e2e/scenarios.py --program build/connhook Scenarios.test_01_second_apply_changes_nothing

One cluster and one connhook serve all tests; each test has a fresh namespace. Prints `N passed, N failed`.
"""

import argparse
import copy
import json
import os
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest

import yaml

import binaries
from cluster import CLIENT_NAME, Cluster, ClusterError, read_tail, to_yaml, wait_for
from webhook import MIRROR, PROBE_MUTATE, Connhook, Webhook, mirror_and_mesh, sum_metric

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "fixtures")
ROOT = os.path.dirname(os.path.dirname(HERE))

PREFIX = "inject.zerotouch.io/"
STATUS = PREFIX + "status"
RELOADER = "secret.reloader.stakater.com/reload"
IMAGE = "ghcr.io/bizmatters/shop:v1"
NEW_IMAGE = "ghcr.io/bizmatters/shop:v2"
SIDECAR_IMAGE = "registry.test/sidecar:v1"
MANY = 500
CLIENTS = 4
MANY_SECONDS = 300
NOTICE_SECONDS = 30

# A container that Pod Security "restricted" admits.
RESTRICTED = {"runAsNonRoot": True, "runAsUser": 1000, "allowPrivilegeEscalation": False,
              "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
              "readOnlyRootFilesystem": True}

CLUSTER = None      # set by main
HOOK = None


# --- objects

def pod_template(name="shop", image=IMAGE, container=None, **spec):
    app = {"name": name, "image": image}
    app.update(container or {})
    spec = dict({"containers": [app]}, **copy.deepcopy(spec))
    return {"metadata": {"labels": {"app.kubernetes.io/name": name}}, "spec": spec}


def workload(kind="Deployment", name="shop", bindings="db,jwt", migrate="npm run migrate", annotations=None,
             labels=None, image=IMAGE, container=None, **pod_spec):
    """A workload of the kind, with connhook's annotations on its metadata."""
    notes = dict({PREFIX + "bindings": bindings} if bindings else {}, **(annotations or {}))
    if migrate:
        notes[PREFIX + "migrate"] = migrate
    template = pod_template(name, image, container, **pod_spec)
    selector = {"matchLabels": {"app.kubernetes.io/name": name}}
    metadata = {"name": name, "labels": dict({"app.kubernetes.io/name": name}, **(labels or {}))}
    if notes:
        metadata["annotations"] = notes
    if kind in ("Job", "CronJob"):
        template["spec"]["restartPolicy"] = "Never"
    batch = "batch/v1" if CLUSTER.version >= (1, 21) else "batch/v1beta1"
    versions = {"Job": "batch/v1", "CronJob": batch, "Rollout": "argoproj.io/v1alpha1"}
    spec = {
        "Deployment": {"replicas": 1, "selector": selector, "template": template},
        "ReplicaSet": {"replicas": 1, "selector": selector, "template": template},
        "Rollout": {"replicas": 1, "selector": selector, "template": template, "strategy": {"canary": {}}},
        "StatefulSet": {"replicas": 1, "serviceName": name, "selector": selector, "template": template},
        "DaemonSet": {"selector": selector, "template": template},
        "Job": {"template": template},
        "CronJob": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}},
    }[kind]
    return {"apiVersion": versions.get(kind, "apps/v1"), "kind": kind, "metadata": metadata, "spec": spec}


def claim(name="shop-cache", kind="DragonflyInstance", group="cache.bizmatters.io", **spec):
    return {"apiVersion": group + "/v1alpha1", "kind": kind, "metadata": {"name": name},
            "spec": dict({"size": "small"}, **spec)}


def external_secret(name="shop-db", key="/zerotouch/dev/shop/database_url", target=None):
    return {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": name},
            "spec": {"secretStoreRef": {"name": "aws-parameter-store", "kind": "ClusterSecretStore"},
                     "target": {"name": target or name},
                     "data": [{"secretKey": "DATABASE_URL", "remoteRef": {"key": key}}]}}


def with_image(manifest, image):
    changed = copy.deepcopy(manifest)
    template_of(changed)["spec"]["containers"][0]["image"] = image
    return changed


def template_of(thing):
    spec = thing["spec"]
    return spec["jobTemplate"]["spec"]["template"] if thing["kind"] == "CronJob" else spec["template"]


def pod_of(thing):
    return template_of(thing)["spec"]


def container_of(thing, name="shop"):
    found = [each for each in pod_of(thing)["containers"] if each["name"] == name]
    return found[0] if found else None


def migration_of(thing):
    found = [each for each in pod_of(thing).get("initContainers", []) if each["name"] == "run-migrations"]
    return found[0] if found else None


def secrets_of(container):
    """The Secrets of the container's envFrom, in their order."""
    return [source["secretRef"]["name"] for source in container.get("envFrom", []) if "secretRef" in source]


def denial_of(answer):
    """(code, message, {field: message}) of a refused request."""
    causes = (answer.get("details") or {}).get("causes") or []
    return answer["code"], answer["message"], [(cause.get("field"), cause.get("message")) for cause in causes]


class Base(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        words = self.id().rsplit(".", 1)[1].split("_")[1:]
        self.namespace = ("t%s-%d" % ("-".join(words), time.monotonic_ns() % 1000000))[:63].strip("-")
        CLUSTER.create_namespace(self.namespace)

    # --- what the tests do

    def kubectl(self, *args, **options):
        return CLUSTER.kubectl(*args, "--namespace", self.namespace, **options)

    def apply(self, manifest, *args, **options):
        return self.kubectl("apply", "-f", "-", *args, input=to_yaml(manifest), **options)

    def get(self, kind="Deployment", name="shop"):
        return CLUSTER.get_json(kind, name, self.namespace)

    def absent(self, kind, name):
        self.assertEqual(self.kubectl("get", kind, name, "--ignore-not-found", "-o", "name").out, "")

    def path(self, manifest, named=False):
        group_version = manifest["apiVersion"]
        root = "/api/" if "/" not in group_version else "/apis/"
        path = "%s%s/namespaces/%s/%ss" % (root, group_version, self.namespace, manifest["kind"].lower())
        return path + "/" + manifest["metadata"]["name"] if named else path

    def post(self, manifest, query="", **options):
        """Creates the object with one plain request. Returns (status, answer, headers)."""
        return CLUSTER.request("POST", self.path(manifest) + query, manifest, **options)

    def patch(self, manifest, body, content_type="application/merge-patch+json", **options):
        return CLUSTER.request("PATCH", self.path(manifest, named=True), body, content_type=content_type, **options)

    # --- what has to hold

    def assert_injected(self, thing, secrets=("shop-db", "shop-jwt"), image=IMAGE, name="shop"):
        """The app and the migration container have the Secrets first in envFrom, and the same image."""
        app, migration = container_of(thing, name), migration_of(thing)
        self.assertEqual(app["image"], image)
        self.assertEqual(secrets_of(app)[:len(secrets)], list(secrets))
        self.assertIsNotNone(migration, "no run-migrations in %s" % pod_of(thing).get("initContainers"))
        self.assertEqual(migration["image"], image)
        self.assertEqual(migration.get("envFrom"), app.get("envFrom"))
        status = thing["metadata"]["annotations"][STATUS]
        self.assertEqual(json.dumps(json.loads(status), separators=(",", ":"), ensure_ascii=False), status)
        self.assertNotIn(STATUS, template_of(thing)["metadata"].get("annotations", {}))

    def assert_plain(self, thing):
        """Nothing that connhook injects."""
        self.assertNotIn("envFrom", container_of(thing))
        self.assertNotIn("initContainers", pod_of(thing))
        self.assertNotIn("imagePullSecrets", pod_of(thing))
        self.assertNotIn(STATUS, thing["metadata"].get("annotations", {}))
        self.assertNotIn(RELOADER, thing["metadata"].get("annotations", {}))

    def assert_generation(self, thing, generation):
        self.assertEqual(thing["metadata"]["generation"], generation)


class Scenarios(Base):

    # --- 1 to 3: apply, dry run, diff

    def test_01_second_apply_changes_nothing(self):
        with open(os.path.join(FIXTURES, "identity-service.yaml"), encoding="utf-8") as file:
            manifest = file.read().replace("platform-identity", self.namespace)
        self.apply(manifest)
        first = self.get("Deployment", "identity-service")
        self.assert_injected(first, ("identity-service-db", "identity-cache-conn", "identity-service-jwt"),
                             "ghcr.io/bizmatters/identity-service:v1.0.0", "identity-service")
        self.assertEqual(migration_of(first)["command"], ["/bin/sh", "-c", "npm run migrate"])
        self.assertEqual(pod_of(first)["imagePullSecrets"], [{"name": "ghcr-pull-secret"}])
        self.assertEqual(set(first["metadata"]["annotations"][RELOADER].split(",")),
                         {"identity-service-db", "identity-cache-conn", "identity-service-jwt"})
        self.assert_generation(first, 1)
        again = self.apply(manifest)
        self.assertNotIn("configured", again.out)
        self.assertEqual(self.get("Deployment", "identity-service"), first)
        # kubectl sends no request when it sees no difference. Sent all the same, the object stays as it is.
        self.patch(first, {"metadata": {"labels": {"touched": "yes"}}}, expect=200)
        touched = self.get("Deployment", "identity-service")
        self.assert_generation(touched, 1)
        self.assertEqual(touched["spec"], first["spec"])

    def test_01b_apply_with_the_kubectl_on_path(self):
        arguments = ("apply", "--namespace", self.namespace, "-f", "-")
        if CLUSTER.kubectl_system(*arguments, input=to_yaml(workload())) is None:
            self.skipTest("no kubectl on PATH")
        first = self.get()
        self.assert_injected(first)
        CLUSTER.kubectl_system(*arguments, input=to_yaml(workload()))
        self.assertEqual(self.get(), first)
        CLUSTER.kubectl_system(*arguments, input=to_yaml(workload(image=NEW_IMAGE)))
        second = self.get()
        self.assert_injected(second, image=NEW_IMAGE)
        self.assert_generation(second, 2)

    def test_02_dry_run_shows_and_stores_nothing(self):
        shown = yaml.safe_load(self.apply(workload(), "--dry-run=server", "-o", "yaml").out)
        self.assert_injected(shown)
        self.absent("Deployment", "shop")
        self.apply(workload())
        before = self.get()
        shown = yaml.safe_load(self.apply(workload(image=NEW_IMAGE), "--dry-run=server", "-o", "yaml").out)
        self.assert_injected(shown, image=NEW_IMAGE)
        self.assertEqual(self.get(), before)

    def test_03_diff(self):
        new = self.kubectl("diff", "-f", "-", input=to_yaml(workload()), check=False)
        self.assertEqual(new.status, 1, new)
        self.assertRegex(new.out, r"(?m)^\+.*run-migrations")
        self.assertRegex(new.out, r"(?m)^\+.*shop-db")
        self.absent("Deployment", "shop")
        self.apply(workload())
        same = self.kubectl("diff", "-f", "-", input=to_yaml(workload()), check=False)
        self.assertEqual((same.status, same.out), (0, ""), same)
        changed = self.kubectl("diff", "-f", "-", input=to_yaml(workload(image=NEW_IMAGE)), check=False)
        self.assertEqual(changed.status, 1, changed)
        images = re.findall(r"(?m)^\+ +(?:- )?image: " + re.escape(NEW_IMAGE), changed.out)
        self.assertEqual(len(images), 2, changed.out)

    # --- 4: a new image, by every road

    def new_image(self, name, change, create=None):
        """Creates a Deployment, changes its image with `change(manifest)`, and checks both containers."""
        with self.subTest(name):
            old = workload(name=name, migrate="npm run migrate")
            (create or self.apply)(old)
            before = self.get(name=name)
            self.assert_injected(before, (name + "-db", name + "-jwt"), IMAGE, name)
            self.assert_generation(before, 1)
            change(with_image(old, NEW_IMAGE))
            after = self.get(name=name)
            self.assert_injected(after, (name + "-db", name + "-jwt"), NEW_IMAGE, name)
            self.assert_generation(after, 2)

    def test_04_new_image(self):
        def server_side(manifest):
            return self.apply(manifest, "--server-side")

        def edit(manifest):
            script = CLUSTER.path("edit.py")
            with open(script, "w", encoding="utf-8") as file:
                file.write("import sys, yaml\n"
                           "thing = yaml.safe_load(open(sys.argv[1]))\n"
                           "thing['spec']['template']['spec']['containers'][0]['image'] = '%s'\n"
                           "yaml.safe_dump(thing, open(sys.argv[1], 'w'))\n" % NEW_IMAGE)
            self.kubectl("edit", "deployment", manifest["metadata"]["name"],
                         extra_environment={"KUBE_EDITOR": "/usr/bin/python3 " + shlex.quote(script)})

        def patch_with(kind, body):
            return lambda manifest: self.kubectl("patch", "deployment", manifest["metadata"]["name"], "--type", kind,
                                                 "--patch", json.dumps(body(manifest)))

        self.new_image("apply", self.apply)
        self.new_image("server-side", server_side, create=server_side)
        self.new_image("set-image", lambda manifest: self.kubectl("set", "image", "deployment/set-image",
                                                                  "set-image=" + NEW_IMAGE))
        self.new_image("replace", lambda manifest: self.kubectl("replace", "-f", "-", input=to_yaml(manifest)))
        self.new_image("edit", edit)
        self.new_image("strategic", patch_with("strategic", lambda manifest: {
            "spec": {"template": {"spec": {"containers": [{"name": "strategic", "image": NEW_IMAGE}]}}}}))
        # A merge patch replaces the list of containers, and what connhook injected into it.
        self.new_image("merge", patch_with("merge", lambda manifest: {
            "spec": {"template": {"spec": {"containers": pod_of(manifest)["containers"]}}}}))
        self.new_image("json", patch_with("json", lambda manifest: [
            {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": NEW_IMAGE}]))

    # --- 5 and 6: what must not change anything

    def test_05_server_side_apply(self):
        self.apply(workload(), "--server-side", "--field-manager=first")
        first = self.get()
        self.assert_injected(first)
        self.assert_generation(first, 1)
        self.apply(workload(), "--server-side", "--field-manager=first")
        second = self.get()
        self.assertEqual(second["spec"], first["spec"])
        self.assert_generation(second, 1)

        identity = {key: workload()[key] for key in ("apiVersion", "kind")}
        label = dict(identity, metadata={"name": "shop", "labels": {"team": "payments"}})
        self.apply(label, "--server-side", "--field-manager=second")
        labelled = self.get()
        self.assertEqual(labelled["metadata"]["labels"]["team"], "payments")
        self.assertEqual(labelled["spec"], first["spec"])
        self.assert_generation(labelled, 1)

        variable = {"name": "LOG_LEVEL", "value": "debug"}
        more = dict(identity, metadata={"name": "shop"}, spec={"template": {"spec": {
            "containers": [{"name": "shop", "env": [variable]}]}}})
        # Not a whole Deployment: with an API server before 1.25 kubectl itself would refuse it.
        self.apply(more, "--server-side", "--field-manager=second", "--validate=false")
        third = self.get()
        self.assert_injected(third)
        self.assertEqual(container_of(third)["env"], [variable])
        self.assertEqual(migration_of(third)["env"], [variable])
        self.assert_generation(third, 2)
        self.apply(workload(), "--server-side", "--field-manager=first")
        self.assertEqual(self.get()["spec"], third["spec"])

    def test_06_scale_label_annotate_restart(self):
        self.apply([workload(), workload(name="control", bindings=None, migrate=None)])
        first = self.get()
        self.assert_injected(first)
        for command in ("label {} tier=web", "annotate {} note=read", "scale {} --replicas=3", "rollout restart {}"):
            with self.subTest(command):
                growth = {}
                for name in ("shop", "control"):
                    before = self.get(name=name)["metadata"]["generation"]
                    self.kubectl(*command.format("deployment/" + name).split())
                    growth[name] = self.get(name=name)["metadata"]["generation"] - before
                after = self.get()
                self.assertEqual(growth["shop"], growth["control"])
                self.assertEqual(pod_of(after), pod_of(first))
                self.assertEqual(after["metadata"]["annotations"][STATUS], first["metadata"]["annotations"][STATUS])
        self.patch(first, {"spec": {"replicas": 4}}, expect=200)
        self.assertEqual(pod_of(self.get()), pod_of(first))

    # --- 7: stale entries

    def test_07_changed_bindings(self):
        container = {"env": [{"name": "NODE_ENV", "value": "production"}],
                     "envFrom": [{"configMapRef": {"name": "own"}}]}
        options = {"container": container, "initContainers": [{"name": "own-init", "image": SIDECAR_IMAGE}]}
        self.apply(workload(bindings=None, migrate=None, **options))
        pristine = self.get()
        own = {"configMapRef": {"name": "own"}}
        self.assertEqual(container_of(pristine)["envFrom"], [own])

        def step(name, manifest, secrets):
            with self.subTest(name):
                self.apply(manifest)
                thing = self.get()
                app = container_of(thing)
                injected = [{"secretRef": {"name": secret, "optional": False}} for secret in secrets]
                self.assertEqual(app["envFrom"], injected + [own])
                if secrets:
                    self.assertEqual(migration_of(thing)["envFrom"], app["envFrom"])
                    self.assertEqual([each["name"] for each in pod_of(thing)["initContainers"]],
                                     ["own-init", "run-migrations"])
                else:
                    self.assertEqual(thing["spec"], pristine["spec"])
                    self.assertNotIn(STATUS, thing["metadata"].get("annotations", {}))
                    self.assertNotIn(RELOADER, thing["metadata"].get("annotations", {}))

        off = {PREFIX + "inject": "false"}
        step("added", workload(**options), ["shop-db", "shop-jwt"])
        step("renamed", workload(bindings="db=other,jwt", **options), ["other", "shop-jwt"])
        step("dropped", workload(bindings="jwt", **options), ["shop-jwt"])
        step("opted out", workload(bindings="jwt", annotations=off, **options), [])
        step("in again", workload(bindings="db,jwt", **options), ["shop-db", "shop-jwt"])
        step("all annotations removed", workload(bindings=None, migrate=None, **options), [])

    def test_07b_migration_removed(self):
        self.apply(workload())
        self.assert_injected(self.get())
        self.apply(workload(migrate=None))
        thing = self.get()
        self.assertNotIn("initContainers", pod_of(thing))
        self.assertEqual(secrets_of(container_of(thing)), ["shop-db", "shop-jwt"])

    # --- 8: all kinds

    def test_08_kinds(self):
        for kind in ("StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Rollout"):
            with self.subTest(kind):
                manifest = workload(kind)
                self.apply(manifest)
                first = self.get(kind)
                self.assert_injected(first)
                self.apply(manifest)
                again = self.get(kind)
                self.assertEqual(again["spec"], first["spec"])
                self.assertEqual(again["metadata"].get("generation"), first["metadata"].get("generation"))
                if kind != "Job":
                    self.apply(with_image(manifest, NEW_IMAGE))
                    self.assert_injected(self.get(kind), image=NEW_IMAGE)

    def test_08b_running_job_is_left_alone(self):
        self.apply(workload("Job"))
        first = self.get("Job")
        self.assert_injected(first)
        self.kubectl("label", "job/shop", "tier=batch")
        self.kubectl("annotate", "--overwrite", "job/shop", PREFIX + "bindings=jwt")
        self.kubectl("patch", "job/shop", "--type=merge", "--patch", '{"spec":{"parallelism":0}}')
        after = self.get("Job")
        self.assertEqual(template_of(after), template_of(first))
        self.assertEqual(after["spec"]["parallelism"], 0)

    def test_08c_owned_replicaset_is_left_alone(self):
        self.apply(workload())
        owner = self.get()
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop", "uid": owner["metadata"]["uid"],
                     "controller": True}
        manifest = workload("ReplicaSet", name="owned")
        manifest["metadata"]["ownerReferences"] = [reference]
        created = self.post(manifest, expect=201)[1]
        self.assertNotIn("envFrom", container_of(created, "owned"))
        self.assertNotIn("initContainers", pod_of(created))

    # --- 9: denials and warnings

    def assert_denied(self, manifest, code, *fragments, fields=()):
        """kubectl shows every fragment; the API's answer has the code and, in its causes, the fields."""
        shown = self.apply(manifest, check=False)
        self.assertNotEqual(shown.status, 0, shown)
        for fragment in fragments:
            self.assertIn(fragment, shown.err)
        status, answer, _ = self.post(manifest)
        self.assertEqual(status, code, answer)
        code_in_body, message, causes = denial_of(answer)
        self.assertEqual(code_in_body, code)
        self.assertIn("denied the request", message)
        for fragment in fragments:
            self.assertIn(fragment, message)
        for field in fields:
            self.assertIn(field, [name for name, _ in causes])
        for _, text in causes:
            # kubectl prints the causes in place of the message when the reason is Invalid: both must tell all.
            self.assertIn(text, shown.err)
            self.assertIn(text, message)

    def test_09_bad_annotations_are_denied(self):
        bindings, note = PREFIX + "bindings", "metadata.annotations[%s]"
        cases = [
            (workload(annotations={PREFIX + "bindigns": "db"}), ["bindigns", "bindings", "migrate"],
             PREFIX + "bindigns"),
            (workload(bindings="db,chache"), [bindings, "chache", "cache", "jwt"], bindings),
            (workload(bindings="db,,jwt"), [bindings], bindings),
            (workload(bindings="db="), [bindings, "db="], bindings),
            (workload(bindings="db=Not_Valid"), ["Not_Valid"], bindings),
            (workload(migrate=" "), [PREFIX + "migrate"], PREFIX + "migrate"),
            (workload(migrate='["sh", 1]'), [PREFIX + "migrate"], PREFIX + "migrate"),
            (workload(annotations={PREFIX + "migrate-position": "middle"}),
             [PREFIX + "migrate-position", "middle", "first", "last"], PREFIX + "migrate-position"),
            (workload(annotations={PREFIX + "migrate-from": "absent"}), [PREFIX + "migrate-from", "absent", "shop"],
             PREFIX + "migrate-from"),
            (workload(annotations={PREFIX + "inject": "no"}), [PREFIX + "inject", "no", "false"], PREFIX + "inject"),
            (workload(annotations={PREFIX + "containers": "absent"}), [PREFIX + "containers", "absent", "shop"],
             PREFIX + "containers"),
        ]
        for manifest, fragments, annotation in cases:
            with self.subTest(manifest["metadata"]["annotations"]):
                self.assert_denied(manifest, 422, *fragments, fields=[note % annotation])
                self.absent("deployment", "shop")

    def test_09b_own_migration_container_is_never_touched(self):
        manifest = workload(initContainers=[{"name": "run-migrations", "image": SIDECAR_IMAGE}])
        self.assert_denied(manifest, 422, "run-migrations", fields=["spec.template.spec.initContainers[0].name"])

    def test_09c_rules_deny(self):
        reference = "spec.writeConnectionSecretToRef"
        cnpg = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "shop"},
                "spec": {"instances": 1}}
        service = {"apiVersion": "platform.bizmatters.io/v1alpha1", "kind": "WebService",
                   "metadata": {"name": "shop"}, "spec": {"image": IMAGE, "databaseName": "shop"}}
        cases = [
            (claim(connectionSecretName="wrong"), 422, ["wrong", "shop-cache-conn"], ["spec.connectionSecretName"]),
            (claim(group="database.bizmatters.io", writeConnectionSecretToRef={"name": "wrong"}), 422,
             ["wrong", "shop-cache-conn"], [reference + ".name"]),
            # All violations at once.
            (claim(connectionSecretName="one", writeConnectionSecretToRef={"name": "two", "namespace": "three"}), 422,
             ["one", "two", "three", "shop-cache-conn"],
             ["spec.connectionSecretName", reference + ".name", reference + ".namespace"]),
            (claim(name="shop-conn"), 422, ["shop-conn"], ["metadata.name"]),
            # The Service of that name could not be made.
            (claim(name="s" * 64), 422, ["63"], ["metadata.name"]),
            (claim(name="9shop"), 422, ["9shop"], ["metadata.name"]),
            (claim(name="shop-db", kind="PostgresInstance", group="database.bizmatters.io"), 403,
             ["PostgresInstance"], []),
            (cnpg, 403, ["Cluster"], []),
            (service, 403, ["databaseName"], ["spec.databaseName"]),
            (workload(bindings=None, migrate=None, image="postgres:16"), 403, ["postgres:16"],
             ["spec.template.spec.containers[0].image"]),
            (workload(bindings=None, migrate=None, image="registry.test:5000/library/mysql@sha256:" + "0" * 64), 403,
             ["mysql"], ["spec.template.spec.containers[0].image"]),
            (external_secret(key="/zerotouch/_ENV_/shop/database_url"), 422, ["_ENV_", "overlay"],
             ["spec.data[0].remoteRef.key"]),
            (external_secret(key="/zerotouch/dev/other/database_url"), 422, ["/zerotouch/dev/other/database_url"],
             ["spec.data[0].remoteRef.key"]),
            (external_secret(target="shop-conn"), 422, ["shop-conn"], ["spec.target.name"]),
            (workload(bindings=None, migrate=None, container={"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}),
             422, ["DB_PASSWORD"], ["spec.template.spec.containers[0].env[0].value"]),
        ]
        for manifest, code, fragments, fields in cases:
            with self.subTest(kind=manifest["kind"], fragments=fragments):
                self.assert_denied(manifest, code, *fragments, fields=fields)
                self.absent("%s.%s" % (manifest["kind"], manifest["apiVersion"].split("/")[0]),
                            manifest["metadata"]["name"])

    def test_09d_good_objects_are_allowed(self):
        name = "shop-cache"
        good = {"name": name + "-conn", "namespace": self.namespace}
        self.apply([claim(connectionSecretName=name + "-conn", writeConnectionSecretToRef=good), external_secret(),
                    workload(name="proxy", bindings=None, migrate=None, image="registry.test/postgres-exporter:1")])
        self.assertEqual(self.get("DragonflyInstance.cache.bizmatters.io", name)["spec"]["connectionSecretName"],
                         name + "-conn")

    def test_09e_warnings(self):
        variable = {"env": [{"name": "DATABASE_URL", "value": "postgres://$(HOST)/shop"}]}
        collision = self.apply(workload(container=variable))
        self.assertRegex(collision.err, r"Warning: .*DATABASE_URL")
        self.assertIn("shop-db", collision.err)
        mine = {"env": [{"name": "NATS_URL", "value": "nats://mine:4222"}]}
        skipped = self.apply(workload(name="bus", bindings="nats", migrate=None, container=mine))
        self.assertRegex(skipped.err, r"Warning: .*NATS_URL")
        self.assertEqual(container_of(self.get(name="bus"), "bus")["env"], mine["env"])
        quiet = self.apply(workload(name="quiet"))
        self.assertNotIn("Warning", quiet.err)

    def test_09f_audit_annotations(self):
        self.apply(workload())

        def annotations():
            return [event["annotations"] for event in CLUSTER.audit_events()
                    if event["objectRef"].get("namespace") == self.namespace and event["verb"] == "create"
                    and any("connhook" in key for key in event.get("annotations", {}))]
        found = wait_for(annotations, NOTICE_SECONDS, "the audit log has connhook's annotations")
        self.assertIn("db", " ".join(value for key, value in found[0].items() if "connhook" in key))

    # --- 10 and 11: older objects, exempt ones

    def test_10_objects_that_were_bad_before(self):
        bad_claim = claim(connectionSecretName="wrong")
        bad_claim["metadata"]["finalizers"] = ["e2e.test/hold"]
        bad_workload = workload(bindings="db,no-such", image="postgres:16")
        HOOK.unregister()
        self.addCleanup(HOOK.register, HOOK.configurations())
        self.apply([bad_claim, bad_workload])
        stored = self.get()
        HOOK.register(HOOK.configurations())

        for kind in ("dragonflyinstance.cache.bizmatters.io/shop-cache", "deployment/shop"):
            with self.subTest("label " + kind):
                labelled = self.kubectl("label", kind, "tier=old")
                self.assertIn("Warning: ", labelled.err)
        self.assertEqual(self.get()["spec"], stored["spec"])
        with self.subTest("another bad value"):
            changed = self.patch(bad_claim, {"spec": {"connectionSecretName": "worse"}})
            self.assertEqual(changed[0], 422, changed[1])
            changed = self.patch(bad_workload, {"metadata": {"annotations": {PREFIX + "bindings": "db,worse"}}})
            self.assertEqual(changed[0], 422, changed[1])
        with self.subTest("repaired"):
            self.patch(bad_workload, [
                {"op": "replace", "path": "/metadata/annotations/inject.zerotouch.io~1bindings", "value": "db,jwt"},
                {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": IMAGE}],
                "application/json-patch+json", expect=200)
            self.assert_injected(self.get())
        with self.subTest("deleted, finalizer removed"):
            self.kubectl("delete", "dragonflyinstance.cache.bizmatters.io/shop-cache", "--wait=false")
            self.assertIn("deletionTimestamp",
                          self.get("dragonflyinstance.cache.bizmatters.io", "shop-cache")["metadata"])
            self.patch(bad_claim, {"metadata": {"finalizers": None}}, expect=200)
            self.absent("dragonflyinstance.cache.bizmatters.io", "shop-cache")
            self.kubectl("delete", "deployment/shop")

    def test_11_exempt_namespace(self):
        for namespace in ("kube-system", "crossplane-system"):
            with self.subTest(namespace):
                if namespace != "kube-system":
                    CLUSTER.create_namespace(namespace)
                self.namespace = namespace
                self.apply(workload())
                self.addCleanup(CLUSTER.kubectl, "delete", "deployment", "shop", "--namespace", namespace)
                self.assert_plain(self.get())
                self.apply(claim(kind="PostgresInstance", group="database.bizmatters.io"))

    def test_11b_deployment_controller(self):
        def revision(number):
            """What the Deployment controller does: a PUT with its annotation."""
            thing = CLUSTER.request("GET", self.path(workload(), named=True), expect=200)[1]
            thing["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = str(number)
            return CLUSTER.request("PUT", self.path(workload(), named=True), thing, user="deployment-controller",
                                   expect=200)[1]
        self.apply(workload())
        first = self.get()
        skipped = HOOK.metric_sum("connhook_skipped_total")
        after = revision(1)
        self.assertEqual(after["spec"], first["spec"])
        # A Deployment's generation counts changed annotations too, with or without connhook.
        self.assert_generation(after, 2)
        if CLUSTER.version < (1, 30):
            self.assertGreater(HOOK.metric_sum("connhook_skipped_total"), skipped)
        else:   # matchConditions spare it: connhook may be down
            self.assertEqual(HOOK.metric_sum("connhook_skipped_total"), skipped)
        # Of an object that connhook has not seen yet, the controller's update changes nothing, and is allowed.
        self.kubectl("delete", "deployment/shop")
        HOOK.unregister()
        self.addCleanup(HOOK.register, HOOK.configurations())
        self.apply(workload())
        HOOK.register(HOOK.configurations())
        after = revision(2)
        self.assert_plain(after)

    def test_11c_tenant(self):
        self.apply(workload(), user="tenant")
        self.assert_injected(self.get())

    # --- 12: connhook down

    def test_12_connhook_down(self):
        HOOK.stop()
        self.addCleanup(HOOK.start)
        refused = self.apply(workload(), check=False)
        self.assertNotEqual(refused.status, 0)
        self.assertIn("failed calling webhook", refused.err)
        self.assertIn("validate", refused.err)     # mutating failed open, validating closed
        self.absent("deployment", "shop")
        self.kubectl("create", "configmap", "unrelated")
        namespace, self.namespace = self.namespace, "kube-system"
        self.apply(workload())
        self.kubectl("delete", "deployment", "shop")
        self.namespace = namespace
        HOOK.start()
        self.apply(workload())
        self.assert_injected(self.get())

    def test_12b_validation_is_the_backstop(self):
        # Only the mutating call is missing: a workload without its database is not admitted.
        name, probe = "mutatingwebhookconfiguration/connhook", workload(name="probe")
        CLUSTER.kubectl("delete", name)
        self.addCleanup(HOOK.register, HOOK.configurations())
        wait_for(lambda: self.post(probe, "?dryRun=All")[0] != 201, NOTICE_SECONDS, "the mutating call is gone")
        refused = self.apply(workload(), check=False)
        self.assertNotEqual(refused.status, 0)
        self.assertNotIn("failed calling webhook", refused.err)
        self.assertIn("shop-db", refused.err)
        self.assertIn("run-migrations", refused.err)
        self.apply(workload(name="free", bindings=None, migrate=None))

    # --- 13: another webhook

    def other_webhook(self, configuration):
        other = Webhook(CLUSTER, configuration, mirror_and_mesh)
        self.addCleanup(other.close)
        other.register()
        labels = {"e2e/other": "true"}
        for name, image in (("created", IMAGE), ("new image", NEW_IMAGE)):
            with self.subTest(name):
                self.apply(workload(labels=labels, image=image))
                thing = self.get()
                self.assert_injected(thing, image=MIRROR + image)
                self.assertEqual([each["name"] for each in pod_of(thing)["containers"]], ["istio-proxy", "shop"])
                self.assertNotIn("envFrom", container_of(thing, "istio-proxy"))
        before = self.get()
        with self.subTest("no fight"):
            self.kubectl("label", "deployment/shop", "tier=web")
            self.apply(workload(labels=labels, image=NEW_IMAGE))
            self.patch(before, {"metadata": {"labels": {"tier": "worker"}}}, expect=200)
            after = self.get()
            self.assertEqual(after["spec"]["template"], before["spec"]["template"])

    def test_13_other_webhook_before(self):
        self.other_webhook("aaa-other")

    def test_13b_other_webhook_after(self):
        self.other_webhook("zzz-other")

    # --- 14: Pod Security

    def test_14_restricted_security_context(self):
        mounts = [{"name": "tmp", "mountPath": "/tmp"}]
        manifest = workload(container={"securityContext": RESTRICTED, "volumeMounts": mounts, "workingDir": "/app"},
                            volumes=[{"name": "tmp", "emptyDir": {}}],
                            securityContext={"runAsNonRoot": True, "fsGroup": 1000})
        self.apply(manifest)
        thing = self.get()
        self.assert_injected(thing)
        app, migration = container_of(thing), migration_of(thing)
        self.assertEqual(migration["securityContext"], RESTRICTED)
        for field in ("securityContext", "volumeMounts", "workingDir", "imagePullPolicy"):
            self.assertEqual(migration[field], app[field], field)
        self.assertEqual(migration["resources"], {"requests": {"cpu": "100m", "memory": "128Mi"}})

    # --- 16: the API server's own view

    def test_16_latency_as_the_api_server_sees_it(self):
        for index in range(20):
            self.post(workload(name="shop%d" % index), expect=201)
        metrics = CLUSTER.metrics()
        name = "apiserver_admission_webhook_admission_duration_seconds"
        for kind, part in (("admit", "mutate"), ("validating", "validate")):
            webhooks = sorted(set(re.findall(name + r'_count\{name="([^"]*%s[^"]*)"' % part, metrics)))
            self.assertTrue(webhooks, "no series of %s for %s" % (name, part))
            for webhook in webhooks:
                count = sum_metric(metrics, name + "_count", name=webhook, type=kind, rejected="false")
                seconds = sum_metric(metrics, name + "_sum", name=webhook, type=kind, rejected="false")
                quick = sum_metric(metrics, name + "_bucket", name=webhook, type=kind, rejected="false", le="0.005")
                self.assertGreater(count, 0)
                print("measured: %s: %d calls, mean %.2f ms, %.1f %% within 5 ms" %
                      (webhook, count, 1000 * seconds / count, 100 * quick / count), file=sys.stderr)


class TwoInstances(Base):
    """15: two servers behind one URL; one goes while 500 Deployments are applied."""

    def setUp(self):
        super().setUp()
        self.files = []     # what apply_many applied, as arguments for kubectl
        self.pair = Connhook(CLUSTER, HOOK.program, instances=2, name=self.namespace)
        self.addCleanup(self.pair.close)
        self.addCleanup(HOOK.register, HOOK.configurations())
        self.pair.start()
        self.pair.register(self.pair.configurations(), is_effective=self.both_are_called)

    def both_are_called(self):
        """The API server keeps its connections, so only load brings both into use: here one call of each kind."""
        self.post(workload(name="probe"), "?dryRun=All", expect=(201, 422))
        calls = "connhook_admission_requests_total"
        return all(sum(self.pair.metric_sum(calls, index, webhook=webhook) for index in (0, 1))
                   for webhook in ("mutate", "validate"))

    def deployments(self):
        path = "/apis/apps/v1/namespaces/%s/deployments" % self.namespace
        return CLUSTER.request("GET", path, expect=200)[1]["items"]

    def apply_many(self, loss):
        """Applies MANY Deployments with several kubectl at once, calls `loss` when a quarter is stored, and returns
        what they wrote to standard error."""
        share = MANY // CLIENTS
        begin = time.monotonic()
        running = []
        for client in range(CLIENTS):
            path = CLUSTER.path("%s-%d.yaml" % (self.namespace, client))
            with open(path, "w", encoding="utf-8") as file:
                file.write(to_yaml([workload(name="shop%03d" % (client * share + index)) for index in range(share)]))
            self.files += ["-f", path]
            command = [CLUSTER.programs["kubectl"], "apply", "--namespace", self.namespace, "-f", path]
            process = subprocess.Popen(command, env=CLUSTER.environment(), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            running.append(process)
        wait_for(lambda: len(self.deployments()) >= MANY // 4, MANY_SECONDS, "a quarter of the Deployments is stored")
        self.assertTrue(any(process.poll() is None for process in running), "all were applied before the loss")
        loss()
        err = "".join(process.communicate(timeout=MANY_SECONDS)[1] for process in running)
        print("measured: %d Deployments applied in %.1f s" % (MANY, time.monotonic() - begin), file=sys.stderr)
        self.assertEqual(any(process.returncode for process in running), bool(err), err)
        return err

    def assert_all_injected(self, expected):
        stored = self.deployments()
        self.assertEqual(len(stored), expected)
        for thing in stored:
            thing.update(apiVersion="apps/v1", kind="Deployment")
            name = thing["metadata"]["name"]
            self.assert_injected(thing, (name + "-db", name + "-jwt"), name=name)

    def test_15_one_instance_killed(self):
        err = self.apply_many(lambda: self.pair.signal(signal.SIGKILL, 0))
        self.pair.wait(0)
        refused = MANY - len(self.deployments())
        print("measured: %d of %d requests were refused when an instance was killed" % (refused, MANY), file=sys.stderr)
        # The policy: without an answer to the validating call nothing is stored, and the one who asked is told.
        told = re.findall("failed calling webhook|denied the request|is invalid", err)
        self.assertEqual(len(told), refused, err)
        self.assert_all_injected(MANY - refused)
        self.kubectl("apply", *self.files)
        self.assert_all_injected(MANY)

    def test_15b_one_instance_drained(self):
        def drain():
            self.pair.signal(signal.SIGTERM, 0)
            # As in a cluster: it says that it is going, still takes connections, and only then gets no more.
            wait_for(lambda: self.pair.admin("/readyz", 0)[0] == 503, NOTICE_SECONDS, "/readyz fails while draining")
            port = self.pair.ports[0][0]
            socket.create_connection(("127.0.0.1", port)).close()
            self.pair.balancer.remove(port)
        self.assertEqual(self.apply_many(drain), "")
        self.assertEqual(self.pair.wait(0), 0)      # the exit status after SIGTERM
        self.assert_all_injected(MANY)


class InCluster(Base):
    """The other shipped configuration: the database is a claim, and its keys become variables."""

    @classmethod
    def setUpClass(cls):
        cls.hook = Connhook(CLUSTER, HOOK.program, name="in-cluster",
                            config=os.path.join(ROOT, "src", "policy", "load", "profiles", "in-cluster.yaml"))
        cls.addClassCleanup(cls.hook.close)
        cls.addClassCleanup(HOOK.register, HOOK.configurations())
        cls.hook.start()
        probe = ("/apis/database.bizmatters.io/v1alpha1/namespaces/default/postgresinstances?dryRun=All",
                 claim("e2e-probe", "PostgresInstance", "database.bizmatters.io"))
        cls.hook.register(cls.hook.configurations(), lambda: not cls.hook.is_called(probe))

    def test_01_manifest(self):
        with open(os.path.join(FIXTURES, "agent-executor.yaml"), encoding="utf-8") as file:
            manifest = file.read().replace("intelligence-deepagents", self.namespace)
        self.apply(manifest)
        first = self.get("Deployment", "agent-executor")
        app, migration = container_of(first, "agent-executor"), migration_of(first)
        references = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in app["env"] if "valueFrom" in entry}
        self.assertEqual(references["POSTGRES_HOST"], {"name": "agent-executor-db-conn", "key": "endpoint"})
        self.assertEqual(references["DRAGONFLY_HOST"], {"name": "agent-executor-cache-conn", "key": "endpoint"})
        self.assertEqual(migration["env"], app["env"])
        self.assertEqual(secrets_of(app), ["agent-executor-llm-keys"])
        self.assertEqual(migration["command"], ["/bin/bash", "-c", "cd /app && ./scripts/ci/run-migrations.sh"])
        self.assert_generation(first, 1)
        self.apply(manifest)
        self.assertEqual(self.get("Deployment", "agent-executor"), first)


class OnlyTheApiServer(Base):
    """connhook demands a client certificate, which the API server shows as its admission configuration says."""

    def start(self, name, client_name):
        hook = Connhook(CLUSTER, HOOK.program, name=name,
                        arguments=["--client-ca", CLUSTER.client_ca_file, "--client-name", client_name])
        self.addCleanup(hook.close)
        self.addCleanup(HOOK.register, HOOK.configurations())
        hook.start()
        return hook

    def knock(self, hook):
        """What a client hears that shows no certificate."""
        context = ssl.create_default_context(cafile=hook.ca_file)
        with socket.create_connection(("127.0.0.1", hook.ports[0][0])) as raw:
            try:
                with context.wrap_socket(raw, server_hostname="127.0.0.1") as client:
                    client.sendall(b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                    return client.recv(1)
            except ssl.SSLError as error:
                return error.reason

    def test_01_it_is_let_in_and_others_are_not(self):
        hook = self.start("clients", CLIENT_NAME)
        hook.register(hook.configurations())
        answered = hook.metric_sum("connhook_admission_requests_total")
        self.apply(workload())
        self.assert_injected(self.get("Deployment", "shop"), ("shop-db", "shop-jwt"))
        self.assertGreater(hook.metric_sum("connhook_admission_requests_total"), answered)
        self.assertEqual(self.knock(hook), "TLSV13_ALERT_CERTIFICATE_REQUIRED")
        self.assertIn('msg="client refused"', read_tail(hook.log_path(0)))

    def test_02_under_another_name_it_hears_why(self):
        hook = self.start("other-clients", "somebody-else")
        probe, body = PROBE_MUTATE

        def refusal():
            status, answer, _ = CLUSTER.request("POST", probe, body)
            return answer["message"] if status == 500 else None

        CLUSTER.apply(hook.configurations())
        message = wait_for(refusal, NOTICE_SECONDS, "the API server is refused")
        self.assertIn("remote error: tls: access denied", message)
        self.assertIn('the name \\"%s\\" is not allowed' % CLIENT_NAME, read_tail(hook.log_path(0)))


def main():
    global CLUSTER, HOOK
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "connhook"), help="the connhook to test")
    parser.add_argument("tests", nargs="*", help="Class or Class.test; default: all")
    options = parser.parse_args()
    if not os.access(options.program, os.X_OK):
        print("e2e: there is no program %s; build it, or name one with --program" % options.program, file=sys.stderr)
        return 1
    try:
        with Cluster() as CLUSTER:
            CLUSTER.kubectl("apply", "-f", os.path.join(FIXTURES, "crds.yaml"))
            CLUSTER.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
            HOOK = Connhook(CLUSTER, options.program)
            HOOK.start()
            try:
                HOOK.register(HOOK.configurations())
                suite = unittest.defaultTestLoader.loadTestsFromNames(options.tests, sys.modules[__name__]) \
                    if options.tests else unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
                result = unittest.TextTestRunner(verbosity=2).run(suite)
                print("measured: highest memory: connhook %s, %s" % (
                    ", ".join("%.1f MiB" % each for each in HOOK.memory()),
                    ", ".join("%s %.0f MiB" % each for each in CLUSTER.memory().items())), file=sys.stderr)
                CLUSTER.keep_logs = not result.wasSuccessful()
            finally:
                HOOK.close()
    except (binaries.BuildError, ClusterError) as error:
        print("e2e: %s" % error, file=sys.stderr)
        return 1
    return report(result)


def report(result):
    """Prints the closing line. A test with failing subtests is one failed test."""
    bad = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
    print("%d passed, %d failed, %d skipped" % (result.testsRun - len(bad) - len(result.skipped), len(bad),
                                               len(result.skipped)))
    return 0 if result.wasSuccessful() and result.testsRun > len(result.skipped) else 1


if __name__ == "__main__":
    sys.exit(main())
