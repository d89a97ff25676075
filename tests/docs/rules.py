#!/usr/bin/python3
"""
docs/rules.md and docs/rules/RULE.md against connhook: every example is reviewed, every piece of a configuration is
checked, and rules, parameters and modes are those that connhook has.

    tests/docs/rules.py PATH_TO_CONNHOOK
"""
import json
import os
import re
import subprocess
import sys
import tempfile

DOCS = os.path.realpath(os.path.join(os.path.dirname(__file__), '..', '..', 'docs'))
PROFILES = ('managed', 'in-cluster')
# `review` runs both phases, so that nothing is ever missing in the second one.
NEVER_DENIED_BY_REVIEW = {'injection-complete'}
EXAMPLES = 3  # of each kind, on a rule's page

connhook = None
passed, failed = 0, 0


def check(good, what):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print('FAILED: %s' % what)


def run(*arguments):
    done = subprocess.run((connhook,) + arguments, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def write(name, text):
    with open(name, 'w', encoding='utf-8') as f:
        f.write(text)
    return name


def allowed_keys(config, key):
    """What connhook says may stand where the unknown `key` stands."""
    identity = 'apiVersion: connhook.zerotouch.io/v1alpha1\nkind: InjectorConfig\n'
    code, _, error = run('config', 'check', write('keys.yaml', identity + config))
    match = re.search(r'unknown key "%s" in [^;]*; allowed: ([^;\n]*)' % key, error)
    if code == 0 or not match:
        raise RuntimeError('expected a complaint about the key %s, found: %s' % (key, error))
    return match.group(1).split(', ')


def with_rules(profile, rules):
    """A profile whose `rules`, which stand last in it, are replaced."""
    head, mark, _ = profile.partition('\nrules:\n')
    if not mark:
        raise RuntimeError('the profile has no rules at its end')
    return head + '\n' + rules


def mode_in(profile, rule):
    match = re.search(r'^  %s: \{mode: "?(\w+)"?\}' % rule, profile, re.M)
    return match and match.group(1)


class Page:
    """A file of docs/: (word before, language, text, place) of each block, and the rows of its tables."""

    def __init__(self, name):
        self.blocks, self.rows = [], []
        block, word = None, ''
        with open(os.path.join(DOCS, name), encoding='utf-8') as f:
            for number, line in enumerate(f, 1):
                if block is not None:
                    if line.startswith('```'):
                        self.blocks.append((word, block[0], ''.join(block[2:]), block[1]))
                        block, word = None, ''
                    else:
                        block.append(line)
                elif line.startswith('```'):
                    block = [line[3:].strip(), 'docs/%s:%d' % (name, number)]
                elif line.startswith('| '):
                    self.rows.append([cell.strip() for cell in line.strip().strip('|').split(' | ')])
                elif line.strip():
                    word = line.strip()


def review(rule, manifest, profile):
    """The results of `review -o json` with that rule enforced."""
    config = write('config.yaml', with_rules(profile, 'rules:\n  %s: {mode: enforce}\n' % rule))
    code, out, error = run('review', '--config', config, '-o', 'json', write('example.yaml', manifest))
    if code not in (0, 1):
        raise RuntimeError('connhook review: %s' % error)
    return code, json.loads(out)


def check_example(rule, word, manifest, place, profile):
    where = '%s: the example' % place
    code, results = review(rule, manifest, profile)
    found = [v for r in results for v in r['violations']]
    if word == 'Allowed:':
        check(code == 0 and all(r['allowed'] for r in results), '%s must be allowed: %s' % (where, found))
        check(not found and not any(r['warnings'] for r in results), '%s must not warn: %s' % (where, results))
    else:
        check(code == 1 and not all(r['allowed'] for r in results), '%s must be denied' % where)
        # What the first phase denies is not injected, which the second phase then misses.
        found = [v for v in found if v['rule'] != 'injection-complete']
        check({(v['rule'], v['mode']) for v in found} == {(rule, 'enforce')}, '%s must be denied by %s: %s' % (
            where, rule, found))
    return found


def check_sentences(found, text, place):
    """The text is what is said about the example before it, line breaks apart."""
    said = '\n'.join('%s: %s [%s]' % (v['field'], v['message'], v['rule']) for v in found)
    check(said.split() == text.split(), '%s: connhook says\n%s' % (place, said))


def check_rule(page, rule, profiles):
    found, words = [], [word for word, *_ in page.blocks]
    check(words.count('Allowed:') >= EXAMPLES, '%s needs %d allowed examples' % (rule, EXAMPLES))
    check(words.count('Denied:') >= (0 if rule in NEVER_DENIED_BY_REVIEW else EXAMPLES),
          '%s needs %d denied examples' % (rule, EXAMPLES))
    keys = allowed_keys('rules: {%s: {zzz: 1}}' % rule, 'zzz')
    named = [row[0].strip('`') for row in page.rows if row[0].startswith('`') and len(row) == 2]
    check(named == keys, '%s has the parameters %s, its table %s' % (rule, keys, named))
    about_mode = {row[0]: row[1] for row in page.rows}['`mode`']
    check('default `%s`' % mode_in(profiles['managed'], rule) in about_mode, '%s: the default mode' % rule)
    for word, language, text, place in page.blocks:
        if language == 'yaml' and text.startswith('rules:'):
            check_configuration(text, place, profiles)
        elif language == 'yaml':
            check(word in ('Allowed:', 'Denied:'), '%s: is it Allowed: or Denied:?' % place)
            found = check_example(rule, word, text, place, profiles['managed'])
        elif language == 'text':
            check_sentences(found, text, place)


def check_configuration(text, place, profiles):
    head = profiles['managed'].partition('\nrules:\n')[0] + '\n'
    if text.startswith('exempt:'):
        head = re.sub(r'^exempt:\n(  .*\n)*', '', head, flags=re.M)
    code, _, error = run('config', 'check', write('piece.yaml', head + text))
    check(code == 0, '%s: %s' % (place, error))


def check_table(rows, rules, profiles):
    """The first table: every rule, in order, with its mode in each profile."""
    rows = [row for row in rows if row[0].startswith('[')]
    check([row[0] for row in rows] == ['[`%s`](rules/%s.md)' % (r, r) for r in rules],
          'the first table names the rules')
    for row, rule in zip(rows, rules):
        for profile, mode in zip(PROFILES, row[1:3]):
            check(mode_in(profiles[profile], rule) == mode, '%s is not %s in %s' % (rule, mode, profile))


def main():
    global connhook
    if len(sys.argv) != 2:
        sys.exit('usage: tests/docs/rules.py PATH_TO_CONNHOOK')
    connhook = os.path.abspath(sys.argv[1])
    index = Page('rules.md')
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        profiles = {name: run('config', 'show', '--profile', name)[1] for name in PROFILES}
        rules = allowed_keys('rules: {zzz: {}}', 'zzz')
        pages = sorted(name[:-3] for name in os.listdir(os.path.join(DOCS, 'rules')))
        check(pages == sorted(rules), 'a page for each rule: found %s' % pages)
        check_table(index.rows, rules, profiles)
        for _, language, text, place in index.blocks:
            if language == 'yaml':
                check_configuration(text, place, profiles)
        for rule in set(rules).intersection(pages):
            check_rule(Page('rules/%s.md' % rule), rule, profiles)
        os.chdir('/')
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
