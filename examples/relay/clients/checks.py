"""What a client expects of the relay: its feed, complete and in order, and a PONG for each PING."""

from collections import deque


def expected_message(worker, number):
    """The same text as message.hpp makes."""
    padding = 5000 if number % 64 == 63 else 300 if number % 8 == 7 else 0
    return f"worker {worker} message {number} " + chr(ord("a") + number % 26) * padding


class FeedCheck:
    """Each worker's messages, from the first, none missing, none twice, each right to its last byte."""

    def __init__(self, workers, messages):
        self.next = [0] * workers
        self.messages = messages
        self.count = 0

    def take(self, text):
        """Returns what is wrong with the next message, or None."""
        self.count += 1
        words = text.split(" ", 4)
        if len(words) < 5 or words[0] != "worker" or not words[1].isdigit() or int(words[1]) >= len(self.next):
            return f"not a message of the feed: {text[:60]!r}"
        worker = int(words[1])
        number = self.next[worker]
        self.next[worker] += 1
        if text != expected_message(worker, number):
            return f"worker {worker}: expected message {number}, got {text[:60]!r}"
        return None

    def complete(self):
        """Whether every worker's last message has arrived. An endless feed never is."""
        return self.messages > 0 and all(n == self.messages for n in self.next)


class PingCheck:
    """Distinct payloads of every legal size; each comes back once, in order, unchanged."""

    MOST_OUTSTANDING = 32

    def __init__(self):
        self.sent = 0
        self.answered = 0
        self.outstanding = deque()

    def has_room(self):
        return len(self.outstanding) < self.MOST_OUTSTANDING

    def next_payload(self):
        size = 8 + self.sent % 118  # up to the 125 bytes that a control frame may have
        payload = f"{self.sent:08d}".encode().ljust(size, bytes([self.sent % 256]))
        self.sent += 1
        self.outstanding.append(payload)
        return payload

    def take(self, payload):
        """Returns what is wrong with a PONG, or None."""
        if not self.outstanding:
            return f"a PONG that no PING asked for: {payload[:16]!r}"
        wanted = self.outstanding.popleft()
        if payload != wanted:
            return f"expected PONG {wanted[:8]!r}, got {payload[:16]!r}"
        self.answered += 1
        return None
