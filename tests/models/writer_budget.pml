/* write/outbox.hpp and write/detail/waiting_sender.hpp: senders that wait for room, the owner who grants it, the deadline.
 *
 * Mapping: one atomic block is one hold of the outbox's lock. waits[i] is waiter i's flag, order is the list's FIFO,
 * alive[i] says that the node is on its sender's stack, fired[i] is its parker. Every frame costs COST of ROOM. The owner
 * writes one frame at a time and releases an empty queue together with its list. Every run without ABORT shows that a
 * sender who waits is woken with no end to rescue it: a thread that nobody wakes is an invalid end state.
 *
 * Run:   -
 * Run:   -DTIMEOUT
 * Run:   -DABORT
 * Run:   -DTIMEOUT -DABORT
 * Run:   -DSENDERS=4 -DCOST=1
 * Wrong: -DMUTANT_GRANTED_WITHDRAWS -DTIMEOUT
 * Wrong: -DMUTANT_LEFT_AT_RELEASE
 * Wrong: -DMUTANT_END_FORGETS -DABORT
 * Wrong: -DMUTANT_CHARGED_LATE
 * Wrong: -DMUTANT_LINKED_LATE
 * Wrong: -DMUTANT_NO_SECOND_WAIT -DTIMEOUT
 */
#ifndef SENDERS
#define SENDERS 3
#endif
#ifndef COST
#define COST 2
#endif
#define ROOM 3

byte held; bit sealed; bit owed;
bit waits[SENDERS]; bit listed[SENDERS]; bit alive[SENDERS]; bit fired[SENDERS];

/* grant(): the room is dealt out in order; everybody when `all`. */
inline grant(all) {
    j = 0; room = ROOM - held;
    do
    :: j < SENDERS ->
        if
        :: listed[j] && (all || COST <= room) ->
            if :: all -> skip :: else -> room = room - COST fi;
            listed[j] = 0; due[j] = 1;
#ifndef MUTANT_GRANTED_WITHDRAWS
            waits[j] = 0;
#endif
            skip
        :: else -> skip
        fi;
        j++
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

proctype sender(byte me) {
    byte j, room; bit no_room, gone; bit due[SENDERS];
again:
    alive[me] = 1; fired[me] = 0;
#ifdef MUTANT_CHARGED_LATE
    atomic { no_room = (held + COST > ROOM) };
    atomic { if :: !sealed && !no_room -> held = held + COST; assert(held <= ROOM); owed = 1 :: else -> skip fi };
    if :: no_room && !sealed -> atomic { waits[me] = 1; listed[me] = 1 } :: else -> skip fi;
#else
#ifdef MUTANT_LINKED_LATE
    atomic { no_room = (held + COST > ROOM); if :: sealed -> no_room = 0 :: !sealed && !no_room -> held = held + COST; owed = 1 :: else -> skip fi };
    if :: no_room -> atomic { waits[me] = 1; listed[me] = 1 } :: else -> skip fi;
#else
    atomic {
        no_room = (held + COST > ROOM);
        if
        :: sealed -> no_room = 0
        :: !sealed && !no_room -> held = held + COST; assert(held <= ROOM); owed = 1
        :: else -> waits[me] = 1; listed[me] = 1
        fi
    };
#endif
#endif
    if
    :: !no_room -> goto left
    :: else -> skip
    fi;
    if
    :: fired[me] -> skip
#ifdef TIMEOUT
    :: skip
#endif
    fi;
    atomic { gone = waits[me]; if :: gone -> assert(listed[me]); waits[me] = 0; listed[me] = 0; grant(sealed) :: else -> skip fi };
    if
    :: gone -> gone = 0; wake_due(); goto left
    :: else -> skip
    fi;
#ifndef MUTANT_NO_SECOND_WAIT
    fired[me];
#endif
    alive[me] = 0;
    goto again;
left:
    alive[me] = 0
}

proctype owner() {
    byte j, room; bit due[SENDERS]; bit idle;
end:
    do
    :: owed ->
        atomic { owed = 0 };
        idle = 0;
        do
        :: !idle ->
            atomic { if :: held >= COST -> held = held - COST :: else -> skip fi; grant(sealed);
                if
                :: held == 0 ->
#ifndef MUTANT_LEFT_AT_RELEASE
                    grant(1);
#endif
                    /* the list goes with the workload */
                    do :: j < SENDERS -> assert(!listed[j]); j++ :: else -> break od;
                    j = 0; idle = 1
                :: else -> skip
                fi };
            wake_due()
        :: else -> break
        od
#ifdef ABORT
    :: atomic { !sealed -> sealed = 1; held = 0;
#ifndef MUTANT_END_FORGETS
           grant(1)
#endif
       };
       wake_due(); break
#endif
    od
}

init {
    byte n;
    atomic {
        run owner();
        do :: n < SENDERS -> run sender(n); n++ :: else -> break od
    }
}
