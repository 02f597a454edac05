"""The Python library `websockets`, at the other end of wsolo: see README.md for what each side does.

    websockets_peer.py connect URL     as client of an echo server
    websockets_peer.py serve           as server; its client sends everything back
    websockets_peer.py deflate-connect|deflate-serve SETTING [URL]
                                       the same with compression; SETTING: kept, unkept, and bare for a server that
                                       accepts "permessage-deflate" without any parameter alone
"""

import sys
import threading

from websockets.exceptions import ConnectionClosed, NegotiationError
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.sync.client import connect
from websockets.sync.server import serve

LONG_TEXT = "é" * (1 << 19)
PIECES = ("a" + "é" * 19999 + "b").encode()
LIMIT = 20  # seconds for any answer


def tell(words):
    print(words, flush=True)


def echoed(peer, what, message):
    peer.send(message)
    size = len(message.encode() if isinstance(message, str) else message)
    same = peer.recv(LIMIT) == message
    tell(f"{what} of {size} bytes: {'the same' if same else 'ANOTHER'}")


def in_fragments(peer):
    pongs = []

    def pieces():
        for start in range(0, len(PIECES), 16384):
            yield PIECES[start : start + 16384]
            if not pongs:
                pongs.append(peer.ping(b"between"))

    peer.send(pieces(), text=True)
    same = peer.recv(LIMIT) == PIECES.decode()
    tell(f"text of {len(PIECES)} bytes in 3 fragments: {'the same' if same else 'ANOTHER'}")
    tell(f"PING between the fragments: {'answered' if pongs[0].wait(LIMIT) else 'LOST'}")


def exchange(peer):
    """Everything once, and a Close from this side."""
    echoed(peer, "text", "Grüße, 世界")
    echoed(peer, "text", "")
    echoed(peer, "binary", bytes(range(256)))
    for length in (1 << 16, 1 << 20):
        echoed(peer, "text", LONG_TEXT[: length // 2])
        echoed(peer, "binary", bytes(range(256)) * (length // 256))
    in_fragments(peer)
    tell(f"PING of 125 bytes: {'answered' if peer.ping(b'p' * 125).wait(LIMIT) else 'LOST'}")
    peer.close(1000, "done")
    tell(f"Close 1000: answered with {peer.close_code}")


def wait_for_close(peer):
    """A Close from the other side."""
    echoed(peer, "text", "still here")
    try:
        peer.recv(LIMIT)
        tell("NO CLOSE")
    except ConnectionClosed:
        tell(f"closed with {peer.close_code}")


def send_back(peer):
    """Everything, until the other side closes."""
    try:
        while True:
            message = peer.recv(LIMIT)
            peer.send(message)
            tell(f"text of {len(message.encode())} bytes: sent back")
    except ConnectionClosed:
        tell(f"closed with {peer.close_code}")


def act_as_client(url):
    with connect(url, max_size=None, ping_interval=None) as peer:
        exchange(peer)
    with connect(url, ping_interval=None) as peer:
        wait_for_close(peer)


def act_as_server():
    acts = [exchange, send_back]
    finished = threading.Semaphore(0)

    def handle(peer):
        acts.pop(0)(peer)
        finished.release()

    with serve(handle, "127.0.0.1", 0, max_size=None, ping_interval=None) as server:
        tell("listening on {}:{}".format(*server.socket.getsockname()))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for _ in range(2):
            finished.acquire()


def noise(length):
    """Text that resembles itself nowhere within 32 KiB."""
    letters = "abcdefghijklmnopqrstuvwxyz012345"
    state, made = 1, []
    for _ in range(length):
        state = (state * 75 + 74) % 65537
        made.append(letters[state % 32])
    return "".join(made)


def exchange_compressed(peer):
    """Every size both ways, the same text three times, and a Close from this side."""
    for length in (0, 1, 125, 126, 65535, 65536, 1 << 20):
        text = noise(length)
        echoed(peer, "text", text)
        echoed(peer, "binary", text.encode())
    for _ in range(3):
        echoed(peer, "text", noise(2000)[1000:])
    peer.close(1000, "done")
    tell(f"Close 1000: answered with {peer.close_code}")


class BareFactory(ServerPerMessageDeflateFactory):
    def process_request_params(self, params, accepted_extensions):
        if params:
            raise NegotiationError("a parameter")
        return super().process_request_params(params, accepted_extensions)


def act_as_compressed_client(setting, url):
    none = setting == "unkept"
    offer = ClientPerMessageDeflateFactory(none, none, client_max_window_bits=True)
    with connect(url, max_size=None, ping_interval=None, extensions=[offer]) as peer:
        exchange_compressed(peer)


def act_as_compressed_server(setting):
    none = setting == "unkept"
    factory = BareFactory() if setting == "bare" else ServerPerMessageDeflateFactory(none, none)
    finished = threading.Semaphore(0)

    def handle(peer):
        exchange_compressed(peer)
        finished.release()

    with serve(handle, "127.0.0.1", 0, max_size=None, ping_interval=None, extensions=[factory]) as server:
        tell("listening on {}:{}".format(*server.socket.getsockname()))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        finished.acquire()


{"connect": act_as_client, "serve": act_as_server,
 "deflate-connect": act_as_compressed_client, "deflate-serve": act_as_compressed_server}[sys.argv[1]](*sys.argv[2:])
