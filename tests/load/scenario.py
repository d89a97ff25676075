"""What a scenario of faults.py is, and what it may do to a server while normal clients are at work on it."""
import contextlib
import socket
import struct
import time

import harness
import rig

CLIENTS = 16   # reviews that the normal clients may wait for at the same time
WARM = 1       # seconds before anything is measured
QUIET = 4      # seconds without the fault
SHOWN = 10000  # characters of an error: a sanitizer's report, and the log


class Scenario:
    """
    One fault. `title` says what happens, `options` are the server's. With `elsewhere`, it happens to a server without
    normal clients first, while they are measured: what they lose then, they lose to the clients that share the machine.
    """
    title = ''
    options = ()
    elsewhere = False
    fresh = 0.05   # share of the normal clients' reviews on a new connection

    def start(self, bench, stack):
        """The servers, which `stack` ends."""
        return [stack.enter_context(rig.Server('--threads', '2', *self.options))]

    def load(self, bench, servers, *options, **more):
        """The normal clients; `options` and the rest are for rig.Load."""
        return rig.Load(bench, servers, '-clients', str(CLIENTS), '-fresh', str(self.fresh),
                        *options, **more)

    def fault(self, stage):
        """Does it, and judges what it sees of it."""
        raise NotImplementedError


class Stage:
    """A scenario that runs. `scale` multiplies counts and seconds: 1 for CI."""

    def __init__(self, bench, servers, scale):
        self.bench, self.servers, self.scale = bench, servers, scale
        self.server = servers[0]
        self.context = self.server.context()
        self.judge = bench.judge

    def figure(self, text):
        print('       ' + text, flush=True)

    def tls(self):
        return self.server.tls(self.context)


def run(bench, scenario, scale, rate):
    """One scenario from the start of its servers to their end."""
    print('\n%s: %s' % (type(scenario).__name__.lower(), scenario.title), flush=True)
    began = time.monotonic()
    try:
        with contextlib.ExitStack() as stack:
            servers = scenario.start(bench, stack)
            measure(bench, scenario, Stage(bench, servers, scale), rate)
    except (AssertionError, OSError) as error:
        bench.judge('nothing unforeseen', False, ('%s: %s' % (type(error).__name__, error))[:SHOWN])
    print('       %.0f s' % (time.monotonic() - began))


def measure(bench, scenario, stage, rate):
    files = [server.files() for server in stage.servers]
    memory = [server.rss() for server in stage.servers]
    with scenario.load(bench, stage.servers, '-rate', str(rate)) as load:
        time.sleep(WARM)
        load.window('warm')
        time.sleep(QUIET)
        windows = [load.window('without')]
        if scenario.elsewhere:
            with contextlib.ExitStack() as stack:
                scenario.fault(Stage(bench, scenario.start(bench, stack), stage.scale))
                windows.append(load.window('elsewhere'))
        servers = list(stage.servers)
        cpu = sum(server.cpu() for server in servers)
        scenario.fault(stage)
        windows.append(load.window('with'))
        if servers == stage.servers:
            cpu = sum(server.cpu() for server in servers) - cpu
            stage.figure('server: %.0f%% of a CPU meanwhile' % (cpu / windows[-1]['seconds'] * 100))
        total = load.end()
    for report in windows:
        stage.figure('%-9s p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f of %d reviews on %d connections' % (
            report['label'], *(report[key] for key in ('p50', 'p90', 'p99', 'p999', 'max', 'sent', 'connections'))))
    stage.figure('memory %s KiB before and %s after' % (
        '+'.join(map(str, memory)), '+'.join(str(s.rss()) for s in stage.servers)))
    bench.judge_answers(total)
    bench.judge('all connections and file descriptors are given back', rig.wait_until(
        lambda: [s.metric('connhook_connections') for s in stage.servers] == [0] * len(stage.servers) and
        [s.files() for s in stage.servers] <= files), ' '.join('%d files' % s.files() for s in stage.servers))


def fin(sock):
    """Ends a connection as a client does that is done."""
    sock.close()


def rst(sock):
    """Ends it as one that is killed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    sock.close()


def half(sock):
    """Ends its own side, and waits for the server's; what came from there."""
    try:
        sock.shutdown(socket.SHUT_WR)
        return harness.read_all(sock)
    except OSError:  # the server was first
        return b''
    finally:
        sock.close()


def close_all(sockets):
    for s in sockets:
        with contextlib.suppress(OSError):
            s.close()


def is_reviewed(sock):
    """Sends a review and sees whether it is answered."""
    sock.sendall(harness.head('/mutate', len(harness.BODY)) + harness.BODY)
    answer = harness.read_response(sock)
    return answer is not None and answer[0] == 200
