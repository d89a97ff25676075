#!/usr/bin/python3
"""
Many reviews, every answer checked, memory flat.

    tests/load/load.py --build build --reviews 100000 [--clients N] [--fresh SHARE] [--threads N]

Reviews of a usual size, a tenth of them a line, and then some with those of up to several MiB among them. Speed is
printed, not judged: server and client share the machine.
"""
import argparse
import sys

import rig

GROWTH = 1024       # KiB by which the second half's peak may be above the first's
USUAL = 64 * 1024   # bytes. When larger ones meet by chance, they need more memory than a leak would
LARGE_SHARE = 0.05  # as many reviews more, of all sizes
COLUMNS = ('%9s %9s %8s' + ' %8s' * 5 + ' %8s %9s %6s')


def main():
    options = argparse.ArgumentParser(description='Sends many reviews to a server.')
    options.add_argument('--build', default='build', help='the build directory')
    options.add_argument('--reviews', type=int, default=100000)
    options.add_argument('--clients', type=int, default=8, help='reviews at the same time')
    options.add_argument('--fresh', type=float, default=0.02, help='share of them on a connection of their own')
    options.add_argument('--threads', type=int, default=2, help='of the server')
    options = options.parse_args()
    with rig.Rig(options.build) as bench, rig.Server('--threads', str(options.threads)) as server:
        print('%s; %d threads, %d clients, %d different reviews, %g of them on a new connection' % (
            rig.machine(), options.threads, options.clients, len(bench.reviews), options.fresh))
        measure(bench, server, options)
    return bench.end()


def measure(bench, server, options):
    print(COLUMNS % ('', 'reviews/s', 'CPU us', 'p50 ms', 'p90', 'p99', 'p99.9', 'max', 'RSS KiB', 'connects', 'files'))
    begin, series, files = server.cpu(), [server.rss()], server.files()
    print(COLUMNS % ('start', *[''] * 7, series[0], '', files))
    with load(bench, server, options, options.reviews, bench.ask(largest=USUAL)) as usual:
        cpu = begin
        while (report := usual.next())['label'] != 'total':
            before, cpu = cpu, server.cpu()
            series.append(server.rss())
            show(report, cpu - before, series[-1], server.files())
    show(report, server.cpu() - begin, series[-1], server.files())
    bench.judge_answers(report)
    half = len(series) // 2 + 1
    grown = max(series[half:]) - max(series[:half])
    bench.judge('memory is flat: the second half has its peak at most %d KiB above the first' % GROWTH, grown <= GROWTH,
                '%+d KiB, which is %+.1f bytes a review' % (grown, grown * 1024 / (options.reviews / 2)))
    begin = server.cpu()
    with load(bench, server, options, int(options.reviews * LARGE_SHARE), bench.questions) as large:
        while (report := large.next())['label'] != 'total':
            continue
    show({**report, 'label': 'all sizes'}, server.cpu() - begin, server.rss(), server.files())
    bench.judge_answers(report)
    bench.judge('all connections and file descriptors are given back',
                rig.wait_until(lambda: server.files() == files), '%d files' % server.files())


def load(bench, server, options, reviews, questions):
    return rig.Load(bench, [server], '-reviews', str(reviews), '-clients', str(options.clients),
                    '-fresh', str(options.fresh), questions=questions)


def show(r, cpu, rss, files):
    figures = ['%.2f' % r[key] for key in ('p50', 'p90', 'p99', 'p999', 'max')]
    print(COLUMNS % (r['label'], '%.0f' % (r['sent'] / r['seconds']), '%.0f' % (cpu / max(r['sent'], 1) * 1e6),
                     *figures, rss, r['connections'], files), flush=True)


if __name__ == '__main__':
    sys.exit(main())
