#!/usr/bin/python3
"""What the chart renders to, over a matrix of values, without a cluster.

    tests/chart/render.py PATH_TO_CONNHOOK [TEST]...
"""

import base64
import functools
import os
import re
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

import yaml

from harness.chart import CHART, IDENTITY, PROFILES, ROOT, documents, flags_of, main

CONNHOOK = TOOLS = None     # set by main

READY_SECONDS = 30
POLL_SECONDS = 0.02

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PROVIDED = {"mode": "provided", "provided": {"secretName": "my-tls", "caBundle": CA}}
OWN_CONFIG = yaml.safe_load(IDENTITY) | {"annotationPrefix": "own.example.org",
                                         "bindings": [{"name": "queue", "secretName": "{app}-queue"}]}

# name -> (values, further arguments of helm template)
MATRIX = {
    "defaults": ({}, []),
    "certificates provided": ({"certificates": PROVIDED}, []),
    "certificates by helm": ({"certificates": {"mode": "helm"}}, []),
    "an issuer of the user's": ({"certificates": {"certManager": {"issuerRef": {"name": "ours",
                                                                                "kind": "ClusterIssuer"}}}}, []),
    "in-cluster": ({"profile": "in-cluster"}, []),
    "a configuration of the user's": ({"config": OWN_CONFIG}, []),
    "hostNetwork": ({"hostNetwork": True, "server": {"port": 10260, "adminPort": 10261}}, []),
    "private GKE": ({"server": {"port": 10250}}, []),
    "IPv6": ({"server": {"listenAddress": "[::]"}}, []),
    "digest": ({"image": {"repository": "registry.example:5000/team/connhook", "digest": "sha256:" + "a" * 64}}, []),
    "tag": ({"image": {"tag": "v9"}, "imagePullSecrets": [{"name": "pull"}]}, []),
    "lean": ({"replicaCount": 1, "podDisruptionBudget": {"enabled": False}, "topologySpread": {"enabled": False},
              "networkPolicy": {"enabled": False}, "serviceAccount": {"create": False}}, []),
    "monitored": ({"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
                   "prometheusRule": {"enabled": True}, "grafanaDashboard": {"enabled": True},
                   "networkPolicy": {"adminFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]}},
                  []),
    "admin port for nobody": ({"networkPolicy": {"adminFrom": []}}, []),
    "OpenShift": ({"securityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}, []),
    "only the API server": ({"clientCertificates": {"configMapName": "webhook-clients",
                                                    "names": ["kube-apiserver", "*.api: x"]}}, []),
    "only the API server, by a Secret": ({"clientCertificates": {"secretName": "webhook-clients", "key": "tls.crt"},
                                          "server": {"tlsPriorities": "NORMAL:-VERS-ALL:+VERS-TLS1.3:%COMPAT"}}, []),
    "names and labels": ({"nameOverride": "hook", "commonLabels": {"team": "platform"}, "podLabels": {"mesh": "off"},
                          "podAnnotations": {"note": "x"}, "service": {"port": 8443, "annotations": {"a": "b"}}}, []),
    "labels that must not win": ({"commonLabels": {"app.kubernetes.io/name": "other"},
                                  "podLabels": {"app.kubernetes.io/instance": "other"}}, []),
    "full name": ({"fullnameOverride": "hook"}, []),
    "placed": ({"priorityClassName": "system-cluster-critical", "tolerations": [{"operator": "Exists"}],
                "affinity": {"podAntiAffinity": {}}, "nodeSelector": {"pool": "system"}}, []),
    "slow drain": ({"server": {"drainDelay": 30, "requestTimeout": 60}}, []),
    "selectors": ({"webhooks": {"namespaceSelector": {"matchLabels": {"tenant": "true"}},
                                "objectSelector": {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]},
                                "extraMatchConditions": [{"name": "mine", "expression": "true"}]}}, []),
    "Kubernetes 1.20": ({}, ["--kube-version", "1.20.2"]),
    "Kubernetes 1.29": ({}, ["--kube-version", "1.29.14"]),
    "GKE 1.30": ({}, ["--kube-version", "v1.30.2-gke.1587003"]),
}

NAMESPACED = {"ConfigMap", "Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy", "Secret",
              "ServiceMonitor", "PrometheusRule", "Issuer", "Certificate", "Job"}
CLUSTER_WIDE = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}


def each(test):
    """Runs test(self, values, chart) for each row of the matrix."""
    @functools.wraps(test)
    def run(self):
        for name, values, chart in self.matrix:
            with self.subTest(name):
                test(self, values, chart)
    return run


class Matrix(unittest.TestCase):
    """What must hold whatever the values."""

    @classmethod
    def setUpClass(cls):
        cls.matrix = [(name, values, TOOLS.template(values, *arguments))
                      for name, (values, arguments) in MATRIX.items()]

    @each
    def test_only_known_kinds_and_no_rights(self, _, chart):
        self.assertLessEqual({document["kind"] for document in chart.documents}, NAMESPACED | CLUSTER_WIDE)

    @each
    def test_metadata(self, _, chart):
        seen = set()
        for document in chart.documents:
            metadata = document["metadata"]
            identity = (document["kind"], metadata["name"])
            self.assertNotIn(identity, seen)
            seen.add(identity)
            self.assertRegex(metadata["name"], r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")
            self.assertEqual(metadata["labels"]["app.kubernetes.io/instance"], "connhook")
            self.assertEqual(metadata["labels"]["app.kubernetes.io/managed-by"], "Helm")
            if document["kind"] in CLUSTER_WIDE:
                self.assertNotIn("namespace", metadata)
            elif document["kind"] != "Job":
                self.assertEqual(metadata["namespace"], "connhook")

    @each
    def test_selectors_find_the_pods_and_nothing_else(self, _, chart):
        deployment = chart.one("Deployment")["spec"]
        labels = deployment["template"]["metadata"]["labels"]
        selectors = [deployment["selector"]["matchLabels"], chart.one("Service")["spec"]["selector"]]
        selectors += [budget["spec"]["selector"]["matchLabels"] for budget in chart.all("PodDisruptionBudget")]
        selectors += [policy["spec"]["podSelector"]["matchLabels"] for policy in chart.all("NetworkPolicy")]
        selectors += [spread["labelSelector"]["matchLabels"]
                      for spread in deployment["template"]["spec"].get("topologySpreadConstraints", [])]
        test_labels = chart.one("Job")["spec"]["template"]["metadata"]["labels"]
        for selector in selectors:
            self.assertEqual(selector, selectors[0])
            self.assertLessEqual(selector.items(), labels.items())
            self.assertFalse(selector.items() <= test_labels.items(), "the test's Pod would get requests")
        for monitor in chart.all("ServiceMonitor"):
            self.assertLessEqual(monitor["spec"]["selector"]["matchLabels"].items(),
                                 chart.one("Service")["metadata"]["labels"].items())

    @each
    def test_the_version_restarts_no_pod(self, _, chart):
        text = yaml.safe_dump(chart.one("Deployment")["spec"]["template"]["metadata"])
        self.assertNotIn("helm.sh/chart", text)
        self.assertNotIn("checksum", text)

    @each
    def test_ports_fit_together(self, values, chart):
        ports = {port["name"]: port["containerPort"] for port in chart.container()["ports"]}
        service = {port["name"]: port for port in chart.one("Service")["spec"]["ports"]}
        self.assertEqual({name: port["targetPort"] for name, port in service.items()},
                         {"https": "https", "admin": "admin"})
        self.assertEqual(int(chart.argument("listen").rpartition(":")[2]), ports["https"])
        self.assertEqual(int(chart.argument("admin-listen").rpartition(":")[2]), ports["admin"])
        for kind in CLUSTER_WIDE:
            client = chart.one(kind)["webhooks"][0]["clientConfig"]["service"]
            self.assertEqual((client["namespace"], client["name"], client["port"]),
                             ("connhook", chart.one("Service")["metadata"]["name"], service["https"]["port"]))
        for policy in chart.all("NetworkPolicy"):
            allowed = {port["port"]: rule.get("from") for rule in policy["spec"]["ingress"] for port in rule["ports"]}
            self.assertIsNone(allowed.pop(ports["https"]), "the API server must reach connhook from anywhere")
            self.assertLessEqual(set(allowed), {ports["admin"]})
            self.assertNotIn(None, allowed.values())
            self.assertEqual(policy["spec"]["egress"], [])
            self.assertEqual(policy["spec"]["policyTypes"], ["Ingress", "Egress"])
        for monitor in chart.all("ServiceMonitor"):
            self.assertEqual(monitor["spec"]["endpoints"][0]["port"], "admin")

    @each
    def test_probes(self, _, chart):
        paths = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
        for probe, path in paths.items():
            self.assertEqual(chart.container()[probe]["httpGet"], {"path": path, "port": "admin"})

    @each
    def test_pod_security_restricted(self, values, chart):
        for workload in (chart.one("Deployment"), chart.one("Job")):
            pod = workload["spec"]["template"]["spec"]
            self.assertTrue(pod["securityContext"]["runAsNonRoot"])
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertNotEqual(pod["securityContext"].get("runAsUser"), 0)
            self.assertEqual("runAsUser" in pod["securityContext"], "securityContext" not in values)
            self.assertEqual("hostNetwork" in pod, bool(values.get("hostNetwork")) and workload["kind"] != "Job")
            self.assertFalse({"hostPID", "hostIPC"} & set(pod))
            self.assertEqual(len(pod["containers"]), 1)
            self.assertEqual(pod["containers"][0]["securityContext"],
                             {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                              "capabilities": {"drop": ["ALL"]}})
            self.assertIs(pod["automountServiceAccountToken"], False)
            for volume in pod["volumes"]:
                self.assertLessEqual(set(volume), {"name", "configMap", "secret", "emptyDir"})
        for account in chart.all("ServiceAccount"):
            self.assertIs(account["automountServiceAccountToken"], False)

    @each
    def test_service_account_exists(self, _, chart):
        name = chart.one("Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
        made = [account["metadata"]["name"] for account in chart.all("ServiceAccount")]
        self.assertEqual(made or ["default"], [name])

    @each
    def test_volumes_exist_and_are_whole_directories(self, values, chart):
        pod = chart.one("Deployment")["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        self.assertEqual(volumes["config"]["configMap"]["name"], chart.config_map()["metadata"]["name"])
        secrets = {secret["metadata"]["name"] for secret in chart.all("Secret")}
        secrets |= {certificate["spec"]["secretName"] for certificate in chart.all("Certificate")}
        if values.get("certificates") == PROVIDED:
            secrets.add("my-tls")
        self.assertIn(volumes["tls"]["secret"]["secretName"], secrets)
        mounts = {mount["name"]: mount for mount in chart.container()["volumeMounts"]}
        for flag, name, file in (("config", "config", "config.yaml"), ("tls-cert", "tls", "tls.crt"),
                                 ("tls-key", "tls", "tls.key")):
            self.assertEqual(chart.argument(flag), "%s/%s" % (mounts[name]["mountPath"], file))
            self.assertNotIn("subPath", mounts[name])
            self.assertTrue(mounts[name]["readOnly"])

    @each
    def test_client_certificates(self, values, chart):
        clients = values.get("clientCertificates", {})
        arguments = chart.container()["args"]
        self.assertEqual([a.partition("=")[2] for a in arguments if a.startswith("--client-name=")],
                         clients.get("names", []))
        pod = chart.one("Deployment")["spec"]["template"]["spec"]
        volumes = [v for v in pod["volumes"] if v["name"] == "client-ca"]
        mounts = [m for m in chart.container()["volumeMounts"] if m["name"] == "client-ca"]
        if not clients:
            self.assertEqual((volumes, mounts), ([], []))
            self.assertNotIn("--client-ca", " ".join(arguments))
            return
        # The key becomes a file of a directory that the kubelet keeps up to date.
        self.assertEqual(chart.argument("client-ca"), mounts[0]["mountPath"] + "/ca.crt")
        self.assertTrue(mounts[0]["readOnly"])
        self.assertNotIn("subPath", mounts[0])
        items = [{"key": clients.get("key", "ca.crt"), "path": "ca.crt"}]
        source = {"configMap": {"name": "webhook-clients", "items": items}} if "configMapName" in clients else \
            {"secret": {"secretName": "webhook-clients", "items": items}}
        self.assertEqual(volumes, [{"name": "client-ca", **source}])

    @each
    def test_priorities(self, values, chart):
        wanted = values.get("server", {}).get("tlsPriorities")
        if wanted is None:
            self.assertNotIn("--tls-priorities", " ".join(chart.container()["args"]))
        else:
            self.assertEqual(chart.argument("tls-priorities"), wanted)

    @each
    def test_key_is_readable_and_not_for_everyone(self, _, chart):
        pod = chart.one("Deployment")["spec"]["template"]["spec"]
        mode = next(volume["secret"]["defaultMode"] for volume in pod["volumes"] if volume["name"] == "tls")
        # Without a group of its own in the Pod, only "others" can read what root owns.
        self.assertEqual(mode, 0o440 if "fsGroup" in pod["securityContext"] else 0o444)

    @each
    def test_no_secret_outside_secrets(self, _, chart):
        for document in chart.documents:
            if document["kind"] != "Secret":
                text = yaml.safe_dump(document)
                encoded = base64.b64encode(b"-----BEGIN EC PRIVATE KEY").decode()[:30]
                self.assertNotIn("PRIVATE KEY", text)
                self.assertNotIn(encoded, text)

    @each
    def test_roll_out_without_a_gap(self, values, chart):
        expected = (1, 0) if values.get("hostNetwork") else (0, 1)
        update = chart.one("Deployment")["spec"]["strategy"]["rollingUpdate"]
        self.assertEqual((update["maxUnavailable"], update["maxSurge"]), expected)

    @each
    def test_grace_period_covers_the_drain(self, _, chart):
        grace = chart.one("Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        self.assertGreater(grace, int(chart.argument("drain-delay")) + int(chart.argument("request-timeout")))

    @each
    def test_connhook_knows_every_argument(self, _, chart):
        known = flags_of(CONNHOOK, "serve")
        used = {re.match(r"--([a-z-]+)=", argument).group(1) for argument in chart.container()["args"][1:]}
        self.assertEqual(chart.container()["args"][0], "serve")
        self.assertLessEqual(used, known)

    @each
    def test_connhook_reads_the_configuration(self, _, chart):
        status, out, err = CONNHOOK.run("config", "check", "-", text=chart.config())
        self.assertEqual(status, 0, out + err)

    @each
    def test_certificates_of_cert_manager_fit(self, _, chart):
        issuers = {issuer["metadata"]["name"] for issuer in chart.all("Issuer")}
        certificates = {c["metadata"]["name"]: c["spec"] for c in chart.all("Certificate")}
        for kind in CLUSTER_WIDE:
            metadata, hook = chart.one(kind)["metadata"], chart.one(kind)["webhooks"][0]
            source = metadata["annotations"].get("cert-manager.io/inject-ca-from")
            self.assertEqual(source is None, "caBundle" in hook["clientConfig"])
            self.assertEqual(source is None, not certificates)
            if source:
                namespace, _, name = source.partition("/")
                self.assertEqual(namespace, "connhook")
                service = hook["clientConfig"]["service"]
                self.assertIn("%s.%s.svc" % (service["name"], service["namespace"]), certificates[name]["dnsNames"])
        for name, spec in certificates.items():
            reference = spec["issuerRef"]
            self.assertTrue(reference["name"] in issuers or reference["kind"] == "ClusterIssuer", name)


class Values(unittest.TestCase):
    """What single values do."""

    def test_image(self):
        digest = "sha256:" + "a" * 64
        for values, expected in (({}, "connhook:0.1.0"),
                                 ({"image": {"repository": "r.example:5000/c", "tag": "v9"}}, "r.example:5000/c:v9"),
                                 ({"image": {"digest": digest}}, "connhook@" + digest),
                                 ({"image": {"tag": "v9", "digest": digest}}, "connhook@" + digest)):
            chart = TOOLS.template(values)
            self.assertEqual(chart.container()["image"], expected)
            self.assertEqual(chart.one("Job")["spec"]["template"]["spec"]["containers"][0]["image"], expected)

    def test_disruption_budget_is_of_the_clusters_version(self):
        for version, expected in (("1.20.2", "policy/v1beta1"), ("1.21.0", "policy/v1"),
                                  ("v1.33.1-eks-1", "policy/v1")):
            budget = TOOLS.template({}, "--kube-version", version).one("PodDisruptionBudget")
            self.assertEqual(budget["apiVersion"], expected)
        self.assertEqual(TOOLS.template({"podDisruptionBudget": {"enabled": False}}).all("PodDisruptionBudget"), [])

    def test_older_than_supported(self):
        status, _, err = TOOLS.try_template({}, "--kube-version", "1.19.9")
        self.assertNotEqual(status, 0)
        self.assertIn("incompatible with Kubernetes v1.19.9", err)

    def test_host_network(self):
        pod = TOOLS.template({"hostNetwork": True}).one("Deployment")["spec"]["template"]["spec"]
        self.assertEqual((pod["hostNetwork"], pod["dnsPolicy"]), (True, "ClusterFirstWithHostNet"))

    def test_same_port_twice(self):
        status, _, err = TOOLS.try_template({"server": {"port": 8080}})
        self.assertNotEqual(status, 0)
        self.assertIn("server.port and server.adminPort are both 8080", err)

    def test_client_certificates_of_one_source(self):
        for clients, words in (({"configMapName": "a", "secretName": "b"}, "has both configMapName and secretName"),
                               ({"names": ["kube-apiserver"]}, "clientCertificates.names needs the CA")):
            status, _, err = TOOLS.try_template({"clientCertificates": clients})
            self.assertNotEqual(status, 0)
            self.assertIn(words, err)

    def test_admin_port_for_nobody(self):
        policy = TOOLS.template({"networkPolicy": {"adminFrom": []}}).one("NetworkPolicy")
        self.assertEqual(len(policy["spec"]["ingress"]), 1)

    def test_provided_certificates_need_both_parts(self):
        for provided, word in (({"caBundle": CA}, "certificates.provided.secretName"),
                               ({"secretName": "tls"}, "certificates.provided.caBundle")):
            status, _, err = TOOLS.try_template({"certificates": {"mode": "provided", "provided": provided}})
            self.assertNotEqual(status, 0)
            self.assertIn("set " + word, err)

    def test_provided_ca_is_registered(self):
        chart = TOOLS.template({"certificates": PROVIDED})
        for kind in CLUSTER_WIDE:
            bundle = chart.one(kind)["webhooks"][0]["clientConfig"]["caBundle"]
            self.assertEqual(base64.b64decode(bundle).decode(), CA)

    def test_configuration_of_the_users_is_kept(self):
        self.assertEqual(yaml.safe_load(TOOLS.template({"config": OWN_CONFIG}).config()), OWN_CONFIG)

    def test_profile_is_the_shipped_one(self):
        for profile in PROFILES:
            self.assertEqual(TOOLS.template({"profile": profile}).config().strip(), CONNHOOK.profile(profile).strip())

    def test_as_a_part_of_another_chart(self):
        """A parent chart hands down `global`."""
        self.assertEqual(TOOLS.try_template({"global": {"region": "eu"}})[0], 0)


class HelmCertificates(unittest.TestCase):
    """certificates.mode helm: the pair is good, and connhook serves with what the chart gives it."""

    @classmethod
    def setUpClass(cls):
        cls.chart = TOOLS.template({"certificates": {"mode": "helm", "helm": {"days": 30}}})
        for name, value in cls.chart.one("Secret")["data"].items():
            TOOLS.write(name, base64.b64decode(value).decode())

    def openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=TOOLS.folder, text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_pair_is_good(self):
        self.openssl("verify", "-CAfile", "ca.crt", "-purpose", "sslserver", "-verify_hostname",
                     "connhook.connhook.svc", "tls.crt")
        text = self.openssl("x509", "-in", "tls.crt", "-noout", "-text")
        self.assertIn("prime256v1", text)
        self.assertEqual(self.openssl("x509", "-in", "tls.crt", "-noout", "-pubkey"),
                         self.openssl("pkey", "-in", "tls.key", "-pubout"))
        status, out, err = CONNHOOK.run("certs", "show", *[os.path.join(TOOLS.folder, name)
                                                          for name in ("tls.crt", "tls.key", "ca.crt")])
        self.assertEqual(status, 0, out + err)

    def test_registered_ca_is_the_secrets(self):
        for kind in CLUSTER_WIDE:
            self.assertEqual(self.chart.one(kind)["webhooks"][0]["clientConfig"]["caBundle"],
                             self.chart.one("Secret")["data"]["ca.crt"])

    def test_the_deployments_command_serves(self):
        """The container's own arguments; only paths and addresses are this machine's."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            admin = probe.getsockname()[1]
        TOOLS.write("config.yaml", self.chart.config())
        arguments = []
        for argument in self.chart.container()["args"]:
            argument = re.sub(r"/etc/connhook/(config|tls)", TOOLS.folder, argument)
            argument = re.sub(r"^--listen=.*", "--listen=127.0.0.1:0", argument)
            argument = re.sub(r"^--admin-listen=.*", "--admin-listen=127.0.0.1:%d" % admin, argument)
            arguments.append(re.sub(r"^--drain-delay=.*", "--drain-delay=0", argument))
        log = open(os.path.join(TOOLS.folder, "serve.log"), "w+", encoding="utf-8")
        self.addCleanup(log.close)
        server = subprocess.Popen([CONNHOOK.path, *arguments], stdout=log, stderr=subprocess.STDOUT)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        probe = self.chart.container()["readinessProbe"]["httpGet"]["path"]
        deadline = time.monotonic() + READY_SECONDS
        status = None
        while status != 200 and server.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen("http://127.0.0.1:%d%s" % (admin, probe), timeout=READY_SECONDS) as answer:
                    status = answer.status
            except (urllib.error.URLError, OSError):
                time.sleep(POLL_SECONDS)
        server.send_signal(signal.SIGTERM)
        ended = server.wait(READY_SECONDS)
        log.seek(0)
        self.assertEqual((status, ended), (200, 0), log.read())


class Files(unittest.TestCase):
    """What stands twice agrees."""

    def test_lint(self):
        for values in ({}, {"certificates": {"mode": "helm"}}, {"certificates": PROVIDED, "hostNetwork": True}):
            path = TOOLS.write("values.yaml", yaml.safe_dump(values))
            status, out, err = TOOLS.helm.run("lint", "--strict", CHART, "--values", path)
            self.assertEqual(status, 0, out + err)
            self.assertNotIn("[WARNING]", out)

    def test_version_is_connhooks(self):
        with open(os.path.join(CHART, "Chart.yaml"), encoding="utf-8") as file:
            chart = yaml.safe_load(file)
        version = CONNHOOK.output("version")
        self.assertIn(chart["appVersion"], version.split())
        self.assertEqual(chart["version"], chart["appVersion"])

    def test_container_recipe_has_the_libraries(self):
        """Each library that the program is linked with comes with a package that the recipe installs."""
        with open(os.path.join(ROOT, "charts", "Dockerfile"), encoding="utf-8") as file:
            last_stage = file.read().rpartition("\nFROM ")[2]
        linked = re.findall(r"NEEDED\s+(\S+)", subprocess.run(["objdump", "-p", CONNHOOK.path], text=True, check=True,
                                                              capture_output=True).stdout)
        libraries = [name for name in linked if not re.match(r"lib(c|m|pthread|asan|ubsan)\.so|ld-", name)]
        self.assertGreaterEqual(len(libraries), 5)
        for name in libraries:
            owner = subprocess.run(["dpkg-query", "-S", "*/" + name], text=True, check=True, capture_output=True).stdout
            self.assertIn(owner.partition(":")[0], last_stage.split())

    def test_documents_parse_strictly(self):
        for name in PROFILES:
            with open(os.path.join(CHART, "files", "webhooks-%s.yaml" % name), encoding="utf-8") as file:
                self.assertEqual(len(documents(file.read())), 2)


if __name__ == "__main__":
    sys.exit(main(sys.modules[__name__]))
