"""What the tests of the chart share: connhook, helm and kubectl as commands, and what a chart renders to."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
CHART = os.path.join(ROOT, "charts", "connhook")
PROFILES = ("managed", "in-cluster")
IDENTITY = "apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\n"

sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import binaries  # noqa: E402


class Strict(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, as it is for the API server."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, "keys that stand twice: %s" % twice, node.start_mark)
        return super().construct_mapping(node, deep)


def documents(text):
    """The YAML documents that are not empty."""
    return [document for document in yaml.load_all(text, Loader=Strict) if document]


class Program:
    """A command. `run` gives (status, standard output, standard error); `output` raises when it fails."""

    def __init__(self, path, environment=None):
        self.path, self.environment = os.path.abspath(path), environment

    def run(self, *arguments, text=None):
        done = subprocess.run([self.path, *arguments], input=text, text=True, capture_output=True, check=False,
                              env=self.environment, cwd=ROOT)
        return done.returncode, done.stdout, done.stderr

    def output(self, *arguments, text=None):
        status, out, err = self.run(*arguments, text=text)
        if status != 0:
            raise RuntimeError("%s %s: exit %d\n%s%s" % (self.path, " ".join(arguments), status, out, err))
        return out


class Connhook(Program):
    def profile(self, name):
        """The text of a shipped configuration."""
        return self.output("config", "show", "--profile", name)

    def registration(self, config, service, version=None, ca_file=None):
        """What registers a configuration, which is YAML text; `service` is NAMESPACE/NAME[:PORT]. Without a CA file,
        cert-manager gives the CA."""
        arguments = ["--ca-file", ca_file] if ca_file else ["--cert-manager", service.partition(":")[0]]
        arguments += ["--kubernetes-version", version] if version else []
        return self.output("webhook-config", "--config", "-", "--service", service, *arguments, text=config)


class Rendered:
    """The documents that a chart rendered to."""

    def __init__(self, text):
        self.text = text
        self.documents = documents(text)

    def all(self, kind):
        return [document for document in self.documents if document["kind"] == kind]

    def one(self, kind):
        found = self.all(kind)
        if len(found) != 1:
            raise AssertionError("%d documents of kind %s" % (len(found), kind))
        return found[0]

    def container(self):
        return self.one("Deployment")["spec"]["template"]["spec"]["containers"][0]

    def argument(self, flag):
        """The value of --flag=value in the container's arguments."""
        for argument in self.container()["args"]:
            if argument.startswith("--%s=" % flag):
                return argument.partition("=")[2]
        raise AssertionError("no argument --%s" % flag)

    def config_map(self):
        """The ConfigMap that holds the InjectorConfig; there may be one with the dashboard as well."""
        found, = [document for document in self.all("ConfigMap") if "config.yaml" in document["data"]]
        return found

    def config(self):
        """The InjectorConfig, YAML text."""
        return self.config_map()["data"]["config.yaml"]


class Tools:
    """helm and kubectl with a home of their own, which `close` removes."""

    def __init__(self):
        found = binaries.find(("kubectl", "helm"))
        self._home = tempfile.TemporaryDirectory(prefix="connhook-chart-")
        self.folder = self._home.name
        environment = {"PATH": os.environ["PATH"], "HOME": self.folder}
        self.helm = Program(found["helm"], environment)
        self.kubectl = Program(found["kubectl"], environment)

    def close(self):
        self._home.cleanup()

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def try_template(self, values=None, *arguments, release="connhook", namespace="connhook"):
        """helm template with values, a dict: (status, standard output, standard error)."""
        path = self.write("values.yaml", yaml.safe_dump(values or {}))
        return self.helm.run("template", release, CHART, "--namespace", namespace, "--values", path, *arguments)

    def template(self, values=None, *arguments, release="connhook", namespace="connhook"):
        """What the chart renders to, as Rendered. A failure is an AssertionError with helm's words."""
        status, out, err = self.try_template(values, *arguments, release=release, namespace=namespace)
        if status != 0:
            raise AssertionError("helm template: %s" % err)
        return Rendered(out)


def flags_of(connhook, command):
    """The long options that the command's help names."""
    return set(re.findall(r"--([a-z][a-z-]*)", connhook.output(command, "--help")))


def main(module):
    """Runs a module's tests with PATH_TO_CONNHOOK as its argument: sets CONNHOOK and TOOLS in it."""
    if len(sys.argv) < 2:
        print("usage: %s PATH_TO_CONNHOOK [TEST]..." % sys.argv[0], file=sys.stderr)
        return 2
    module.CONNHOOK = Connhook(sys.argv.pop(1))
    try:
        module.TOOLS = Tools()
    except binaries.BuildError as error:
        print("chart: %s" % error, file=sys.stderr)
        return 1
    try:
        result = unittest.main(module=module, exit=False).result
    finally:
        module.TOOLS.close()
    # Sub-tests fail one by one: a test may stand here more than once.
    bad = {test.id().partition(" ")[0] for test, _ in result.failures + result.errors}
    print("%d passed, %d failed" % (result.testsRun - len(bad), len(bad)))
    return 1 if bad or result.testsRun == 0 else 0
