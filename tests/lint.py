#!/usr/bin/python3
"""
What no compiler checks: layers, wrappers, banned functions, layout, limits that nothing uses.

    tests/lint.py        prints "file:line: sentence" for each fault; exit 1 when there is one
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Each room may include itself and what stands here, "policy" and its like with all the rooms in it. A room stands
# behind all that it may include, so no arrow points upwards and no circle closes.
LAYERS = {
    'base': (),
    'codec': ('base',),
    'kube': ('base', 'codec'),
    'policy/verdict': ('base',),
    'policy/config': ('base', 'codec', 'kube', 'policy/verdict'),
    'policy/facts': ('base', 'codec', 'kube', 'policy/config'),
    'policy/plan': ('base', 'codec', 'kube', 'policy/verdict', 'policy/config'),
    'policy/rules': ('base', 'codec', 'kube', 'policy/verdict', 'policy/config', 'policy/facts', 'policy/plan'),
    'policy/load': ('base', 'codec', 'kube', 'policy/config', 'policy/rules'),
    'policy/decide': ('base', 'codec', 'kube', 'policy/verdict', 'policy/config', 'policy/plan', 'policy/rules'),
    'publish': ('base', 'codec', 'kube', 'policy/config', 'policy/facts', 'policy/rules'),
    'pki': ('base',),
    'server': ('base', 'codec', 'kube', 'policy', 'pki'),
    'review': ('base', 'codec', 'kube', 'policy'),
    'cli': ('base', 'codec', 'kube', 'policy', 'publish', 'pki', 'server', 'review'),
}

# A library of the Makefile's LIBRARIES: its headers, and the one layer that may include them.
WRAPPERS = {
    'libcjson': (r'cjson/', 'codec'),
    'yaml-0.1': (r'yaml\.h$', 'codec'),
    'libcrypto': (r'openssl/', 'pki'),
    'libmicrohttpd': (r'microhttpd\.h$', 'server'),
    'gnutls': (r'gnutls/', 'server'),
}

BANNED = {
    'strcpy': 'struct buf', 'strcat': 'struct buf', 'stpcpy': 'struct buf', 'strncpy': 'struct buf',
    'strncat': 'struct buf', 'sprintf': 'buf_fmt or snprintf', 'vsprintf': 'buf_fmtv or vsnprintf',
    'strtok': 'str_split', 'strtok_r': 'str_split', 'gets': 'fgets', 'atoi': 'strtol', 'atol': 'strtol',
    'atoll': 'strtoll', 'atof': 'strtod', 'scanf': 'a parser of its own', 'fscanf': 'a parser of its own',
    'sscanf': 'a parser of its own', 'vscanf': 'a parser of its own', 'vfscanf': 'a parser of its own',
    'vsscanf': 'a parser of its own', 'alloca': 'struct arena', 'strdupa': 'struct arena',
    'strndupa': 'struct arena', 'tmpnam': 'mkstemp', 'mktemp': 'mkstemp',
}

COLUMNS = 120
TAB = 4  # columns, for the length of a line

CODE = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(?:"([^"\n]+)"|<([^>\n]+)>)', re.M)
CALL = re.compile(r'\b(%s)[ \t]*\(' % '|'.join(BANNED))

faults = []


def fault(path, line, sentence):
    faults.append((path, line, sentence))


def line_of(text, position):
    return text.count('\n', 0, position) + 1


def blank(match):
    """A comment or literal as spaces, so that places stay the same."""
    return re.sub(r'[^\n]', ' ', match.group())


def comments_only(match):
    return match.group() if match.group()[0] in '"\'' else blank(match)


def git(*arguments):
    return subprocess.run(('git', '-C', ROOT) + arguments, check=True, capture_output=True,
                          text=True).stdout.split('\0')[:-1]


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as f:
        return f.read()


def includes(path, text):
    """(line, name, quoted) of each include."""
    bare = CODE.sub(comments_only, text)
    return [(line_of(bare, m.start()), m.group(1) or m.group(2), m.group(1) is not None)
            for m in INCLUDE.finditer(bare)]


def check_order():
    rooms = list(LAYERS)
    for n, room in enumerate(rooms):
        for other in LAYERS[room]:
            if any(r == other or r.startswith(other + '/') for r in rooms[n:]):
                fault('tests/lint.py', 1, 'LAYERS: %s may include %s, which does not stand before it' % (room, other))


def check_layers(path, text):
    room = os.path.dirname(path)[len('src/'):]
    if room not in LAYERS:
        return fault(path, 1, 'src/%s is no layer; the layers are %s' % (room, ', '.join(LAYERS)))
    for line, name, quoted in includes(path, text):
        if quoted:
            other = os.path.dirname(name)
            if not other:
                if not re.fullmatch(r'profile_[\w-]+\.h', name):
                    fault(path, line, '"%s" must be written with its layer: "%s/%s"' % (name, room, name))
            elif not os.path.exists(os.path.join(ROOT, 'src', name)):
                fault(path, line, 'src/%s does not exist' % name)
            elif other != room and not any(other == may or other.startswith(may + '/') for may in LAYERS[room]):
                fault(path, line, '%s must not include %s; it may include %s' % (
                    room, other, ', '.join(LAYERS[room]) or 'nothing but itself'))
        else:
            for library, (pattern, owner) in WRAPPERS.items():
                if re.match(pattern, name) and room != owner:
                    fault(path, line, '<%s> belongs to %s, which only src/%s may include' % (name, library, owner))
    return None


def check_own_header_first(path, text):
    found = includes(path, text)
    own = path[len('src/'):-1] + 'h'
    folder = os.path.dirname(own) + '/'
    line, first = found[0][:2] if found else (1, 'nothing')
    if os.path.exists(os.path.join(ROOT, 'src', own)):
        if first != own:
            fault(path, line, 'the first include must be "%s", so that the header is known to stand alone' % own)
    elif not first.startswith(folder):
        fault(path, line, 'the first include must be a header of src/%s, which says what this file is part of' % folder)


def check_guard(path, text):
    name = re.sub(r'^(src|tests)/', '', path)
    guard = re.sub(r'[^A-Z0-9]', '_', name.upper())
    short = re.sub(r'^([A-Z0-9]+)_\1_', r'\1_', guard)  # pki/pki_names.h: PKI_NAMES_H will do
    directives = re.findall(r'^#.*', CODE.sub(blank, text), re.M)
    if not any(directives[:2] == ['#ifndef ' + g, '#define ' + g] for g in (guard, short)) \
            or directives[-1:] != ['#endif']:
        fault(path, 1, 'the header must stand between "#ifndef %s", "#define %s" and "#endif"' % (guard, guard))


def check_c(path, text):
    bare = CODE.sub(blank, text)
    for m in CALL.finditer(bare):
        fault(path, line_of(bare, m.start()), '%s is banned; use %s' % (m.group(1), BANNED[m.group(1)]))
    before = ';'
    for n, (line, code) in enumerate(zip(text.split('\n'), bare.split('\n')), 1):
        code = code.strip()
        if not code:
            continue
        # Behind a finished statement there is nothing to be aligned with.
        if re.match(r'\t* ', line) and (before[-1] in ';{}:' or before[0] == '#') and before[-1] != '\\':
            fault(path, n, 'indentation is made of tabs')
        before = code
    for n, line in enumerate(bare.split('\n'), 1):
        if '\t' in line.lstrip('\t ') and line.strip():
            fault(path, n, 'a tab stands behind other characters')


def check_layout(path, text):
    for n, line in enumerate(text.split('\n'), 1):
        if len(line.expandtabs(TAB)) > COLUMNS and not re.search(r'\S{%d,}' % (COLUMNS - 20), line):
            fault(path, n, '%d columns; %d are allowed' % (len(line.expandtabs(TAB)), COLUMNS))
        if line.rstrip() != line:
            fault(path, n, 'white space at the end of the line')
        if path.endswith('.py') and '\t' in line:
            fault(path, n, 'a tab in Python')
    if text and not text.endswith('\n') or text.endswith('\n\n'):
        fault(path, text.count('\n') + 1, 'a file ends with one line feed')


def check_limits(sources):
    path = 'src/base/limits.h'
    code = {p: CODE.sub(blank, t) for p, t in sources.items() if p.startswith('src/')}
    for m in re.finditer(r'^#define[ \t]+(\w+)[ \t]+\S', code.get(path, ''), re.M):
        uses = sum(len(re.findall(r'\b%s\b' % m.group(1), t)) for t in code.values())
        if uses < 2:
            fault(path, line_of(code[path], m.start()), '%s is used nowhere' % m.group(1))


def check_libraries():
    for n, line in enumerate(read('Makefile').split('\n'), 1):
        m = re.match(r'LIBRARIES\s*[:?]?=(.*)', line)
        for name in m.group(1).split() if m else ():
            if name not in WRAPPERS:
                fault('Makefile', n, '%s has no row in WRAPPERS of tests/lint.py: say which layer wraps it' % name)


def main():
    paths = [p for p in git('ls-files', '-z', '--cached', '--others', '--exclude-standard')
             if os.path.isfile(os.path.join(ROOT, p))]
    texts = {}
    for path in paths:
        ending = os.path.splitext(path)[1]
        if ending in ('.key', '.crt', '.pem', '.p12', '.pfx'):
            fault(path, 1, 'keys and certificates are made, not committed')
        elif ending in ('.c', '.h', '.py', '.sh', '.md') or os.path.basename(path) in ('Makefile', 'run'):
            texts[path] = read(path)
    for path, text in texts.items():
        if not path.endswith('.md'):
            check_layout(path, text)
        if path.endswith(('.c', '.h')):
            check_c(path, text)
        if path.endswith('.h'):
            check_guard(path, text)
        if path.startswith('src/') and path.endswith(('.c', '.h')):
            check_layers(path, text)
        if path.startswith('src/') and path.endswith('.c'):
            check_own_header_first(path, text)
    check_order()
    check_limits(texts)
    check_libraries()
    for path, line, sentence in sorted(set(faults)):
        print('%s:%d: %s' % (path, line, sentence))
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
