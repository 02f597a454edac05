#!/bin/bash
# port.sh - turn the Autobahn|Testsuite (Python 2) into a tree that runs on Python 3.
#
#   port.sh SUITE_SRC OUT_DIR [AUTOBAHN_SRC]
#
#   SUITE_SRC     unpacked sdist of the Python package autobahntestsuite 25.10.1
#   OUT_DIR       made here; result: OUT_DIR/wstest, OUT_DIR/autobahntestsuite, OUT_DIR/autobahn
#   AUTOBAHN_SRC  unpacked autobahn-python 0.10.9 (the version that the suite pins); when left out,
#                 its sdist is fetched with pip
#   PYTHON        (environment) interpreter to port with and to name in OUT_DIR/wstest; default python3
#
# With pip:
#   pip download --no-deps --no-binary :all: autobahntestsuite==25.10.1 && tar xf autobahntestsuite-25.10.1.tar.gz
#   port.sh autobahntestsuite-25.10.1 OUT_DIR
# Needed at run time: requirements.txt. (Twisted's ssl module is imported even for ws://. wsaccel is optional: masking
# and UTF-8 validation in C; without it section 9 is slow.)
# Needed for porting only: lib2to3 (in Python's library up to 3.12; Debian: package 2to3; else: pip install fissix).
#
# How it is done: in Python 2 the cases build payloads as byte strings. Here they stay str, one character
# (0..255) per octet: the case files are read as latin-1, so that a literal's characters are the octets
# that Python 2 saw; and str is turned to bytes and back (latin-1) in one place, the protocol mixin
# in fuzzing.py. So the case files need hardly any change.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,11p' "$0" >&2; exit 2; }
PYTHON=${PYTHON:-python3}
SRC=$1 OUT=$2 AB=${3:-}
PKG=$(dirname "$(find "$SRC" -name fuzzing.py -path '*autobahntestsuite/fuzzing.py' | head -1)")
[ -f "$PKG/fuzzing.py" ] || { echo "no autobahntestsuite package under $SRC" >&2; exit 1; }
grep -q '"25\.10\.1"' "$PKG/_version.py" || echo "warning: not version 25.10.1: $(tail -1 "$PKG/_version.py")" >&2
mkdir -p "$OUT"; OUT=$(cd "$OUT" && pwd)
rm -rf "$OUT/autobahntestsuite" "$OUT/autobahn"

# --- autobahn-python 0.10.9 (runs on Python 3 but for one division)
if [ -z "$AB" ]; then
  T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
  echo 'setuptools<72' > "$T/c"   # its setup.py imports setuptools.command.test
  PIP_CONSTRAINT=$T/c PIP_BUILD_CONSTRAINT=$T/c $PYTHON -m pip download -q --no-deps --no-binary :all: -d "$T" autobahn==0.10.9
  for f in "$T"/autobahn-0.10.9*; do
    case $f in *.zip) $PYTHON -m zipfile -e "$f" "$T";; *) tar -C "$T" -xf "$f";; esac
  done
  AB=$T/autobahn-0.10.9
fi
cp -r "$AB/autobahn" "$OUT/autobahn"
grep -q '"0\.10\.9"' "$OUT/autobahn/__init__.py" || echo "warning: autobahn is not 0.10.9" >&2
rm -rf "$OUT"/autobahn/asyncio "$OUT"/autobahn/*/test "$OUT"/autobahn/test

# --- the suite: only what wstest's WebSocket modes use
mkdir "$OUT/autobahntestsuite"
for f in __init__ _version choosereactor interfaces wstest fuzzing caseset case report spectemplate testee echo broadcast massconnect; do
  cp -r "$PKG/$f" "$OUT/autobahntestsuite/" 2>/dev/null || cp "$PKG/$f.py" "$OUT/autobahntestsuite/"
done
cp -r "$PKG/testdata" "$PKG/web" "$OUT/autobahntestsuite/"
cd "$OUT"

# --- octets as latin-1 characters: before 2to3 reads the files
find autobahntestsuite -name '*.py' | while read -r f; do
  sed -i 's/\r$//' "$f"   # some files have CRLF
  if head -2 "$f" | grep -q 'coding'; then sed -i '1,2s/coding[:=] *[-a-zA-Z0-9]*/coding: latin-1/' "$f"
  else sed -i '1i # -*- coding: latin-1 -*-' "$f"; fi
done
if $PYTHON -c 'import lib2to3' 2>/dev/null; then M=lib2to3; else M=fissix; fi
$PYTHON -W ignore -m $M -w -n --no-diffs autobahntestsuite >/dev/null 2>2to3.log || { cat 2to3.log >&2; exit 1; }

cat > autobahntestsuite/_py3.py <<'PY'
# helpers of the Python 3 port (port.sh)
import binascii, os

def b(x):
    "octets: a str stands for one octet per character"
    return x.encode("latin-1") if isinstance(x, str) else x

def s(x):
    "the str (one character per octet) for some octets"
    return x.decode("latin-1") if isinstance(x, (bytes, bytearray)) else x

def u(x):
    "text for a report: the octets read as UTF-8 where they are UTF-8"
    try:
        return b(x).decode("utf-8") if isinstance(x, (str, bytes)) else x
    except UnicodeError:
        return s(x)

def b2a_hex(x):
    return binascii.b2a_hex(b(x)).decode("ascii")

def resource_filename(package, name):
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
PY

cat > edits.py <<'PY'
import glob, re, sys
HELP = "from autobahntestsuite._py3 import b, s, u, b2a_hex, resource_filename\n"

def edit(name, *subs, helpers=False):
    t = open(name, encoding="latin-1", newline="").read()
    for old, new, count in subs:
        n = t.count(old)
        if n != count:
            sys.exit("port.sh: %s: expected %d of %r, found %d" % (name, count, old, n))
        t = t.replace(old, new)
    if helpers:
        t = re.sub(r"(?m)^(from|import) ", lambda m: HELP + m.group(0), t, count=1)
    open(name, "w", encoding="latin-1", newline="").write(t)

P = "autobahntestsuite/"
edit("autobahn/websocket/protocol.py",
     ("range(payload_len / len(payload))", "range(payload_len // len(payload))", 1))

edit(P + "choosereactor.py", ("import sys, json\n", "import sys, json\nimport txaio\ntxaio.use_twisted()\n", 1))
edit(P + "wstest.py", ("import os, json, sys, pkg_resources", "import os, json, sys", 1),
     ("import serializer\n", "serializer = None  # WAMP only\n", 1))
edit(P + "report.py", ("import jinja2\n", "jinja2 = None  # WAMP reports only\n", 1))
edit(P + "broadcast.py", ("import pkg_resources\n", "", 1), ("pkg_resources.resource_filename", "resource_filename", 1),
     ('self.sendMessage("hello from %s[%d]" % (socket.gethostname(), os.getpid()))',
      'self.sendMessage(b("hello from %s[%d]" % (socket.gethostname(), os.getpid())))', 1), helpers=True)
edit(P + "testee.py", ("pkg_resources.resource_filename", "resource_filename", 1), helpers=True)
edit(P + "massconnect.py", ("time.clock()", "time.perf_counter()", 2))

edit(P + "fuzzing.py",
     ("import os, json, binascii, time, textwrap, pkg_resources", "import os, json, time, textwrap", 1),
     ("pkg_resources.resource_filename", "resource_filename", 1),
     ("webdir.putChild('cwd', curdir)", "webdir.putChild(b'cwd', curdir)", 1),
     ("binascii.b2a_hex(", "b2a_hex(", 5),
     # log entries
     ("   try:\n      if len(data) > maxlen - len(ellipses):\n         dd = data[:maxlen] + ellipses\n",
      "   data = b(data)\n   try:\n      if len(data) > maxlen - len(ellipses):\n         dd = data[:maxlen] + b(ellipses)\n", 1),
     ("p = ''.join(payload)", "p = b''.join(payload)", 1),
     # results: text, as json.dumps wants it
     ('"description": self.Case.DESCRIPTION,', '"description": u(self.Case.DESCRIPTION),', 1),
     ('"localCloseReason": self.localCloseReason,', '"localCloseReason": u(self.localCloseReason),', 1),
     ('"httpRequest": self.http_request_data if', '"httpRequest": u(self.http_request_data) if', 1),
     ('"httpResponse": self.http_response_data if', '"httpResponse": u(self.http_response_data) if', 1),
     # reports
     ("report_filename), 'w')", "report_filename), 'w', encoding='utf-8')", 4),
     ("% (c[0], case[c[0]], c[1])).encode(\"utf-8\"))", "% (c[0], case[c[0]], c[1])))", 1),
     ("ll.encode('utf8')", "ll", 1),
     ("</p>\\n' % CCase.DESCRIPTION)", "</p>\\n' % u(CCase.DESCRIPTION))", 1),
     # octets in and out of the cases
     ("self.runCase.onPong(payload)", "self.runCase.onPong(s(payload))", 1),
     ("self.runCase.onMessage(msg, binary)", "self.runCase.onMessage(s(msg), binary)", 1),
     ('log.msg("Pong received: " + payload)', 'log.msg("Pong received: " + s(payload))', 1),
     ("   MAX_WIRE_LOG_DATA = 256\n", """   MAX_WIRE_LOG_DATA = 256

   def sendFrame(self, opcode, payload = b'', *args, **kwargs):
      super().sendFrame(opcode, b(payload), *args, **kwargs)

   def sendMessage(self, payload, *args, **kwargs):
      super().sendMessage(b(payload), *args, **kwargs)

   def sendMessageFrameData(self, payload, *args, **kwargs):
      return super().sendMessageFrameData(b(payload), *args, **kwargs)

   def sendCloseFrame(self, code = None, reasonUtf8 = None, isReply = False):
      super().sendCloseFrame(code, b(reasonUtf8), isReply)
""", 1), helpers=True)

edit(P + "case/case.py",
     # equality of the values: a pickle also depends on which objects are shared
     ("return pickle.dumps(obj1) == pickle.dumps(obj2)", "return obj1 == obj2", 1))
edit(P + "case/case10_1_1.py", ("len(self.payload) / self.p.autoFragmentSize", "len(self.payload) // self.p.autoFragmentSize", 1))
edit(P + "case/case12_x_x.py",
     ("import copy, os, pkg_resources, hashlib, binascii", "import copy, os, hashlib, binascii", 1),
     ("pkg_resources.resource_filename", "resource_filename", 3),
     ("def onMessage(self, msg, binary):\n   m = ", "def onMessage(self, msg, binary):\n   msg = b(msg)\n   m = ", 1), helpers=True)
edit(P + "case/__init__.py", ("from .case9_9_1 import *\n", "", 1))  # in no list of cases; not for Python 3
edit(P + "case/case6_x_x.py", ("v.validate(vss[:i])", "v.validate(b(vss[:i]))", 1))
for f in glob.glob(P + "case/case*.py"):
    t = open(f, encoding="latin-1").read()
    subs = []
    for old, new in (("(object, Case, )", "(Case, )"), ("binascii.b2a_hex(", "b2a_hex(")):
        if old in t:
            subs.append((old, new, t.count(old)))
    if subs:
        edit(f, *subs, helpers="b2a_hex(" in t and HELP not in t)
PY
$PYTHON edits.py
rm -f edits.py 2to3.log

cat > wstest <<EOT
#!$(command -v $PYTHON)
# Autobahn|Testsuite 25.10.1, Python 3 port made by port.sh; the tree may be moved
import os, sys, warnings
warnings.simplefilter("ignore")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from autobahntestsuite.wstest import run
run()
EOT
chmod +x wstest
./wstest --autobahnversion
