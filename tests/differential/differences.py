"""Where a peer rightly or wrongly reads a stream otherwise than wsolo, and why. Each entry covers the first event in
which the two logs differ."""

from __future__ import annotations

import re
from typing import NamedTuple

from streams import Case


class Difference(NamedTuple):
    peer: str
    what: str  # the kinds of stream (streams.CHANGES), a regular expression
    ours: str  # wsolo's event, a regular expression
    theirs: str  # the peer's
    why: str

    def covers(self, peer: str, case: Case, ours: str, theirs: str) -> bool:
        return (self.peer == peer and re.fullmatch(self.what, case.what) is not None
                and re.fullmatch(self.ours, ours) is not None and re.fullmatch(self.theirs, theirs) is not None)


# Text that can't become UTF-8 is refused by its first bad byte here; elsewhere the frame's or the message's end is awaited
# (RFC 6455 §8.1 leaves the moment open), and what comes before that end is read first.
EARLY_TEXT = "error:1007:invalid_utf8"
ANYTHING_LATER = "nothing|(ping|pong|close|error:1002|error:1009):.*"
ANY = ".*"
HEADER_RULE = "error:1002:(reserved_.*|fragmented_control_frame|oversized_control_frame|mask_.*|non_minimal_length|length_high_bit_set)"
ANY_EVENT = "(text|binary|ping|pong|close):.*"

DIFFERENCES = [
    Difference("wslay", ANY, HEADER_RULE + "|error:1002:.*continuation", "error:1005:",
               "closes without a status code where a header breaks a rule; 1002 is meant for this (RFC 6455 §7.4.1)"),
    Difference("wslay", ANY, "error:1002:close_body_of_one_byte", "close:0:",
               "takes a Close body of one byte; §5.5.1: it begins with two bytes of status code"),
    Difference("wslay", ANY, "error:1009:message_too_big", "nothing",
               "waits for a payload of up to 2^63-1 bytes; its limit is another one (wsolo: 4 MiB by default)"),
    Difference("wslay", ANY, "close:(1012|1013|1014):.*", "error:1002:",
               "refuses codes that the IANA registry of §11.7 has gained since the RFC"),
    Difference("wslay", ANY, "error:1007:invalid_close_reason", "close:1000:.*",
               "misses a bad byte in a Close reason that comes in several reads"),
    Difference("wslay", ANY, "close:.*|nothing", "error:1007:",
               "refuses a good Close reason whose code points are cut by a read"),
    Difference("wslay", ANY, "error:1002:invalid_close_code", "error:1007:",
               "code and reason are both wrong; judges the reason first"),
    Difference("wslay", "flipped bit|cut off", HEADER_RULE, "nothing",
               "judges a header when all of it has come, and its mask when payload follows"),

    Difference("websocketpp", ANY, "error:1007:invalid_close_reason", "error:1002:reason",
               "answers a Close reason that is no UTF-8 by 1002; 1007 is meant for this (RFC 6455 §7.4.1)"),
    Difference("websocketpp", ANY, "error:1002:non_minimal_length", "error:1011:",
               "answers a length that is not in its shortest form by 1011, an error of its own"),
    Difference("websocketpp", ANY, "error:1002:length_high_bit_set", "error:1009:",
               "a length with its highest bit set is too big rather than malformed"),
    Difference("websocketpp", ANY, EARLY_TEXT, "text:.*",
               "takes a fragmented text whose last code point is cut off: it looks at unfragmented ones only"),

    Difference("beast", ANY, "error:1007:invalid_close_reason", "error:1002:.*",
               "answers a Close reason that is no UTF-8 by 1002; 1007 is meant for this (RFC 6455 §7.4.1)"),
    Difference("beast", ANY, "error:1002:length_high_bit_set", "error:1009:.*",
               "a length with its highest bit set is too big rather than malformed"),
    Difference("beast", ANY, "close:1014:.*", "error:1002:.*",
               "refuses a code that the IANA registry of §11.7 has gained since the RFC"),
    Difference("beast", ANY, "error:1002:invalid_close_code", "close:([5-9]...|[1-6]....):.*",
               "takes codes from 5000 on; §7.4.2 gives no range beyond 4999"),
    Difference("beast", "flipped bit|cut off", HEADER_RULE, "nothing",
               "judges a header when all of it has come"),

    Difference("websockets", ANY, "error:1002:(non_minimal_length|oversized_control_frame)", ANY_EVENT,
               "takes lengths that are not in their shortest form; §5.2: the minimal number of bytes MUST be used"),
    Difference("websockets", ANY, "error:1002:length_high_bit_set", "error:1009:PayloadTooBig",
               "a length with its highest bit set is too big rather than malformed"),
    Difference("websockets", "flipped bit|cut off", HEADER_RULE, "nothing",
               "judges a header when all of its frame has come"),
    Difference("websockets", ANY, EARLY_TEXT, ANYTHING_LATER, "decodes text when its message is complete"),
    Difference("websockets", ANY, "close:.*", "error:1002:ProtocolError",
               "refuses a Close inside a fragmented message; §5.4: control frames MAY be injected there"),
    Difference("websockets", ANY, "error:1002:invalid_close_code", "error:1007:UnicodeDecodeError",
               "code and reason are both wrong; judges the reason first"),

    Difference("ws", ANY, "error:1002:non_minimal_length", ANY_EVENT,
               "takes lengths that are not in their shortest form; §5.2: the minimal number of bytes MUST be used"),
    Difference("ws", ANY, "error:1002:length_high_bit_set", "error:1009:WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
               "a length with its highest bit set is beyond its numbers rather than malformed"),
    Difference("ws", ANY, EARLY_TEXT, ANYTHING_LATER, "validates text when its message is complete"),
]
