/* write/init_gate.hpp: a writer that is born owned; the handshake opens or rejects, or its deadline comes
 * first; senders and a closer do not wait.
 *
 * Mapping: one atomic block is one hold of the outbox's lock; `answer` is the greeting lane, `queued` all others. A run
 * without CLOSE shows that open() loses nothing of what was queued beside it.
 *
 * Run:   -DOPEN
 * Run:   -DREJECT
 * Run:   -DOPEN -DCLOSE
 * Run:   -DREJECT -DCLOSE
 * Run:   -DOPEN -DABORT
 * Run:   -DOPEN -DEXPIRE
 * Run:   -DREJECT -DEXPIRE -DCLOSE
 * Wrong: -DOPEN -DMUTANT_OPENS_ASLEEP
 * Wrong: -DOPEN -DMUTANT_LOOK_THEN_OPEN
 * Wrong: -DREJECT -DMUTANT_FAILED_SENDS
 * Wrong: -DOPEN -DMUTANT_ANSWER_QUEUED
 * Wrong: -DOPEN -DMUTANT_PUSH_TAKES
 * Wrong: -DOPEN -DEXPIRE -DMUTANT_OPENS_ANYWAY
 * Wrong: -DOPEN -DEXPIRE -DMUTANT_EXPIRES_BLINDLY
 */
#define FREE 0
#define GATED 1
#define SCHEDULED 2
#define PUMPING 3
#define FINISHED 4

byte token = GATED; bit sealed; bit aborting; bit acknowledged;
byte answer; byte queued; byte owed; byte accepted; byte written; byte dropped;

inline take_if_free() {
    if
    :: token == FREE -> token = SCHEDULED; drive = 1
#ifdef MUTANT_PUSH_TAKES
    :: token == GATED -> token = SCHEDULED; drive = 1
#endif
    :: else -> skip
    fi
}
inline hook() { if :: drive -> drive = 0; atomic { owed++; assert(owed == 1) } :: else -> skip fi }

proctype sender() {
    bit drive;
    atomic { if :: !sealed -> queued++; accepted++; take_if_free() :: else -> skip fi };
    hook()
}

proctype closer() {
    bit drive;
#ifdef CLOSE
    atomic { if :: !sealed -> sealed = 1; queued++; accepted++; take_if_free() :: else -> skip fi };
#endif
#ifdef ABORT
    atomic { if :: token != FINISHED -> sealed = 1; aborting = 1; take_if_free() :: else -> skip fi };
#endif
    hook()
}

proctype gate() {
    bit drive, any, late;
#ifdef MUTANT_ANSWER_QUEUED
    atomic { if :: !aborting -> queued++; acknowledged = 1; accepted++ :: else -> skip fi };
#else
    atomic { if :: !aborting -> answer++; acknowledged = 1; accepted++ :: else -> skip fi };
#endif
#ifdef REJECT
#ifndef MUTANT_FAILED_SENDS
    atomic { sealed = 1; aborting = 1 };
#endif
#endif
#ifdef MUTANT_LOOK_THEN_OPEN
    atomic { any = (aborting || queued + answer > 0) };
    any = (aborting || queued > 0);
    atomic { token = FREE; if :: any -> take_if_free() :: else -> skip fi };
#else
    atomic {
#ifndef EXPIRE
        assert(token == GATED);
#endif
#ifdef MUTANT_OPENS_ANYWAY
        late = 0;
#else
        late = (token != GATED);
#endif
#ifdef MUTANT_OPENS_ASLEEP
        any = aborting;
#else
        any = (aborting || queued + answer > 0);
#endif
        if
        :: late -> skip
        :: !late -> token = FREE; if :: any -> take_if_free() :: else -> skip fi
        fi
    };
#endif
    hook()
}

inline drain() {
           do
           :: atomic {
                  if
                  :: answer > 0 -> written = written + answer; answer = 0
                  :: answer == 0 && aborting -> dropped = dropped + queued; queued = 0; token = FINISHED; sealed = 1; break
                  :: answer == 0 && !aborting && queued > 0 ->
                      /* nothing leaves on a rejected handshake, nor before the answer */
    #ifdef REJECT
                      assert(false);
    #endif
    #ifdef MUTANT_ANSWER_QUEUED
                      assert(accepted == 1);
    #endif
                      assert(acknowledged);
                      written = written + queued; queued = 0
                  :: else -> if :: sealed -> token = FINISHED :: else -> token = FREE fi; break
                  fi
              }
           od
}

proctype loop() {
end:
    do
    :: atomic { owed > 0 -> owed-- };
       atomic { assert(token == SCHEDULED); token = PUMPING };
       drain()
    od
}

/* a pump that comes at the handshake's deadline */
proctype timer() {
#ifdef EXPIRE
    bit shut;
#ifdef MUTANT_EXPIRES_BLINDLY
    atomic { shut = (token == GATED) };
    atomic { if :: shut -> sealed = 1; aborting = 1; token = PUMPING :: else -> skip fi };
#else
    atomic { shut = (token == GATED); if :: shut -> sealed = 1; aborting = 1; token = PUMPING :: else -> skip fi };
#endif
    if :: shut -> drain() :: else -> skip fi
#else
    skip
#endif
}

proctype judge() {
    timeout -> assert(accepted == written + dropped && queued == 0 && answer == 0);
    assert(token == FREE || token == FINISHED)
}

init { atomic { run gate(); run sender(); run sender(); run closer(); run loop(); run timer(); run judge() } }
