"""More connections than the server takes."""
import socket
import time

from scenario import Scenario, close_all, is_reviewed

LIMIT = 1024    # of a server with one thread
SILENT = 3000   # that never begin a handshake, and come back when they are closed
IDLE = 1500     # after the handshake
SECONDS = 6
PACE = 0.1      # between two looks at the silent ones


def silent(port):
    """A connection that is on its way."""
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(('127.0.0.1', port))
    return s


def is_closed(sock):
    try:
        return sock.recv(1) == b''
    except BlockingIOError:
        return False
    except OSError:
        return True


class Crowd(Scenario):
    title = '%d connections that never begin and return when closed, then %d idle ones, at a limit of %d' % (
        SILENT, IDLE, LIMIT)
    options = ('--threads', '1')
    fresh = 0.2

    def fault(self, stage):
        crowd, closed = [], 0
        until = time.monotonic() + SECONDS * stage.scale
        try:
            while time.monotonic() < until:
                gone = [s for s in crowd if is_closed(s)]
                closed += len(gone)
                close_all(gone)
                crowd = list(set(crowd) - set(gone))
                crowd += [silent(stage.server.port) for _ in range(SILENT - len(crowd))]
                time.sleep(PACE)
        finally:
            close_all(crowd)
        stage.figure('%d silent connections were closed for new ones' % closed)
        crowd = []
        try:
            for _ in range(IDLE):
                crowd.append(stage.tls())
            stage.judge('the last of them is served', is_reviewed(crowd[-1]))
            count = stage.server.metric('connhook_connections')
            stage.judge('there are no more than the limit', count <= LIMIT, '%d' % count)
        finally:
            close_all(crowd)
