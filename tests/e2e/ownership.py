#!/usr/bin/python3
"""What a request tells about who wrote an entry, for each way of writing: docs/ownership-evidence.md is its result.

    tests/e2e/ownership.py                    compares with the page
    tests/e2e/ownership.py --update           writes the page's table anew

One webhook records what the API server sends: the object, its managedFields, and what
kubectl.kubernetes.io/last-applied-configuration declares. A second one, behind it, injects as connhook does, and never
takes away, so that the table shows the API server and its clients alone. HELM3 in the environment names a Helm 3.
"""

import argparse
import copy
import difflib
import json
import os
import sys

import yaml

import binaries
from cluster import Cluster, ClusterError, to_yaml
from webhook import Webhook

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PAGE = os.path.join(ROOT, "docs", "ownership-evidence.md")
BEGIN, END = "<!-- begin: tests/e2e/ownership.py -->", "<!-- end -->"

PREFIX = "inject.zerotouch.io/"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ASKED = {PREFIX + "bindings": "db,jwt,nats", PREFIX + "migrate": "npm run migrate"}
SOURCES = [{"secretRef": {"name": "shop-db"}}, {"secretRef": {"name": "shop-jwt"}}]
INJECTED = [{"secretRef": dict(each["secretRef"], optional=False)} for each in SOURCES]
NATS = {"name": "NATS_URL", "value": "nats://nats.nats.svc:4222"}

# Each entry that connhook injects here: its path in managedFields below the Pod's spec, and how to find it in one.
APP = ["f:containers", 'k:{"name":"shop"}']
ENTRIES = {
    "envFrom": (APP + ["f:envFrom"], lambda pod: app_of(pod).get("envFrom")),
    "env": (APP + ["f:env", 'k:{"name":"NATS_URL"}'],
            lambda pod: [each for each in app_of(pod).get("env", []) if each["name"] == "NATS_URL"]),
    "initContainers": (["f:initContainers", 'k:{"name":"run-migrations"}'],
                       lambda pod: [each for each in pod.get("initContainers", [])
                                    if each["name"] == "run-migrations"]),
    "imagePullSecrets": (["f:imagePullSecrets", 'k:{"name":"ghcr-pull-secret"}'],
                         lambda pod: [each for each in pod.get("imagePullSecrets", [])
                                      if each["name"] == "ghcr-pull-secret"]),
}


def app_of(pod):
    return next((each for each in pod.get("containers", []) if each["name"] == "shop"), {})


def manifest(image="ghcr.io/bizmatters/shop:v1", asked=True, own=(), by_hand=False):
    """The user's Deployment. `by_hand`: no annotations, but the entries that connhook injected, written out."""
    app = {"name": "shop", "image": image, "env": [{"name": "LOG_LEVEL", "value": "info"}]}
    if own:
        app["envFrom"] = list(own)
    pod = {"containers": [app]}
    if by_hand:
        app["envFrom"] = copy.deepcopy(SOURCES) + app.get("envFrom", [])
        app["env"].insert(0, NATS)
        pod["initContainers"] = [{"name": "run-migrations", "image": image, "envFrom": copy.deepcopy(app["envFrom"]),
                                  "command": ["/bin/sh", "-c", "npm run migrate"]}]
        pod["imagePullSecrets"] = [{"name": "ghcr-pull-secret"}]
    metadata = {"name": "shop", "labels": {"app": "shop", "e2e/other": "true"}}
    if asked:
        metadata["annotations"] = dict(ASKED)
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"selector": {"matchLabels": {"app": "shop"}},
                     "template": {"metadata": {"labels": {"app": "shop"}}, "spec": pod}}}


def owners_of(metadata, path):
    """Who owns it: ["manager:Operation"]. An owner of a list as a whole owns every entry."""
    found = []
    for entry in metadata.get("managedFields", []):
        node = entry.get("fieldsV1", {})
        for step in ["f:spec", "f:template", "f:spec", *path]:
            node = node.get(step)
            if node is None:
                break
        if node is not None:
            found.append("%s:%s" % (entry["manager"].split(".")[0], entry["operation"]))
    return found


def evidence(thing):
    """{entry: (is there, owners, declared)}; declared is None where the object has no last-applied-configuration."""
    metadata, pod = thing["metadata"], thing["spec"]["template"]["spec"]
    text = metadata.get("annotations", {}).get(LAST_APPLIED)
    declared = json.loads(text)["spec"]["template"]["spec"] if text else None
    return {name: (bool(find(pod)), owners_of(metadata, path), None if declared is None else bool(find(declared)))
            for name, (path, find) in ENTRIES.items()}


class Way:
    """A way of writing: `write(manifest)` in a namespace of its own. Records one row for each request it makes."""

    def __init__(self, study, title):
        self.study, self.title = study, title
        study.count += 1
        self.namespace = study.cluster.create_namespace("w%02d" % study.count)

    def kubectl(self, *args, thing=None, **options):
        return self.study.cluster.kubectl(*args, "--namespace", self.namespace, check=False,
                                          input=to_yaml(thing) if thing else None, **options)

    def step(self, what, run):
        del self.study.requests[:]
        done = run()
        said = (done.err if done is not None else "").strip()
        requests = [each for each in self.study.requests if each["namespace"] == self.namespace]
        live = self.study.cluster.get_json("deployment", "shop", self.namespace)
        self.study.rows.append((self.title, what, requests, live, said))


def inject(request):
    """What connhook adds for ASKED, and its record, an annotation of the pod template that no user declares."""
    thing = request["object"]
    if PREFIX + "bindings" not in thing["metadata"].get("annotations", {}):
        return []
    template = copy.deepcopy(thing["spec"]["template"])
    app = app_of(template["spec"])
    app["envFrom"] = INJECTED + [each for each in app.get("envFrom", []) if each not in INJECTED]
    app["env"] = [NATS] + [each for each in app.get("env", []) if each != NATS]
    others = [each for each in template["spec"].get("initContainers", []) if each["name"] != "run-migrations"]
    template["spec"]["initContainers"] = others + [
        {"name": "run-migrations", "image": app["image"], "envFrom": app["envFrom"],
         "command": ["/bin/sh", "-c", "npm run migrate"]}]
    template["spec"]["imagePullSecrets"] = [{"name": "ghcr-pull-secret"}]
    template["metadata"].setdefault("annotations", {})[PREFIX + "injected"] = "{}"
    return [{"op": "replace", "path": "/spec/template", "value": template}]


class Study:
    def __init__(self, cluster):
        self.cluster, self.count, self.requests, self.rows = cluster, 0, [], []
        self.recorder = Webhook(cluster, "aaa-recorder", self.record, again="Never")
        self.injector = Webhook(cluster, "zzz-injector", inject)

    def record(self, request):
        self.requests.append(request)
        return []

    # --- the ways

    def five(self, way, write, create=None):
        """Created, touched, a new image, then handed over: the annotations go, the same entries stand by hand."""
        way.step("create", lambda: (create or write)(way, manifest()))
        way.step("new image", lambda: write(way, manifest("ghcr.io/bizmatters/shop:v2")))
        way.step("hand over", lambda: write(way, manifest("ghcr.io/bizmatters/shop:v2", asked=False, by_hand=True)))
        way.step("again", lambda: write(way, manifest("ghcr.io/bizmatters/shop:v3", asked=False, by_hand=True)))

        other = Way(self, way.title)
        (create or write)(other, manifest())
        other.step("annotations dropped", lambda: write(other, manifest(asked=False)))

        mixed = Way(self, way.title)
        own = [{"configMapRef": {"name": "own"}}]
        (create or write)(mixed, manifest(own=own))
        mixed.step("own envFrom, new image", lambda: write(mixed, manifest("ghcr.io/bizmatters/shop:v2", own=own)))

    def apply(self, *args):
        return lambda way, thing: way.kubectl("apply", "-f", "-", *args, thing=thing)

    def replace(self, way, thing):
        return way.kubectl("replace", "-f", "-", thing=thing)

    def create(self, way, thing):
        return way.kubectl("create", "-f", "-", thing=thing)

    def merge_patch(self, way, thing):
        body = copy.deepcopy(thing)
        notes = body["metadata"].setdefault("annotations", {})
        for key in ASKED:
            notes.setdefault(key, None)
        return way.kubectl("patch", "deployment", "shop", "--type=merge", "-p", json.dumps(body))

    def edit(self, way, thing):
        """kubectl edit: the user changes annotations and image in the live object, and leaves the entries he sees."""
        script = self.cluster.path("edit.py")
        wanted = self.cluster.path("wanted.yaml")
        with open(wanted, "w", encoding="utf-8") as file:
            file.write(to_yaml(thing))
        with open(script, "w", encoding="utf-8") as file:
            file.write("import sys, yaml\n"
                       "wanted, live = (yaml.safe_load(open(path)) for path in sys.argv[1:3])\n"
                       "live['metadata']['annotations'] = wanted['metadata'].get('annotations', {})\n"
                       "app = live['spec']['template']['spec']['containers'][0]\n"
                       "app['image'] = wanted['spec']['template']['spec']['containers'][0]['image']\n"
                       "yaml.safe_dump(live, open(sys.argv[2], 'w'))\n")
        return way.kubectl("edit", "deployment", "shop",
                           extra_environment={"KUBE_EDITOR": "%s %s %s" % (sys.executable, script, wanted)})

    def dump(self):
        """A manifest that was exported from the cluster, record and all, is applied again and then changed."""
        way = Way(self, "an export, applied")
        way.kubectl("create", "-f", "-", thing=manifest())
        exported = yaml.safe_load(way.kubectl("get", "deployment", "shop", "-o", "yaml").out)
        for key in ("uid", "resourceVersion", "creationTimestamp", "generation"):
            del exported["metadata"][key]
        exported.pop("status", None)
        way.step("applied", lambda: way.kubectl("apply", "-f", "-", thing=exported))
        for key in ASKED:
            del exported["metadata"]["annotations"][key]
        way.step("annotations dropped", lambda: way.kubectl("apply", "-f", "-", thing=exported))

    def helm(self, program, *args):
        def write(way, thing):
            chart = self.cluster.path("chart-" + way.namespace)
            os.makedirs(os.path.join(chart, "templates"), exist_ok=True)
            with open(os.path.join(chart, "Chart.yaml"), "w", encoding="utf-8") as file:
                file.write("apiVersion: v2\nname: shop\nversion: 0.1.0\n")
            with open(os.path.join(chart, "templates", "shop.yaml"), "w", encoding="utf-8") as file:
                file.write(to_yaml(thing))
            return self.cluster.run([program, "upgrade", "--install", "shop", chart, "-n", way.namespace, *args])
        return write

    def run(self):
        self.recorder.register()
        self.injector.register()
        plain = self.apply()
        server = self.apply("--server-side")
        self.five(Way(self, "kubectl apply"), plain)
        self.five(Way(self, "kubectl apply --server-side"), server)
        self.five(Way(self, "kubectl apply, then --server-side"), server, create=plain)
        self.five(Way(self, "kubectl replace"), self.replace, create=self.create)
        self.five(Way(self, "kubectl edit"), self.edit, create=self.create)
        self.five(Way(self, "merge patch"), self.merge_patch, create=self.create)
        if os.environ.get("HELM3"):
            self.five(Way(self, "Helm 3"), self.helm(os.environ["HELM3"]))
        self.five(Way(self, "Helm 4"), self.helm(self.cluster.programs["helm"]))
        self.five(Way(self, "Argo CD, client-side"), self.apply("--field-manager=argocd-controller"))
        self.five(Way(self, "Argo CD, server-side"),
                  self.apply("--server-side", "--force-conflicts", "--field-manager=argocd-controller"))

        self.dump()
        way = Way(self, "kubectl, small changes")
        plain(way, manifest())
        for what, args in (("set image", ("set", "image", "deployment/shop", "shop=ghcr.io/bizmatters/shop:v2")),
                           ("set env", ("set", "env", "deployment/shop", "MORE=1")),
                           ("scale", ("scale", "deployment/shop", "--replicas=2")),
                           ("rollout restart", ("rollout", "restart", "deployment/shop")),
                           ("label", ("label", "deployment/shop", "tier=web"))):
            way.step(what, lambda args=args: way.kubectl(*args))
        self.recorder.close()
        self.injector.close()


def show(mark):
    there, owners, declared = mark
    words = ["there" if there else "absent"] + (["declared"] if declared else [])
    return ", ".join(words + ["%s" % each for each in owners])


def shape(thing):
    """Whether the annotations ask, whether the record came along, and the container's sources in their order."""
    template = thing["spec"]["template"]
    names = ["own" if "configMapRef" in each else each["secretRef"]["name"].replace("shop-", "")
             for each in app_of(template["spec"]).get("envFrom", [])]
    return [("yes" if PREFIX + "bindings" in thing["metadata"].get("annotations", {}) else "no"),
            ("yes" if PREFIX + "injected" in template["metadata"].get("annotations", {}) else "no"),
            ", ".join(names) or "none"]


def table(rows):
    """The last request of each step: kubectl's first ones only move ownership from one manager to another."""
    lines = ["| way | step | asks | record | sources | " + " | ".join("`%s`" % name for name in ENTRIES) + " |",
             "|---|---|---|---|---|" + "---|" * len(ENTRIES)]
    for title, what, requests, _, said in rows:
        if requests:
            marks = evidence(requests[-1]["object"])
            cells = shape(requests[-1]["object"]) + [show(marks[name]) for name in ENTRIES]
        else:
            cells = ["conflict" if "conflict" in said else "no request"] + [""] * (len(ENTRIES) + 2)
        lines.append("| %s |" % " | ".join([title, what] + cells))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write the page's table anew")
    parser.add_argument("--raw", help="also write all that was recorded into this file, as JSON")
    options = parser.parse_args()
    try:
        with Cluster() as cluster:
            if cluster.version < (1, 30):
                print("skipped: the page is about current versions")
                return 0
            study = Study(cluster)
            study.run()
    except (binaries.BuildError, ClusterError) as error:
        print("e2e: %s" % error, file=sys.stderr)
        return 1
    if options.raw:
        with open(options.raw, "w", encoding="utf-8") as file:
            json.dump(study.rows, file, indent=1)
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    before, _, rest = page.partition(BEGIN + "\n")
    old, _, after = rest.partition(END)
    new = table(study.rows) + "\n"
    if options.update:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(before + BEGIN + "\n" + new + END + after)
        return 0
    # Ways that this machine has not (Helm 3) stay as they are.
    ways = {row[0] for row in study.rows}
    expected = [line for line in old.splitlines() if line.split("|")[1].strip() in ways | {"way", "---"}]
    different = list(difflib.unified_diff(expected, new.splitlines(), "docs/ownership-evidence.md", "found",
                                          lineterm=""))
    print("\n".join(different))
    print("%d passed, %d failed" % (not different, bool(different)))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
