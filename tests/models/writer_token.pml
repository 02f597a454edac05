/* write/outbox.hpp: who holds the write token, from a push by the hook to the release, the parking or the end.
 *
 * Mapping: one atomic block is one hold of the outbox's lock. `incoming` and `flight` count queued frames, `token` is
 * token_. The hook's call is `owed`, which the loop waits for; a parked token waits for `writable`. Everything ends: a
 * thread that nobody wakes, or a frame that nobody writes, ends in an invalid end state or a failed assertion, so every
 * run without CLOSE and without ABORT shows that no wake-up is lost with no Close to rescue it.
 *
 * Run:   -
 * Run:   -DBLOCKS
 * Run:   -DCLOSE
 * Run:   -DCLOSE -DBLOCKS
 * Run:   -DABORT -DBLOCKS
 * Run:   -DABORT -DBLOCKS -DSTUCK
 * Run:   -DCLOSE -DABORT -DBLOCKS
 * Run:   -DQUANTUM -DBLOCKS
 * Run:   -DPRODUCERS=3 -DBLOCKS
 * Run:   -DPRODUCERS=3 -DCLOSE -DABORT -DBLOCKS
 * Wrong: -DMUTANT_CHECK_THEN_RELEASE
 * Wrong: -DMUTANT_TWO_TAKE -DCLOSE -DBLOCKS
 * Wrong: -DMUTANT_HOOK_TWICE
 * Wrong: -DMUTANT_TEST_APART -DCLOSE
 * Wrong: -DMUTANT_WIPES_SEAL -DCLOSE
 * Wrong: -DMUTANT_QUANTUM_FORGETS -DQUANTUM
 * Wrong: -DMUTANT_PARKS_ASLEEP -DABORT -DBLOCKS -DSTUCK
 * Wrong: -DMUTANT_NO_RECALL -DABORT -DBLOCKS -DSTUCK
 * Wrong: -DMUTANT_TOUCH_AFTER_RELEASE
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#define FREE 0
#define SCHEDULED 1
#define PUMPING 2
#define PARKED 3
#define FINISHED 4

byte token = FREE; bit sealed; bit aborting; bit close_queued;
byte incoming; byte flight; byte owed; bit writable;
byte accepted; byte written; byte dropped; byte owners;
bit close_written;

inline take_if_free() {
#ifdef MUTANT_HOOK_TWICE
    if :: token == FREE || token == SCHEDULED -> token = SCHEDULED; drive = 1 :: else -> skip fi
#else
    if :: token == FREE -> token = SCHEDULED; drive = 1 :: else -> skip fi
#endif
}
inline recall() {
#ifndef MUTANT_NO_RECALL
    if :: token == PARKED -> token = FREE :: else -> skip fi
#endif
    skip
}
/* A pump that writability brings may take the token before the hook is called; without one the hook is called once. */
inline once() {
#ifndef BLOCKS
    assert(owed == 1);
#endif
    skip
}
inline hook() {
    if :: drive -> drive = 0; atomic { owed++; once() } :: else -> skip fi
}

proctype producer() {
    bit drive, open;
#ifdef MUTANT_TEST_APART
    atomic { open = !sealed };
    atomic { if :: open -> assert(!sealed); incoming++; accepted++; take_if_free() :: else -> skip fi };
#else
    atomic { open = !sealed; if :: open -> incoming++; accepted++; take_if_free() :: else -> skip fi };
#endif
    hook()
}

#ifdef CLOSE
proctype closer() {
    bit drive;
    atomic { if :: !sealed -> sealed = 1; close_queued = 1; incoming++; accepted++; recall(); take_if_free() :: else -> skip fi };
    hook()
}
#endif

#ifdef ABORT
proctype aborter() {
    bit drive;
    atomic { if :: token != FINISHED -> sealed = 1; aborting = 1; recall(); take_if_free() :: else -> skip fi };
    hook()
}
#endif

/* pump(): at most one of the pumpers owns; two answer hooks, one answers writability. */
proctype pumper(bit by_hook) {
    bit mine, drive, more;
    byte blocked;
end:
    do
    :: atomic { by_hook && owed > 0 -> owed-- };
again:
       atomic {
           mine = (token == SCHEDULED || token == PARKED);
#ifdef MUTANT_TWO_TAKE
           mine = mine || token == PUMPING;
#endif
           if :: mine -> token = PUMPING; writable = 0 :: else -> skip fi
       };
       do
       :: mine ->
            owners++; assert(owners == 1); owners--;
#ifdef MUTANT_CHECK_THEN_RELEASE
            atomic { flight = flight + incoming; incoming = 0; more = (flight > 0 || aborting || sealed) };
#else
            atomic {
                flight = flight + incoming; incoming = 0;
#ifdef MUTANT_WIPES_SEAL
                sealed = 0;
#endif
                more = (flight > 0 || aborting || sealed);
                if :: !more -> token = FREE; mine = 0 :: else -> skip fi
            };
#ifdef MUTANT_TOUCH_AFTER_RELEASE
            if :: !mine -> owners++; assert(owners == 1); owners-- :: else -> skip fi;
#endif
#endif
            if
            :: !more ->
#ifdef MUTANT_CHECK_THEN_RELEASE
                atomic { token = FREE; mine = 0 };
#endif
                break
            :: more && (aborting || flight == 0) -> /* finish() */
                atomic {
                    assert(token == PUMPING); flight = flight + incoming; incoming = 0;
                    dropped = dropped + flight; flight = 0; token = FINISHED; sealed = 1; mine = 0
                };
                break
            :: more && !aborting && flight > 0 ->
                /* one write: everything, or one frame and would_block */
                if
                :: written = written + flight; flight = 0; if :: close_queued && incoming == 0 -> close_written = 1 :: else -> skip fi
#ifdef BLOCKS
                :: blocked < 1 -> blocked++; written++; flight--;
                    atomic {
#ifdef MUTANT_PARKS_ASLEEP
                        token = PARKED; mine = 0
#else
                        if :: !aborting -> token = PARKED; mine = 0 :: else -> skip fi
#endif
                    };
                    if
                    :: !mine ->
#ifndef STUCK
                        writable = 1;
#endif
                        break
                    :: else -> skip
                    fi
#endif
#ifdef QUANTUM
                :: flight > 1 -> written++; flight--;
                    atomic { token = SCHEDULED; mine = 0 };
#ifndef MUTANT_QUANTUM_FORGETS
                    drive = 1; hook();
#endif
                    break
#endif
                fi
            fi
       :: else -> break
       od
    :: atomic { !by_hook && writable -> writable = 0 }; goto again
    od
}

/* When all is quiet: what was accepted was written or reported, and nobody holds the token. */
proctype judge() {
    timeout ->
#ifndef STUCK
    assert(token == FREE || token == FINISHED);
    assert(accepted == written + dropped);
    assert(incoming == 0 && flight == 0);
#endif
#ifdef CLOSE
    assert(sealed && token == FINISHED);
#endif
#ifdef ABORT
    assert(sealed && token == FINISHED);
#endif
    skip
}

init {
    byte n;
    atomic {
        run pumper(1); run pumper(1); run pumper(0);
        do :: n < PRODUCERS -> run producer(); n++ :: else -> break od;
#ifdef CLOSE
        run closer();
#endif
#ifdef ABORT
        run aborter();
#endif
        run judge()
    }
}
