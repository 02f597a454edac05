#pragma once
// What a writer may do, judged from outside: everything that was sent is written down before and after the
// call, every outcome when it comes, every byte that the transport takes; the rules compare them.
//
// Laws of this file:
// - An operation is an interval: it took effect somewhere between its call and its return. Two that overlap
//   (threads, or a callback inside a call) have no order; of two that do not, the first comes first.
// - Payloads carry a number, so that a frame on the wire says which item it is. Empty ones have none, and
//   are taken for the earliest that fits.
// - The wire is read by strict_parser.hpp. Nothing here knows the library.

#include "compression.hpp"
#include "journal.hpp"
#include "subject.hpp"

#include <support/strict_parser.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <vector>

namespace histories {

enum class item_kind : std::uint8_t { data, fragment, ping, pong, close, greeting, mark };

inline constexpr std::uint64_t never = ~std::uint64_t{0};

class oracle;

struct item {
    oracle* owner = nullptr;
    unsigned number = 0;
    item_kind kind = item_kind::data;
    int opcode = 0; ///< on the wire; of a message's part: the message's
    bool fin = true;
    std::string payload;
    std::size_t wire_bytes = 0;
    bool keyed = false;
    std::uint64_t key = 0;
    unsigned message = 0; ///< of a part: the number of its message
    bool asked = false;
    bool may_be = false; ///< the library itself sent it, or did not
    bool as_is = false;  ///< it is not compressed
    unsigned chain = 0;  ///< how often its outcome sends anew
    bool is_blocking = false;

    std::uint64_t start = 0, end = never; ///< the call
    errc result = errc::none;
    int told = 0;
    errc outcome = errc::none;
    std::uint64_t told_at = never;
    std::size_t wire_when_told = 0;
    bool on_wire = false;
    std::size_t wire_end = 0;         ///< offset of its last byte's end
    std::uint64_t dropped_before = 0; ///< of a mark: frames dropped when its call began

    [[nodiscard]] bool returned() const { return end != never; }
    [[nodiscard]] bool accepted() const { return !may_be && returned() && result == errc::none; }
};

struct message_record {
    std::uint64_t start = 0;        ///< before begin_message()
    std::uint64_t finished = never; ///< after the call that ended it
    bool text = false;
};

/// Thread-safe.
class oracle {
public:
    explicit oracle(bool client, policy when_full, inflating inflate = {}, std::size_t growth = 0)
        : client_(client), when_full_(when_full), inflate_(std::move(inflate)), growth_(growth) {}
    oracle(const oracle&) = delete;
    oracle& operator=(const oracle&) = delete;
    virtual ~oracle() = default;

    /// Before the call. The payload is made: a number and filler, `size` bytes.
    item& begin(item_kind kind, int opcode, std::size_t size, bool asked) {
        return begin(kind, opcode, asked, [size, opcode, this](unsigned number) {
            return payload_of(number, size, inflate_ && number % 3 == 0 ? opcode : 0);
        });
    }
    /// The same with a payload that is made from the item's number.
    template <class Make>
    item& begin(item_kind kind, int opcode, bool asked, Make payload) {
        const std::lock_guard hold(mutex_);
        item& made = items_.emplace_back();
        made.owner = this;
        made.number = static_cast<unsigned>(items_.size());
        made.kind = kind;
        made.opcode = opcode;
        made.payload = payload(made.number);
        made.asked = asked;
        made.wire_bytes = kind == item_kind::mark ? 0
                          : kind == item_kind::greeting
                              ? made.payload.size()
                              : header_bytes(made.payload.size()) + made.payload.size();
        made.start = ++stamp_;
        return made;
    }
    /// After it.
    void end(item& done, errc result) {
        const std::lock_guard hold(mutex_);
        done.result = result;
        done.end = ++stamp_;
        if (result != errc::none && done.on_wire && !done.may_be)
            broke("refused_took_effect", of(done) + " was refused, and is on the wire");
        if (result != errc::none && done.told != 0 && !done.is_blocking)
            broke("outcome", of(done) + " was refused, and told");
    }

    [[nodiscard]] ask asking(item& whom) { return whom.asked ? ask{&oracle::on_told, &whom} : ask{}; }

    message_record& begin_record(unsigned& number) {
        const std::lock_guard hold(mutex_);
        message_record& made = messages_.emplace_back();
        number = static_cast<unsigned>(messages_.size());
        made.start = ++stamp_;
        return made;
    }
    message_record& message(unsigned number) {
        const std::lock_guard hold(mutex_);
        return messages_[number - 1];
    }
    void message_ended(unsigned number) {
        const std::lock_guard hold(mutex_);
        messages_[number - 1].finished = ++stamp_;
    }

    void took(const char* bytes, std::size_t size) {
        const std::lock_guard hold(mutex_);
        wire_.append(bytes, size);
    }
    [[nodiscard]] std::size_t wire_size() {
        const std::lock_guard hold(mutex_);
        return wire_.size();
    }

    /// When the writer says that nothing is left: whatever could be told was told.
    void nothing_is_left(bool is_message_open, bool queue_is_empty) {
        const std::lock_guard hold(mutex_);
        absorb();
        for (const item& mark : items_) {
            if (mark.kind != item_kind::mark || mark.is_blocking || !mark.accepted() || mark.told != 0)
                continue;
            bool waits_rightly = false;
            for (const item& before : items_) {
                if (before.kind != item_kind::data && before.kind != item_kind::fragment) continue;
                if (before.start > mark.end || before.on_wire) continue;
                if (before.returned() && before.result != errc::none) continue;
                if (before.told != 0) continue;
                waits_rightly = true;
            }
            if (!waits_rightly || queue_is_empty)
                broke("flush_waits", of(mark) + " is not told, and all before it is written or dropped");
        }
        if (is_message_open) return;
        for (const item& each : items_)
            if (each.accepted() && each.asked && each.told == 0 && each.kind != item_kind::mark &&
                each.kind != item_kind::greeting)
                broke("lost_wakeup", of(each) + " has no outcome, and the writer says that it is idle");
    }

    /// Whether all data that was accepted before `mark` began is written.
    [[nodiscard]] bool all_before_is_written(const item& mark) {
        const std::lock_guard hold(mutex_);
        absorb();
        for (const item& before : items_) {
            if (before.kind != item_kind::data && before.kind != item_kind::fragment) continue;
            if (before.start > mark.start || before.on_wire) continue;
            if (before.returned() && before.result != errc::none) continue;
            return false;
        }
        return true;
    }

    /// The end: the writer is gone. `unsure`: a write was in flight when it went.
    void judge(const totals& report, bool unsure) {
        const std::lock_guard hold(mutex_);
        absorb();
        judge_outcomes();
        judge_order();
        judge_flushes();
        judge_report(report, unsure);
    }

    void writer_is_gone() { gone_ = true; }

    /// The same mask for every raw frame of a client.
    [[nodiscard]] std::string raw_frame(int opcode, std::string_view payload) const {
        std::string frame(1, static_cast<char>(0x80 | opcode));
        const char mask_bit = client_ ? '\x80' : '\0';
        if (payload.size() < 126) {
            frame += static_cast<char>(static_cast<unsigned char>(payload.size()) |
                                       static_cast<unsigned char>(mask_bit));
        } else if (payload.size() < 65536) {
            frame += static_cast<char>(126 | mask_bit);
            frame += static_cast<char>(payload.size() >> 8);
            frame += static_cast<char>(payload.size() & 0xff);
        } else {
            frame += static_cast<char>(127 | mask_bit);
            for (int shift = 56; shift >= 0; shift -= 8)
                frame += static_cast<char>(payload.size() >> shift & 0xff);
        }
        if (!client_) return frame += payload;
        constexpr char key[] = {'\x37', '\xfa', '\x21', '\x3d'};
        frame.append(key, 4);
        for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ key[i % 4]);
        return frame;
    }

    static constexpr std::size_t smallest = 6; ///< payload with a number in it

protected:
    /// A callback came; no lock is held.
    virtual void told(item& whom) = 0;

    static std::string of(const item& each) {
        static constexpr const char* names[] = {"data", "part", "ping", "pong", "close", "greeting", "flush"};
        return std::string(names[static_cast<unsigned>(each.kind)]) + " #" + std::to_string(each.number);
    }
    static void broke(const char* rule, const std::string& how) { journal::break_rule(rule, how); }

private:
    /// `noise`: an opcode; what follows the number does not shrink, as far as a text can be that.
    static std::string payload_of(unsigned number, std::size_t size, int noise) {
        if (size == 0) return {};
        char head[16];
        std::snprintf(head, sizeof head, "%06x", number);
        std::string made(head, smallest);
        if (size > smallest) made.resize(size, static_cast<char>('g' + number % 20));
        if (noise != 1 && noise != 2) return made;
        seeded draw(number);
        for (std::size_t i = smallest; i < size; ++i)
            made[i] = noise == 1 ? static_cast<char>(' ' + draw.below(94)) : static_cast<char>(draw.next());
        return made;
    }
    [[nodiscard]] std::size_t header_bytes(std::size_t payload) const {
        return (payload < 126 ? 2U : payload < 65536 ? 4U : 10U) + (client_ ? 4U : 0U);
    }

    static void on_told(void* context, errc outcome) noexcept {
        item& whom = *static_cast<item*>(context);
        oracle& self = *whom.owner;
        {
            const std::lock_guard hold(self.mutex_);
            if (++whom.told > 1) broke("outcome", of(whom) + " is told twice");
            if (self.gone_) broke("late_callback", of(whom) + " is told after the writer's end");
            whom.outcome = outcome;
            whom.told_at = ++self.stamp_;
            whom.wire_when_told = self.wire_.size();
            if (whom.returned() && whom.result != errc::none)
                broke("outcome", of(whom) + " was refused, and told");
            if (outcome == errc::dropped_oldest && self.when_full_ != policy::drop_oldest &&
                whom.kind != item_kind::mark)
                broke("outcome", of(whom) + " gave way, and the policy is another");
        }
        self.told(whom);
    }

    // The lock is held from here on.

    void absorb() {
        while (read_ < wire_.size() && !broken_wire_) {
            if (item* const greeting = next_greeting()) {
                const std::string_view rest = std::string_view(wire_).substr(read_);
                const std::string_view wanted = greeting->payload;
                if (rest.substr(0, wanted.size()) != wanted.substr(0, rest.size()))
                    return bad_wire("the wire does not go on with " + of(*greeting));
                if (rest.size() < wanted.size()) return;
                read_ += wanted.size();
                greeting->on_wire = true;
                greeting->wire_end = read_;
                order_.push_back(greeting);
                continue;
            }
            const strict::stream next = strict::parse(std::string_view(wire_).substr(read_), client_,
                                                      inside_message_, bool(inflate_));
            std::size_t at = read_;
            for (const strict::frame& each : next.frames) {
                const std::size_t size = header_bytes(each.payload.size()) + each.payload.size();
                at += size;
                if (each.rsv1)
                    take_compressed(each, at, size);
                else
                    take(each, at);
                if (broken_wire_) return;
            }
            inside_message_ = next.inside_message;
            read_ = wire_.size() - next.rest;
            if (!next.error.empty()) bad_wire(next.error);
            return;
        }
    }

    void bad_wire(const std::string& why) {
        broken_wire_ = true;
        broke("wire", why);
    }

    [[nodiscard]] item* next_greeting() {
        if (!order_.empty() && order_.back()->kind != item_kind::greeting) return nullptr;
        for (item& each : items_)
            if (each.kind == item_kind::greeting && !each.on_wire &&
                (!each.returned() || each.result == errc::none))
                return &each;
        return nullptr;
    }

    /// What is compressed is what was sent, shorter, or hardly longer.
    void take_compressed(strict::frame frame, std::size_t end, std::size_t size) {
        frame.payload = inflate_(frame.payload);
        take(frame, end);
        if (broken_wire_) return;
        item& found = *const_cast<item*>(order_.back());
        if (found.kind != item_kind::data || found.as_is || !frame.fin)
            return bad_wire(of(found) + " is compressed");
        if (size >= found.wire_bytes + (growth_ == 0 ? 0 : growth_ + 1))
            return bad_wire(of(found) + " is longer than it was");
        found.wire_bytes = size;
        ++compressed_;
    }

    void take(const strict::frame& frame, std::size_t end) {
        if (closed_) return bad_wire("a frame follows the Close");
        item* const found = find(frame);
        if (found == nullptr)
            return bad_wire("a frame on the wire is no item's: opcode " + std::to_string(frame.opcode) +
                            ", " + std::to_string(frame.payload.size()) +
                            " bytes: " + frame.payload.substr(0, 12));
        if (found->on_wire) return bad_wire(of(*found) + " is on the wire twice");
        if (found->returned() && found->result != errc::none && !found->may_be)
            return bad_wire(of(*found) + " was refused, and is on the wire");
        if (found->payload != frame.payload)
            return bad_wire(of(*found) + " is not on the wire as it was sent");
        if (found->told != 0 && found->outcome != errc::none)
            return bad_wire(of(*found) + " was told as dropped, and is on the wire");
        if (found->kind == item_kind::fragment) {
            const bool first = frame.opcode != 0;
            if (first) open_message_ = found->message;
            if (found->message != open_message_)
                return bad_wire(of(*found) + " is inside of another message");
            if (first && frame.opcode != found->opcode) return bad_wire(of(*found) + " has another opcode");
        }
        found->on_wire = true;
        found->wire_end = end;
        order_.push_back(found);
        if (frame.opcode == 8) closed_ = true;
    }

    [[nodiscard]] item* find(const strict::frame& frame) {
        const auto fits = [&](const item& each) {
            if (each.kind == item_kind::mark || each.kind == item_kind::greeting || each.fin != frame.fin)
                return false;
            if (each.kind == item_kind::fragment)
                return frame.opcode == 0 || (!each.may_be && frame.opcode == each.opcode);
            return frame.opcode == each.opcode;
        };
        if (frame.opcode != 8 && frame.payload.size() >= smallest) {
            const auto number = std::strtoul(frame.payload.substr(0, smallest).c_str(), nullptr, 16);
            if (number == 0 || number > items_.size()) return nullptr;
            item& found = items_[number - 1];
            return fits(found) ? &found : nullptr;
        }
        for (item& each : items_) {
            if (each.on_wire || !fits(each) || each.payload != frame.payload) continue;
            if (each.returned() && each.result != errc::none && !each.may_be) continue;
            if (each.told != 0 && each.outcome != errc::none) continue;
            if (frame.opcode == 0 && each.message != open_message_) continue;
            return &each;
        }
        for (item& each : items_) {
            if (!each.may_be || each.on_wire || each.kind != item_kind::close || frame.opcode != 8 ||
                each.payload != frame.payload.substr(0, 2))
                continue;
            each.payload = frame.payload; // the library's own reason
            each.wire_bytes = header_bytes(frame.payload.size()) + frame.payload.size();
            return &each;
        }
        return nullptr;
    }

    void judge_outcomes() {
        for (const item& each : items_) {
            if (each.is_blocking) continue;
            if (each.accepted() && each.asked && each.told != 1)
                broke("outcome",
                      of(each) + " was accepted, and is told " + std::to_string(each.told) + " times");
            if (each.told == 0 || each.kind == item_kind::mark) continue;
            if (each.outcome == errc::none && (!each.on_wire || each.wire_end > each.wire_when_told))
                broke("outcome", of(each) + " was told as written before its last byte was taken");
            if (each.outcome != errc::none && each.on_wire)
                broke("outcome", of(each) + " was told as dropped (" +
                                     std::string(wsolo::name_of(each.outcome)) + "), and is on the wire");
            if (each.outcome == errc::conflated && each.kind == item_kind::data) {
                bool newer = false;
                for (const item& other : items_)
                    newer = newer ||
                            (&other != &each && other.keyed && each.keyed && other.key == each.key &&
                             other.start < each.told_at && (!other.returned() || other.result == errc::none));
                if (!newer) broke("outcome", of(each) + " was conflated without a newer one");
            }
            if (each.kind == item_kind::fragment && each.outcome == errc::dropped_oldest)
                broke("outcome", of(each) + " gave way");
        }
    }

    void judge_order() {
        judge_fifo(item_kind::data);
        judge_fifo(item_kind::fragment);
        judge_fifo(item_kind::ping);
        judge_fifo(item_kind::pong);
        // Data against messages: what was sent before one began leads, what was sent after it follows.
        std::uint64_t data_end = never, message_finished = never;
        for (std::size_t i = order_.size(); i-- > 0;) {
            const item& each = *order_[i];
            if (each.payload.empty()) continue;
            if (each.kind == item_kind::fragment) {
                const message_record& mine = messages_[each.message - 1];
                if (data_end < mine.start)
                    broke("order", of(each) + " is before data that was sent before its message");
                message_finished = std::min(message_finished, mine.finished);
            } else if (each.kind == item_kind::data) {
                if (message_finished < each.start)
                    broke("order", of(each) + " is before a message that ended before it");
                data_end = std::min(data_end, each.end);
            }
        }
        for (const item& lost : items_) {
            if (lost.kind != item_kind::fragment || !lost.accepted() || lost.on_wire) continue;
            for (const item& later : items_)
                if (later.kind == item_kind::fragment && later.message == lost.message && later.on_wire &&
                    later.start > lost.end)
                    broke("order", of(lost) + " is missing in its message");
        }
    }

    void judge_fifo(item_kind kind) {
        const item* earliest = nullptr;
        for (std::size_t i = order_.size(); i-- > 0;) {
            const item& each = *order_[i];
            if (each.kind != kind || each.payload.empty()) continue; // it is unknown which empty one it is
            if (earliest != nullptr && earliest->end < each.start)
                broke("order", of(each) + " overtook " + of(*earliest));
            if (earliest == nullptr || each.end < earliest->end) earliest = &each;
        }
    }

    void judge_flushes() {
        for (const item& mark : items_) {
            if (mark.kind != item_kind::mark) continue;
            const bool says_written = mark.is_blocking ? mark.returned() && mark.result == errc::none
                                                       : mark.told != 0 && mark.outcome == errc::none;
            if (!says_written) continue;
            const std::size_t wire = mark.wire_when_told;
            std::uint64_t unwritten = 0;
            const item* one = nullptr;
            for (const item& before : items_) {
                if (before.kind != item_kind::data && before.kind != item_kind::fragment) continue;
                if (!before.accepted() || before.end > mark.start) continue;
                if (before.on_wire && before.wire_end <= wire) continue;
                if (before.on_wire) {
                    broke("flush_lies", of(mark) + " says written, and " + of(before) + " came later");
                    continue;
                }
                ++unwritten;
                one = &before;
            }
            if (unwritten > mark.dropped_before)
                broke("flush_lies", of(mark) + " says written, and " + of(*one) + " never was");
        }
    }

    void judge_report(const totals& report, bool unsure) {
        std::uint64_t least = 0, most = 0, least_bytes = 0, most_bytes = 0, frames = 0, bytes = 0;
        const item* close = nullptr;
        for (const item& each : items_) {
            if (each.kind == item_kind::mark || (!each.accepted() && !each.may_be)) continue;
            const bool may_be_missing = !each.on_wire && each.may_be;
            const bool may_be_shorter = inflate_ && !each.on_wire && each.kind == item_kind::data;
            ++most;
            most_bytes += each.wire_bytes + (each.may_be ? 125 : 0); // a reason of the library's own
            if (may_be_shorter) most_bytes += growth_;
            if (!may_be_missing) {
                ++least;
                least_bytes += may_be_shorter ? 0 : each.wire_bytes;
            }
            if (each.on_wire) {
                ++frames;
                bytes += each.wire_bytes;
            }
            if (each.kind == item_kind::close && !may_be_missing) close = &each;
        }
        const std::uint64_t all = report.frames_written + report.frames_dropped + report.frames_replaced;
        const std::uint64_t all_bytes = report.bytes_written + report.bytes_dropped + report.bytes_replaced;
        if (broken_wire_) return;
        if (all < least || all > most)
            broke("report", std::to_string(all) + " frames in the report, " + std::to_string(least) + " to " +
                                std::to_string(most) + " accepted");
        if (all_bytes < least_bytes || all_bytes > most_bytes)
            broke("report", std::to_string(all_bytes) + " bytes in the report, " +
                                std::to_string(least_bytes) + " to " + std::to_string(most_bytes) +
                                " accepted");
        if (report.frames_written != frames)
            broke("report", std::to_string(report.frames_written) + " frames reported as written, " +
                                std::to_string(frames) + " on the wire");
        if (report.bytes_written < bytes || report.bytes_written > wire_.size())
            broke("report", std::to_string(report.bytes_written) + " bytes reported as written, " +
                                std::to_string(bytes) + " on the wire");
        const bool rest = read_ != wire_.size();
        if (rest != report.partial_frame && !unsure)
            broke("report", rest ? "a partial frame is not reported"
                                 : "a partial frame is reported, and there is none");
        if (report.clean && (!closed_ || rest)) broke("report", "clean without a Close at the end");
        if (report.clean && inside_message_) broke("report", "clean with half a message before the Close");
        if (close != nullptr && close->payload.size() >= 2) {
            const unsigned code = static_cast<unsigned>(static_cast<unsigned char>(close->payload[0])) << 8 |
                                  static_cast<unsigned char>(close->payload[1]);
            if (report.close != code) broke("report", "close code " + std::to_string(report.close));
        }
    }

protected:
    std::mutex mutex_;
    std::deque<item> items_;
    std::deque<message_record> messages_;
    std::uint64_t stamp_ = 0;
    bool client_;
    policy when_full_;
    std::atomic<bool> gone_{false};
    inflating inflate_;  ///< none: nothing is compressed
    std::size_t growth_; ///< bytes that a compressed frame may have more than it had

public:
    inline static std::atomic<std::size_t> compressed_{0}; ///< frames, in all histories

private:
    std::string wire_;
    std::size_t read_ = 0; ///< before here are whole frames
    bool inside_message_ = false, closed_ = false, broken_wire_ = false;
    unsigned open_message_ = 0;
    std::vector<const item*> order_; ///< as on the wire
};

} // namespace histories
