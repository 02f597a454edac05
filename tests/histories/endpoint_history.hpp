#pragma once
// A history of two endpoints over a pair: random operations from outside and from inside every hook, random options, a
// stream that misbehaves, handlers that come late; and what both owe each other.
//
// Laws of this file:
// - Same seed, same history. WSOLO_HISTORY_CUT and WSOLO_HISTORY_SKIP leave operations out, as in lone_history.hpp.
// - A healthy history has nothing but slow links, small buffers, late handlers and a proxy; its options leave time enough. There
//   nothing may be lost, and both ends are in order. In any other history the ending must explain what is missing.

#include "compression.hpp"
#include "endpoint_subject.hpp"
#include "lone_history.hpp"
#include "seeded.hpp"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace histories {

class endpoint_history {
public:
    endpoint_history(std::uint64_t seed, const shrinking& less);
    ~endpoint_history();
    endpoint_history(const endpoint_history&) = delete;
    endpoint_history& operator=(const endpoint_history&) = delete;

    /// Performs it; journal::is_broken() says how it went.
    void run();

    /// The names of operations that no history of this process has performed.
    [[nodiscard]] static std::string never_performed();
    /// Of this process' histories: messages that were on a wire compressed.
    [[nodiscard]] static std::uint64_t compressed_messages() noexcept { return compressed_; }

private:
    enum class operation : std::uint8_t {
        send,
        burst,
        send_parts,
        send_shared,
        ping,
        close,
        abort,
        take_handle,
        drop_handle,
        send_by_handle,
        close_by_handle,
        destroy,
        pass_time,
        jump,
        sleep,
        stall,
        resume,
        reset,
        reset_end,
        half_close,
        hangups,
        extra_worker,
        trim,
        count_
    };
    static constexpr std::size_t operations = static_cast<std::size_t>(operation::count_);
    static const char* const names[];

    /// A message that a side sends.
    struct record {
        std::size_t size = 0;
        bool is_text = false;
        bool is_noise = false; ///< does not shrink
        bool is_accepted = false;
        bool is_delivered = false;
        bool is_refused = false; ///< by the receiver's inbox
    };

    /// One side, and what is known of it.
    class side final : public endpoint_surroundings {
    public:
        side(endpoint_history& of, const char* called, bool client)
            : all(of), name(called), is_client(client) {}

        void before_write() override;
        void wrote(std::string_view bytes) override;
        void ended_output() override;
        void disconnected() override;
        void writer_finished() override;
        void receives(std::size_t bytes) override;
        void input_ends(errc why) override;
        void wants(const wsolo::endpoint_wants& now) override;
        void schedule() override;
        void work_asked() override;
        errc on_message(bool is_text, std::string_view payload) override;
        void on_ping() override;
        void on_pong() override;
        void on_peer_close(wsolo::close_code code) override;
        void on_room() override;
        void on_beat() override;
        void on_refused(std::string_view payload) override;
        void on_finished(const wsolo::ending& how) override;
        bool waits_elsewhere() override;
        void elsewhere() override;
        void answers() override;
        void messages_over(errc why) override;

        [[gnu::format(printf, 2, 3)]] void say(const char* format, ...) const;

        [[nodiscard]] bool is_running() const {
            return subject && subject->is_alive() && !is_dying && !is_finished;
        }
        /// From now it is to finish within the bounds that its options set.
        void end_is_due();
        [[nodiscard]] span_of_time longest_end() const;
        [[nodiscard]] bool has_read_close() const {
            return peer->close_ends_at != 0 && bytes_received >= peer->close_ends_at;
        }

        endpoint_history& all;
        const char* const name;
        const bool is_client;
        side* peer = nullptr;
        wsolo::testing::pair_end* end = nullptr;
        wsolo::endpoint_options how;
        span_of_time close_timeout{}, linger_timeout{};
        handled_by where = handled_by::loop;
        agreement agreed;
        std::unique_ptr<endpoint_subject> subject;

        // What was drawn.
        unsigned replies = 0; ///< percent of the messages that are answered by one
        std::size_t reply_size = 8;
        std::uint32_t unsent_replies = 0;
        unsigned lateness_ms = 0;                         ///< of the pool, and of what a coroutine waits for
        unsigned handler_sleeps = 0;                      ///< percent, in a pool
        unsigned fails_messages = 0, throws_messages = 0; ///< percent

        // What it did.
        std::vector<record> sent;
        std::uint64_t own_frames = 0; ///< accepted by functions that the history called
        bool has_closed = false;      ///< close() was accepted
        unsigned closed_with = 0;
        bool was_aborted = false, was_destroyed = false, is_dying = false;
        bool failed = false; ///< a handler said so
        bool may_lose = false;
        std::uint64_t replies_refused = 0;
        std::uint64_t broken_messages = 0; ///< parts of which were refused

        // What it got.
        std::size_t next_expected = 0; ///< number of the peer's next message
        std::uint64_t delivered = 0, refused = 0;
        std::uint64_t bytes_received = 0;
        mutable std::size_t bytes_untold = 0; ///< since the last line of the journal
        bool input_ended = false;
        bool hangup_came_first = false; ///< its loop told the end while there was something to read

        // Its stream.
        std::string wire;
        std::size_t next_frame_at = 0;         ///< in the wire
        std::vector<std::size_t> message_ends; ///< in the wire
        std::size_t close_ends_at = 0;         ///< in the wire; 0: no Close yet
        time_point close_written_at = time_point::max();
        time_point writer_over_at = time_point::max();
        std::uint64_t arrived = 0; ///< of its bytes, in the peer's kernel
        std::string early_fin;     ///< what is wrong with it, if the ending does not explain it

        // Its work.
        std::multiset<time_point> work_due;
        std::optional<time_point> resume_due;
        bool handles = false; ///< a handler runs, or a coroutine holds a message

        bool is_finished = false;
        unsigned finishes = 0;
        std::size_t unread = 0; ///< in its kernel, when it was finished
        wsolo::ending ending;
        time_point must_finish_by = time_point::max();
        time_point asleep_until{};
    };

    void draw();
    void draw_links();
    void draw_options(side& of);
    void draw_compression();
    void perform();
    bool perform(operation which, side& of, seeded& draw);
    errc send_one(side& from, seeded& draw, operation how, std::size_t size);
    void nested(side& of, unsigned most);
    void callback(side& of, const char* what);
    void do_close(side& of, seeded& draw);
    void do_destroy(side& of);
    /// Lets the time pass, with everything that is due in it.
    void pass(span_of_time span);
    void do_work(side& of);
    void check_rest(side& of);
    void check_ending(side& of);
    void check_wire(side& of);
    void check_code(const side& of, std::string_view close_payload) const;
    void check_healthy(side& of);
    void check_heap();
    void end_of_history();
    void broke(const side& of, const char* rule, const std::string& how) const;
    [[nodiscard]] std::size_t draw_size(seeded& draw) const;

    std::uint64_t seed_;
    shrinking less_;
    seeded draws_;
    bool is_healthy_ = true;
    bool may_jump_ = false;
    bool client_reads_on_ = false; ///< or the server does
    wsolo::testing::pair_options links_;
    std::unique_ptr<wsolo::testing::pair> net_;
    side server_{*this, "server", false}, client_{*this, "client", true};

    unsigned weights_[operations] = {};
    unsigned wanted_ = 20;
    unsigned reenters_ = 0;
    std::size_t biggest_ = 100;
    std::uint64_t budget_ = 100'000; ///< bytes that a healthy history sends
    std::uint64_t spent_ = 0;
    unsigned number_ = 0;
    unsigned depth_ = 0;
    unsigned nested_operations_ = 0;
    unsigned callbacks_ = 0;
    bool ending_ = false;
    bool is_stalled_ = false, was_disturbed_ = false;
    inline static unsigned performed_[operations] = {};
    inline static std::uint64_t compressed_ = 0;
};

} // namespace histories
