#!/usr/bin/python3
"""
Clients and networks that fail while normal clients are at work: no answer to these is lost, wrong or late.

    tests/load/faults.py --build build [-k WORD]... [--scale N] [--rate N] [--server FILE]

--scale multiplies the counts and seconds of each scenario; 1 is the length for CI. --server names another connhook than
the one of the build, such as one with a sanitizer, for which --rate asks less.
"""
import argparse
import resource
import sys

import rig
import scenario
from scenarios import abort, bodies, crowd, garbage, idle, replace, restart, slow, smuggle, vanish

SCENARIOS = (idle.Idle, crowd.Crowd, slow.Slow, abort.Abort, vanish.Vanish, bodies.Bodies,
             garbage.Garbage, smuggle.Smuggle, replace.Replace, restart.Restart)


def main():
    options = argparse.ArgumentParser(description='Runs a server among failing clients.')
    options.add_argument('--build', default='build', help='the build directory')
    options.add_argument('--scale', type=int, default=1, help='how much longer than in CI')
    options.add_argument('-k', action='append', metavar='WORD', help='only scenarios whose name holds this')
    options.add_argument('--rate', type=int, default=200, help='reviews a second of the normal clients')
    options.add_argument('--server', help='the connhook to run; default: that of the build')
    options = options.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with rig.Rig(options.build, options.server) as bench:
        print('%s; %d normal reviews a second' % (rig.machine(), options.rate))
        for kind in SCENARIOS:
            if any(word in kind.__name__.lower() for word in options.k or ['']):
                scenario.run(bench, kind(), options.scale, options.rate)
    return bench.end()


if __name__ == '__main__':
    sys.exit(main())
