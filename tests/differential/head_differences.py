"""Where a peer judges a head otherwise than wsolo, and why. gorilla and coder stand behind Go's net/http, ws behind Node's
parser; what those let through or refuse is theirs."""

from __future__ import annotations

import re
from typing import List, NamedTuple

from heads import HeadCase


class HeadDifference(NamedTuple):
    peers: str  # a regular expression
    receiver: str
    what: str  # what was done to the head (heads.CHANGES), a regular expression
    ours: str  # wsolo's verdict, a regular expression; the peer's is the other one
    why: str
    wire: bytes = b""  # found in the head, a regular expression

    def covers(self, peer: str, case: HeadCase, ours: str) -> bool:
        return (re.fullmatch(self.peers, peer) is not None and self.receiver == case.receiver
                and re.fullmatch(self.what, case.what) is not None and re.fullmatch("refused:(handshake_)?(" + self.ours + ")|" + self.ours, ours) is not None
                and re.search(self.wire, case.wire) is not None)


GO = "gorilla|coder"
EVERYONE = ".*"
ANY = ".*"

DIFFERENCES: List[HeadDifference] = [
    # Requests that wsolo refuses.
    HeadDifference(EVERYONE, "server", "bad host", "invalid_host", "Host is not looked at, or by its characters only; RFC 9112 §3.2: a server MUST answer 400 to an invalid one"),
    HeadDifference(EVERYONE, "server", "bad host|field missing", "missing_host", "no Host, or an empty one, is taken; RFC 6455 §4.2.1: it holds the server's authority"),
    HeadDifference("websockets|ws|gobwas", "server", "field twice", "duplicate_host", "two Hosts are taken; RFC 9112 §3.2: a server MUST answer 400"),
    HeadDifference("gorilla|coder|gobwas", "server", "field twice", "duplicate_(key|version)", "the first of two is taken; RFC 6455 §11.3.1, §11.3.5: MUST NOT appear more than once"),
    HeadDifference(EVERYONE, "server", "bad target", "invalid_target|invalid_start_line", "any target is taken, a fragment too; RFC 6455 §4.2.1, §3: a path, or an absolute URI, without a fragment"),
    HeadDifference("gobwas", "server", "bad key", "invalid_key", "a key is 24 characters, whichever they are; RFC 6455 §4.2.1: 16 bytes in Base64"),
    HeadDifference("gobwas", "server", "broken line|body", "invalid_(character|field_line|line_end|length)|obsolete_folding", "names, values and lines are hardly judged; RFC 9112 §5, RFC 9110 §5.5"),
    HeadDifference("gobwas", "server", "connection list", "invalid_connection", "looks for the word Upgrade in Connection, not for the option (RFC 9110 §7.6.1)"),
    HeadDifference("gobwas|gorilla|ws", "server", "body", "unexpected_body", "bytes that are announced as a body are read as frames; RFC 9110 §7.8: the protocol can't change in the middle of a message"),
    HeadDifference(EVERYONE, "server", "extensions", "invalid_extension", "an illegal offer is passed over; RFC 6455 §9.1: the recipient of such malformed data MUST immediately fail the connection"),
    HeadDifference("gorilla|coder|gobwas", "server", "subprotocols", "invalid_subprotocol", "an illegal offer is passed over; RFC 6455 §4.2.1 point 8: a list of tokens"),
    HeadDifference(GO, "server", "folded|broken line", "obsolete_folding", "folded fields are unfolded; RFC 9112 §5.2: a server MUST refuse or replace them, and two parsers that disagree are smuggled past"),
    HeadDifference("gorilla|coder|gobwas", "server", "line end", "invalid_line_end", "a bare LF ends a line; RFC 9112 §2.2 permits that, and lets smuggling in where a proxy doesn't"),
    HeadDifference("ws", "server", "request line|version|empty line first", "invalid_start_line|http_version", "Node's parser takes more spaces, empty lines and versions than RFC 9112 §3 has"),
    HeadDifference("gobwas", "server", "version", "invalid_start_line", "HTTP/1.10 passes; RFC 9112 §2.3: one digit"),
    HeadDifference("gorilla|ws", "server", "version", "plain", "Upgrade in HTTP/1.0 is followed; RFC 9110 §7.8: a server MUST ignore it"),
    HeadDifference("ws", "server", "websocket version", "unsupported_version", "any number that is 13 or 8 passes; RFC 6455 §4.2.1 point 6: 13"),
    HeadDifference("gorilla", "server", "websocket version", "unsupported_version", "a list with 13 in it passes; RFC 6455 §4.2.1 point 6: the value is 13"),
    # Requests that wsolo takes.
    HeadDifference(EVERYONE, "server", "upgrade list|connection list|field twice", "open", "Upgrade and Connection are lists, with empty elements and over several fields (RFC 9110 §7.8, §7.6.1, §5.6.1); not every peer reads them so"),
    HeadDifference("websockets|ws|gobwas", "server", "subprotocols", "open", "an empty list of subprotocols, or an empty element, is refused; it can mean nothing else than no offer"),
    HeadDifference(EVERYONE, "server", "empty line first", "open", "one empty line before a request is not skipped; RFC 9112 §2.2: a server SHOULD"),
    HeadDifference("websockets|ws", "server", "version", "open", "HTTP/1.2 is refused; RFC 6455 §4.2.1: HTTP/1.1 or higher"),
    HeadDifference("ws", "server", "padded value", "open", "a tab after Connection's value is not stripped by Node's parser (RFC 9112 §5)"),
    # Answers that wsolo refuses.
    HeadDifference("gobwas|gorilla|coder", "client", "broken line|line end", ANY, "names, values, folds and line ends are hardly judged; RFC 9112 §2.2, §5"),
    HeadDifference(GO, "client", "broken status line", "invalid_start_line", "two spaces before the status pass; RFC 9112 §4"),
    HeadDifference(EVERYONE, "client", "extensions", "invalid_extension|unrequested_extension", "extensions that were not offered, or are illegal, pass; RFC 6455 §4.1 point 5: the client MUST fail the connection"),
    HeadDifference("gorilla|coder|gobwas", "client", "field twice", "duplicate_(accept|subprotocol|upgrade)", "the first of two fields is taken; RFC 6455 §11.3.3, §11.3.4: MUST NOT appear more than once"),
    HeadDifference("gorilla|coder|websockets", "client", "subprotocols", "unrequested_subprotocol", "a subprotocol is not compared, without regard to case, or as a list; RFC 6455 §4.1 point 6, §11.3.4: one that was offered"),
    HeadDifference("gorilla|coder|websockets", "client", "upgrade list", "missing_upgrade", "a list with websocket in it passes; RFC 6455 §4.1 point 2: the value is websocket"),
    HeadDifference("gorilla|coder|ws", "client", "version", "http_version", "101 passes in HTTP/1.0, which has no 1xx (RFC 9110 §15.2), and in other major versions"),
    HeadDifference("gobwas", "client", "version", "invalid_start_line", "HTTP/1.10 passes; RFC 9112 §2.3: one digit"),
    # Answers that wsolo takes.
    HeadDifference("gorilla|coder|ws", "client", "body", "open", "an illegal Content-Length is refused; RFC 9112 §6.3: a 101 has no body, whatever it says"),
    HeadDifference("gobwas|gorilla", "client", "connection list", "open", "Connection is read as one value, or without empty elements; RFC 6455 §4.1 point 3, RFC 9110 §5.6.1: a list"),
    HeadDifference("ws", "client", "field missing", "open", "no subprotocol where some were offered is refused; RFC 6455 §4.2.2: the server may choose none"),
    HeadDifference(EVERYONE, "client", "folded", "open", "folded fields are refused; RFC 9112 §5.2: a user agent MUST unfold them"),
    HeadDifference("gobwas|gorilla|websockets", "client", "interim", "open", "1xx before the 101 are taken for the answer; RFC 9110 §15.2: a client MUST be able to parse them"),
    HeadDifference("gobwas|websockets", "client", "status line", "open", "a status line without its last space is refused; RFC 9112 §4 asks for it, but servers leave it out"),
    HeadDifference("websockets|ws", "client", "version", "open", "HTTP/1.2 is refused; RFC 9110 §2.5: processed as 1.1"),
    HeadDifference("ws", "client", "padded value", "open", "a tab after Connection's value is not stripped by Node's parser (RFC 9112 §5)"),
]
