"""A TLS client whose every byte is ours to send, to cut and to keep back."""
import ssl


class Wire:
    """A connection on which nothing is sent but what the caller sends through `sock`, or `shake_hands` does."""

    def __init__(self, server, context):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname='localhost')
        self.sock = server.connect()

    def hello(self):
        """The first bytes of a handshake."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return self.outgoing.read()
        raise AssertionError('a handshake without a server')

    def finish(self):
        """The last bytes of the handshake; reads the server's, and sends what stands before."""
        while True:
            data = self.sock.recv(65536)
            if not data:
                raise AssertionError('the server ended a good handshake')
            self.incoming.write(data)
            try:
                self.tls.do_handshake()
                return self.outgoing.read()
            except ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())

    def shake_hands(self):
        self.sock.sendall(self.hello())
        self.sock.sendall(self.finish())
        return self

    def seal(self, data):
        """The bytes as a record (several, when they are many)."""
        self.tls.write(data)
        return self.outgoing.read()

    def open(self, data):
        """What the server's records say."""
        self.incoming.write(data)
        text = b''
        try:
            while part := self.tls.read(65536):
                text += part
        except ssl.SSLError:  # no whole record is left
            pass
        return text
