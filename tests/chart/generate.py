#!/usr/bin/python3
"""The files that repeat what connhook itself says: compared with what it says now, or written.

    tests/chart/generate.py PATH_TO_CONNHOOK             compare
    tests/chart/generate.py PATH_TO_CONNHOOK --write     write; then look at git diff

charts/connhook/files/               the shipped configurations, and what registers each of them
charts/connhook/values.schema.json   the definition of rules: their ids, and the keys that each takes
webhook-config/base/                 what registers the default configuration
"""

import json
import os
import re
import sys

from harness.chart import CHART, IDENTITY, PROFILES, ROOT, Connhook

SCHEMA = os.path.join(CHART, "values.schema.json")
SERVICE = "connhook/connhook"
NEWEST = "1.30"         # the version from which on everything that webhook-config knows is printed


def allowed_keys(connhook, config, key):
    """The keys that may stand where `key` stands, which connhook does not know. `config` is YAML text."""
    status, _, err = connhook.run("config", "check", "-", text=IDENTITY + config)
    match = re.search(r'unknown key "%s" in [^;]*; allowed: ([^;\n]*)' % key, err)
    if status == 0 or not match:
        raise RuntimeError("expected a complaint about the key %s, found: %s" % (key, err.strip()))
    return match.group(1).split(", ")


def rules_schema(connhook):
    """The JSON schema of `rules`. What is in a rule's own parameters, connhook checks."""
    known = {"mode": {"enum": ["enforce", "warn", "off", False]}, "exempt": {"$ref": "#/definitions/ruleExempt"},
             "help": {"type": "string"}}
    properties = {}
    for rule in allowed_keys(connhook, "rules: {zzz: {}}", "zzz"):
        keys = allowed_keys(connhook, "rules: {%s: {zzz: 1}}" % rule, "zzz")
        properties[rule] = {"type": "object", "additionalProperties": False,
                            "properties": {key: known.get(key, {}) for key in keys}}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def with_rules(text, rules):
    """The schema's text with the definition of rules, which stands last in it, replaced."""
    head, mark, _ = text.partition('\n    "rules": {')
    if not mark or '"definitions"' not in head:
        raise RuntimeError("%s does not end with a definition of rules" % SCHEMA)
    return head + '\n    "rules": ' + json.dumps(rules, indent=2).replace("\n", "\n    ") + "\n  }\n}\n"


def contents(connhook):
    """Returns {path: text} of all that is generated."""
    files = {}
    for name in PROFILES:
        config = connhook.profile(name)
        files[os.path.join(CHART, "files", "config-%s.yaml" % name)] = config
        files[os.path.join(CHART, "files", "webhooks-%s.yaml" % name)] = \
            connhook.registration(config, SERVICE, version=NEWEST)
    files[os.path.join(ROOT, "webhook-config", "base", "webhooks.yaml")] = \
        connhook.output("webhook-config", "--service", SERVICE, "--cert-manager", SERVICE)
    files[SCHEMA] = with_rules(read(SCHEMA), rules_schema(connhook))
    return files


def read(path):
    """The file's text; empty where there is none."""
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def main(arguments):
    if not arguments or arguments[0].startswith("-") or arguments[1:] not in ([], ["--write"]):
        print(__doc__, file=sys.stderr)
        return 2
    wanted = contents(Connhook(arguments[0]))
    stale = [path for path, text in wanted.items() if read(path) != text]
    if arguments[1:]:
        for path in stale:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(wanted[path])
            print("written: " + os.path.relpath(path, ROOT))
        return 0
    for path in stale:
        print("%s is not what connhook says now; run tests/chart/generate.py PATH_TO_CONNHOOK --write" %
              os.path.relpath(path, ROOT))
    print("%d passed, %d failed" % (len(wanted) - len(stale), len(stale)))
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
