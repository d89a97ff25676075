#!/usr/bin/python3
"""
All tests: unit, golden, command line, HTTP, properties.

    tests/run.py --build build [-k WORD]

One line a suite; what a suite said only when it failed; at the end "N passed, N failed".
"""
import argparse
import concurrent.futures
import glob
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = '/usr/bin/python3'
SECONDS = 900  # for one suite; a sanitizer makes it several times slower
WORKERS = 2
SEQUENCES = '1500'    # generated lives of a workload; `make sequences` has more
TORTURE_STEP = '211'  # a sample of allocations; `make torture` tries them all

CHECK_LINE = re.compile(r'^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)', re.M)
LAST_LINE = re.compile(r'^(\d+) passed, (\d+) failed$')


def suites(build):
    """(name, command) of all that may run side by side, and of those that use both processors themselves."""
    beside = [('unit/' + os.path.basename(p), [p]) for p in sorted(glob.glob(build + '/tests/unit/test_*'))
              if os.access(p, os.X_OK) and not p.endswith('.d')]
    beside.append(('fuzz', [PYTHON, HERE + '/fuzz/fuzz.py', '--build', build, '--replay']))
    beside.append(('cost', [PYTHON, HERE + '/cost/cost.py']))
    beside.append(('forgeries', [PYTHON, HERE + '/forgeries.py', '--build', build]))
    beside.append(('golden', [PYTHON, HERE + '/golden.py', '--build', build]))
    for kind in ('cli', 'http', 'docs'):
        beside += [('%s/%s' % (kind, os.path.basename(p)[:-3]), [PYTHON, p, build + '/connhook'])
                   for p in sorted(glob.glob('%s/%s/*.py' % (HERE, kind)))]
    alone = [('properties', [PYTHON, HERE + '/properties.py', '--build', build]),
             ('sequences', [PYTHON, HERE + '/sequences.py', '--build', build, '--count', SEQUENCES]),
             ('torture', [PYTHON, HERE + '/torture.py', '--build', build, '--step', TORTURE_STEP])]
    return beside, alone


def run(suite):
    """(name, passed, failed, seconds, output)"""
    name, command = suite
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    late = ''
    try:
        output = process.communicate(timeout=SECONDS)[0].decode('utf-8', 'replace')
    except subprocess.TimeoutExpired:
        late = 'still running after %d s\n' % SECONDS
        os.killpg(process.pid, signal.SIGKILL)
        output = process.communicate()[0].decode('utf-8', 'replace')
    passed, failed = count(output, process.returncode)
    if not late and reap(process.pid):
        late = 'it left processes behind\n'
    if late:
        output, failed = output + late, failed + 1
    return name, passed, failed, time.monotonic() - start, output


def reap(group):
    """Ends what is left of a process group; true when there was something."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def count(output, status):
    """Passed and failed, as far as the output says; at least one failed when the exit status says so."""
    last = LAST_LINE.match(output.rstrip().rpartition('\n')[2])
    checks = CHECK_LINE.findall(output)
    if last:
        passed, failed = int(last.group(1)), int(last.group(2))
    elif checks:
        failed = sum(int(f) + int(e) for _, f, e in checks)
        passed = sum(int(n) for n, _, _ in checks) - failed
    else:
        passed, failed = (1, 0) if status == 0 else (0, 1)
    return passed, max(failed, 1) if status != 0 else failed


def main():
    options = argparse.ArgumentParser(description='Runs all tests.')
    options.add_argument('--build', default='build', help='the build directory')
    options.add_argument('-k', default='', metavar='WORD', help='only suites whose name holds this')
    options = options.parse_args()
    build = os.path.abspath(options.build)
    beside, alone = ([s for s in group if options.k in s[0]] for group in suites(build))
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for group in (pool.map(run, beside), map(run, alone)):
            for name, good, bad, seconds, output in group:
                passed += good
                failed += bad
                print('%-6s %-28s %6d passed %4d failed %7.2f s' % (
                    'FAILED' if bad else 'ok', name, good, bad, seconds), flush=True)
                if bad:
                    print(output.rstrip() + '\n', flush=True)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
