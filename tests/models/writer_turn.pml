/* write/detail/outbox.hpp and driver.hpp over sync/turn.hpp: whose turn it is to write, from a push that claims to the
 * release, the parking or the end; a run that grows while a write names it; the destructor that seizes.
 *
 * Mapping: one atomic block is one hold of the outbox's lock; the inlines claim() ... finish() are the turn's functions, the
 * rows of its table. `queued` counts frames, `plan` those that the write names, `took` those of them that left, `wire` what
 * is on the wire. The hook's call is `owed`, which a loop waits for; a parked turn waits for `writable`, and `knows`
 * whether there is a Close, and so a deadline. Everything ends: a
 * thread that is not woken, or a frame that is not written, ends in an invalid end state or a failed assertion, so every run
 * without CLOSE, ABORT and DIE shows that no wake-up is lost with no end to rescue it.
 *
 * Run:   -
 * Run:   -DBLOCKS
 * Run:   -DCLOSE
 * Run:   -DCLOSE -DBLOCKS
 * Run:   -DCLOSE -DBLOCKS -DSTUCK
 * Run:   -DABORT -DBLOCKS
 * Run:   -DABORT -DBLOCKS -DSTUCK
 * Run:   -DHIGH -DBLOCKS
 * Run:   -DHIGH -DBLOCKS -DSTUCK
 * Run:   -DCLOSE -DABORT -DBLOCKS
 * Run:   -DQUANTUM -DBLOCKS
 * Run:   -DDIE -DBLOCKS
 * Run:   -DDIE -DBLOCKS -DSTUCK -DQUANTUM -DCLOSE
 * Run:   -DPRODUCERS=3 -DBLOCKS -DHIGH
 * Run:   -DPRODUCERS=3 -DCLOSE -DABORT -DBLOCKS full
 * Wrong: -DMUTANT_CHECK_THEN_RELEASE
 * Wrong: -DMUTANT_TWO_BEGIN -DCLOSE -DBLOCKS
 * Wrong: -DMUTANT_CLAIMED_TWICE
 * Wrong: -DMUTANT_TEST_APART -DCLOSE
 * Wrong: -DMUTANT_WIPES_SEAL -DCLOSE
 * Wrong: -DMUTANT_HANDS_OVER_ASLEEP -DQUANTUM
 * Wrong: -DMUTANT_PARKS_ASLEEP -DABORT -DBLOCKS -DSTUCK
 * Wrong: -DMUTANT_NO_RECALL -DABORT -DBLOCKS -DSTUCK
 * Wrong: -DMUTANT_CLOSE_NO_RECALL -DCLOSE -DBLOCKS -DSTUCK
 * Wrong: -DMUTANT_CLIMB_NO_RECALL -DHIGH -DBLOCKS -DSTUCK
 * Wrong: -DMUTANT_CLIMB_SLEPT_OVER -DHIGH -DBLOCKS -DSTUCK
 * Wrong: -DMUTANT_COUNTS_GROWN
 * Wrong: -DMUTANT_TOUCH_AFTER_RELEASE
 * Wrong: -DMUTANT_SEIZES_BLINDLY -DDIE
 * Wrong: -DMUTANT_PARKS_DYING -DDIE -DBLOCKS -DSTUCK
 * Wrong: -DMUTANT_HANDS_OVER_DYING -DDIE -DQUANTUM
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#define FREE 0
#define SCHEDULED 1
#define RUNNING 2
#define PARKED 3
#define FINISHED 4

byte turn = FREE; bit sealed; bit aborting; bit dying; bit above; bit untold; bit knows;
byte queued; byte owed; bit writable;
byte accepted; byte written; byte dropped; byte wire; byte told; byte owners; byte loops;

/* The table of sync/turn.hpp. true: `changed`. */
inline move(from, to) { if :: turn == from -> turn = to; changed = 1 :: else -> changed = 0 fi }
inline leave(to) { assert(turn == RUNNING); turn = to }
inline claim() {
    move(FREE, SCHEDULED);
#ifdef MUTANT_CLAIMED_TWICE
    if :: turn == SCHEDULED -> changed = 1 :: else -> skip fi;
#endif
    drive = (drive || changed)
}
inline recall() {
#ifndef MUTANT_NO_RECALL
    move(PARKED, SCHEDULED); drive = (drive || changed);
#endif
    skip
}
inline begin_or_resume() {
    move(SCHEDULED, RUNNING);
    if :: !changed -> move(PARKED, RUNNING) :: else -> skip fi;
#ifdef MUTANT_TWO_BEGIN
    if :: turn == RUNNING -> changed = 1 :: else -> skip fi;
#endif
    mine = changed
}
inline seize() {
#ifdef MUTANT_SEIZES_BLINDLY
    mine = (turn != FINISHED);
#else
    mine = (turn != RUNNING && turn != FINISHED);
#endif
    if :: mine -> turn = RUNNING :: else -> skip fi
}

/* A pump that writability brings may run before the hook is called; without one the hook is called once. */
inline hook() {
    if
    :: drive -> drive = 0;
        atomic { owed++;
#ifndef BLOCKS
            assert(owed == 1)
#endif
        }
    :: else -> skip
    fi
}

proctype producer() {
    bit drive, open, changed;
#ifdef MUTANT_TEST_APART
    atomic { open = !sealed };
    atomic { if :: open -> assert(!sealed); queued++; accepted++; claim() :: else -> skip fi };
#else
    atomic {
        open = !sealed;
        if
        :: open -> queued++; accepted++;
#ifdef HIGH
            if
            :: !above && queued >= 2 -> above = 1; untold = 1;
#ifndef MUTANT_CLIMB_NO_RECALL
                recall()
#endif
            :: else -> skip
            fi;
#endif
            claim()
        :: else -> skip
        fi
    };
#endif
    hook()
}

proctype closer() {
    bit drive, changed;
    atomic {
        if
        :: !sealed -> sealed = 1; queued++; accepted++;
#ifndef MUTANT_CLOSE_NO_RECALL
            recall();
#endif
            claim()
        :: else -> skip
        fi
    };
    hook()
}

proctype aborter() {
    bit drive, changed;
    atomic { if :: turn != FINISHED -> sealed = 1; aborting = 1; recall(); claim() :: else -> skip fi };
    hook()
}

#define STEP_TELL 1
#define STEP_WRITE 2
#define STEP_LEFT 3
#define STEP_END 4

/* next(): settles the last write and decides, under one hold. `is_high`, `blocked`, `used_up`: of the round. */
inline next() {
    atomic {
#ifdef MUTANT_COUNTS_GROWN
        if :: took > 0 && took == plan -> took = queued :: else -> skip fi;
#endif
        assert(took <= queued);
        queued = queued - took; written = written + took; took = 0; plan = 0;
        assert(written == wire); /* nothing is told as written that is not */
#ifdef MUTANT_WIPES_SEAL
        sealed = aborting;
#endif
        if :: queued == 0 -> above = 0 :: else -> skip fi;
#ifdef MUTANT_CLIMB_SLEPT_OVER
        is_high = (untold && !blocked);
#else
        is_high = untold;
#endif
        if :: is_high -> untold = 0 :: else -> skip fi;
        if
        :: is_high -> step = STEP_TELL
        :: !is_high && aborting -> step = STEP_END
#ifdef MUTANT_PARKS_DYING
           if :: dying && blocked -> leave(PARKED); step = STEP_LEFT :: else -> skip fi
#endif
#ifdef MUTANT_HANDS_OVER_DYING
           if :: dying && used_up && queued > 0 -> leave(SCHEDULED); step = STEP_LEFT :: else -> skip fi
#endif
        :: !is_high && !aborting && queued > 0 && blocked ->
#ifdef MUTANT_PARKS_ASLEEP
            step = STEP_LEFT
#else
            leave(PARKED); knows = sealed; step = STEP_LEFT
#endif
        :: !is_high && !aborting && queued > 0 && !blocked && used_up -> leave(SCHEDULED); step = STEP_LEFT
        :: !is_high && !aborting && queued > 0 && !blocked && !used_up -> plan = queued; step = STEP_WRITE
        :: !is_high && !aborting && queued == 0 && sealed -> step = STEP_END
        :: !is_high && !aborting && queued == 0 && !sealed ->
            step = STEP_LEFT;
#ifndef MUTANT_CHECK_THEN_RELEASE
            leave(FREE)
#endif
        fi
    };
#ifdef MUTANT_CHECK_THEN_RELEASE
    if :: step == STEP_LEFT && !blocked && !used_up -> atomic { leave(FREE) } :: else -> skip fi;
#endif
#ifdef MUTANT_PARKS_ASLEEP
    if :: step == STEP_LEFT && blocked -> atomic { leave(PARKED) } :: else -> skip fi;
#endif
    skip
}

/* run(): the driver's loop. Only its owner is in here. */
inline run_turn() {
    blocked = 0; used_up = 0; took = 0; plan = 0;
    do
    :: 1 ->
        owners++; assert(owners == 1); owners--;
        next();
        if
        :: step == STEP_TELL -> told++; assert(told <= PRODUCERS)
        :: step == STEP_LEFT && blocked ->
#ifndef STUCK
            writable = 1;
#endif
            break
        :: step == STEP_LEFT && used_up ->
#ifndef MUTANT_HANDS_OVER_ASLEEP
            drive = 1; hook();
#endif
            break
        :: step == STEP_LEFT && !blocked && !used_up ->
#ifdef MUTANT_TOUCH_AFTER_RELEASE
            owners++; assert(owners == 1); owners--;
#endif
            break
        :: step == STEP_END ->
            atomic { assert(turn == RUNNING); dropped = dropped + queued; queued = 0; sealed = 1; aborting = 1 };
            atomic { leave(FINISHED) };
            break
        :: step == STEP_WRITE -> /* everything, or up to one frame and would_block, or one frame and the quantum */
            if
            :: wire = wire + plan; took = plan
#ifdef BLOCKS
            :: blocks > 0 -> blocks--; blocked = 1; if :: wire++; took = 1 :: skip fi
#endif
#ifdef QUANTUM
            :: plan > 1 -> wire++; took = 1; used_up = 1
#endif
            fi
        fi
    od
}

proctype pumper(bit by_hook) {
    bit mine, drive, changed, is_high, blocked, used_up;
    byte step, took, plan, blocks = 1;
end:
    do
    :: atomic { by_hook && owed > 0 -> owed--; loops++ };
        atomic { begin_or_resume() };
        if :: mine -> run_turn() :: else -> skip fi;
        loops--
    :: atomic { !by_hook && writable -> writable = 0; loops++ };
        atomic { begin_or_resume() };
        if :: mine -> run_turn() :: else -> skip fi;
        loops--
    od
}

#ifdef DIE
/* The destructor, with the others inside by handles. */
proctype owner() {
    bit mine, drive, changed, is_high, blocked, used_up;
    byte step, took, plan, blocks = 0;
    atomic { sealed = 1; aborting = 1; dying = 1; seize() };
    if :: mine -> run_turn() :: else -> skip fi;
    loops == 0; /* the anchor waits for those inside */
    assert(turn == FINISHED)
}
#endif

/* When all is quiet: what was accepted was written or reported, and it is no one's turn. */
proctype judge() {
    timeout ->
#ifndef STUCK
    assert(turn == FREE || turn == FINISHED);
    assert(accepted == written + dropped && queued == 0);
#endif
    assert(!untold || turn == FINISHED);
#ifdef CLOSE
#ifndef STUCK
    assert(sealed && turn == FINISHED);
#endif
    assert(turn != PARKED || knows == sealed);
#endif
#ifdef ABORT
    assert(sealed && turn == FINISHED);
#endif
#ifdef DIE
    assert(turn == FINISHED);
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
#ifdef DIE
        run owner();
#endif
        run judge()
    }
}
