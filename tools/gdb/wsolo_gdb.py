# SPDX-License-Identifier: MIT
"""What gdb prints of wsolo's values:  (gdb) source tools/gdb/wsolo_gdb.py

    errc, opcode, close_code, role ...   the enumerator alone
    frame_header                         text fin masked 01020304, payload 5
    turn                                 whose turn it is: free, gated, scheduled, running, parked, finished
    single_writer                        its turn, and the fields below it

`print/r` shows the raw value. Read-only: nothing of the program is called, so core files work too.
"""

import re

import gdb
import gdb.printing

VERSIONED = r"^wsolo::(?:v\w+::)?"


def short(value):
    """An enumerator without its namespaces: wsolo::v0_1_0_checked_exc_sse2::errc::closed is closed."""
    text = str(value.format_string(raw=True))
    return text.rsplit("::", 1)[-1].rstrip(")")


class Enumerator:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return short(self.value)


class FrameHeader:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        header = self.value
        words = [short(header["op"])]
        words += [bit for bit in ("fin", "rsv1", "rsv2", "rsv3") if bool(header[bit])]
        if bool(header["masked"]):
            words.append("masked " + self.key())
        return " ".join(words) + f", payload {int(header['payload_size'])}"

    def key(self):
        """The four bytes, whatever their container is."""
        key = self.value["key"]
        start = key.address.cast(gdb.lookup_type("unsigned char").pointer())
        return "".join(f"{int(start[i]):02x}" for i in range(4))


class Turn:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return short(self.value["state_"])


class SingleWriter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return "single_writer, turn: " + short(self.value["drive_"]["box"]["turn_"]["state_"])

    def children(self):
        for field in self.value.type.fields():
            if not field.is_base_class and hasattr(field, "bitpos"):
                yield field.name, self.value[field]


class Printers(gdb.printing.PrettyPrinter):
    STRUCTS = [("frame_header$", FrameHeader), ("turn$", Turn), ("single_writer<", SingleWriter)]

    def __init__(self):
        super().__init__("wsolo")

    def __call__(self, value):
        kind = value.type.strip_typedefs().unqualified()
        name = kind.name or ""
        if not re.match(VERSIONED, name):
            return None
        if kind.code == gdb.TYPE_CODE_ENUM:
            return Enumerator(value)
        for pattern, printer in self.STRUCTS:
            if re.match(VERSIONED + pattern, name):
                return printer(value)
        return None


gdb.printing.register_pretty_printer(gdb.current_objfile(), Printers(), replace=True)
