"""A client that may do in a TLS session what no good client does: GnuTLS's own, through ctypes."""
import contextlib
import ctypes
import socket
import struct
import time

SECONDS = 5  # that a call waits for the server
CLIENT, CERTIFICATE = 2, 1
AGAIN = -28
WARNING, FATAL = 1, 2
KEY_UPDATE_BOTH = 1

library = ctypes.CDLL('libgnutls.so.30')
library.gnutls_record_send.restype = ctypes.c_ssize_t
library.gnutls_record_send.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
library.gnutls_record_send2.restype = ctypes.c_ssize_t
library.gnutls_record_send2.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t,
                                        ctypes.c_uint]
library.gnutls_record_recv.restype = ctypes.c_ssize_t
library.gnutls_record_recv.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]


class Failed(Exception):
    """A function of GnuTLS returned an error: the server has ended the session, or refuses."""


def call(name, *arguments):
    code = getattr(library, name)(*arguments)
    if code < 0:
        raise Failed('%s: %d' % (name, code))
    return code


class Session:
    """A session with the server after its handshake. `version` is 'TLS1.2' or 'TLS1.3'."""

    def __init__(self, server, version):
        self.credentials, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        self.sock = server.connect()
        # GnuTLS wants a socket that blocks; the kernel sees to it that it does not for ever.
        self.sock.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack('ll', SECONDS, 0))
        call('gnutls_certificate_allocate_credentials', ctypes.byref(self.credentials))
        call('gnutls_init', ctypes.byref(self.session), CLIENT)
        call('gnutls_priority_set_direct', self.session, b'NORMAL:-VERS-ALL:+VERS-' + version.encode(), None)
        call('gnutls_credentials_set', self.session, CERTIFICATE, self.credentials)
        library.gnutls_transport_set_int2(self.session, self.sock.fileno(), self.sock.fileno())
        self.shake_hands()

    def shake_hands(self):
        """With TLS 1.2, a second time is a renegotiation."""
        call('gnutls_handshake', self.session)

    def send(self, data):
        """A record with these bytes, some at least."""
        if library.gnutls_record_send(self.session, data, len(data)) < 0:
            raise Failed('gnutls_record_send')

    def send_nothing(self):
        """An empty record. (With TLS 1.3 GnuTLS sends it when it is padded.)"""
        if library.gnutls_record_send2(self.session, b'', 0, 1, 0) < 0:
            raise Failed('gnutls_record_send2')

    @contextlib.contextmanager
    def at_once(self):
        """What is sent within the block goes out together."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        yield
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def receive(self):
        """What comes next; b'' at the end, or when nothing comes."""
        buffer = ctypes.create_string_buffer(65536)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            n = library.gnutls_record_recv(self.session, buffer, len(buffer))
            if n != AGAIN:  # which a session ticket is as well
                return buffer.raw[:max(n, 0)]
        return b''

    def alert(self, level, description):
        call('gnutls_alert_send', self.session, level, description)

    def update_keys(self):
        call('gnutls_session_key_update', self.session, KEY_UPDATE_BOTH)

    def close(self):
        library.gnutls_deinit(self.session)
        library.gnutls_certificate_free_credentials(self.credentials)
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()
