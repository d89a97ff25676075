#!/usr/bin/python3
"""connhook among Kubernetes' own controllers: what they make out of workloads, and what they do to them.

    tests/e2e/controllers.py --program build/connhook                 all
    tests/e2e/controllers.py --program build/connhook Controllers.test_01_rolls_out

kube-controller-manager runs with the credentials of its service accounts, kube-scheduler places Pods, and kwok says
of each that it runs: nothing is executed. Prints `N passed, N failed`.
"""

import argparse
import json
import os
import re
import sys
import time
import unittest

import binaries
import scenarios
from cluster import Cluster, ClusterError, free_ports, read_tail, to_yaml, wait_for
from scenarios import (FIXTURES, IMAGE, NEW_IMAGE, PREFIX, ROOT, container_of, migration_of, pod_of, secrets_of,
                       template_of, with_image, workload)
from webhook import Connhook

ROLL_SECONDS = 180
QUIET_SECONDS = 3       # after which a controller that was told to do something has begun
POSTGRES = "registry.test/postgres:16"

# What kwok says of nodes and Pods: ready at once; the Pods of Jobs succeed; deleted ones are gone.
STAGES = ("node/fast/node-initialize.yaml", "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
          "pod/fast/pod-ready.yaml", "pod/fast/pod-complete.yaml", "pod/fast/pod-delete.yaml")
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node", "labels": {"kubernetes.io/os": "linux"}},
        "status": {"allocatable": {"cpu": "64", "memory": "256Gi", "pods": "500"},
                   "capacity": {"cpu": "64", "memory": "256Gi", "pods": "500"}}}

CLUSTER = None      # set by main
HOOK = None


class Base(scenarios.Base):

    def pods(self, name="shop"):
        path = "/api/v1/namespaces/%s/pods?labelSelector=app.kubernetes.io/name=%s" % (self.namespace, name)
        return CLUSTER.request("GET", path, expect=200)[1]["items"]

    def list(self, resource):
        done = self.kubectl("get", resource, "-o", "json", "--ignore-not-found")
        return json.loads(done.out)["items"] if done.out else []

    def rolled_out(self, kind="deployment", name="shop"):
        self.kubectl("rollout", "status", "%s/%s" % (kind, name), "--timeout=%ds" % ROLL_SECONDS)
        return self.get(kind, name)

    def revisions(self, kind):
        """How often it was rolled out, as its controller counts."""
        return len(self.list("replicasets" if kind == "Deployment" else "controllerrevisions"))

    def wait_for_pods(self, condition, what, name="shop"):
        def check():
            found = [pod for pod in self.pods(name) if not pod["metadata"].get("deletionTimestamp")]
            return found if found and condition(found) else None
        return wait_for(check, ROLL_SECONDS, what, lambda: "\n" + json.dumps(
            [[pod["metadata"]["name"], pod["status"].get("phase")] for pod in self.pods(name)]))

    def assert_pods(self, secrets, image=IMAGE, migrates=True, name="shop"):
        """All Pods have exactly these Secrets and this image; the migration is there or is not."""
        for pod in self.pods(name):
            app, = [each for each in pod["spec"]["containers"] if each["name"] == name]
            self.assertEqual((secrets_of(app), app["image"]), (list(secrets), image))
            init = [each["name"] for each in pod["spec"].get("initContainers", [])]
            self.assertEqual(init, ["run-migrations"] if migrates else [])

    def refusals(self):
        """How many requests connhook refused so far."""
        return HOOK.metric_sum("connhook_admission_requests_total", decision="denied")


class Controllers(Base):

    def roll(self, kind, **options):
        manifest = workload(kind, **options)
        self.apply(manifest)
        self.rolled_out(kind)
        return manifest

    # --- rolling out, restarting, going back

    def test_01_rolls_out(self):
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            with self.subTest(kind):
                refused = self.refusals()
                self.roll(kind)
                self.wait_for_pods(lambda pods: True, "there are Pods")
                self.assert_pods(["shop-db", "shop-jwt"])
                self.assertEqual(self.revisions(kind), 1)
                self.kubectl("rollout", "restart", "%s/shop" % kind)
                self.rolled_out(kind)
                self.assertEqual(self.revisions(kind), 2)
                self.assert_injected(self.get(kind))
                self.kubectl("label", "%s/shop" % kind, "tier=web")
                self.kubectl("annotate", "%s/shop" % kind, "note=read")
                time.sleep(QUIET_SECONDS)
                self.assertEqual(self.revisions(kind), 2)
                self.assertEqual(self.refusals(), refused)
                self.kubectl("delete", "%s/shop" % kind, "--wait=true")
                wait_for(lambda: not self.pods(), ROLL_SECONDS, "the Pods are collected")

    def undo(self, kind):
        """From db, jwt and a migration of image 1 to db of image 2, and back."""
        self.roll(kind)
        first = self.get(kind)
        self.apply(workload(kind, bindings="db", migrate=None, image=NEW_IMAGE))
        self.rolled_out(kind)
        self.wait_for_pods(lambda pods: all(pod["spec"]["containers"][0]["image"] == NEW_IMAGE for pod in pods),
                           "the new image is there")
        self.assert_pods(["shop-db"], NEW_IMAGE, migrates=False)
        self.kubectl("rollout", "undo", "%s/shop" % kind)
        self.rolled_out(kind)
        return first, self.get(kind)

    def test_02_undo_of_a_deployment(self):
        first, back = self.undo("Deployment")
        self.assertEqual(pod_of(back), pod_of(first))
        # kubectl brought the annotations back too, but not last-applied-configuration: the next apply finds there that
        # the user never wrote `migrate`, and leaves it. It is asked for, so it runs, on the new image.
        self.apply(workload(bindings="db", migrate=None, image=NEW_IMAGE))
        again = self.rolled_out()
        self.assertIn(PREFIX + "migrate", again["metadata"]["annotations"])
        self.assertEqual(secrets_of(container_of(again)), ["shop-db"])
        self.assert_injected(again, ["shop-db"], image=NEW_IMAGE)

    def undo_of_a_template(self, kind):
        """The annotations on the workload stay, db alone: what they no longer ask for leaves the old template."""
        _, back = self.undo(kind)
        self.assertEqual(container_of(back)["image"], IMAGE)
        self.assertEqual(secrets_of(container_of(back)), ["shop-db"])
        self.assertIsNone(migration_of(back))

    def test_02b_undo_of_a_stateful_set(self):
        self.undo_of_a_template("StatefulSet")

    def test_02c_undo_of_a_daemon_set(self):
        self.undo_of_a_template("DaemonSet")

    def test_02d_undo_of_a_new_image(self):
        """Back to the old image: the migration runs the old one too."""
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            with self.subTest(kind):
                manifest = self.roll(kind)
                self.apply(with_image(manifest, NEW_IMAGE))
                self.rolled_out(kind)
                self.assert_injected(self.get(kind), image=NEW_IMAGE)
                self.kubectl("rollout", "undo", "%s/shop" % kind)
                self.rolled_out(kind)
                self.assert_injected(self.get(kind), image=IMAGE)
                time.sleep(QUIET_SECONDS)
                # A Deployment goes back to its first ReplicaSet, a StatefulSet and a DaemonSet to an equal revision.
                self.assertEqual(self.revisions(kind), 2)
                self.kubectl("delete", "%s/shop" % kind, "--wait=true")
                wait_for(lambda: not self.pods(), ROLL_SECONDS, "the Pods are collected")

    # --- scaling

    def test_03_autoscaler(self):
        self.roll("Deployment")
        before = self.get()
        self.apply({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "shop"},
                    "spec": {"minReplicas": 3, "maxReplicas": 4,
                             "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}}})
        self.wait_for_pods(lambda pods: len(pods) == 3, "the HPA has scaled")
        after = self.rolled_out()
        self.assertEqual(after["spec"]["replicas"], 3)
        self.assertEqual(template_of(after), template_of(before))
        self.assertEqual(self.revisions("Deployment"), 1)
        self.assert_generation(after, before["metadata"]["generation"] + 1)

    # --- jobs

    def test_04_cron_job(self):
        self.apply(workload("CronJob"))
        self.kubectl("patch", "cronjob/shop", "--type=merge", "-p", '{"spec":{"schedule":"* * * * *"}}')
        self.kubectl("create", "job", "--from=cronjob/shop", "by-hand")
        self.kubectl("wait", "--for=condition=Complete", "job/by-hand", "--timeout=%ds" % ROLL_SECONDS)
        job = self.get("Job", "by-hand")
        app, migration = container_of(job), migration_of(job)
        self.assertEqual(secrets_of(app), ["shop-db", "shop-jwt"])
        self.assertEqual(migration["envFrom"], app["envFrom"])
        self.assert_pods(["shop-db", "shop-jwt"])
        # The CronJob controller's own, within a minute.
        made = wait_for(lambda: [job for job in self.list("jobs") if job["metadata"]["name"] != "by-hand"],
                        ROLL_SECONDS, "the CronJob has made a Job")
        name = made[0]["metadata"]["name"]
        self.kubectl("wait", "--for=condition=Complete", "job/" + name, "--timeout=%ds" % ROLL_SECONDS)
        self.assert_pods(["shop-db", "shop-jwt"])
        self.assertEqual(template_of(self.get("Job", name))["spec"]["initContainers"], pod_of(job)["initContainers"])

    def test_04b_finished_job_is_collected(self):
        manifest = workload("Job")
        manifest["spec"]["ttlSecondsAfterFinished"] = 1
        self.apply(manifest)
        wait_for(lambda: not self.list("jobs") and not self.pods(), ROLL_SECONDS, "the Job and its Pod are collected")

    # --- deleting

    def fill(self, namespace):
        """Workloads of all kinds, and a claim with a finalizer as Crossplane sets one."""
        self.namespace = CLUSTER.create_namespace(namespace)
        claim = scenarios.claim()
        claim["metadata"]["finalizers"] = ["e2e.test/hold"]
        self.apply([workload(), workload("StatefulSet", name="set"), workload("DaemonSet", name="each"),
                    workload("Job", name="once"), workload("CronJob", name="often"), claim])
        self.rolled_out()
        return claim

    def delete_namespace(self, claim):
        CLUSTER.kubectl("delete", "namespace", self.namespace, "--wait=false")
        wait_for(lambda: not any(self.list(kind) for kind in ("pods", "replicasets", "jobs")), ROLL_SECONDS,
                 "all but the claim is gone")
        self.patch(claim, {"metadata": {"finalizers": None}}, expect=200)
        CLUSTER.kubectl("wait", "--for=delete", "namespace/" + self.namespace, "--timeout=%ds" % ROLL_SECONDS)

    def test_05_namespace_deleted(self):
        self.delete_namespace(self.fill("goes-with-connhook"))

    def test_05b_namespace_deleted_while_connhook_is_down(self):
        claim = self.fill("goes-without-connhook")
        self.without_connhook()
        self.delete_namespace(claim)

    def without_connhook(self):
        HOOK.stop()
        self.addCleanup(HOOK.start)

    def test_05c_foreground(self):
        """Children first: the garbage collector then takes its finalizer off the owner, which is an UPDATE."""
        for state in ("up", "down"):
            with self.subTest(state):
                self.namespace = CLUSTER.create_namespace("foreground-" + state)
                self.roll("Deployment")
                if state == "down":
                    self.without_connhook()
                self.kubectl("delete", "deployment/shop", "--cascade=foreground", "--wait=false")
                wait_for(lambda: not self.list("deployments"), ROLL_SECONDS, "the Deployment is gone",
                         lambda: "\n" + json.dumps(self.get()["metadata"]))

    def test_05d_controllers_while_connhook_is_down(self):
        """What was admitted goes on: a Deployment that is scaled by its HPA, and Pods that are made anew."""
        self.roll("Deployment")
        self.without_connhook()
        gone = self.pods()[0]["metadata"]["name"]
        self.kubectl("delete", "pod", gone, "--wait=false")
        self.wait_for_pods(lambda pods: gone not in [pod["metadata"]["name"] for pod in pods] and all(
            pod["status"].get("phase") == "Running" for pod in pods), "there is another Pod")
        self.assert_pods(["shop-db", "shop-jwt"])

    # --- rules, and those who are spared

    def old_violation(self, kind="Deployment", **options):
        """A workload from before connhook, which breaks a rule."""
        HOOK.unregister()
        try:
            self.apply(workload(kind, bindings=None, migrate=None, image=POSTGRES, **options))
            self.rolled_out(kind)
        finally:
            HOOK.register(HOOK.configurations())

    def test_06_old_violation_still_rolls_out(self):
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            with self.subTest(kind):
                self.old_violation(kind)
                warned = self.kubectl("rollout", "restart", "%s/shop" % kind)
                self.assertIn("Warning: ", warned.err)
                self.rolled_out(kind)
                self.assertEqual(self.revisions(kind), 2)
                self.assertTrue(self.pods())
                refused = self.apply(workload(name="other", bindings=None, migrate=None, image=POSTGRES), check=False)
                self.assertNotEqual(refused.status, 0)
                self.kubectl("delete", "%s/shop" % kind)
                wait_for(lambda: not self.pods(), ROLL_SECONDS, "the Pods are collected")

    def test_06b_old_cron_job_still_makes_jobs(self):
        HOOK.unregister()
        try:
            manifest = workload("CronJob", bindings=None, migrate=None, image=POSTGRES)
            manifest["spec"]["schedule"] = "* * * * *"
            self.apply(manifest)
        finally:
            HOOK.register(HOOK.configurations())
        wait_for(lambda: [pod for pod in self.pods() if pod["status"].get("phase") == "Succeeded"], ROLL_SECONDS,
                 "a Job has run")

    def test_06c_owner_references_buy_nothing(self):
        """A tenant writes them himself: the rules look at the object all the same."""
        self.apply(workload())
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop", "controller": True,
                 "uid": self.get()["metadata"]["uid"]}
        for kind in ("ReplicaSet", "Job"):
            with self.subTest(kind):
                manifest = workload(kind, name="mine", bindings=None, migrate=None, image=POSTGRES)
                manifest["metadata"]["ownerReferences"] = [dict(owner, kind="CronJob", apiVersion="batch/v1")
                                                           if kind == "Job" else owner]
                refused = self.apply(manifest, user="tenant", check=False)
                self.assertNotEqual(refused.status, 0, refused)
                self.assertIn("database server", refused.err)


class Rollouts(Base):
    """Argo Rollouts' own controller, which makes ReplicaSets as the Deployment controller does."""

    @classmethod
    def setUpClass(cls):
        found = binaries.find(("rollouts-controller",))
        CLUSTER.programs.update(found)
        CLUSTER.create_namespace("argo-rollouts")
        CLUSTER.kubectl("create", "clusterrolebinding", "rollouts", "--clusterrole=cluster-admin",
                        "--user=system:serviceaccount:argo-rollouts:argo-rollouts")
        CLUSTER.kubectl("apply", "--server-side", "--force-conflicts", "-k",
                        os.path.join(os.path.dirname(found["rollouts-controller"]), "crds"))
        health, metrics = free_ports(2)
        CLUSTER.start("rollouts-controller",
                      ["--kubeconfig=" + CLUSTER.path("kubeconfig-rollouts"), "--leader-elect=false",
                       "--namespace=", "--healthzPort=%d" % health, "--metricsport=%d" % metrics])

    def rollout(self):
        return self.get("rollout.argoproj.io")

    def settled(self, image, revisions):
        def check():
            thing = self.rollout()
            status = thing.get("status", {})
            return thing if status.get("phase") == "Healthy" and len(self.list("replicasets")) == revisions and \
                container_of(thing)["image"] == image and \
                status.get("observedGeneration") == str(thing["metadata"]["generation"]) else None
        return wait_for(check, ROLL_SECONDS, "the Rollout is healthy with %s and %d revisions" % (image, revisions),
                        lambda: "\n%s\n%s" % (json.dumps(self.rollout().get("status")),
                                              read_tail(CLUSTER.path("rollouts-controller.log"), 5)))

    def template_of_revision(self, image):
        """As its kubectl plugin goes back: the template of the old ReplicaSet, without the controller's label."""
        template = next(each["spec"]["template"] for each in self.list("replicasets")
                        if each["spec"]["template"]["spec"]["containers"][0]["image"] == image)
        del template["metadata"]["labels"]["rollouts-pod-template-hash"]
        return template

    def test_07_restart_and_undo_of_a_rollout(self):
        self.apply(workload("Rollout"))
        first = self.settled(IMAGE, 1)
        self.assert_injected(first)
        self.wait_for_pods(lambda pods: True, "there are Pods")
        self.assert_pods(["shop-db", "shop-jwt"])
        before = {pod["metadata"]["uid"] for pod in self.pods()}
        # As its kubectl plugin restarts: the template stays, the Pods that are older than that second are evicted.
        newest = max(pod["metadata"]["creationTimestamp"] for pod in self.pods())
        wait_for(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > newest, ROLL_SECONDS, "a second is over")
        self.patch(first, {"spec": {"restartAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}}, expect=200)
        self.wait_for_pods(lambda pods: not before & {pod["metadata"]["uid"] for pod in pods}, "the Pods are others")
        self.assertEqual(template_of(self.settled(IMAGE, 1)), template_of(first))
        self.apply(workload("Rollout", bindings="db", migrate=None, image=NEW_IMAGE))
        self.settled(NEW_IMAGE, 2)
        self.patch(first, [{"op": "replace", "path": "/spec/template", "value": self.template_of_revision(IMAGE)}],
                   content_type="application/json-patch+json", expect=200)
        # The annotations on the Rollout stay, db alone: what they no longer ask for leaves the old template.
        back = wait_for(lambda: container_of(self.rollout())["image"] == IMAGE and self.rollout(), ROLL_SECONDS,
                        "the old template is back")
        self.assertEqual(secrets_of(container_of(back)), ["shop-db"])
        self.assertIsNone(migration_of(back))
        self.assert_record(back, ["shop-db"])

    def test_07b_undo_where_the_template_asks(self):
        """Annotations on the template go back with it: the old revision is whole, and nothing of the other left."""
        def asks(bindings, image):
            manifest = workload("Rollout", bindings=None, migrate=None, image=image)
            template_of(manifest)["metadata"]["annotations"] = {PREFIX + "bindings": bindings}
            return manifest
        self.apply(asks("db,jwt", IMAGE))
        first = self.settled(IMAGE, 1)
        self.apply(asks("db,llm-keys", NEW_IMAGE))
        self.settled(NEW_IMAGE, 2)
        self.patch(first, [{"op": "replace", "path": "/spec/template", "value": self.template_of_revision(IMAGE)}],
                   content_type="application/json-patch+json", expect=200)
        back = self.settled(IMAGE, 2)
        # The ReplicaSet's template has its defaults, which the API server does not give to a Rollout's.
        self.assertEqual(template_of(back)["metadata"], template_of(first)["metadata"])
        self.assertEqual(container_of(back)["envFrom"], container_of(first)["envFrom"])
        self.assertEqual(pod_of(back)["imagePullSecrets"], pod_of(first)["imagePullSecrets"])
        self.assertEqual(len(pod_of(back)["containers"]), 1)
        self.assertNotIn("initContainers", pod_of(back))
        self.assert_record(back, ["shop-db", "shop-jwt"])

    def assert_record(self, thing, secrets):
        """The record on the template names these Secrets and no other."""
        record = template_of(thing)["metadata"]["annotations"][PREFIX + "injected"]
        self.assertEqual(sorted(set(re.findall(r"shop-[a-z-]+", record))), sorted(secrets), record)


def start_controllers(extra):
    """kube-scheduler, and kwok with one node."""
    CLUSTER.programs.update(extra)
    CLUSTER.start("kube-scheduler", ["--kubeconfig=" + CLUSTER.path("kubeconfig-scheduler"), "--leader-elect=false",
                                     "--bind-address=127.0.0.1", "--secure-port=0"])
    stages = os.path.join(os.path.dirname(extra["kwok"]), "stage")
    config = ["--config=" + os.path.join(stages, each) for each in STAGES]
    CLUSTER.start("kwok", ["--kubeconfig=" + CLUSTER.path("kubeconfig-admin"), "--manage-all-nodes=true",
                           "--node-lease-duration-seconds=40", *config])
    CLUSTER.kubectl("create", "-f", "-", input=to_yaml(NODE))
    CLUSTER.kubectl("wait", "--for=condition=Ready", "node/node", "--timeout=%ds" % ROLL_SECONDS)


def main():
    global CLUSTER, HOOK
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "connhook"), help="the connhook to test")
    parser.add_argument("tests", nargs="*", help="Class or Class.test; default: all")
    options = parser.parse_args()
    try:
        if not binaries.has_controllers():
            print("skipped: there is no kube-controller-manager of this version")
            return 0
        extra = binaries.find(("kube-scheduler", "kwok"))
        with Cluster(controllers=["*"]) as CLUSTER:
            scenarios.CLUSTER = CLUSTER
            CLUSTER.kubectl("apply", "-f", os.path.join(FIXTURES, "crds.yaml"))
            CLUSTER.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
            start_controllers(extra)
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
