"""What must hold: each function below is a case, with a Redis and processes of its own. README.md says it in words."""

import contextlib
import signal
import socket
import threading
import time

from websockets.exceptions import ConnectionClosed

from processes import Failed, until

CASES = []


def case(act):
    CASES.append(act)
    return act


def expect(what, got, wanted):
    if got != wanted:
        raise Failed(f"{what}: {got!r}, not {wanted!r}")


def same_for_all(members, count):
    """So many messages, and the same ones with the same numbers, for all of them."""
    for each in members:
        each.expect(count)
    for each in members[1:]:
        expect("what two members saw", each.said, members[0].said)
    expect("how many came", len(members[0].said), count)


class Talker:
    """Says "NAME 0", "NAME 1", ... until it is stopped."""

    def __init__(self, member, name, pause=0.002):
        self.count = 0
        self._member = member
        self._stops = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(member, name, pause), daemon=True)
        self._thread.start()

    def _run(self, member, name, pause):
        with contextlib.suppress(ConnectionClosed):  # then the case notices
            while not self._stops.wait(pause):
                member.say(f"{name} {self.count}")
                self.count += 1

    def stop(self):
        self._stops.set()
        self._thread.join()
        if self._member.unsaid:
            raise Failed(f"unsaid: {self._member.unsaid[:3]}")
        return self.count


@case
def rooms_span_processes(plane):
    a, b = plane.process(), plane.process()
    here = [plane.member(where, "lobby") for where in (a, a, b, b)]
    elsewhere = plane.member(b, "garden")
    for each in [*here, elsewhere]:
        each.expect_resyncs(1)  # where the room stands
    for count, each in enumerate(here, 1):
        each.say(f"hello from {count}")
        same_for_all(here, count)
    elsewhere.say("no other member is here")
    elsewhere.expect(1)
    same_for_all(here, 4)
    expect("numbers", [number[1] for number, _ in here[0].said], [1, 2, 3, 4])
    expect("the other room", elsewhere.texts(), ["no other member is here"])


@case
def all_speak_at_once(plane):
    processes = [plane.process() for _ in range(3)]
    members = [plane.member(each, "lobby") for each in processes * 2]
    for each in members:
        each.expect_resyncs(1)
    talks = [threading.Thread(target=lambda m=m, n=n: [m.say(f"{n} {i}") for i in range(150)]) for n, m in enumerate(members)]
    for each in talks:
        each.start()
    for each in talks:
        each.join()
    same_for_all(members, 150 * len(members))
    for speaker in range(len(members)):
        own = [text for text in members[0].texts() if text.startswith(f"{speaker} ")]
        expect("what one said, in its order", own, [f"{speaker} {i}" for i in range(150)])
    expect("numbers", [number[1] for number, _ in members[0].said], list(range(1, 901)))


@case
def members_come_while_others_speak(plane):
    """Each of them has what was said since its last number, once, although it comes amid the talk."""
    a, b = plane.process(), plane.process()
    listener, speaker = plane.member(a, "lobby"), plane.member(b, "lobby")
    listener.expect_resyncs(1)
    speaker.expect_resyncs(1)
    talk = Talker(speaker, "tick", 0.001)
    traveller = plane.member(a, "lobby")
    traveller.expect(1)
    for hop in range(40):
        traveller.leave()
        traveller.come_to((a, b)[hop % 2])
        traveller.expect(len(traveller.said) + 3)
    said = talk.stop()
    for each in (listener, traveller):
        until(lambda each=each: each.texts()[-1] == f"tick {said - 1}", "the last one comes")
        each.expect_no_problem()
    expect("resync", len(traveller.resyncs), 1)
    first = traveller.said[0]
    expect("what it saw", traveller.said, listener.said[listener.said.index(first) :])


@case
def a_process_dies(plane):
    a, b = plane.process(), plane.process()
    victims = [plane.member(a, "lobby") for _ in range(3)]
    speaker = plane.member(b, "lobby")
    for each in [*victims, speaker]:
        each.expect_resyncs(1)
    talk = Talker(speaker, "tick")
    victims[0].say("my last words")
    for each in victims:
        each.expect(20)
    a.kill()
    for each in victims:
        expect("the Close", each.wait_for_end(), 1006)
    time.sleep(0.1)  # more is said meanwhile
    for each in victims:
        each.come_to(b)
        each.expect(len(each.said) + 20)
    said = talk.stop()
    same_for_all([*victims, speaker], said + 1)
    expect("resyncs", [len(each.resyncs) for each in victims], [1, 1, 1])
    if "my last words" not in speaker.texts():
        raise Failed("what its own member had said, and saw numbered, is gone")


@case
def a_deploy(plane):
    """SIGTERM: 1012 to all, who go on in the other process without a hole; the exit is in order."""
    a, b = plane.process(), plane.process()
    movers = [plane.member(a, "lobby") for _ in range(3)]
    speaker = plane.member(b, "lobby")
    for each in [*movers, speaker]:
        each.expect_resyncs(1)
    talk = Talker(speaker, "tick")
    movers[0].expect(10)
    a.signal(signal.SIGTERM)
    for each in movers:
        expect("the Close", each.wait_for_end(), 1012)
        each.come_to(b)
    a.expect_exit()
    for each in movers:
        each.expect(len(each.said) + 10)
    same_for_all([*movers, speaker], talk.stop())
    expect("resyncs", [len(each.resyncs) for each in movers], [1, 1, 1])


@case
def behind_a_balancer(plane):
    """It sends each connection to another process; a process that dies is not noticed by more than that."""
    a, b = plane.process(), plane.process()
    balancer = plane.balancer()
    members = [plane.member(balancer, "lobby") for _ in range(4)]
    for each in members:
        each.expect_resyncs(1)
    talk = Talker(members[0], "tick")
    for each in members:
        each.expect(20)
    said = talk.stop()
    members[0].expect(said)
    a.kill()
    moved = []
    until(lambda: moved.extend(m for m in members if m.code and m not in moved) or len(moved) >= 2, "two went with it")
    for each in moved:
        each.come_to(balancer)
    for count, each in enumerate(members):
        each.say(f"still here: {count}")
    same_for_all(members, said + 4)
    expect("resyncs", [len(each.resyncs) for each in members], [1] * 4)


@case
def all_processes_were_gone(plane):
    """The room is kept meanwhile."""
    a = plane.process()
    member = plane.member(a, "lobby")
    member.expect_resyncs(1)
    for text in ("one", "two", "three"):
        member.say(text)
    member.expect(3)
    away = plane.member(a, "lobby", after=member.said[0][0])
    away.expect(2)
    a.kill()
    b = plane.process()
    member.wait_for_end()
    member.come_to(b)
    member.say("four")
    member.expect(4)
    away.wait_for_end()
    away.come_to(b)
    away.expect(3)
    expect("what it missed", away.texts(), ["two", "three", "four"])
    expect("resyncs", (member.resyncs[1:], away.resyncs), ([], []))


@case
def away_for_too_long(plane):
    """More was said than is kept; and a number that the room never had."""
    a, b = plane.process(), plane.process()
    away, speaker = plane.member(a, "lobby"), plane.member(b, "lobby")
    away.expect_resyncs(1)
    speaker.expect_resyncs(1)
    speaker.say("the first")
    away.expect(1)
    away.leave()
    speaker.say_and_hear([f"more {i}" for i in range(1500)])
    speaker.expect(1501)
    away.come_to(a)
    away.expect_resyncs(2)
    epoch = speaker.at[0]
    expect("where the room stands", away.resyncs[1], (epoch, 1501))
    dreamer = plane.member(a, "lobby", after=(epoch, 999999))
    dreamer.expect_resyncs(1)
    speaker.say("go on")
    for each in (away, dreamer):
        until(lambda each=each: "go on" in each.texts(), "it goes on")
        each.expect_no_problem()


@case
def a_process_falls_behind(plane):
    """It stood still while more was said than is kept, in a room that had messages and in one that had none: its members
    are told, and those of the other one are not."""
    a, b = plane.process(), plane.process()
    behind = [plane.member(a, room) for room in ("lobby", "garden")]
    speakers = [plane.member(b, room) for room in ("lobby", "garden")]
    for each in behind + speakers:
        each.expect_resyncs(1)
    speakers[0].say("the first")
    behind[0].expect(1)
    a.signal(signal.SIGSTOP)
    for each in speakers:
        each.say_and_hear([f"more {i}" for i in range(3000)])
    a.signal(signal.SIGCONT)
    for each in behind:
        each.expect_resyncs(2)
        until(lambda each=each: each.texts()[-1:] == ["more 2999"], "it goes on to the end")
        each.expect_no_problem()
    for each in speakers:
        each.expect_resyncs(1)


@case
def connections_to_redis_break(plane):
    """Redis itself stays: nothing is lost on the way to members, who notice nothing."""
    a, b = plane.process(), plane.process()
    members = [plane.member(a, "lobby"), plane.member(b, "lobby")]
    for each in members:
        each.expect_resyncs(1)
    members[0].say("before")
    same_for_all(members, 1)
    epoch = members[0].at[0]
    for turn in range(5):
        plane.redis.ask("CLIENT", "KILL", "TYPE", "normal")
        for i in range(3):  # while no process is there, perhaps
            plane.redis.ask("XADD", "room:lobby", f"{epoch}-*", "text", f"meanwhile {turn} {i}")
        same_for_all(members, 1 + 3 * (turn + 1))
    for each in (a, b):
        each.expect_health(200)
    members[1].say("after")
    same_for_all(members, 17)
    for each in members:
        each.expect_resyncs(1)


@case
def it_restarts_empty(plane):
    a, b = plane.process(), plane.process()
    members = [plane.member(a, "lobby"), plane.member(b, "lobby")]
    away = plane.member(b, "lobby")
    for each in [*members, away]:
        each.expect_resyncs(1)
    for i in range(5):
        members[0].say(f"before {i}")
    same_for_all([*members, away], 5)
    old = members[0].at
    away.leave()
    plane.redis.kill()
    a.expect_health(503)
    members[0].say("into the void")
    until(lambda: members[0].unsaid == ["into the void"], "what is not said is told")
    newcomer = plane.member(a, "lobby")  # comes although it is not there
    newcomer.expect_resyncs(1)
    plane.redis.forget()
    plane.redis.start()
    for each in members:
        each.expect_resyncs(2)
    newcomer.expect_resyncs(2)
    for each in (a, b):
        each.expect_health(200)
    for i in range(10):  # numbers go beyond the old ones
        members[1].say(f"after {i}")
    same_for_all(members, 15)
    newcomer.expect(10)
    if members[0].at[0] <= old[0]:
        raise Failed("the epoch did not change")
    away.come_to(a)
    away.expect_resyncs(2)
    expect("where the room stands", away.at, members[0].at)


@case
def redis_restarts_with_old_data(plane):
    """It lost the last messages, and numbers others with the same numbers: not with the same epoch."""
    a, b = plane.process(), plane.process()
    members = [plane.member(a, "lobby"), plane.member(b, "lobby")]
    away = plane.member(b, "lobby")
    for each in [*members, away]:
        each.expect_resyncs(1)
    for i in range(5):
        members[0].say(f"saved {i}")
    same_for_all([*members, away], 5)
    plane.redis.ask("SAVE")
    for i in range(5):
        members[0].say(f"lost {i}")
    same_for_all([*members, away], 10)
    away.leave()
    plane.redis.kill()
    plane.redis.start()
    expect("what Redis kept", plane.redis.ask("XLEN", "room:lobby"), "5")
    for each in members:
        each.expect_resyncs(2)
    for each in (a, b):
        each.expect_health(200)
    for i in range(20):
        members[1].say(f"after {i}")
    same_for_all(members, 30)
    away.come_to(b)
    away.expect_resyncs(2)
    expect("what it has of the new ones", away.texts()[10:], [])


@case
def redis_hangs(plane):
    """SIGSTOP, for less than what is taken for its end: what was said then is said when it goes on."""
    a, b = plane.process(), plane.process()
    members = [plane.member(a, "lobby"), plane.member(b, "lobby")]
    for each in members:
        each.expect_resyncs(1)
    plane.redis.process.send_signal(signal.SIGSTOP)
    for i in range(1200):
        members[0].say(f"{i}")
    until(lambda: len(members[0].unsaid) == 200, "what is too much is refused")
    plane.redis.process.send_signal(signal.SIGCONT)
    same_for_all(members, 1000)
    for each in members:
        each.expect_resyncs(1)


@case
def redis_takes_connections_and_says_nothing(plane):
    """A machine that went away, behind a balancer or an address that still answers: it is given up, and the next one is found."""
    plane.redis.kill()
    with contextlib.ExitStack() as stack:
        mute = stack.enter_context(socket.socket())
        mute.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        mute.bind(("127.0.0.1", plane.redis.port))
        mute.listen()
        mute.settimeout(20)
        a = plane.process(wait=False)
        for _ in range(2):  # its two connections
            stack.enter_context(mute.accept()[0])
        member = plane.member(a, "lobby")
        mute.close()
        plane.redis.start()  # the two stay open, and are not Redis's
        member.expect_resyncs(1)
        a.expect_health(200)


@case
def its_answers_stop(plane):
    """On the connection for commands alone: what was said may not have been; it is told so, and the process goes on."""
    between = plane.relay()
    a = plane.process(engine=between.url)
    member = plane.member(a, "lobby")
    member.expect_resyncs(1)
    member.say("before")
    member.expect(1)
    between.mute(0)
    member.say("may be lost")
    until(lambda: member.unsaid == ["may be lost"], "what is not confirmed is told")
    until(lambda: a.health() == 200, "it has connected anew")
    member.say("after")
    until(lambda: "after" in member.texts(), "it goes on")
    member.expect_no_problem()


@case
def redis_is_found_by_name(plane):
    a = plane.process(engine=plane.redis.url.replace("127.0.0.1", "localhost"))
    member = plane.member(a, "lobby")
    member.expect_resyncs(1)
    member.say("hello")
    member.expect(1)


@case
def a_room_is_refused(plane):
    """Redis has something else under its name: that room waits until it has gone, and no other one does."""
    plane.redis.ask("SET", "room:lobby", "not a stream")
    a = plane.process()
    waits, other = plane.member(a, "lobby"), plane.member(a, "garden")
    other.expect_resyncs(1)
    other.say("here")
    other.expect(1)
    expect("the room that is refused", waits.resyncs, [])
    plane.redis.ask("DEL", "room:lobby")
    waits.expect_resyncs(1)
    waits.say("at last")
    waits.expect(1)
    a.expect_health(200)


@case
def much_is_said_while_one_comes_back(plane):
    """The answer to what it missed does not come: what is said meanwhile is not kept without an end."""
    between = plane.relay()
    a, b = plane.process(engine=between.url), plane.process()
    first, speaker = plane.member(a, "lobby"), plane.member(b, "lobby")
    for each in (first, speaker):
        each.expect_resyncs(1)
    for text in ("one", "two"):
        speaker.say(text)
    first.expect(2)
    between.mute(0)
    late = plane.member(a, "lobby", after=first.said[0][0])  # "two" is asked for
    for i in range(60):  # 3.6 MB
        speaker.say(f"{i} " + "x" * 60000)
        if i % 10 == 9:
            first.expect(i + 3)
    late.expect_resyncs(1)
    expect("whether the silence was noticed before", any("no Redis" in line for line in a.lines), False)
    speaker.say("the last")
    until(lambda: late.texts()[-1:] == ["the last"], "it goes on")
    late.expect_no_problem()


@case
def a_stream_is_deleted(plane):
    a, b = plane.process(), plane.process()
    members = [plane.member(a, "lobby"), plane.member(b, "lobby")]
    for each in members:
        each.expect_resyncs(1)
    for i in range(3):
        members[0].say(f"before {i}")
    same_for_all(members, 3)
    plane.redis.ask("FLUSHALL")
    members[0].say("after")
    for each in members:
        each.expect_resyncs(2)
    same_for_all(members, 4)


@case
def what_redis_says_is_no_message(plane):
    """Another program's entry is a gap, not a frame that would end every member."""
    a = plane.process()
    member = plane.member(a, "lobby")
    member.expect_resyncs(1)
    member.say("one")
    member.expect(1)
    epoch = member.at[0]
    plane.redis.ask("XADD", "room:lobby", f"{epoch}-*", "json", "{}")
    member.expect_resyncs(2)
    plane.redis.ask("EVAL", "return redis.call('XADD', 'room:lobby', ARGV[1], 'text', '\\255')", "0", f"{epoch}-*")
    member.expect_resyncs(3)
    member.say("two")
    member.expect(2)
    expect("numbers", [number[1] for number, _ in member.said], [1, 4])


@case
def a_member_is_slow(plane):
    """It is cut off; others have everything in time, and memory stays within its queue's bound."""
    a, b = plane.process(), plane.process()
    speaker, listener = plane.member(a, "lobby"), plane.member(b, "lobby")
    speaker.expect_resyncs(1)
    listener.expect_resyncs(1)
    sockets = plane.sockets_of(b)
    sleepers = [plane.raw_member(b, "lobby", 4096) for _ in range(3)]
    until(lambda: plane.sockets_of(b) == sockets + 3, "they are there")
    before = b.resident()
    for i in range(400):
        speaker.say(f"{i} " + "x" * 60000)
        if i % 20 == 19:
            listener.expect(i + 1)
    until(lambda: plane.sockets_of(b) == sockets, "they are cut off")
    grown = b.resident() - before
    if grown > (24 if not plane.is_sanitized else 400) * 1024:
        raise Failed(f"it grew by {grown} KiB")
    same_for_all([speaker, listener], 400)
    for each in sleepers:
        each.close()
    late = plane.member(b, "lobby", after=speaker.said[398][0])  # one message behind: it fits
    late.expect(1)
    early = plane.member(b, "lobby", after=speaker.said[200][0])  # 12 MB behind: too much
    early.expect_resyncs(1)
    expect("what they had", (late.resyncs, early.said), ([], []))


@case
def rooms_come_and_go(plane):
    """A process reads the rooms that have members here, however they change."""
    a, b = plane.process(), plane.process()
    for turn in range(30):
        names = [f"room {turn} {i}".replace(" ", "_") for i in range(3)]
        first = [plane.member(a, name) for name in names]
        second = [plane.member(b, name) for name in names]
        for each in first + second:
            each.expect_resyncs(1)
        for each, other, name in zip(first, second, names):
            each.say(name)
            same_for_all([each, other], 1)
        for each in first + second:
            each.leave()


@case
def redis_evicts_keys(plane):
    """Then it may forget numbers without a word: it is refused."""
    plane.redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    a = plane.process(wait=False)
    until(lambda: any("allkeys-lru" in line for line in a.lines), "it says why")
    expect("health", a.health(), 503)
    plane.redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    a.expect_health(200)


@case
def stopping_without_it(plane):
    a = plane.process()
    member = plane.member(a, "lobby")
    member.expect_resyncs(1)
    plane.redis.kill()
    a.expect_health(503)
    a.signal(signal.SIGTERM)
    expect("the Close", member.wait_for_end(), 1012)
    a.expect_exit()
