/* sync/sequence_barrier.hpp: one reader numbers, one drainer completes in order, waiters wait.
 *
 * Mapping: done, waited, gaps, closed are the fields of word_ (one atomic block is one atomic operation on it); issued
 * is issued_, ahead is abandoned_ahead_, lock/unlock is lock_ (tests/models/pointer_lock.pml). linked[i] and mark[i] are
 * waiter i's node in the ring, alive[i] says that it is on its stack, released[i] is its parker. `decided[n]` is the
 * truth: n was handled or abandoned. queue is the user's inbox. Nothing here is a spin: a thread that is not woken
 * ends in an invalid end state, so every run without one shows that each wait ends.
 *
 * N numbers, W waiters. -DNO_BEGIN: the drainer only completes; -DSELF: handlers wait for themselves; -DSTUCK: the last
 * handler never returns, earlier marks are reached all the same, and close frees the rest.
 *
 * Run:   -DN=2
 * Run:   -DN=2 -DTIMEOUT
 * Run:   -DN=2 -DCLOSE full
 * Run:   -DW=1 -DTIMEOUT -DCLOSE
 * Run:   -DN=2 -DNO_BEGIN
 * Run:   -DN=2 -DSELF
 * Run:   -DSTUCK
 * Run:   -DN=2 -DSTUCK -DCLOSE full
 * Run:   - full
 * Run:   -DTIMEOUT full
 * Wrong: -DN=2 -DMUTANT_TEST_THEN_SET
 * Wrong: -DN=2 -DMUTANT_BIT_BEFORE_ADD
 * Wrong: -DN=2 -DMUTANT_CLEARED_WITH_WAITERS
 * Wrong: -DN=2 -DMUTANT_WAKES_UNSATISFIED
 * Wrong: -DN=2 -DMUTANT_NUMBER_REUSED
 * Wrong: -DN=2 -DMUTANT_HANDLER_SKIPS
 * Wrong: -DN=2 -DMUTANT_GAP_BIT_LATE
 * Wrong: -DN=2 -DMUTANT_GAP_IGNORED
 * Wrong: -DN=2 -DMUTANT_LEFT_LINKED -DTIMEOUT
 * Wrong: -DN=2 -DMUTANT_CLOSED_FIRST -DCLOSE
 * Wrong: -DN=2 -DMUTANT_CLOSE_FORGETS -DSTUCK -DCLOSE
 * Wrong: -DN=2 -DMUTANT_SELF_WAIT -DSELF
 */
#ifndef N
#define N 3 /* numbers */
#endif
#ifndef W
#define W 2 /* waiters */
#endif

#define SATISFIED 1
#define CLOSED 2
#define TIMED_OUT 3

byte done; bit waited; bit gaps; bit closed; /* the word */
byte issued; byte ahead; bit locked;
bit linked[W]; byte mark[W]; bit released[W]; bit alive[W];
bit decided[N + 2]; bit numbered[N + 2];
chan queue = [N + 1] of { byte };

inline lock() { atomic { !locked -> locked = 1 } }
inline unlock() { locked = 0 }

/* settle(): fires every waiter that is decided, lowest mark first, one at a time. */
inline settle() {
    more = 1;
    do
    :: !more -> break
    :: else ->
        lock();
        atomic { seen = done; seen_closed = closed };
        d_step {
            due = W; i = 0;
            do
            :: i < W ->
                if
                :: linked[i] && (due == W || mark[i] < mark[due]) -> due = i
                :: else -> skip
                fi;
                i++
            :: else -> break
            od
        };
        if
#ifdef MUTANT_WAKES_UNSATISFIED
        :: due < W ->
#else
        :: due < W && (mark[due] <= seen || seen_closed) ->
#endif
            d_step {
                linked[due] = 0; more = 0; any = 0; i = 0;
                do
                :: i < W ->
                    if
                    :: linked[i] -> any = 1; more = more || mark[i] <= seen || seen_closed
                    :: else -> skip
                    fi;
                    i++
                :: else -> break
                od
            };
#ifdef MUTANT_CLEARED_WITH_WAITERS
            waited = 0;
#else
            if :: !any -> waited = 0 :: else -> skip fi;
#endif
            unlock();
            assert(alive[due]);
            released[due] = 1
        :: else -> more = 0; unlock()
        fi
    od;
    skip;
    d_step { due = 0; i = 0; seen = 0; seen_closed = 0; any = 0 }
}

/* Unlocks, and settles when the ring was not empty (the header's `first`). */
inline unlock_and_settle() {
    d_step { more = 0; i = 0; do :: i < W -> more = more || linked[i]; i++ :: else -> break od; i = 0; step = 0 };
    unlock();
    if :: more -> settle() :: else -> seen = 0 fi
}

/* advance_to(target), under the lock; `seen` is the number done as the caller knows it. */
inline advance_to(target) {
    step = target - seen;
    if
    :: issued - (seen + step) == ahead -> step = step + ahead; ahead = 0
    :: else -> skip
    fi;
    atomic { done = done + step; if :: ahead == 0 -> gaps = 0 :: else -> skip fi }
}

inline abandon(n) {
#ifdef MUTANT_GAP_BIT_LATE
    lock();
    seen = done;
#else
    lock();
    atomic { seen = done; gaps = 1 };
#endif
    decided[n] = 1;
    if
    :: n == seen + 1 -> advance_to(n)
    :: else -> ahead++; advance_to(seen)
    fi;
#ifdef MUTANT_GAP_BIT_LATE
    if :: ahead > 0 -> gaps = 1 :: else -> skip fi;
#endif
    unlock_and_settle()
}

inline complete(n) {
    decided[n] = 1;
    if
    :: done + 1 == n ->
#ifdef MUTANT_BIT_BEFORE_ADD
        atomic { had_gaps = gaps; had_waiters = waited };
        done++;
#else
        atomic { had_gaps = gaps; had_waiters = waited; done++ };
#endif
#ifdef MUTANT_GAP_IGNORED
        had_gaps = 0;
#endif
        if
        :: had_gaps -> lock(); seen = done; advance_to(seen); unlock_and_settle()
        :: !had_gaps && had_waiters -> settle()
        :: else -> skip
        fi;
        had_gaps = 0; had_waiters = 0
    :: else ->
        lock(); seen = done;
        if
        :: !closed -> ahead = ahead - (n - seen - 1); advance_to(n); unlock_and_settle()
        :: else -> unlock(); abandon(n)
        fi
    fi
}

inline begin(n) {
    if
    :: done >= n - 1 -> skip
    :: else ->
        lock(); seen = done;
        if :: !closed -> ahead = ahead - (n - 1 - seen); advance_to(n - 1) :: else -> skip fi;
        unlock_and_settle()
    fi
}

active proctype reader() {
    byte n, i, due, seen, step; bit more, any, seen_closed;
    byte count;
    do
    :: count < N ->
        count++;
        issued++; n = issued;
        assert(!numbered[n]); numbered[n] = 1;
        if
        :: queue ! n
#ifdef STUCK
        :: n < N -> abandon(n)
#else
        ::
            abandon(n);
#ifdef MUTANT_NUMBER_REUSED
            issued--
#endif
#endif
        fi
    :: else -> break
    od;
    queue ! 0
}

active proctype drainer() {
    byte n, i, due, seen, step; bit more, any, seen_closed, had_gaps, had_waiters;
    do
    :: queue ? n ->
        if :: n == 0 -> break :: else -> skip fi;
#ifndef NO_BEGIN
        begin(n);
#endif
#ifdef STUCK
        if :: n == N -> goto stuck :: else -> skip fi;
#endif
#ifdef SELF
#ifdef MUTANT_SELF_WAIT
        if :: done >= n || closed -> skip :: else -> done >= n fi; /* sleeps for what only it can end */
#else
        skip; /* would_deadlock: the chain of handler scopes says so */
#endif
#endif
#ifdef MUTANT_HANDLER_SKIPS
        if :: complete(n) :: skip fi
#else
        complete(n)
#endif
    od;
    goto finished;
stuck:
end_stuck:
    false;
finished:
    skip
}

active [W] proctype waiter() {
    byte me, result, seen; bit seen_closed, was_linked, any; byte i, k;
    me = _pid - 2;
#if defined(STUCK) && !defined(CLOSE)
    select(k : 1 .. N - 1);
#else
    select(k : 1 .. N);
#endif
    mark[me] = k;
    atomic { seen = done; seen_closed = closed };
    if
    :: seen >= mark[me] || seen_closed -> goto decide
    :: else -> skip
    fi;
    /* add() */
    alive[me] = 1;
    lock();
    linked[me] = 1;
#ifdef MUTANT_TEST_THEN_SET
    atomic { seen = done; seen_closed = closed };
    waited = 1;
#else
    atomic { seen = done; seen_closed = closed; waited = 1 };
#endif
    if
    :: seen >= mark[me] || seen_closed ->
        d_step { linked[me] = 0; any = 0; i = 0; do :: i < W -> any = any || linked[i]; i++ :: else -> break od };
        if :: !any -> waited = 0 :: else -> skip fi;
        unlock();
        goto leave
    :: else -> unlock()
    fi;
    /* park_until() */
    if
    :: released[me] == 1
#ifdef TIMEOUT
    :: skip
#endif
    fi;
    /* remove() */
    lock();
    was_linked = linked[me];
    if
    :: was_linked ->
#ifndef MUTANT_LEFT_LINKED
        d_step { linked[me] = 0; any = 0; i = 0; do :: i < W -> any = any || linked[i]; i++ :: else -> break od };
        if :: !any -> waited = 0 :: else -> skip fi
#endif
        skip
    :: else -> skip
    fi;
    unlock();
    if :: !was_linked -> released[me] == 1 :: else -> skip fi;
leave:
    skip;
    d_step { released[me] = 0; i = 0; any = 0; was_linked = 0 };
    alive[me] = 0;
    atomic { seen = done; seen_closed = closed };
decide:
    if
#ifdef MUTANT_CLOSED_FIRST
    :: seen_closed -> result = CLOSED
    :: !seen_closed && seen >= mark[me] -> result = SATISFIED
#else
    :: seen >= mark[me] -> result = SATISFIED
    :: seen < mark[me] && seen_closed -> result = CLOSED
#endif
    :: else -> result = TIMED_OUT
    fi;
    d_step {
        i = 1;
        do
        :: i <= mark[me] -> assert(result != SATISFIED || decided[i]); i++
        :: else -> break
        od;
        i = 0; k = 0
    };
    assert(result != CLOSED || (seen_closed && seen < mark[me]));
#ifdef TIMEOUT
    assert(result != TIMED_OUT || !linked[me])
#else
    assert(result != TIMED_OUT)
#endif
    ;
    d_step { result = 0; seen = 0; seen_closed = 0; mark[me] = 0 }
}

#ifdef CLOSE
active proctype closer() {
    byte i, due, seen; bit more, any, seen_closed;
    lock();
    closed = 1;
    unlock();
#ifndef MUTANT_CLOSE_FORGETS
    settle()
#endif
}
#endif
