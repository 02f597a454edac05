#include "plane.hpp"

#include <wsolo/text/utf8.hpp>

#include <cstdio>

using namespace std::chrono_literals;

namespace {

/// This run's epoch: every process gets the same one. Another run has another, because it may have lost messages that it had
/// numbered.
constexpr std::string_view find_epoch = R"(
    local info = redis.call('INFO')
    local policy = string.match(info, 'maxmemory_policy:(%S+)')
    if policy and string.find(policy, 'allkeys') then return redis.error_reply('it evicts keys: ' .. policy) end
    local run = string.match(info, 'run_id:(%w+)')
    local known = redis.call('HMGET', KEYS[1], 'run', 'epoch')
    if known[1] == run then return known[2] end
    local now = redis.call('TIME')
    local epoch = math.max(now[1] * 1000 + math.floor(now[2] / 1000), tonumber(known[2] or 0) + 1)
    redis.call('HSET', KEYS[1], 'run', run, 'epoch', string.format('%.0f', epoch))
    return string.format('%.0f', epoch))";

/// Numbers a message and publishes it. A stream that is empty or not there may have had others: it begins an epoch of its own.
constexpr std::string_view publish = R"(
    local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
    local epoch, number = tonumber(ARGV[1]), '1'
    if #last == 0 then
        local now = redis.call('TIME')
        epoch = math.max(epoch, now[1] * 1000 + math.floor(now[2] / 1000))
    elseif tonumber(string.match(last[1][1], '^%d+')) >= epoch then
        epoch, number = tonumber(string.match(last[1][1], '^%d+')), '*'
    end
    return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], string.format('%.0f-', epoch) .. number, 'text', ARGV[3]))";

std::string key_of(const std::string& room) { return "room:" + room; }

std::span<redisReply* const> elements_of(const redisReply* reply) {
    if (reply == nullptr || reply->type != REDIS_REPLY_ARRAY) return {};
    return {reply->element, reply->elements};
}

/// An entry of a stream: [id, [name, value, ...]].
std::optional<message_id> id_of(const redisReply& entry) {
    const auto parts = elements_of(&entry);
    return parts.empty() ? std::nullopt : message_id::parse(text_of(parts[0]));
}

/// Empty: there is no memory.
wsolo::shared_frame frame_of(const std::string& text) {
    auto made = wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of(text));
    return made ? std::move(*made) : wsolo::shared_frame();
}

/// Empty: it is not a message of ours.
wsolo::shared_frame frame_of(const message_id& id, const redisReply& entry) {
    const auto parts = elements_of(&entry);
    const auto fields = parts.size() == 2 ? elements_of(parts[1]) : std::span<redisReply* const>{};
    if (fields.size() != 2 || text_of(fields[0]) != "text") return {};
    const std::string whole = id.text() + ' ' + std::string(text_of(fields[1]));
    return wsolo::is_valid_utf8(wsolo::bytes_of(whole)) ? frame_of(whole) : wsolo::shared_frame();
}

wsolo::shared_frame resync_frame(const message_id& at) { return frame_of("resync " + at.text()); }

} // namespace

plane::plane(asio::io_context& loop, std::string host, int port)
    : loop_(loop),
      host_(std::move(host)),
      port_(port),
      asking_(loop, [this](bool is_up) { is_up ? begin() : lose("the connection for commands"); }),
      feed_(loop, [this](bool is_up) { is_up ? begin() : lose("the connection that reads"); }),
      retry_(loop),
      silence_(loop) {
    connect();
}

// ---- Redis comes and goes

void plane::connect() {
    up_ = 0;
    asking_.open(host_, port_);
    feed_.open(host_, port_);
}

/// Both, because both are to the same run of Redis.
void plane::lose(std::string_view why) {
    if (std::exchange(trouble_, std::string(why)) != why)
        std::fprintf(stderr, "backplane: no Redis: %s\n", trouble_.c_str());
    is_ready_ = is_reading_ = is_unblocking_ = false;
    silence_.cancel();
    asking_.close();
    feed_.close();
    if (is_ending_ && rooms_.empty()) return;
    retry_.expires_after(200ms);
    retry_.async_wait([this](std::error_code error) {
        if (!error) connect();
    });
}

/// Is called for each of the two connections that is up.
void plane::begin() {
    if (++up_ < 2) return;
    feed_.ask({"CLIENT", "ID"}, [this](const redisReply* id) {
        if (id == nullptr) return; // lose() was called, or is
        feed_id_ = std::to_string(id->integer);
        asking_.ask({"EVAL", find_epoch, "1", "backplane"}, [this](const redisReply* answer) {
            if (answer == nullptr) return;
            const auto epoch = message_id::parse(std::string(text_of(answer)) + "-0");
            if (!epoch) return lose(text_of(answer));
            resume(epoch->epoch);
        });
    });
}

void plane::resume(std::uint64_t epoch) {
    const bool is_same_run = std::exchange(epoch_, epoch) == epoch;
    is_ready_ = true;
    trouble_.clear();
    std::fprintf(stderr, "backplane: has Redis, epoch %llu\n", static_cast<unsigned long long>(epoch));
    for (auto& [name, each] : rooms_) {
        if (!each.at) {
            find(name);
        } else if (!is_same_run) {
            each.at = message_id{epoch, 0};
            resync(each, *each.at);
        } else {
            admit_all(name, each); // those whose answer was lost
        }
    }
    read();
}

// ---- who is there

plane::member_number plane::enter(const std::string& name, std::optional<message_id> after, visitor who) {
    const auto [place, is_new] = rooms_.try_emplace(name);
    const member_number number = ++last_member_;
    place->second.arrivals.emplace(number, arrival{std::move(who), after, false, {}, {}});
    if (place->second.at) {
        admit(name, place->second, number);
    } else if (is_new && is_ready_) {
        find(name);
    }
    return number;
}

void plane::leave(const std::string& name, member_number whose) {
    const auto place = rooms_.find(name);
    if (place == rooms_.end()) return;
    place->second.seats.erase(whose);
    place->second.arrivals.erase(whose);
    if (place->second.seats.empty() && place->second.arrivals.empty()) rooms_.erase(place);
    finish_if_ended();
}

void plane::end() {
    is_ending_ = true;
    finish_if_ended();
}

void plane::finish_if_ended() {
    if (!is_ending_ || !rooms_.empty()) return;
    is_ready_ = false;
    retry_.cancel();
    silence_.cancel();
    asking_.close();
    feed_.close();
}

/// Where a room stands that is new here.
void plane::find(const std::string& name) {
    asking_.ask({"XREVRANGE", key_of(name), "+", "-", "COUNT", "1"}, [this, name](const redisReply* answer) {
        const auto place = rooms_.find(name);
        if (place == rooms_.end() || place->second.at || is_error(answer)) return;
        const auto entries = elements_of(answer);
        const auto last = entries.empty() ? std::nullopt : id_of(*entries[0]);
        place->second.at = last && last->epoch >= epoch_ ? *last : message_id{epoch_, 0};
        read_all_rooms();
        admit_all(name, place->second);
    });
}

void plane::admit_all(const std::string& name, room& in) {
    std::vector<member_number> all;
    for (const auto& each : in.arrivals) all.push_back(each.first);
    for (const member_number each : all) admit(name, in, each);
}

/// The room's number is known.
void plane::admit(const std::string& name, room& in, member_number whose) {
    arrival& who = in.arrivals.at(whose);
    if (who.after == in.at) return seat(in, whose);
    if (!who.after) {
        static_cast<void>(who.who.send(resync_frame(*in.at)));
        return seat(in, whose);
    }
    if (!is_ready_) return; // resume() comes back to it
    who.is_asked = true;
    who.upto.reset();
    who.kept.clear();
    asking_.ask({"XRANGE", key_of(name), who.after->text(), "+"},
                [this, name, whose](const redisReply* history) {
                    const auto place = rooms_.find(name);
                    if (place != rooms_.end() && history != nullptr) catch_up(place->second, whose, history);
                });
}

/// What it missed if all of that is there, and otherwise that it is not. Then what was said since Redis was asked. The answer
/// may be ahead of what the room here has read.
void plane::catch_up(room& in, member_number whose, const redisReply* history) {
    const auto place = in.arrivals.find(whose);
    if (place == in.arrivals.end()) return;
    arrival& who = place->second;
    message_id last = *who.after;
    bool is_whole = last.number == 0; // or the last one that it knows is there
    std::size_t size = 0;
    std::vector<wsolo::shared_frame> missed;
    for (const redisReply* const entry : elements_of(history)) {
        const auto id = id_of(*entry);
        if (id == who.after) {
            is_whole = true;
            continue;
        }
        is_whole = is_whole && id && last.is_followed_by(*id);
        if (!is_whole) break;
        missed.push_back(frame_of(last = *id, *entry));
        size += missed.back().bytes().size();
        is_whole = missed.back() && size <= max_history;
    }
    if (!is_whole) {
        static_cast<void>(who.who.send(resync_frame(*in.at)));
        return seat(in, whose);
    }
    for (const auto& each : missed) static_cast<void>(who.who.send(each));
    if (last > *in.at) {
        who.after = who.upto = last; // deliver() seats it
        return;
    }
    for (const auto& [id, frame] : who.kept)
        if (id > last) static_cast<void>(who.who.send(frame));
    seat(in, whose);
}

void plane::seat(room& in, member_number whose) {
    auto who = in.arrivals.extract(whose);
    if (auto joined = who.mapped().who.join(in.members)) in.seats.emplace(whose, std::move(*joined));
}

// ---- what is said

void plane::say(const std::string& name, std::string_view text, visitor who) {
    std::string unsaid = "unsaid " + std::string(text);
    if (!is_ready_ || unconfirmed_ >= max_unconfirmed) {
        static_cast<void>(who.send(frame_of(unsaid)));
        return;
    }
    ++unconfirmed_;
    asking_.ask({"EVAL", publish, "1", key_of(name), std::to_string(epoch_), kept_messages, text},
                [this, who = std::move(who), unsaid = std::move(unsaid)](const redisReply* answer) {
                    --unconfirmed_;
                    if (!is_error(answer)) return;
                    if (answer != nullptr) std::fprintf(stderr, "backplane: Redis: %s\n", answer->str);
                    static_cast<void>(who.send(frame_of(unsaid)));
                });
}

/// One command waits for all rooms here. It comes back after 5 s at the latest, so that a Redis that hangs is noticed.
void plane::read() {
    if (!is_ready_ || is_reading_) return;
    std::vector<std::string> names{"backplane:nothing"}; // so that it waits although there is no room
    std::vector<std::string> from{"$"};
    for (const auto& [name, each] : rooms_) {
        if (!each.at) continue;
        names.push_back(key_of(name));
        from.push_back(each.at->text());
    }
    std::vector<std::string_view> words{"XREAD", "COUNT", messages_at_once, "BLOCK", "5000", "STREAMS"};
    words.insert(words.end(), names.begin(), names.end());
    words.insert(words.end(), from.begin(), from.end());
    is_reading_ = true;
    is_stale_ = false;
    silence_.expires_after(15s);
    silence_.async_wait([this](std::error_code error) {
        if (!error) lose("it is silent");
    });
    feed_.ask(words, [this](const redisReply* answer) {
        if (answer == nullptr) return;
        is_reading_ = false;
        if (is_error(answer)) return lose(text_of(answer));
        for (const redisReply* const stream : elements_of(answer)) { // [[key, [entry, ...]], ...]
            const auto parts = elements_of(stream);
            const auto place = rooms_.find(std::string(text_of(parts[0]).substr(key_of({}).size())));
            if (place == rooms_.end()) continue;
            for (const redisReply* const entry : elements_of(parts[1])) deliver(place->second, *entry);
        }
        read();
    });
}

/// Has the command that waits come back. Redis answers 0 when that command has not reached it yet: then again.
void plane::read_all_rooms() {
    is_stale_ = true;
    if (!is_reading_) return read();
    if (std::exchange(is_unblocking_, true)) return;
    asking_.ask({"CLIENT", "UNBLOCK", feed_id_}, [this](const redisReply* answer) {
        if (answer == nullptr) return;
        is_unblocking_ = false;
        if (is_reading_ && is_stale_) read_all_rooms();
    });
}

void plane::deliver(room& in, const redisReply& entry) {
    const auto id = id_of(entry);
    if (!id) return;
    if (!in.at->is_followed_by(*id)) resync(in, {id->epoch, id->number - 1});
    in.at = id;
    const wsolo::shared_frame frame = frame_of(*id, entry);
    if (!frame) return resync(in, *id);
    static_cast<void>(in.members.send(frame)); // those without room are cut off
    std::vector<member_number> there;
    for (auto& [number, who] : in.arrivals) {
        if (who.is_asked && !who.upto) who.kept.emplace_back(*id, frame);
        if (who.upto == id) there.push_back(number);
    }
    for (const member_number each : there) seat(in, each);
}

/// Everyone, those who have not caught up yet too.
void plane::resync(room& in, const message_id& at) {
    const wsolo::shared_frame frame = resync_frame(at);
    static_cast<void>(in.members.send(frame));
    while (!in.arrivals.empty()) {
        static_cast<void>(in.arrivals.begin()->second.who.send(frame));
        seat(in, in.arrivals.begin()->first);
    }
}
