/* write/detail/queue.hpp: the blocks of small frames, filled by producers while a write reads what lies in them; each is filled
 * anew, kept as the spare one or freed when its last entry left, and not before.
 *
 * Mapping: one atomic block is one hold of the outbox's lock. A block has SLOTS slots; home[] and place[] say where the queued
 * entries lie, in order; slot[] holds the number of the frame in it. The writer reads slot by slot, with the lock free, and
 * expects the numbers in order. A freed block is one that the heap may give again; fresh ones come from there.
 *
 * Run:   -
 * Run:   -DFRAMES=8
 * Run:   -DCUT
 * Run:   -DCUT -DPRODUCERS=1 -DFRAMES=8
 * Run:   -DCUT -DFRAMES=8
 * Wrong: -DMUTANT_REUSED_WHEN_NAMED
 * Wrong: -DMUTANT_TAKEN_AS_OFFERED -DCUT
 * Wrong: -DMUTANT_FILLING_FREED
 * Wrong: -DMUTANT_SPARE_FREED_TOO
 * Wrong: -DMUTANT_SPARE_NOT_RESET
 */
#ifndef FRAMES
#define FRAMES 6
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#define SLOTS 2
#define BLOCKS 6
#define AT(b, s) ((b) * SLOTS + (s))
#define NO 255

byte slot[12]; byte used[BLOCKS]; byte entries[BLOCKS]; bit live[BLOCKS];
byte home[FRAMES]; byte place[FRAMES]; byte first; byte pushed;
byte filling = NO; byte spare = NO; byte read;

inline free_block(b) { assert(live[b] && entries[b] == 0); live[b] = 0 }
/* recycle(): the spare one is the only one that stays. */
inline recycle(b) {
#ifndef MUTANT_SPARE_NOT_RESET
    used[b] = 0;
#endif
    if
    :: spare == NO -> spare = b
#ifdef MUTANT_SPARE_FREED_TOO
        free_block(b)
#endif
    :: else -> free_block(b)
    fi
}

proctype producer() {
    byte b;
    do
    :: atomic {
           pushed < FRAMES ->
           if
           :: filling != NO && used[filling] < SLOTS -> skip
           :: else ->
               if
               :: spare != NO -> b = spare; spare = NO
               :: else -> /* fresh, from the heap */
                   b = 0;
                   do :: live[b] -> b++; assert(b < BLOCKS) :: else -> break od;
                   live[b] = 1; used[b] = 0; entries[b] = 0
               fi;
               filling = b
           fi;
           assert(live[filling] && used[filling] < SLOTS);
           slot[AT(filling, used[filling])] = pushed;
           home[pushed] = filling; place[pushed] = used[filling];
           used[filling]++; entries[filling]++; pushed++
       }
    :: pushed == FRAMES -> break
    od
}

proctype writer() {
    byte named, at, taken, b;
    do
    :: atomic { first < pushed -> named = pushed - first;
#ifdef MUTANT_REUSED_WHEN_NAMED
           used[home[first]] = 0;
#endif
           taken = named };
        at = 0;
        do /* the transport reads what it was given */
        :: at < named ->
            b = home[first + at];
            assert(live[b]);
            assert(slot[AT(b, place[first + at])] == first + at);
            at++
#ifdef CUT
        :: at > 0 && at < named -> taken = at; break
#endif
        :: at == named -> break
        od;
        read = read + taken;
        atomic {
#ifdef MUTANT_TAKEN_AS_OFFERED
            at = named;
#else
            at = taken;
#endif
            do
            :: at > 0 ->
                b = home[first]; at--; first++;
                assert(entries[b] > 0); entries[b]--;
                if
                :: entries[b] > 0 -> skip
                :: entries[b] == 0 && b == filling ->
#ifdef MUTANT_FILLING_FREED
                    free_block(b)
#else
                    used[b] = 0
#endif
                :: entries[b] == 0 && b != filling -> recycle(b)
                fi
            :: else -> break
            od
        }
    :: first == FRAMES -> break
    od
}

/* Nothing is lost, and no block but the filling and the spare one stays. */
proctype judge() {
    byte b;
    timeout ->
    assert(read == FRAMES && first == FRAMES);
    do
    :: b < BLOCKS -> assert(!live[b] || b == filling || b == spare); b++
    :: else -> break
    od
}

init {
    byte n;
    atomic {
        run writer(); run judge();
        do :: n < PRODUCERS -> run producer(); n++ :: else -> break od
    }
}
