"""Connections on which nothing happens."""
import harness
from scenario import Scenario, close_all, is_reviewed

COUNT = 1000


class Idle(Scenario):
    title = '%d idle connections after the handshake, %d that never begin one' % (COUNT, COUNT)
    options = ('--request-timeout', '5')

    def fault(self, stage):
        memory = stage.server.rss()
        sockets = []
        try:
            for _ in range(COUNT):
                sockets.append(stage.server.connect())
            for _ in range(COUNT):
                sockets.append(stage.tls())
            silent, idle = sockets[:COUNT], sockets[COUNT:]
            stage.figure('%d KiB of memory for each' % ((stage.server.rss() - memory) / len(sockets)))
            ended = sum(harness.read_all(s) == b'' for s in silent)
            stage.judge('the server ends those that never begin', ended == COUNT, '%d of %d' % (ended, COUNT))
            for _ in range(stage.scale):
                good = sum(is_reviewed(s) for s in idle)
                stage.judge('an idle connection is as good as a new one', good == COUNT, '%d of %d' % (good, COUNT))
        finally:
            close_all(sockets)
