"""The Python library `websockets` as a client of the relay: takes the feed, PINGs all the while, closes.

Prints a line of JSON when the feed is complete and one at the end; exits 0 when nothing was wrong.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from checks import FeedCheck, PingCheck


class PongsSeen(ClientConnection):
    """Shows every PONG. (The library's own ping() would take a later PONG for an earlier one's too.)"""

    on_pong = None

    def acknowledge_pings(self, data):
        super().acknowledge_pings(data)
        self.on_pong(data)


class Session:
    def __init__(self, options):
        self.options = options
        self.feed = FeedCheck(options.workers, options.messages)
        self.pings = PingCheck()
        self.errors = []
        self.fed = asyncio.Event()  # the feed is complete, or something ended it

    def note(self, error):
        if error is not None:
            self.errors.append(error)
            self.fed.set()

    async def receive(self, socket):
        """Until the connection ends, so that it also takes what comes after the last check."""
        async for message in socket:
            self.note(self.feed.take(message))
            if self.feed.complete():
                self.fed.set()

    async def ping(self, socket):
        while not self.fed.is_set() and not self.options.no_pings:
            if self.pings.has_room():
                with contextlib.suppress(ConnectionClosed):  # receive() says why
                    await socket.ping(self.pings.next_payload())
            await asyncio.sleep(0.0005)

    async def close(self, socket):
        """With a handshake: this side's 1000 comes back, or the server's 1001 ends it."""
        while self.pings.outstanding and not self.errors and self.options.messages:
            await asyncio.sleep(0.001)
        say({"event": "fed"})
        if self.options.stay:
            await socket.wait_closed()
            wanted = 1001
        else:
            await socket.close(1000, "done")
            wanted = 1000
        received = socket.protocol.close_rcvd
        if received is None or received.code != wanted:
            self.note(f"closing handshake: expected {wanted}, got {received}")

    async def run(self):
        async with connect(
            self.options.url, create_connection=PongsSeen, ping_interval=None, close_timeout=3
        ) as socket:
            socket.on_pong = lambda data: self.note(self.pings.take(data))
            self.port = socket.local_address[1]
            receiving = asyncio.create_task(self.receive(socket))
            pinging = asyncio.create_task(self.ping(socket))
            receiving.add_done_callback(lambda _: self.fed.set())
            await self.fed.wait()
            await pinging
            if self.options.messages and not self.feed.complete() and not self.errors:
                await receiving  # raises what ended the feed early
                self.note("the connection ended before the feed was complete")
            if not self.errors:
                await self.close(socket)
                await receiving


def say(line):
    print(json.dumps(line), flush=True)


async def main(options):
    session = Session(options)
    started = time.monotonic()
    try:
        await asyncio.wait_for(session.run(), options.timeout)
    except ConnectionClosed as error:
        session.errors.append(f"{type(error.__cause__ or error).__name__}: {error.__cause__ or error}")
    except (WebSocketException, OSError, UnicodeDecodeError) as error:
        session.errors.append(f"{type(error).__name__}: {error}")
    except asyncio.TimeoutError:
        session.errors.append(f"not done after {options.timeout} s")
    say(
        {
            "event": "end",
            "client": f"websockets {websockets.__version__}",
            "port": getattr(session, "port", 0),
            "frames": session.feed.count,
            "pings": session.pings.sent,
            "pongs": session.pings.answered,
            "errors": session.errors,
            "seconds": round(time.monotonic() - started, 2),
        }
    )
    return 1 if session.errors else 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--messages", type=int, default=0, help="of each worker; 0: until the server closes")
    parser.add_argument("--stay", action="store_true", help="let the server close")
    parser.add_argument("--no-pings", action="store_true", help="only listen")
    parser.add_argument("--timeout", type=float, default=20)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(parse_arguments())))
