#!/usr/bin/python3
"""Native policies and matchConditions, judged by the API server itself.

    tests/e2e/policies.py --build build                     all
    tests/e2e/policies.py --build build Policies.test_types

The policies that `connhook webhook-config --native` prints for each configuration of the golden cases of rules are
all there at once, each bound to the objects that carry its configuration's label. The API server then judges every
request of these cases, and has to say what connhook says. Policies came with Kubernetes 1.30.
"""

import argparse
import collections
import hashlib
import http.client
import json
import os
import sys
import tempfile
import unittest

import yaml

import binaries
from cluster import Cluster, ClusterError, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))
import golden  # noqa: E402
from cli.native import DIFFERENT, PARTLY, RULES  # noqa: E402
from support import core  # noqa: E402

CASES = os.path.join(golden.ROOT, "rules")
LABEL = "e2e/configuration"
KINDS = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
API = "/apis/admissionregistration.k8s.io/v1/"
NOTICE_SECONDS = 300    # the API server's type checker takes its time on a busy machine
OLD = "e2e.test/hold"       # a finalizer
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

BUILT_IN = {"", "apps", "batch", "rbac.authorization.k8s.io", "networking.k8s.io", "policy", "autoscaling"}

CLUSTER = None      # set by main
BUILD = None


class Client:
    """Requests as any user, over one connection."""

    def __init__(self):
        self.connection = http.client.HTTPSConnection(CLUSTER.url.rpartition("/")[2], context=CLUSTER.tls, timeout=60)

    def ask(self, method, path, body=None, user=None, groups=(), content_type="application/json"):
        """(status, JSON)"""
        self.connection.putrequest(method, path)
        data = b"" if body is None else json.dumps(body).encode()
        headers = [("Authorization", "Bearer " + CLUSTER.tokens["admin"]), ("Content-Type", content_type),
                   ("Content-Length", str(len(data)))]
        if user is not None:
            headers += [("Impersonate-User", user)] + [("Impersonate-Group", group) for group in groups]
        for name, value in headers:
            self.connection.putheader(name, value)
        self.connection.endheaders(data)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text)

    def must(self, *args, **options):
        status, answer = self.ask(*args, **options)
        if status >= 300:
            raise ClusterError("%s %s: %d %s" % (args[0], args[1], status, answer.get("message")))
        return answer


class Question:
    """One request of a golden case, and the rules by which connhook denies it."""

    def __init__(self, name, config, request, denied):
        self.name, self.config, self.request, self.denied = name, config, request, denied


def questions(pipe, scratch):
    """All requests of the golden cases of rules that create or update, as they stand and with all rules enforced."""
    for folder in sorted(os.listdir(CASES)):
        case = golden.Case(os.path.join(CASES, folder), pipe, scratch)
        for name, own in case.requests.items():
            asked = {**case.common, **(own or {})}
            if "after" in asked or "body" in asked or "check" in asked:
                continue
            operation, _, thing, old = case.build(asked)
            named(thing)
            review = case.review(asked, operation, thing, old)
            request = json.loads(review)["request"]
            if operation not in ("CREATE", "UPDATE") or request.get("subResource"):
                continue
            config = case.config(asked.get("config", "managed"))
            for path in (as_file(config, scratch), enforced(config, scratch)):
                answer = pipe.ask("validate", path, review)
                denied = {cause["message"].rpartition("[")[2].rstrip("]") for cause in answer.causes}
                yield Question("%s/%s" % (folder, name), path, request, denied & set(RULES))


def named(thing):
    """The API server makes a name out of generateName before it asks anybody whether the object is right."""
    meta = thing.get("metadata") if isinstance(thing, dict) else None
    if isinstance(meta, dict) and meta.get("generateName") and not meta.get("name"):
        meta["name"] = meta["generateName"] + "x4xm9"


def as_file(config, scratch):
    if config not in golden.PROFILES:
        return config
    return os.path.join(ROOT, "src", "policy", "load", "profiles", config + ".yaml")


def enforced(config, scratch):
    with open(as_file(config, scratch), encoding="utf-8") as file:
        content = yaml.load(file, LOADER)
    for rule in RULES:
        content.setdefault("rules", {}).setdefault(rule, {})["mode"] = "enforce"
    content["audit"] = False
    text = json.dumps(content)
    path = os.path.join(scratch, "enforced-%s.yaml" % hashlib.sha1(text.encode()).hexdigest())
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def printed(config):
    text = CLUSTER.run([os.path.join(BUILD, "connhook"), "webhook-config", "--native", "--config", config]).out
    return [each for each in yaml.load_all(text, LOADER) if each]


def collection_of(kind):
    return API + {"ValidatingAdmissionPolicy": "validatingadmissionpolicies",
                  "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings"}[kind]


def custom_kinds(asked):
    """A CRD without a schema for each custom kind that is asked about."""
    found = collections.OrderedDict()
    for question in asked:
        kind, resource = question.request["kind"], question.request["resource"]
        if kind["group"] not in BUILT_IN:
            entry = found.setdefault((kind["group"], resource["resource"]),
                                     (kind["kind"], set(), bool(question.request.get("namespace"))))
            entry[1].add(kind["version"])
    for (group, plural), (kind, versions, namespaced) in found.items():
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        yield {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
               "metadata": {"name": "%s.%s" % (plural, group),
                            "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
               "spec": {"group": group, "scope": "Namespaced" if namespaced else "Cluster",
                        "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": kind + "List"},
                        "versions": [{"name": version, "served": True, "storage": index == 0, "schema": schema}
                                     for index, version in enumerate(sorted(versions))]}}


def complete(thing):
    """What the API server demands of a workload beside what the case is about."""
    thing = json.loads(json.dumps(thing))
    kind, spec = thing.get("kind"), thing.get("spec")
    if thing.get("apiVersion", "").split("/")[0] not in ("apps", "batch") or not isinstance(spec, dict):
        return thing
    holder = spec.get("jobTemplate", {}).get("spec") if kind == "CronJob" else spec
    if not isinstance(holder, dict) or not isinstance(holder.get("template"), dict):
        return thing
    template = holder["template"]
    if kind in ("Job", "CronJob"):
        if isinstance(template.get("spec"), dict):
            template["spec"].setdefault("restartPolicy", "Never")
        if kind == "CronJob":
            spec.setdefault("schedule", "0 3 * * *")
    else:
        template.setdefault("metadata", {}).setdefault("labels", {})["e2e/selected"] = "yes"
        spec["selector"] = {"matchLabels": {"e2e/selected": "yes"}}
    return thing


class Policies(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.client = Client()
        cls.scratch = tempfile.mkdtemp(dir=CLUSTER.folder)
        with core.Core(BUILD) as pipe:
            cls.asked = list(questions(pipe, cls.scratch))
        cls.configs = sorted({question.config for question in cls.asked})
        cls.labels = {config: "c%d" % index for index, config in enumerate(cls.configs)}
        # Who may what is not asked here: everybody may everything.
        cls.client.must("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
            "metadata": {"name": "everybody"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": group}
                         for group in ("system:authenticated", "system:unauthenticated")]})
        for crd in custom_kinds(cls.asked):
            cls.client.must("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        CLUSTER.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
        for name in {question.request.get("namespace") for question in cls.asked} - {None}:
            cls.client.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        cls.refused, cls.policies = [], {}
        for config in cls.configs:
            found = printed(config)
            for policy, binding in zip(found[::2], found[1::2]):
                cls.bind(cls.labels[config], policy, binding)

    @classmethod
    def bind(cls, label, policy, binding):
        """Stores the policy, once for all configurations that print it; binds it to objects with the label."""
        name = "%s-%s" % (policy["metadata"]["name"], hashlib.sha1(json.dumps(policy).encode()).hexdigest()[:10])
        if name not in cls.policies:
            policy["metadata"]["name"] = name
            cls.policies[name] = policy
            cls.post(policy)
        binding["metadata"]["name"] += "-" + label
        binding["spec"]["policyName"] = name
        binding["spec"]["matchResources"] = {"objectSelector": {"matchLabels": {LABEL: label}}}
        cls.post(binding)

    @classmethod
    def post(cls, thing):
        status, answer = cls.client.ask("POST", collection_of(thing["kind"]), thing)
        if status != 201:
            cls.refused.append("%s %s: %s" % (thing["kind"], thing["metadata"]["name"], answer.get("message")))

    def test_accepted(self):
        self.assertEqual(self.refused, [])
        self.assertGreater(len(self.policies), 20)

    def test_types(self):
        """The API server's own type checker has looked at each, and has no warning."""
        def checked():
            found = self.client.must("GET", collection_of(KINDS[0]))["items"]
            return found if all(each.get("status", {}).get("observedGeneration") == each["metadata"]["generation"]
                                for each in found) else None
        found = wait_for(checked, NOTICE_SECONDS, "the types of all policies are checked")
        warnings = {each["metadata"]["name"]: each["status"]["typeChecking"]["expressionWarnings"] for each in found
                    if each["status"].get("typeChecking", {}).get("expressionWarnings")}
        self.assertEqual(warnings, {})
        self.assertEqual(len(found), len(self.policies))

    def path(self, question, name=""):
        request = question.request
        group, version = request["kind"]["group"], request["kind"]["version"]
        root = "/apis/%s/%s" % (group, version) if group else "/api/" + version
        if request.get("namespace"):
            root += "/namespaces/" + request["namespace"]
        return "%s/%s%s" % (root, request["resource"]["resource"], "/" + name if name else "")

    def judge(self, question):
        """What the API server says: ("allowed" | "denied" | "refused", the rule, the message)."""
        request, label = question.request, self.labels[question.config]
        thing, old = complete(request["object"]), request.get("oldObject")
        meta = thing.setdefault("metadata", {})
        user = request["userInfo"]
        who = {"user": user["username"], "groups": user.get("groups", [])}
        if request["operation"] == "CREATE":
            meta.setdefault("labels", {})[LABEL] = label
            meta.pop("deletionTimestamp", None)
            status, answer = self.client.ask("POST", self.path(question) + "?dryRun=All", thing, **who)
        else:
            old = complete(old)
            # Only the API server sets the timestamp, so that the old object has it too.
            deleting = old["metadata"].pop("deletionTimestamp", None) or meta.pop("deletionTimestamp", None)
            finalizers = old["metadata"].get("finalizers", [])
            if deleting:
                old["metadata"]["finalizers"] = finalizers or [OLD]
            status, stored = self.client.ask("POST", self.path(question), old)
            if status != 201:
                return "refused", None, "old: " + stored.get("message", "")
            path = self.path(question, stored["metadata"]["name"])
            try:
                if deleting:
                    self.client.must("DELETE", path)
                meta.setdefault("labels", {})[LABEL] = label
                meta["name"] = stored["metadata"]["name"]
                meta["resourceVersion"] = self.client.must("GET", path)["metadata"]["resourceVersion"]
                if deleting:
                    meta.pop("deletionTimestamp", None)
                    meta["finalizers"] = old["metadata"]["finalizers"]
                status, answer = self.client.ask("PUT", path + "?dryRun=All", thing, **who)
            finally:
                self.client.ask("PATCH", path, {"metadata": {"finalizers": None}},
                                content_type="application/merge-patch+json")
                self.client.ask("DELETE", path + "?gracePeriodSeconds=0&propagationPolicy=Background")
        if status < 300:
            return "allowed", None, ""
        message = answer.get("message", "")
        for rule in RULES:
            if "ValidatingAdmissionPolicy 'connhook-%s-" % rule in message:
                return "denied", rule, message
        return "refused", None, message

    def test_verdicts(self):
        # The last policy that was stored is in force: then all are.
        last = max((question for question in self.asked if question.denied and question.request["operation"] == "CREATE"
                    and question.request["kind"]["kind"] == "DragonflyInstance"),
                   key=lambda question: int(self.labels[question.config][1:]))
        wait_for(lambda: self.judge(last)[0] == "denied", NOTICE_SECONDS, "the policies are in force",
                 lambda: " " + str(self.judge(last)))
        different, counts, refused = {}, collections.Counter(), {}
        for question in self.asked:
            verdict, rule, message = self.judge(question)
            counts[verdict] += 1
            if verdict == "refused":
                refused[question.name] = message
            elif verdict == "allowed" and set(question.denied) <= PARTLY:
                continue  # CEL says a part of these
            elif (verdict == "denied") != bool(question.denied) or (rule and rule not in question.denied):
                different[question.name] = "%s by %s, connhook denies by %s: %s" % (
                    verdict, rule, sorted(question.denied), message[:300])
        print("measured: %d configurations, %d policies; requests: %s" % (
            len(self.configs), len(self.policies), dict(counts)), file=sys.stderr)
        for name, message in sorted(refused.items()):
            print("refused by the API server itself: %s: %s" % (name, message[:160]), file=sys.stderr)
        # What differs on purpose; a schema of the API server's own refuses some of it before.
        self.assertEqual({name: text for name, text in different.items() if name not in DIFFERENT}, {})
        self.assertEqual(set(DIFFERENT) - set(refused) - set(different), set())
        self.assertGreater(counts["denied"], 300)
        self.assertGreater(counts["allowed"], 300)


def main():
    global CLUSTER, BUILD
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="where connhook and its tools were built")
    parser.add_argument("tests", nargs="*", help="Class or Class.test; default: all")
    options = parser.parse_args()
    BUILD = os.path.abspath(options.build)
    try:
        with Cluster(controllers=["validatingadmissionpolicy-status-controller"]) as CLUSTER:
            if CLUSTER.version < (1, 30):
                print("skipped: ValidatingAdmissionPolicy came with Kubernetes 1.30")
                return 0
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
