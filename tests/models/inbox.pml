/* sync/inbox.hpp on sync/turn.hpp: who may handle messages, from a push by the hook to the release, the park or the end;
 * pause and resume.
 *
 * Mapping: one atomic block is one hold of the inbox's lock. `held` is messages_, what waits and what is handled but not
 * settled; `turn` is turn_, its states and transitions have the names of turn.hpp (an inbox has no gate, so gated, open and
 * expire are not here; resume is not used; seize is the destructor's, which runs alone). The hook's call is `owed`, which
 * the loops wait for; a reader that was told to pause waits for `resumes`. With WISHES the handler takes one message for
 * each wish, and makes so many, in the thread that drains. Everything ends: a thread that is not woken, or a message that is
 * not handled, ends in an invalid end state or a failed assertion, so every run without CLOSE and ERROR shows that no
 * wake-up is lost with no close to rescue it. BOUND is max_messages, BATCH the longest run.
 *
 * Run:   -
 * Run:   -DPRODUCERS=3
 * Run:   -DQUANTUM
 * Run:   -DCLOSE
 * Run:   -DERROR
 * Run:   -DERROR -DCLOSE
 * Run:   -DPRODUCERS=1 -DEACH=4 -DBOUND=2
 * Run:   -DPRODUCERS=1 -DEACH=2 -DBOUND=1
 * Run:   -DEACH=2 -DBOUND=1
 * Run:   -DSTRAY
 * Run:   -DSTRAY -DERROR
 * Run:   -DEACH=2 -DBOUND=3 -DQUANTUM -DCLOSE
 * Run:   -DWISHES=9
 * Run:   -DWISHES=1
 * Run:   -DWISHES=9 -DEACH=2 -DBOUND=1
 * Run:   -DWISHES=9 -DCLOSE
 * Run:   -DWISHES=1 -DERROR
 * Run:   -DWISHES=1 -DERROR -DCLOSE
 * Wrong: -DMUTANT_TWO_DRAINERS -DSTRAY
 * Wrong: -DMUTANT_CHECK_THEN_RELEASE
 * Wrong: -DMUTANT_HOOK_TWICE
 * Wrong: -DMUTANT_QUANTUM_FORGETS -DQUANTUM
 * Wrong: -DMUTANT_SECOND_ERROR -DERROR
 * Wrong: -DMUTANT_TEST_APART -DERROR
 * Wrong: -DMUTANT_ERROR_UNSEEN -DERROR
 * Wrong: -DMUTANT_RELEASED_PAUSED -DPRODUCERS=1 -DEACH=2 -DBOUND=1
 * Wrong: -DMUTANT_RESUME_APART -DPRODUCERS=1 -DEACH=4 -DBOUND=2
 * Wrong: -DMUTANT_CLOSE_ASLEEP -DCLOSE
 * Wrong: -DMUTANT_ERROR_LEAVES_PARKED -DWISHES=1 -DERROR
 * Wrong: -DMUTANT_PARKS_BLINDLY -DWISHES=1 -DERROR
 * Wrong: -DMUTANT_WISH_ELSEWHERE -DWISHES=9
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef EACH
#define EACH 1
#endif
#ifndef BOUND
#define BOUND 99
#endif
#define BATCH 2
#ifdef WISHES
#define ONE_BY_ONE true
#else
#define ONE_BY_ONE false
#endif
#define FREE 0
#define SCHEDULED 1
#define RUNNING 2
#define PARKED 3
#define FINISHED 4

byte turn = FREE; bit sealed; bit aborting; bit paused;
byte held; byte owed; byte resumes;
byte accepted; byte done; byte dropped; byte handlers; byte ends; byte failed;
byte first_error; byte reason; byte strays; byte wishes; bit wish;

/* The transitions of turn.hpp. claim() and recall() leave in `drive` whether the caller owes a call of the hook. */
inline claim() {
#ifdef MUTANT_HOOK_TWICE
    if :: turn == FREE || turn == SCHEDULED -> turn = SCHEDULED; drive = 1 :: else -> skip fi
#else
    if :: turn == FREE -> turn = SCHEDULED; drive = 1 :: else -> skip fi
#endif
}
inline recall() {
    if :: turn == PARKED -> turn = SCHEDULED; drive = 1 :: else -> skip fi
}
inline begin() {
#ifdef MUTANT_TWO_DRAINERS
    mine = (turn == SCHEDULED || turn == RUNNING);
#else
    mine = (turn == SCHEDULED);
#endif
    if :: mine -> turn = RUNNING :: else -> skip fi
}
inline leave(to) {
#ifndef MUTANT_TWO_DRAINERS
    assert(turn == RUNNING);
#endif
    turn = to; mine = 0
}
/* A drain that was not asked for may take the turn before the hook is called; without one the hook is called once. */
inline once() {
#ifndef STRAY
    assert(owed == 1);
#endif
    skip
}
inline hook() {
    if :: drive -> drive = 0; atomic { owed++; once() } :: else -> skip fi
}
#ifdef MUTANT_RELEASED_PAUSED
#define LEAST 1
#else
#define LEAST 0
#endif
#ifdef MUTANT_SECOND_ERROR
#define MAY_CLOSE true
#else
#define MAY_CLOSE (!aborting)
#endif
/* Under the lock: `why` is the first error, or it is not. */
inline error(why) {
    if :: first_error == 0 -> first_error = why :: else -> skip fi;
    sealed = 1;
#ifdef MUTANT_SECOND_ERROR
    reason = why;
#else
    if :: !aborting -> reason = why :: else -> skip fi;
#endif
    aborting = 1;
#ifndef MUTANT_ERROR_LEAVES_PARKED
    recall()
#endif
}
/* rouse(): the handler wants a message again. */
inline rouse() {
    atomic { !wish && wishes < WISHES -> wish = 1; wishes++ };
    atomic { recall() };
    hook()
}

/* A reader: pushes, and stops where it is told to until a thread resumes it. */
proctype producer() {
    bit drive, open, stop;
    byte n;
    do
    :: n < EACH ->
        n++;
#ifdef MUTANT_TEST_APART
        atomic { open = !sealed };
        atomic { if :: open -> assert(!sealed); held++; accepted++; claim() :: else -> skip fi };
#else
        atomic {
            open = (!sealed && held < BOUND);
            if
            :: open ->
                held++; accepted++; claim();
                if :: held >= BOUND -> paused = 1 :: else -> skip fi;
                stop = paused
            :: !open && !sealed -> stop = paused /* another producer paused it: this message stays outside */
            :: !open && sealed -> stop = 0
            fi
        };
#endif
        hook();
        if
        :: stop -> stop = 0;
#if PRODUCERS == 1
            atomic { (resumes > 0 || sealed) -> if :: resumes > 0 -> resumes-- :: else -> skip fi }
#endif
        :: else -> skip
        fi
    :: else -> break
    od
}

#ifdef CLOSE
proctype closer() { /* close(): in order */
    bit drive;
    atomic {
        if
        :: turn != FINISHED && !sealed -> sealed = 1;
#ifndef MUTANT_CLOSE_ASLEEP
            claim()
#endif
        :: else -> skip
        fi
    };
    hook()
}
#endif

#ifdef ERROR
proctype failer(byte why) { /* close(error) */
    bit drive;
    atomic { if :: turn != FINISHED && MAY_CLOSE -> error(why); claim() :: else -> skip fi };
    hook()
}
#endif

/* drain(): at most one of the drainers handles; a stray one was not asked. */
proctype drainer(bit stray) {
    bit mine, drive, release, resume, over, rested;
    byte hand, settled;
end:
    do
    :: if
       :: atomic { !stray && owed > 0 -> owed-- }
       :: atomic { stray && strays < 2 -> strays++ }
#if defined(WISHES) && !defined(MUTANT_WISH_ELSEWHERE)
       :: rouse(); goto end
#endif
       fi;
        atomic { begin() };
        do
        :: mine ->
            /* look(): settles, and says what is next */
            atomic {
                held = held - settled; settled = 0;
                release = 0; resume = 0; over = 0; hand = 0;
                if
                :: aborting -> over = 1
                :: !aborting && paused && held <= BOUND / 2 && held >= LEAST -> resume = 1;
#ifndef MUTANT_RESUME_APART
                    paused = 0
#endif
                :: else ->
                    if
                    :: held == 0 && sealed -> over = 1
                    :: held == 0 && !sealed -> release = 1;
#ifndef MUTANT_CHECK_THEN_RELEASE
                        leave(FREE)
#endif
                    :: held > 0 && (ONE_BY_ONE || paused || held < BATCH) -> hand = 1
                    :: held >= BATCH && !paused && !ONE_BY_ONE -> hand = BATCH
                    fi
                fi
            };
#ifdef WISHES
            /* wanted() is asked with no lock held; rest() looks again before it parks. */
            if
            :: hand > 0 && !wish ->
                hand = 0;
                atomic {
                    if
#ifndef MUTANT_PARKS_BLINDLY
                    :: aborting -> over = 1
#endif
                    :: else -> rested = 1; leave(PARKED)
                    fi
                }
            :: else -> skip
            fi;
#endif
            if
            :: release ->
#ifdef MUTANT_CHECK_THEN_RELEASE
                atomic { leave(FREE) };
#endif
                break
            :: rested -> rested = 0; break
            :: resume ->
                resumes++;
#ifdef MUTANT_RESUME_APART
                atomic { paused = 0 }
#endif
            :: over ->
                atomic { dropped = dropped + held; held = 0; sealed = 1; aborting = 1 };
                ends++; assert(ends == 1);
                atomic { leave(FINISHED) };
                break
            :: hand > 0 ->
                do
                :: hand > 0 ->
                    assert(!failed); /* no handler begins after one that failed */
                    handlers++; assert(handlers == 1);
#ifdef ERROR
                    if
                    :: failed = 1; atomic { if :: MAY_CLOSE -> error(9) :: else -> skip fi }
                    :: true -> skip
                    fi;
#endif
                    wish = 0; handlers--; done++; hand--; settled++;
                    /* must_look(): the flag is read between two messages */
                    if
#ifndef MUTANT_ERROR_UNSEEN
                    :: aborting -> hand = 0
#endif
                    :: else -> skip
                    fi
                :: else -> break
                od
#ifdef QUANTUM
                ;
                atomic {
                    held = held - settled; settled = 0;
                    if
                    :: held > 0 && !aborting && !paused -> leave(SCHEDULED); /* hand_over() */
#ifndef MUTANT_QUANTUM_FORGETS
                        drive = 1
#endif
                    :: else -> skip
                    fi
                };
                if :: !mine -> hook(); break :: else -> skip fi
#endif
            fi
        :: else -> break
        od
    od
}

#ifdef MUTANT_WISH_ELSEWHERE
proctype other_thread() { /* what rouse()'s contract forbids */
    bit drive;
end:
    do :: rouse() od
}
#endif

/* When all is quiet: what was accepted was handled or reported, and no thread holds the turn. */
proctype judge() {
    timeout ->
#ifdef WISHES
    assert(turn == FREE || turn == FINISHED || (turn == PARKED && wishes == WISHES && !wish && !aborting));
    assert(accepted == done + dropped + held);
    assert(turn == PARKED || held == 0);
#else
    assert(turn == FREE || turn == FINISHED);
    assert(accepted == done + dropped);
    assert(held == 0);
#endif
    assert(reason == first_error);
#ifdef CLOSE
    assert(turn == PARKED || (turn == FINISHED && ends == 1));
#else
#ifndef ERROR
    assert(dropped == 0 && (!paused || held > BOUND / 2));
#if PRODUCERS == 1
    assert(accepted == EACH && resumes == 0);
#endif
#endif
#endif
#ifdef ERROR
    assert(turn == FINISHED && ends == 1);
#endif
    skip
}

init {
    byte n;
    atomic {
        run drainer(0);
#ifdef STRAY
        run drainer(1);
#elif !defined(WISHES)
        run drainer(0); /* with wishes there is one thread that drains, and wishes in it */
#endif
#ifdef MUTANT_WISH_ELSEWHERE
        run other_thread();
#endif
        do :: n < PRODUCERS -> run producer(); n++ :: else -> break od;
#ifdef CLOSE
        run closer();
#endif
#ifdef ERROR
        run failer(7);
        run failer(8);
#endif
        run judge()
    }
}
