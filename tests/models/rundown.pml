/* sync/rundown.hpp: users enter and leave, a thread closes and waits, and destroys the object as soon as it may.
 *
 * Mapping: users, closed, waited, released are the fields of word_ (one atomic block is one atomic operation on it);
 * lock/unlock is lock_ (tests/models/pointer_lock.pml); linked[i] is waiter i's node in the ring, alive[i] says that it
 * is on its stack, fired[i] is its parker. touch() stands before every access to the object: it must exist. USERS
 * threads each hold a guard from the start and try to enter once more. WAITERS threads wait; the last of them to be
 * told "drained" destroys the object at once. With TIMEOUT a wait may end early, and is then tried again. With CALLBACK
 * they are callbacks: what they do when "drained" happens in the release. With OUTSIDER one more thread tries to enter
 * holding no guard (the object is kept for it by something else, as by a weak session's handle).
 *
 * -DCLOSE_BY_USER: a user closes, not the first waiter.
 *
 * Run:   -
 * Run:   -DTIMEOUT
 * Run:   -DCALLBACK
 * Run:   -DOUTSIDER
 * Run:   -DCLOSE_BY_USER
 * Run:   -DUSERS=3 -DWAITERS=3 -DTIMEOUT -DOUTSIDER -DCLOSE_BY_USER full
 * Wrong: -DMUTANT_TOUCH_AFTER_LEAVE
 * Wrong: -DMUTANT_COUNT_BEFORE_CLOSED
 * Wrong: -DMUTANT_TEST_BEFORE_SUBTRACT
 * Wrong: -DMUTANT_NO_WAIT
 * Wrong: -DMUTANT_BIT_AFTER_DRAIN
 * Wrong: -DMUTANT_ADD_THEN_UNDO -DOUTSIDER
 * Wrong: -DMUTANT_UNLOCK_AFTER_FIRE -DCALLBACK
 * Wrong: -DMUTANT_TIMED_OUT_DANGLES -DTIMEOUT
 * Wrong: -DMUTANT_BIT_CLEARED_BLINDLY -DTIMEOUT
 */
#ifndef USERS
#define USERS 2
#endif
#ifndef WAITERS
#define WAITERS 2
#endif

byte users; bit closed; bit waited; bit released; /* the word */
bit locked;
bit linked[WAITERS]; bit fired[WAITERS]; bit alive[WAITERS];
bit exists = 1;
byte inside;      /* the truth: guards that were granted and not given back */
byte drained_for; /* waiters that were told "drained" */
byte keepers;     /* outsiders that still need the object */

/* A waiter is told "drained": no user is inside, and the last one so told destroys the object. */
inline told() {
    atomic {
        assert(inside == 0);
        drained_for++;
        if :: drained_for == WAITERS && keepers == 0 -> exists = 0 :: else -> skip fi
    }
}

inline touch() { assert(exists) }
inline lock() { atomic { !locked -> locked = 1; touch() } }
inline unlock() { atomic { touch(); locked = 0 } }

/* release_waiters(): the ring moves to this stack, the lock goes back, then all of them are let go. */
inline release_waiters() {
    lock();
    d_step { i = 0; do :: i < WAITERS -> hand[i] = linked[i]; linked[i] = 0; i++ :: else -> break od; i = 0 };
    atomic { touch(); released = 1 };
#ifndef MUTANT_UNLOCK_AFTER_FIRE
    unlock();
#endif
    do
    :: i < WAITERS ->
        if :: hand[i] -> hand[i] = 0; assert(alive[i]);
#ifdef CALLBACK
            told()
#else
            fired[i] = 1
#endif
        :: else -> skip fi;
        i++
    :: else -> break
    od;
    i = 0;
#ifdef MUTANT_UNLOCK_AFTER_FIRE
    unlock()
#endif
    skip
}

inline leave() {
    inside--;
#ifdef MUTANT_TEST_BEFORE_SUBTRACT
    atomic { touch(); last = (users == 1 && closed && waited) };
    atomic { touch(); users-- };
#else
    atomic { touch(); last = (users == 1 && closed && waited); users-- };
#endif
#ifdef MUTANT_TOUCH_AFTER_LEAVE
    atomic { touch(); last = (users == 0 && closed && waited) };
#endif
    if :: last -> last = 0; release_waiters() :: else -> skip fi
}

inline close() {
#ifdef MUTANT_COUNT_BEFORE_CLOSED
    atomic { touch(); last = (users == 0 && !closed && waited) };
    atomic { touch(); closed = 1 };
#else
    atomic { touch(); last = (users == 0 && !closed && waited); closed = 1 };
#endif
    if :: last -> last = 0; release_waiters() :: else -> skip fi
}

inline enter() {
#ifdef MUTANT_ADD_THEN_UNDO
    atomic { touch(); users++; entered = !closed };
    if
    :: entered -> inside++
    :: else -> atomic { touch(); users-- }
    fi;
#else
    atomic { touch(); entered = !closed; if :: entered -> users++; inside++ :: else -> skip fi };
#endif
    skip
}

proctype user() {
    bit last, entered; bit hand[WAITERS]; byte i;
    enter();
#ifdef CLOSE_BY_USER
    close();
#endif
    if :: entered -> entered = 0; leave() :: else -> skip fi;
    leave()
}

proctype outsider() {
    bit last, entered; bit hand[WAITERS]; byte i;
    enter();
    if :: entered -> entered = 0; leave() :: else -> skip fi;
    keepers--
}

proctype waiter(byte me) {
    bit last, stays, any; bit hand[WAITERS]; byte i;
#ifndef CLOSE_BY_USER
    if :: me == 0 -> close() :: else -> skip fi;
#endif
again:
#ifdef MUTANT_NO_WAIT
    if :: closed -> goto drained :: else -> skip fi;
#endif
    atomic { touch(); last = (closed && users == 0 && !waited) };
    if :: last -> last = 0; goto drained :: else -> skip fi;
    /* add() */
    alive[me] = 1; fired[me] = 0;
    lock();
    atomic { touch(); stays = !released };
    if
    :: stays ->
#ifdef MUTANT_BIT_AFTER_DRAIN
        atomic { touch(); waited = 1 }; /* whether or not a user is still to come */
#else
        atomic { /* the CAS loop */
            touch();
            if
            :: waited -> skip
            :: !waited && closed && users == 0 -> stays = 0
            :: else -> waited = 1
            fi
        };
#endif
        linked[me] = stays
    :: else -> skip
    fi;
    unlock();
    if :: !stays -> alive[me] = 0; goto drained :: else -> stays = 0 fi;
#ifdef CALLBACK
    goto added;
#endif
    /* park_until() */
    if
    :: fired[me] -> skip
#ifdef TIMEOUT
    :: skip
#endif
    fi;
    /* remove() */
    lock();
    d_step { any = 0; i = 0; do :: i < WAITERS -> any = any || (i != me && linked[i]); i++ :: else -> break od; i = 0 };
    atomic {
        touch();
        stays = (closed && users == 0);
#ifdef MUTANT_TIMED_OUT_DANGLES
        stays = 0;
#endif
#ifndef MUTANT_BIT_CLEARED_BLINDLY
        if :: !stays && !any -> waited = 0 :: else -> skip fi
#endif
    };
#ifdef MUTANT_BIT_CLEARED_BLINDLY
    atomic { touch(); if :: !stays && !any -> waited = 0 :: else -> skip fi };
#endif
    if :: !stays -> linked[me] = 0 :: else -> skip fi;
    unlock();
    any = 0;
    if
    :: stays -> stays = 0; fired[me]; fired[me] = 0; alive[me] = 0
    :: else -> alive[me] = 0; goto again
    fi;
drained:
    told()
added:
    skip
}

init {
    byte n;
    atomic {
        users = USERS; inside = USERS;
#ifdef OUTSIDER
        keepers = 1; run outsider();
#endif
        do :: n < USERS -> run user(); n++ :: else -> break od;
        n = 0;
        do :: n < WAITERS -> run waiter(n); n++ :: else -> break od
    }
}
