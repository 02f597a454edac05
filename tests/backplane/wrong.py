#!/usr/bin/env python3
"""What self_test.py breaks in examples/backplane. By itself it shows, at once, that each row still fits: what is to be changed
stands in its file once, and its case is there."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "examples" / "backplane"

# What is wrong; the file; what stands there; what then stands there; the case that must fail.
WRONG = [
    ("a gap is not seen", "message_id.hpp", "return next.number == number + 1;", "return true;", "a_process_falls_behind"),
    ("nor is one at the beginning", "message_id.hpp", "next.epoch > epoch && next.number == 1", "next.epoch > epoch",
     "a_process_falls_behind"),
    ("another epoch is taken for the next message", "message_id.hpp", "number == 0 && next.epoch > epoch && next.number == 1",
     "next.epoch > epoch", "a_stream_is_deleted"),
    ("a Redis that came back has its old epoch", "redis_engine.cpp", "if known[1] == run then", "if known[1] then",
     "redis_restarts_with_old_data"),
    ("a stream that is deleted goes on in its epoch", "redis_engine.cpp", "epoch = math.max(epoch, now", "epoch = math.max(epoch, 0 * now",
     "a_stream_is_deleted"),
    ("a room does not ask after its epoch", "rooms.cpp", "const bool is_other = in.at && in.at->epoch != last->epoch;",
     "const bool is_other = false;", "it_restarts_empty"),
    ("one who comes back is believed", "redis_engine.cpp", "after.number == 0, {}}", "true, {}}", "away_for_too_long"),
    ("more is sent to it than it has room for", "rooms.cpp", "&& size <= max_history;", "&& size > 0;", "a_member_is_slow"),
    ("what is said while it catches up is lost", "rooms.cpp", "if (!who.is_asked || who.upto) continue;", "continue;",
     "members_come_while_others_speak"),
    ("or is sent to it twice", "rooms.cpp", "if (id > last) static_cast", "if (true) static_cast",
     "members_come_while_others_speak"),
    ("a room goes on from what is new in Redis", "redis_engine.cpp", "from.push_back(last.text());", 'from.push_back("$");',
     "connections_to_redis_break"),
    ("a slow member stays, with a hole", "rooms.hpp", "when_member_full::disconnect", "when_member_full::skip",
     "a_member_is_slow"),
    ("what is not said is not told", "rooms.cpp", "if (!is_ready_ || unconfirmed_ >= max_unconfirmed) {",
     "if (!is_ready_ || unconfirmed_ >= max_unconfirmed) { return;", "it_restarts_empty"),
    ("what comes from Redis is taken for UTF-8", "rooms.cpp", "!wsolo::is_valid_utf8(wsolo::bytes_of(what.text))", "false",
     "what_redis_says_is_no_message"),
    ("a Redis that evicts keys is used", "redis_engine.cpp", "if policy and", "if false and", "redis_evicts_keys"),
    ("what says nothing is waited for", "redis.cpp", "        if (error) return;\n        close();", "        return;\n        close();",
     "redis_takes_connections_and_says_nothing"),
    ("an answer that does not come is waited for", "redis.cpp", "if (unanswered_++ == 0) wait_for_answer();", "++unanswered_;", "its_answers_stop"),
    ("a room that is refused is not asked for again", "redis_engine.cpp", "if (refused_.size() == 1) find_again();", "",
     "a_room_is_refused"),
    ("what is kept for one who comes back has no bound", "rooms.cpp", "if (who.kept_size <= max_kept) continue;", "if (true) continue;",
     "much_is_said_while_one_comes_back"),
    ("at the end Redis keeps the process", "rooms.cpp", "    between_.close();\n", "", "stopping_without_it"),
]  # fmt: skip


def misfits():
    """A sentence for each row that does not fit."""
    cases = (HERE / "cases.py").read_text(encoding="utf-8")
    for what, file, before, after, case in WRONG:
        count = (SOURCE / file).read_text(encoding="utf-8").count(before)
        if count != 1:
            yield f"{what}: {file} has {count} times what is to be changed: {before}"
        if before == after:
            yield f"{what}: nothing is changed"
        if f"\ndef {case}(" not in cases:
            yield f"{what}: cases.py has no {case}"


if __name__ == "__main__":
    sys.exit("\n".join(misfits()) or 0)
