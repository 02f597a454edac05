/* The word of sync/pointer_lock.hpp: a pointer while free, the chain of sleeping lockers while held.
 *
 * Mapping: `held`, `top` and `carried` are word_ (bit 0; the chain above it while held; the Node* while free). One
 * atomic block is one atomic operation of the header. next[i] and released[i] are locker i's sleeper and its parker,
 * alive[i] says that the sleeper is on its stack. Each locker takes the pointer ROUNDS times and puts back one more.
 *
 * A sleeper that no thread wakes is an invalid end state.
 *
 * Run:   -
 * Wrong: -DMUTANT_TEST_THEN_SLEEP
 * Wrong: -DMUTANT_STORE_UNLOCK
 * Wrong: -DMUTANT_WAKE_ONE
 * Wrong: -DMUTANT_NEXT_AFTER_RELEASE
 */
#define LOCKERS 3
#define ROUNDS 2
#define NONE 255

bit held;
byte top = NONE;
byte carried;

byte next[LOCKERS];
bit released[LOCKERS];
bit alive[LOCKERS];
byte inside;
byte finished;

active [LOCKERS] proctype locker() {
    byte round, mine, chain, after;
    bit taken;
    do
    :: round < ROUNDS ->
        /* lock() */
        taken = 0;
        do
        :: taken -> break
        :: else ->
            atomic {
                if
                :: !held -> held = 1; mine = carried; top = NONE; taken = 1; inside++; assert(inside == 1)
                :: else -> chain = top
                fi
            }
            if
            :: taken -> skip
            :: else ->
                next[_pid] = chain; released[_pid] = 0; alive[_pid] = 1;
#ifdef MUTANT_TEST_THEN_SLEEP
                top = _pid; taken = 0; /* a store, whichever thread holds it by now */
                released[_pid] == 1;
#else
                atomic { /* compare_exchange */
                    if
                    :: held && top == chain -> top = _pid
                    :: else -> chain = NONE; goto woken
                    fi
                }
                released[_pid] == 1; /* parker.park() */
#endif
woken:          alive[_pid] = 0
            fi
        od;
        /* unlock() */
        inside--;
#ifdef MUTANT_STORE_UNLOCK
        chain = top;
        atomic { held = 0; top = NONE; carried = mine + 1 };
#else
        atomic { chain = top; held = 0; top = NONE; carried = mine + 1 };
#endif
        do
        :: chain == NONE -> break
        :: else ->
            assert(alive[chain]);
#ifdef MUTANT_NEXT_AFTER_RELEASE
            released[chain] = 1;
            assert(alive[chain]);
            after = next[chain];
#else
            after = next[chain];
            released[chain] = 1;
#endif
#ifdef MUTANT_WAKE_ONE
            after = NONE;
#endif
            chain = after
        od;
        round++
    :: else -> break
    od;
    finished++;
    finished < LOCKERS || carried == LOCKERS * ROUNDS /* no turn was lost: else this end state is invalid */
}
