/* write/detail/completion.hpp and driver.hpp: a write that ends in the transport's thread, while the turn is parked with it.
 *
 * Mapping: one atomic block is one hold of the outbox's lock. `stands` is started_ (the owner's), `over` is what the
 * completion notes, `begun` what the device has in hand; `batch` counts the frames of the write. The runs without ABORT show
 * that every completion has the writer driven with no end to rescue it: a frame that is not written fails the judge.
 *
 * Run:   -
 * Run:   -DTIMER
 * Run:   -DPRODUCERS=3 -DTIMER
 * Run:   -DABORT
 * Run:   -DABORT -DTIMER
 * Run:   -DAT_ONCE -DTIMER
 * Wrong: -DMUTANT_WAKES_NOBODY
 * Wrong: -DMUTANT_PARKS_BLINDLY
 * Wrong: -DMUTANT_GOES_ON -DTIMER
 * Wrong: -DMUTANT_ENDS_IN_FLIGHT -DABORT
 * Wrong: -DMUTANT_DRIVES_TWICE -DTIMER
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#define FREE 0
#define SCHEDULED 1
#define RUNNING 2
#define PARKED 3
#define FINISHED 4

byte turn = FREE; bit sealed; bit aborting;
byte incoming; byte flight; byte batch; byte owed; byte timers = 2;
byte accepted; byte written; byte dropped; byte owners;
bit stands; bit over; bit begun; bit freed;

inline claim() { if :: turn == FREE -> turn = SCHEDULED; drive = 1 :: else -> skip fi }
inline recall() { if :: turn == PARKED -> turn = SCHEDULED; drive = 1 :: else -> skip fi }
inline hook() { if :: drive -> drive = 0; owed++ :: else -> skip fi }

/* What end_started() does under the lock: a run in progress finds it by itself. */
inline note_over() {
    over = 1;
#ifndef MUTANT_WAKES_NOBODY
    recall();
#endif
#ifdef MUTANT_DRIVES_TWICE
    if :: turn == RUNNING -> turn = SCHEDULED; drive = 1 :: else -> skip fi;
#endif
    skip
}

proctype producer() {
    bit drive;
    atomic { if :: !sealed -> incoming++; accepted++; claim() :: else -> skip fi };
    hook()
}

#ifdef ABORT
proctype aborter() {
    bit drive;
    atomic { if :: turn != FINISHED -> sealed = 1; aborting = 1; recall(); claim() :: else -> skip fi };
    hook()
}
#endif

proctype device() {
    bit drive;
end:
    do
    :: begun ->
        assert(!freed); /* it reads the bytes as long as it has them */
        begun = 0;
        atomic { note_over() };
        hook()
    od
}

proctype pumper(bit by_hook) {
    bit mine, drive, more;
end:
    do
    :: atomic { by_hook && owed > 0 -> owed-- };
again:
        atomic {
            mine = (turn == SCHEDULED || turn == PARKED);
            if :: mine -> turn = RUNNING :: else -> skip fi
        };
        do
        :: mine ->
            owners++; assert(owners == 1); owners--;
            assert(turn == RUNNING);
            if
#ifdef MUTANT_GOES_ON
            :: stands -> written = written + batch; flight = flight - batch; stands = 0; over = 0
#else
            :: stands && over -> written = written + batch; flight = flight - batch; stands = 0; over = 0
            :: stands && !over ->
                atomic {
#ifdef MUTANT_PARKS_BLINDLY
                    turn = PARKED; mine = 0
#else
                    if :: !over -> turn = PARKED; mine = 0 :: else -> skip fi
#endif
                };
                if :: !mine -> break :: else -> goto next fi
#endif
#ifdef MUTANT_ENDS_IN_FLIGHT
            :: stands && aborting -> goto over_and_out
#endif
            :: !stands -> skip
            fi;
            atomic {
                flight = flight + incoming; incoming = 0;
                more = (flight > 0 || aborting || sealed);
                if :: !more -> turn = FREE; mine = 0 :: else -> skip fi
            };
            if
            :: !more -> break
            :: more && (aborting || flight == 0) ->
over_and_out:
                freed = 1;
                atomic { dropped = dropped + flight + incoming; flight = 0; incoming = 0; turn = FINISHED; sealed = 1; mine = 0 };
                break
            :: more && !aborting && flight > 0 ->
                if
                :: batch = flight
                :: flight > 1 -> batch = 1
                fi;
                assert(!begun); stands = 1; over = 0;
                if
                :: begun = 1
#ifdef AT_ONCE
                :: atomic { note_over() }; hook() /* inside of start_write() */
#endif
                fi
            fi;
next:       skip
        :: else -> break
        od
#ifdef TIMER
    :: atomic { !by_hook && timers > 0 -> timers-- }; goto again
#endif
    od
}

proctype judge() {
    timeout ->
    assert(turn == FREE || turn == FINISHED);
    assert(accepted == written + dropped && incoming == 0 && flight == 0 && !stands);
#ifdef ABORT
    assert(turn == FINISHED)
#endif
    skip
}

init {
    byte n;
    atomic {
        run pumper(1); run pumper(0); run device();
        do :: n < PRODUCERS -> run producer(); n++ :: else -> break od;
#ifdef ABORT
        run aborter();
#endif
        run judge()
    }
}
