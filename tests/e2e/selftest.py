#!/usr/bin/python3
"""Tests the test cluster itself, without connhook. Prints what it measured, and `N passed, N failed`."""

import os
import signal
import subprocess
import sys
import time
import unittest

import binaries
from cluster import Cluster, ClusterError, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "fixtures")
MANIFESTS = {
    "identity-service.yaml": ("platform-identity", "identity-service"),
    "agent-executor.yaml": ("intelligence-deepagents", "agent-executor"),
}
END_SECONDS = 30

# Run in a process of its own, which is then ended in the named way. It prints the folder and the process ids.
CHILD = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins with it ignored
import sys
sys.path.insert(0, sys.argv[1])
from cluster import Cluster
with Cluster() as cluster:
    print(cluster.folder, *[process.pid for process in cluster.processes.values()], flush=True)
    sys.stdin.read()
    if sys.argv[2] == "exception":
        raise RuntimeError("as a failing test does")
"""


def is_running(pid):
    """A process that has ended but not been waited for counts as gone."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def apply_fixture(cluster, name):
    return cluster.kubectl("apply", "-f", os.path.join(FIXTURES, name))


class WithCluster(unittest.TestCase):
    """Everything that needs a running cluster."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster())
        apply_fixture(cls.cluster, "crds.yaml")
        cls.cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        for namespace, _ in MANIFESTS.values():
            cls.cluster.kubectl("create", "namespace", namespace)

    def test_manifests_are_stored_and_a_second_apply_changes_nothing(self):
        for manifest, (namespace, deployment) in MANIFESTS.items():
            with self.subTest(manifest):
                apply_fixture(self.cluster, manifest)
                first = self.cluster.get_json("deployment", deployment, namespace)
                self.assertEqual(first["metadata"]["generation"], 1)
                again = apply_fixture(self.cluster, manifest)
                self.assertNotIn("configured", again.out)
                self.assertIn("deployment.apps/%s unchanged" % deployment, again.out)
                second = self.cluster.get_json("deployment", deployment, namespace)
                self.assertEqual(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"])

    def test_system_kubectl_reads_the_same(self):
        done = self.cluster.kubectl_system("get", "namespace", "default", "-o", "name")
        if done is None:
            self.skipTest("no kubectl on PATH")
        self.assertEqual(done.out.strip(), "namespace/default")

    def test_helm_reaches_the_cluster(self):
        self.assertEqual(self.cluster.helm("list", "--all-namespaces", "--short").out, "")

    def test_tenant_rights(self):
        allowed = self.cluster.kubectl("auth", "can-i", "create", "deployments", user="tenant")
        self.assertEqual(allowed.out.strip(), "yes")
        refused = self.cluster.kubectl("get", "clusterroles", user="tenant", check=False)
        self.assertNotEqual(refused.status, 0)
        self.assertIn("cannot list resource", refused.err)

    def test_deployment_controller_has_its_own_rights(self):
        can = self.cluster.kubectl("auth", "can-i", "update", "deployments.apps", user="deployment-controller")
        self.assertEqual(can.out.strip(), "yes")

    def test_metrics_and_audit(self):
        self.assertIn("apiserver_request_total", self.cluster.metrics())
        self.cluster.kubectl("create", "namespace", "audited")
        wait_for(lambda: any(event["objectRef"].get("name") == "audited" for event in self.cluster.audit_events()),
                 END_SECONDS, "the audit log has the new namespace")

    def test_failed_command_carries_what_it_printed(self):
        with self.assertRaises(ClusterError) as caught:
            self.cluster.kubectl("get", "namespace", "absent")
        self.assertIn('namespaces "absent" not found', str(caught.exception))

    def test_memory(self):
        memory = self.cluster.memory()
        print("measured: start %.1f s, highest memory %s" % (self.cluster.start_seconds, ", ".join(
            "%s %.0f MiB" % item for item in memory.items())), file=sys.stderr)
        self.assertEqual(set(memory), {"etcd", "kube-apiserver"})


class Ending(unittest.TestCase):
    """No process and no folder stays, whatever ends the test."""

    def end(self, how):
        child = subprocess.Popen([sys.executable, "-c", CHILD, HERE, how], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        folder, *pids = child.stdout.readline().split()
        pids = [int(pid) for pid in pids]
        self.assertEqual(len(pids), 2)
        self.assertTrue(os.path.isdir(folder))
        self.assertTrue(all(is_running(pid) for pid in pids))
        if how in ("return", "exception"):
            _, err = child.communicate("", timeout=END_SECONDS)
        else:
            child.send_signal(getattr(signal, how))
            _, err = child.communicate(timeout=END_SECONDS)
        wait_for(lambda: not os.path.exists(folder) and not any(is_running(pid) for pid in pids),
                 END_SECONDS, "after %s: no process %s, no folder %s" % (how, pids, folder))
        return child.returncode, err

    def test_return(self):
        status, err = self.end("return")
        self.assertEqual(status, 0)
        self.assertNotIn("logs kept", err)

    def test_exception_keeps_logs(self):
        status, err = self.end("exception")
        self.assertEqual(status, 1)
        kept = err.split("logs kept in ")[1].split()[0]
        self.assertIn("kube-apiserver.log", os.listdir(kept))
        subprocess.run(["rm", "-r", kept], check=True)

    def test_signals(self):
        for name, expected in (("SIGINT", None), ("SIGTERM", 143), ("SIGKILL", -signal.SIGKILL)):
            with self.subTest(name):
                status, err = self.end(name)
                self.assertNotEqual(status, 0)
                if expected is not None:
                    self.assertEqual(status, expected)
                if "logs kept in " in err:
                    subprocess.run(["rm", "-r", err.split("logs kept in ")[1].split()[0]], check=True)


def main():
    begin = time.monotonic()
    try:
        binaries.find(binaries.CLUSTER)
    except binaries.BuildError as error:
        print("e2e: %s" % error, file=sys.stderr)
        return 1
    print("measured: programs found or made in %.1f s" % (time.monotonic() - begin), file=sys.stderr)
    result = unittest.main(exit=False, verbosity=2).result
    bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print("%d passed, %d failed, %d skipped" % (result.testsRun - bad - len(result.skipped), bad, len(result.skipped)))
    return 1 if bad or result.testsRun == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
