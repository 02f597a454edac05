// Writers for histories of several threads: real clocks and locks, and a scheduler that is disturbed where a
// lock is about to be taken.

#include "writer_subject.hpp"

#include <thread>

namespace histories {
namespace {

struct disturbed_traits : wsolo::std_blocking_traits {
    /// Every so often a thread that is about to exchange a word is late.
    template <class T>
    struct atomic : std::atomic<T> {
        using std::atomic<T>::atomic;

        T exchange(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
            disturb();
            return std::atomic<T>::exchange(value, order);
        }

    private:
        static void disturb() noexcept {
            static thread_local std::uint32_t state =
                static_cast<std::uint32_t>(std::hash<std::thread::id>{}(std::this_thread::get_id())) | 1U;
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            if (state % 64 == 0) std::this_thread::yield();
            if (state % 2048 == 1) std::this_thread::sleep_for(std::chrono::microseconds(200));
        }
    };
};

template <class End>
std::unique_ptr<subject> make_threaded(const making& how, surroundings& around) {
    return std::make_unique<writer_subject<pumped_by_wsolo<ending_at_once, End, disturbed_traits>, End>>(
        how, around);
}

} // namespace

std::unique_ptr<subject> make_shared_subject(const making& how, surroundings& around) {
    if (how.how == drive::threaded)
        return how.client ? make_threaded<client_end>(how, around) : make_threaded<server_end>(how, around);
    return how.client ? make_of_end<client_end, disturbed_traits>(how, around)
                      : make_of_end<server_end, disturbed_traits>(how, around);
}

} // namespace histories
