/* write/init_gate.hpp and detail/outbox.hpp: a writer that is born gated. The handshake opens, rejects, or stays silent; its
 * deadline, a close's, or an abort ends the writer without it; senders and a closer do not wait.
 *
 * Mapping: one atomic block is one hold of the outbox's lock; `answer` is the greeting lane, `queued` all others; `known` says
 * that a pump was answered "busy until then", so that the owner's timer will pump again. A run without CLOSE and ABORT shows
 * that open() loses nothing of what was queued beside it; the SILENT ones that a close, an abort and a deadline end a writer
 * whose handshake never does.
 *
 * Run:   -DOPEN
 * Run:   -DREJECT
 * Run:   -DOPEN -DCLOSE
 * Run:   -DREJECT -DCLOSE
 * Run:   -DOPEN -DABORT
 * Run:   -DREJECT -DABORT
 * Run:   -DOPEN -DEXPIRE
 * Run:   -DOPEN -DEXPIRE -DABORT
 * Run:   -DREJECT -DEXPIRE -DCLOSE
 * Run:   -DOPEN -DEXPIRE -DCLOSE -DABORT
 * Run:   -DSILENT -DCLOSE
 * Run:   -DSILENT -DABORT
 * Run:   -DSILENT -DEXPIRE
 * Run:   -DSILENT -DCLOSE -DABORT -DEXPIRE
 * Wrong: -DOPEN -DMUTANT_OPENS_ASLEEP
 * Wrong: -DOPEN -DMUTANT_LOOK_THEN_OPEN
 * Wrong: -DREJECT -DMUTANT_FAILED_SENDS
 * Wrong: -DOPEN -DMUTANT_ANSWER_QUEUED
 * Wrong: -DOPEN -DMUTANT_PUSH_CLAIMS
 * Wrong: -DOPEN -DEXPIRE -DMUTANT_OPENS_ANYWAY
 * Wrong: -DOPEN -DABORT -DMUTANT_OPENS_ANYWAY
 * Wrong: -DOPEN -DEXPIRE -DMUTANT_EXPIRES_BLINDLY
 * Wrong: -DSILENT -DCLOSE -DMUTANT_CLOSE_ASLEEP
 * Wrong: -DSILENT -DCLOSE -DMUTANT_CLOSE_UNBOUNDED
 * Wrong: -DSILENT -DABORT -DMUTANT_ABORT_WAITS
 * Wrong: -DOPEN -DABORT -DMUTANT_ABORT_CUTS_ANSWER
 */
#define FREE 0
#define GATED 1
#define SCHEDULED 2
#define RUNNING 3
#define FINISHED 4
#ifdef MUTANT_ABORT_CUTS_ANSWER
#define CUTS 1
#else
#define CUTS 0
#endif

byte turn = GATED; bit sealed; bit aborting; bit has_answer; bit gate_bound; bit close_bound; bit known;
byte answer; byte queued; byte owed; byte accepted; byte written; byte dropped;

inline claim() {
    if
    :: turn == FREE -> turn = SCHEDULED; drive = 1
#ifdef MUTANT_PUSH_CLAIMS
    :: turn == GATED -> turn = SCHEDULED; drive = 1
#endif
    :: else -> skip
    fi
}
inline hook() { if :: drive -> drive = 0; atomic { owed++ } :: else -> skip fi }
inline abort() {
    if
    :: turn != FINISHED ->
        sealed = 1; aborting = 1;
        if
#ifndef MUTANT_ABORT_WAITS
        :: turn == GATED -> turn = SCHEDULED; drive = 1 /* revoke() */
#endif
        :: else -> claim()
        fi
    :: else -> skip
    fi
}

proctype sender() {
    bit drive;
    atomic { if :: !sealed -> queued++; accepted++; claim() :: else -> skip fi };
    hook()
}

#ifdef CLOSE
proctype closer() {
    bit drive;
    atomic {
        if
        :: !sealed -> sealed = 1; close_bound = 1; queued++; accepted++;
            if
#ifndef MUTANT_CLOSE_ASLEEP
            :: turn == GATED -> drive = 1 /* only to look: there is a deadline now */
#endif
            :: else -> claim()
            fi
        :: else -> skip
        fi
    };
    hook()
}
#endif

#ifdef ABORT
proctype aborter() {
    bit drive;
    atomic { abort() };
    hook()
}
#endif

proctype gate() {
    bit drive, any, is_first;
#ifdef EXPIRE
    atomic { if :: turn == GATED -> gate_bound = 1 :: else -> skip fi }; /* set_deadline() */
#endif
#ifndef SILENT
#ifdef MUTANT_ANSWER_QUEUED
    atomic { if :: !aborting -> queued++; has_answer = 1; accepted++ :: else -> skip fi };
#else
    atomic { if :: !aborting -> answer++; has_answer = 1; accepted++ :: else -> skip fi };
#endif
#ifdef REJECT
#ifdef MUTANT_FAILED_SENDS
    atomic { if :: turn == GATED -> turn = FREE; claim() :: else -> skip fi };
#else
    atomic { abort() };
#endif
#endif
#ifdef OPEN
#ifdef MUTANT_LOOK_THEN_OPEN
    atomic { any = (sealed || queued + answer > 0) };
    any = (sealed || queued > 0);
    atomic { turn = FREE; if :: any -> claim() :: else -> skip fi };
#else
    atomic {
#ifdef MUTANT_OPENS_ANYWAY
        is_first = 1;
#else
        is_first = (turn == GATED);
#endif
#ifdef MUTANT_OPENS_ASLEEP
        any = sealed;
#else
        any = (sealed || queued + answer > 0);
#endif
        if
        :: is_first -> turn = FREE; if :: any -> claim() :: else -> skip fi
        :: else -> skip
        fi
    };
#endif
#endif
#endif
    hook()
}

inline run_turn() {
    do
    :: atomic {
           assert(turn == RUNNING);
           if
           :: answer > 0 && !(aborting && CUTS) -> written = written + answer; answer = 0
           :: else ->
               if
               :: aborting -> assert(answer == 0); dropped = dropped + queued; queued = 0; turn = FINISHED; sealed = 1; break
               :: !aborting && queued > 0 ->
                   /* nothing leaves on a rejected handshake, nor before the answer */
#ifndef OPEN
                   assert(false);
#endif
#ifdef MUTANT_ANSWER_QUEUED
                   assert(accepted == 1);
#endif
                   assert(has_answer);
                   written = written + queued; queued = 0
               :: else -> if :: sealed -> turn = FINISHED :: else -> turn = FREE fi; break
               fi
           fi
       }
    od
}

/* the owner's loop: it pumps when the hook asks, and at the deadline that a pump told of */
inline is_bounded() {
#ifdef MUTANT_CLOSE_UNBOUNDED
    late = gate_bound;
#else
    late = (gate_bound || close_bound);
#endif
    skip
}
proctype loop() {
    bit mine, late;
end:
    do
    :: atomic { owed > 0 -> owed-- };
        atomic {
            mine = (turn == SCHEDULED);
            if
            :: mine -> turn = RUNNING
            :: turn == GATED -> is_bounded(); known = (known || late)
            :: else -> skip
            fi
        };
        if :: mine -> run_turn() :: else -> skip fi
    od
}

/* A pump that comes at the deadline: the handshake's own timer, or the loop's once it knows. */
proctype timer() {
    bit shut, late;
end:
    if
    :: known -> skip
#ifdef EXPIRE
    :: gate_bound -> skip
#endif
    fi;
#ifdef MUTANT_EXPIRES_BLINDLY
    atomic { is_bounded(); shut = (turn == GATED && late) };
    atomic { if :: shut -> sealed = 1; aborting = 1; turn = RUNNING :: else -> skip fi };
#else
    atomic { is_bounded(); shut = (turn == GATED && late); if :: shut -> sealed = 1; aborting = 1; turn = RUNNING :: else -> skip fi };
#endif
    if :: shut -> run_turn() :: else -> skip fi
}

proctype judge() {
    timeout ->
#ifdef SILENT
    assert(turn == FINISHED);
#endif
    assert(turn == FREE || turn == FINISHED);
    assert(accepted == written + dropped && queued == 0 && answer == 0);
#ifdef OPEN
    assert(!sealed || turn == FINISHED)
#endif
}

init {
    atomic {
        run gate(); run sender(); run sender(); run loop(); run timer();
#ifdef CLOSE
        run closer();
#endif
#ifdef ABORT
        run aborter();
#endif
        run judge()
    }
}
