#!/usr/bin/python3
"""
Static analysis: clang-tidy (its checks are in .clang-tidy), gcc -fanalyzer and cppcheck. A warning is an error.

    tests/analyze.py [FILE...] -- FLAG...        flags for the preprocessor; without files: all of src and tests
"""
import concurrent.futures
import glob
import os
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORKERS = 2
FLAGS = ('-std=c17', '-Itests/unit', '-Itests/fuzz')
MODEL = ('-include', 'tests/analyze.h')
MODELLED = ('src/base/error.c', 'src/codec/yaml_tree.c')  # define what it describes

# Stand in the C library's place, by its own names.
ALLOCATORS = ('tests/cli/data/failing_malloc.c', 'tests/http/harness/failing_malloc.c', 'tests/support/torture.c',
              'tests/cost/cost.c')

# What does not fit one file.
TIDY_EXCEPT = {
    # `fail` takes variable arguments: the analyzer does not look into it, and holds that it may return 0.
    'src/codec/json_patch.c': '-clang-analyzer-core.*',
    # Deep in directories the analyzer no longer looks into `must`, which ends the process.
    'tests/fuzz/replay.c': '-clang-analyzer-core.NonNullParamChecker',
    **dict.fromkeys(ALLOCATORS, '-bugprone-reserved-identifier,-cert-dcl37-c,-cert-dcl51-cpp,'
                                '-clang-analyzer-optin.portability.UnixAPI'),
}
GCC_EXCEPT = dict.fromkeys(ALLOCATORS, ('-Wno-analyzer-malloc-leak', '-Wno-analyzer-double-free'))

# -O0: what the optimizer makes of the code misleads gcc 12.
GCC = ('gcc', '-O0', '-fanalyzer', '-Werror', '-S', '-o', '/dev/null')

CPPCHECK = (
    'cppcheck', '--quiet', '-j%d' % WORKERS, '--std=c11', '--library=gnu', '--inline-suppr', '--error-exitcode=1',
    '--enable=warning,performance,portability,style', '--template={file}:{line}: {severity}: {message} [{id}]',
    '--suppress=varFuncNullUB',           # NULL is a pointer: POSIX wants it so
    '--suppress=knownConditionTrueFalse',  # does not see what a function changes through another pointer
    '--suppress=badBitmaskCheck',          # the same
    '--suppress=unusedStructMember',       # a table's rows have no names for their columns
    '--suppress=variableScope',            # all that a function needs may stand at its top
    '--suppress=shadowFunction',           # a local name may be the one of another file's function
    '--suppress=redundantContinue',        # says that the loop is meant to be empty
    '--suppress=unreadVariable:tests/*',   # written to show that a copy does not change
    '--suppress=memleak:src/pki/pki_read.c',             # takes no notice of a pointer in a compound literal
    '--suppress=legacyUninitvar:src/server/tls_client.c',  # nor of an initializer with names
)


def sources():
    return sorted(os.path.relpath(p, ROOT) for p in glob.glob(ROOT + '/src/**/*.c', recursive=True) +
                  glob.glob(ROOT + '/tests/**/*.c', recursive=True))


def flags_for(path, flags):
    return (*FLAGS, *flags, *(() if path in MODELLED else MODEL))


def tidy(path, flags):
    checks = ('--checks=' + TIDY_EXCEPT[path],) if path in TIDY_EXCEPT else ()
    return ('clang-tidy', '--quiet', *checks, path, '--', *flags_for(path, flags))


def gcc(path, flags):
    return (*GCC, *GCC_EXCEPT.get(path, ()), *flags_for(path, flags), path)


def run(command):
    """What it says, when it is not content."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout or done.stderr or 'exit %d' % done.returncode if done.returncode != 0 else ''


def report(name, files, complaints, began):
    for text in filter(None, complaints):
        print(text.rstrip() + '\n', flush=True)
    bad = any(complaints)
    print('%-15s %4d files %6.1f s  %s' % (name, files, time.monotonic() - began, 'WARNS' if bad else 'clean'),
          flush=True)
    return bad


def main():
    split = sys.argv.index('--') if '--' in sys.argv else len(sys.argv)
    flags = sys.argv[split + 1:]
    files = [os.path.relpath(p, ROOT) for p in sys.argv[1:split]] or sources()
    os.nice(10)
    bad = False
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for name, command in (('clang-tidy', tidy), ('gcc -fanalyzer', gcc)):
            began = time.monotonic()
            bad |= report(name, len(files), list(pool.map(lambda p, c=command: run(c(p, flags)), files)), began)
    began = time.monotonic()
    bad |= report('cppcheck', len(files), [run((*CPPCHECK, *FLAGS[1:], *flags, *files))], began)
    if not bad:
        print('analyze: clean')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
