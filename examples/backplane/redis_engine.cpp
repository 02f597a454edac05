#include "redis_engine.hpp"

#include <cstdio>
#include <span>
#include <utility>

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
constexpr std::string_view publish_script = R"(
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
said said_of(const redisReply& entry) {
    const auto parts = elements_of(&entry);
    said what;
    if (parts.size() == 2) what.id = message_id::parse(text_of(parts[0])).value_or(message_id());
    const auto fields = parts.size() == 2 ? elements_of(parts[1]) : std::span<redisReply* const>{};
    what.is_ours = fields.size() == 2 && text_of(fields[0]) == "text";
    if (what.is_ours) what.text = text_of(fields[1]);
    return what;
}

} // namespace

redis_engine::redis_engine(asio::io_context& loop, std::string host, int port)
    : host_(std::move(host)),
      port_(port),
      asking_(loop, [this](bool is_up) { is_up ? begin() : lose("the connection for commands"); }),
      feed_(loop, [this](bool is_up) { is_up ? begin() : lose("the connection that reads"); }),
      retry_(loop),
      again_(loop) {}

// ---- it comes and goes

void redis_engine::open(hooks tell) {
    tell_ = std::move(tell);
    connect();
}

void redis_engine::close() {
    is_closed_ = true;
    is_ready_ = is_reading_ = false;
    retry_.cancel();
    again_.cancel();
    asking_.close();
    feed_.close();
}

void redis_engine::connect() {
    up_ = 0;
    asking_.open(host_, port_);
    feed_.open(host_, port_);
}

/// Is called for each of the two connections that is up.
void redis_engine::begin() {
    if (++up_ < 2) return;
    feed_.ask({"CLIENT", "ID"}, [this](const redisReply* id) {
        if (id == nullptr) return; // lose() was called, or is
        feed_id_ = std::to_string(id->integer);
        asking_.ask({"EVAL", find_epoch, "1", "backplane"}, [this](const redisReply* answer) {
            if (answer == nullptr) return;
            if (is_error(answer)) return lose(text_of(answer));
            epoch_ = text_of(answer);
            is_ready_ = true;
            trouble_.clear();
            std::fprintf(stderr, "backplane: has Redis, epoch %s\n", epoch_.c_str());
            tell_.on_change(true);
            read();
        });
    });
}

/// Both, because both are to the same run of Redis.
void redis_engine::lose(std::string_view why) {
    if (std::exchange(trouble_, std::string(why)) != why)
        std::fprintf(stderr, "backplane: no Redis: %s\n", trouble_.c_str());
    const bool was_ready = std::exchange(is_ready_, false);
    is_reading_ = is_unblocking_ = false;
    followed_.clear();
    again_.cancel();
    for (const auto& [room, then] : std::exchange(refused_, {})) then({});
    asking_.close();
    feed_.close();
    if (is_closed_) return;
    retry_.expires_after(200ms);
    retry_.async_wait([this](std::error_code error) {
        if (!error) connect();
    });
    if (was_ready) tell_.on_change(false);
}

// ---- questions

void redis_engine::find(const std::string& room, std::function<void(std::optional<message_id>)> then) {
    const auto answered = [this, room, then = std::move(then)](const redisReply* answer) {
        if (answer == nullptr) return then({});
        if (is_error(answer)) { // this room's alone: a key of another type, say
            std::fprintf(stderr, "backplane: room %s: %s\n", room.c_str(), answer->str);
            refused_.emplace_back(room, then);
            if (refused_.size() == 1) find_again();
            return;
        }
        const message_id beginning = message_id::parse(epoch_ + "-0").value_or(message_id());
        const auto entries = elements_of(answer);
        const message_id last = entries.empty() ? beginning : said_of(*entries[0]).id;
        then(last.epoch >= beginning.epoch ? last : beginning);
    };
    asking_.ask({"XREVRANGE", key_of(room), "+", "-", "COUNT", "1"}, answered);
}

void redis_engine::find_again() {
    again_.expires_after(1s);
    again_.async_wait([this](std::error_code error) {
        if (error) return;
        for (const auto& [room, then] : std::exchange(refused_, {})) find(room, then);
    });
}

void redis_engine::recall(const std::string& room, const message_id& after,
                          std::function<void(recalled)> then) {
    const auto answered = [after, then = std::move(then)](const redisReply* answer) {
        recalled all{answer == nullptr, after.number == 0, {}};
        for (const redisReply* const entry : elements_of(answer)) {
            all.messages.push_back(said_of(*entry));
            if (all.messages.back().id != after) continue;
            all.is_known = true;
            all.messages.pop_back();
        }
        then(std::move(all));
    };
    asking_.ask({"XRANGE", key_of(room), after.text(), "+"}, answered);
}

void redis_engine::publish(const std::string& room, std::string_view text, std::function<void(bool)> then) {
    const auto answered = [then = std::move(then)](const redisReply* answer) {
        if (answer != nullptr && is_error(answer))
            std::fprintf(stderr, "backplane: Redis: %s\n", answer->str);
        then(!is_error(answer));
    };
    asking_.ask({"EVAL", publish_script, "1", key_of(room), epoch_, kept_messages, text}, answered);
}

// ---- the rooms that are followed

void redis_engine::follow(const std::string& room, const message_id& after) {
    followed_[room] = after;
    read_all_rooms();
}

/// It comes back after 5 s at the latest, so that a Redis that hangs is noticed (redis_connection::patience).
void redis_engine::read() {
    if (!is_ready_ || is_reading_) return;
    std::vector<std::string> names{"backplane:nothing"}; // so that it waits although there is no room
    std::vector<std::string> from{"$"};
    for (const auto& [room, last] : followed_) {
        names.push_back(key_of(room));
        from.push_back(last.text());
    }
    std::vector<std::string_view> words{"XREAD", "COUNT", messages_at_once, "BLOCK", "5000", "STREAMS"};
    words.insert(words.end(), names.begin(), names.end());
    words.insert(words.end(), from.begin(), from.end());
    is_reading_ = true;
    is_stale_ = false;
    feed_.ask(words, [this](const redisReply* answer) {
        if (answer == nullptr) return;
        is_reading_ = false;
        if (is_error(answer)) return lose(text_of(answer));
        for (const redisReply* const stream : elements_of(answer)) { // [[key, [entry, ...]], ...]
            const auto parts = elements_of(stream);
            const std::string room(text_of(parts[0]).substr(key_of({}).size()));
            for (const redisReply* const entry : elements_of(parts[1])) {
                const auto place = followed_.find(room);
                if (place == followed_.end()) break;
                const said what = said_of(*entry);
                place->second = what.id;
                tell_.on_said(room, what);
            }
        }
        read();
    });
}

/// Has the command that waits come back. Redis answers 0 when that command has not reached it yet: then again.
void redis_engine::read_all_rooms() {
    is_stale_ = true;
    if (!is_reading_) return read();
    if (std::exchange(is_unblocking_, true)) return;
    asking_.ask({"CLIENT", "UNBLOCK", feed_id_}, [this](const redisReply* answer) {
        if (answer == nullptr) return;
        is_unblocking_ = false;
        if (is_reading_ && is_stale_) read_all_rooms();
    });
}
