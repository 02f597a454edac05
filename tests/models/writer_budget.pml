/* write/detail/queue.hpp, room_waiter.hpp and wait.hpp: senders that wait for room, first come, first served; the room that
 * a settled write, or a sender that gives up, grants and reserves; the deadline; the queue that goes when it is unused.
 *
 * Mapping: one atomic block is one hold of the outbox's lock. state[i] is waiter i's, line[] the room_queue, alive[i] says
 * that the node is on its sender's stack, fired[i] is its parker, came[i] when it came. Sender i's frame costs COST(i) of
 * ROOM. The owner writes one frame at a time. Every run without ABORT shows that a sender who waits is woken with no end to
 * rescue it: a thread that is not woken is an invalid end state.
 *
 * Run:   -
 * Run:   -DTIMEOUT
 * Run:   -DFAIL
 * Run:   -DABORT
 * Run:   -DTIMEOUT -DABORT
 * Run:   -DTIMEOUT -DFAIL -DABORT
 * Run:   -DSENDERS=4
 * Run:   -DSENDERS=4 -DTIMEOUT full
 * Wrong: -DMUTANT_GRANTED_WITHDRAWS -DTIMEOUT
 * Wrong: -DMUTANT_GRANT_UNRESERVED
 * Wrong: -DMUTANT_GRANT_GOES_WITH_QUEUE
 * Wrong: -DMUTANT_NOT_GIVEN_BACK
 * Wrong: -DMUTANT_DECLINE_FORGETS -DFAIL
 * Wrong: -DMUTANT_DECLINE_GRANTS_NOBODY -DFAIL -DSENDERS=4
 * Wrong: -DMUTANT_OVERTAKES
 * Wrong: -DMUTANT_LAST_FIRST -DSENDERS=4
 * Wrong: -DMUTANT_GOES_WITH_WAITERS -DSENDERS=4
 * Wrong: -DMUTANT_END_FORGETS -DABORT
 * Wrong: -DMUTANT_CHARGED_LATE
 * Wrong: -DMUTANT_LINKED_LATE
 * Wrong: -DMUTANT_NO_SECOND_WAIT -DTIMEOUT
 */
#ifndef SENDERS
#define SENDERS 3
#endif
#define COST(i) (1 + ((i) != 1)) /* 2, 1, 2, 2 */
#define ROOM 3
#define NONE 0
#define WAITS 1
#define GRANTED 2
#define ENDED 3

byte held; byte reserved; bit sealed; bit owed; byte clock;
byte state[SENDERS]; byte came[SENDERS]; bit alive[SENDERS]; bit fired[SENDERS];
byte line[SENDERS]; byte waiting;

inline link(me) { line[waiting] = me; waiting++; state[me] = WAITS }
inline unlink_at(from) {
    k = from;
    do :: k + 1 < waiting -> line[k] = line[k + 1]; k++ :: else -> break od;
    waiting--; line[waiting] = 0; k = 0
}
/* queue::grant(): in their order; it stops at the first that does not fit. */
inline grant() {
    do
    :: waiting > 0 && held + reserved + COST(line[0]) <= ROOM ->
        j = line[0]; unlink_at(0);
#ifndef MUTANT_GRANTED_WITHDRAWS
        state[j] = GRANTED;
#endif
#ifndef MUTANT_GRANT_UNRESERVED
        reserved = reserved + COST(j);
#endif
        due[j] = 1
    :: else -> break
    od;
    j = 0
}
inline end_waits() {
    do
    :: waiting > 0 -> j = line[0]; unlink_at(0); state[j] = ENDED; due[j] = 1
    :: else -> break
    od;
    j = 0
}
inline wake_due() {
    do
    :: j < SENDERS ->
        if :: due[j] -> due[j] = 0; assert(alive[j]); fired[j] = 1 :: else -> skip fi;
        j++
    :: else -> break
    od;
    j = 0
}
inline give_back(me) { assert(reserved >= COST(me)); reserved = reserved - COST(me); state[me] = NONE }
/* The push is accepted: who came before it and still waits has been overtaken. */
inline accept(me) {
    do
    :: j < waiting -> assert(came[line[j]] > came[me]); j++
    :: else -> break
    od;
    j = 0; held = held + COST(me); assert(held + reserved <= ROOM); owed = 1
}

proctype sender(byte me) {
    byte j, k; bit is_granted, fits, gone, linked; bit due[SENDERS];
again:
    alive[me] = 1; fired[me] = 0;
#ifdef FAIL
    if
    :: state[me] == GRANTED -> /* no memory: decline() */
        atomic {
#ifndef MUTANT_DECLINE_FORGETS
            if :: !sealed && state[me] == GRANTED -> give_back(me);
#ifndef MUTANT_DECLINE_GRANTS_NOBODY
                grant()
#endif
            :: else -> skip fi;
#endif
            skip
        };
        wake_due(); goto left
    :: skip
    fi;
#endif
    atomic {
        if :: came[me] == 0 -> clock++; came[me] = clock :: else -> skip fi;
        is_granted = (state[me] == GRANTED); linked = 0;
#ifdef MUTANT_OVERTAKES
        fits = (held + reserved + COST(me) <= ROOM);
#else
        fits = (waiting == 0 && held + reserved + COST(me) <= ROOM);
#endif
        if
        :: is_granted -> fits = (held + reserved <= ROOM) /* its own room is among the reserved */
        :: else -> skip
        fi;
#ifdef MUTANT_CHARGED_LATE
    };
    atomic {
#endif
        if
        :: sealed -> skip
        :: !sealed && fits ->
            if
            :: is_granted ->
#ifndef MUTANT_NOT_GIVEN_BACK
                give_back(me)
#else
                state[me] = NONE
#endif
            :: else -> skip
            fi;
            accept(me)
        :: else ->
            assert(!is_granted);
#ifndef MUTANT_LINKED_LATE
            link(me);
#endif
            linked = 1
        fi
    };
    if :: !linked -> goto left :: else -> skip fi;
#ifdef MUTANT_LINKED_LATE
    atomic { link(me) };
#endif
    if
    :: fired[me] -> skip
#ifdef TIMEOUT
    :: skip
#endif
    fi;
    atomic { /* withdraw() */
        gone = (state[me] == WAITS);
        if
        :: gone ->
            do :: j < waiting && line[j] != me -> j++ :: else -> break od;
            assert(j < waiting); unlink_at(j); j = 0; state[me] = NONE; grant()
        :: else -> skip
        fi
    };
    if :: gone -> gone = 0; wake_due(); goto left :: else -> skip fi;
#ifndef MUTANT_NO_SECOND_WAIT
    fired[me];
#endif
    alive[me] = 0;
    if :: state[me] == ENDED -> goto left :: else -> goto again fi;
left:
    alive[me] = 0
}

proctype owner() {
    byte j, k; bit due[SENDERS]; bit idle; byte first;
end:
    do
    :: owed ->
        atomic { owed = 0 };
        idle = 0;
        do
        :: !idle ->
            atomic {
                if :: held > 0 -> if :: held >= 2 -> held = held - 2 :: held % 2 == 1 -> held-- fi :: else -> skip fi;
#ifdef MUTANT_LAST_FIRST
                /* the newest waiter is asked first */
                if
                :: waiting > 1 -> first = line[waiting - 1]; waiting--; k = waiting;
                    do :: k > 0 -> line[k] = line[k - 1]; k-- :: else -> break od;
                    line[0] = first; waiting++
                :: else -> skip
                fi;
#endif
                if :: sealed -> end_waits() :: else -> grant() fi;
                if
                :: held == 0 -> /* released: an unused queue goes */
                    idle = 1;
#ifdef MUTANT_GRANT_GOES_WITH_QUEUE
                    if :: waiting == 0 -> reserved = 0 :: else -> skip fi;
#endif
#ifdef MUTANT_GOES_WITH_WAITERS
                    waiting = 0;
#endif
                    assert(waiting == 0 || reserved > 0)
                :: else -> skip
                fi
            };
            wake_due()
        :: else -> break
        od
#ifdef ABORT
    :: atomic { !sealed -> sealed = 1; held = 0; reserved = 0;
#ifndef MUTANT_END_FORGETS
           end_waits()
#endif
       };
       wake_due(); break
#endif
    od
}

/* When all is quiet no room is reserved for a sender that has left. */
proctype judge() { timeout -> assert(sealed || reserved == 0) }

init {
    byte n;
    atomic {
        run owner(); run judge();
        do :: n < SENDERS -> run sender(n); n++ :: else -> break od
    }
}
