#include "nats_engine.hpp"

#include <asio/post.hpp>

#include <cstdio>
#include <utility>

namespace {

constexpr std::int64_t patience = 2000; // milliseconds for a call that waits

/// A stream's name has no dots and spaces: a room's may have.
std::string hex_of(const std::string& room) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string all;
    for (const char each : room) {
        const auto value = static_cast<unsigned char>(each);
        all += {digits[value >> 4U], digits[value & 15U]};
    }
    return all;
}
std::string stream_of(const std::string& room) { return "room_" + hex_of(room); }
std::string subject_of(const std::string& room) { return "room." + hex_of(room); }

jsOptions patient() {
    jsOptions how;
    jsOptions_Init(&how);
    how.Wait = patience;
    return how;
}

/// An ordered consumer from this number on.
jsSubOptions from(const std::string& stream, std::uint64_t number) {
    jsSubOptions how;
    jsSubOptions_Init(&how);
    how.Stream = stream.c_str();
    how.Ordered = true;
    how.Config.DeliverPolicy = js_DeliverByStartSequence;
    how.Config.OptStartSeq = number;
    return how;
}

/// 0: it is none of the stream's.
std::uint64_t number_of(natsMsg* message) {
    jsMsgMetaData* found = nullptr;
    if (natsMsg_GetMetaData(&found, message) != NATS_OK) return 0;
    const std::uint64_t number = found->Sequence.Stream;
    jsMsgMetaData_Destroy(found);
    return number;
}

said said_of(std::uint64_t epoch, std::uint64_t number, natsMsg* message) {
    return {{epoch, number},
            {natsMsg_GetData(message), static_cast<std::size_t>(natsMsg_GetDataLength(message))},
            true};
}

std::uint64_t milliseconds(std::int64_t nanoseconds) {
    return static_cast<std::uint64_t>(nanoseconds / 1'000'000);
}

} // namespace

/// One room that is followed. NATS has it until its last callback is over.
struct nats_engine::subscription {
    struct closure {
        nats_engine* of;
        std::string room;
        std::uint64_t epoch;
        flag is_over;
    };
    subscription() = default;
    subscription(const subscription&) = delete;
    subscription& operator=(const subscription&) = delete;
    ~subscription() { natsSubscription_Destroy(natural); }

    natsSubscription* natural = nullptr;
};

nats_engine::nats_engine(asio::io_context& loop, std::string url) : loop_(loop), url_(std::move(url)) {}

nats_engine::~nats_engine() {
    close();
    worker_.join();
    followed_.clear();
    jsCtx_Destroy(stream_);
    natsConnection_Destroy(connection_);
    nats_CloseAndWait(5000);
}

// ---- it comes and goes

void nats_engine::open(hooks tell) {
    tell_ = std::move(tell);
    natsOptions* how = nullptr;
    if (natsOptions_Create(&how) != NATS_OK) return;
    const auto is_back = [](natsConnection*, void* self) { static_cast<nats_engine*>(self)->change(true); };
    const auto is_lost = [](natsConnection*, void* self) { static_cast<nats_engine*>(self)->change(false); };
    natsOptions_SetURL(how, url_.c_str());
    natsOptions_SetMaxReconnect(how, -1);
    natsOptions_SetReconnectWait(how, 200);
    natsOptions_SetReconnectJitter(how, 50, 50);
    natsOptions_SetReconnectBufSize(how, 0); // what can't be sent now is refused
    natsOptions_SetRetryOnFailedConnect(how, true, is_back, this);
    natsOptions_SetReconnectedCB(how, is_back, this);
    natsOptions_SetDisconnectedCB(how, is_lost, this);
    natsOptions_UseGlobalMessageDelivery(how, true); // not a thread for each room
    natsOptions_SetErrorHandler(how, [](natsConnection*, natsSubscription*, natsStatus, void*) {}, nullptr);
    const natsStatus status = natsConnection_Connect(&connection_, how);
    natsOptions_Destroy(how);
    jsOptions waiting = patient();
    if (connection_ == nullptr || natsConnection_JetStream(&stream_, connection_, &waiting) != NATS_OK)
        std::fprintf(stderr, "backplane: NATS: %s\n", natsStatus_GetText(status));
    else if (status == NATS_OK)
        change(true);
}

void nats_engine::close() {
    if (is_closed_.exchange(true)) return;
    ++run_;
    slots_.release();
    if (connection_ != nullptr) natsConnection_Close(connection_);
}

/// NATS's thread.
void nats_engine::change(bool is_up) {
    if (!is_up) ++run_;
    post([this, is_up] {
        if (std::exchange(is_up_, is_up) == is_up) return;
        std::fprintf(stderr, "backplane: %s NATS\n", is_up ? "has" : "no");
        while (!is_up && !over_.empty()) drop(over_.begin()->first);
        tell_.on_change(is_up);
    });
}

/// To the context; any thread.
void nats_engine::post(std::function<void()> call) {
    asio::post(loop_, [this, call = std::move(call)] {
        if (!is_closed_) call();
    });
}

// ---- questions

void nats_engine::find(const std::string& room, std::function<void(std::optional<message_id>)> then) {
    asio::post(worker_, [this, room, then = std::move(then), run = run_.load()] {
        std::optional<message_id> found;
        while (is_current(run) && !(found = look_up(room)))
            nats_Sleep(100); // JetStream comes up after the server
        post([then, found] { then(found); });
    });
}

/// Where the stream stands, which is made if it is not there.
std::optional<message_id> nats_engine::look_up(const std::string& room) {
    const std::string name = stream_of(room);
    const std::string subject = subject_of(room);
    jsStreamInfo* info = nullptr;
    jsErrCode why{};
    if (js_GetStreamInfo(&info, stream_, name.c_str(), nullptr, &why) != NATS_OK) {
        if (why != JSStreamNotFoundErr) return std::nullopt;
        const char* subjects[] = {subject.c_str()};
        jsStreamConfig how;
        jsStreamConfig_Init(&how);
        how.Name = name.c_str();
        how.Subjects = subjects;
        how.SubjectsLen = 1;
        how.MaxMsgs = kept_messages;
        if (js_AddStream(&info, stream_, &how, nullptr, &why) != NATS_OK) return std::nullopt;
    }
    const message_id at{milliseconds(info->Created), info->State.LastSeq};
    jsStreamInfo_Destroy(info);
    return at;
}

void nats_engine::recall(const std::string& room, const message_id& after,
                         std::function<void(recalled)> then) {
    asio::post(worker_, [this, room, after, then = std::move(then), run = run_.load()] {
        recalled missed{.is_lost = true, .is_known = false, .messages = {}};
        if (is_current(run)) missed = read_back(room, after);
        missed.is_lost = !is_current(run);
        post([then, missed = std::move(missed)] { then(missed); });
    });
}

engine::recalled nats_engine::read_back(const std::string& room, const message_id& after) {
    recalled all;
    const auto at = look_up(room);
    if (!at || at->epoch != after.epoch || after.number > at->number) return all;
    all.is_known = after.number == 0;
    if (at->number == 0) return all;
    const std::string name = stream_of(room);
    jsSubOptions how = from(name, after.number == 0 ? 1 : after.number);
    natsSubscription* reading = nullptr;
    if (js_SubscribeSync(&reading, stream_, subject_of(room).c_str(), nullptr, &how, nullptr) != NATS_OK)
        return {};
    for (std::uint64_t last = 0; last < at->number;) {
        natsMsg* message = nullptr;
        if (natsSubscription_NextMsg(&message, reading, patience) != NATS_OK) {
            all = {};
            break;
        }
        last = number_of(message);
        if (last == after.number) all.is_known = true;
        if (last > after.number) all.messages.push_back(said_of(at->epoch, last, message));
        natsMsg_Destroy(message);
    }
    natsSubscription_Destroy(reading);
    return all;
}

void nats_engine::publish(const std::string& room, std::string_view text, std::function<void(bool)> then) {
    asio::post(worker_, [this, subject = subject_of(room), text = std::string(text), then = std::move(then),
                         run = run_.load()] {
        const bool is_said =
            is_current(run) && js_Publish(nullptr, stream_, subject.c_str(), text.data(),
                                          static_cast<int>(text.size()), nullptr, nullptr) == NATS_OK;
        post([then, is_said] { then(is_said); });
    });
}

// ---- the rooms that are followed

void nats_engine::follow(const std::string& room, const message_id& after) {
    drop(room);
    const flag is_over = over_[room] = std::make_shared<std::atomic<bool>>(false);
    asio::post(worker_, [this, room, after, is_over, run = run_.load()] {
        while (is_current(run) && !*is_over) {
            subscribe(room, after, is_over);
            if (followed_.contains(room)) return;
            nats_Sleep(100);
        }
    });
}

void nats_engine::unfollow(const std::string& room) {
    drop(room);
    asio::post(worker_, [this, room] { followed_.erase(room); });
}

/// What NATS still has for it goes no further.
void nats_engine::drop(const std::string& room) {
    const auto found = over_.find(room);
    if (found == over_.end()) return;
    found->second->store(true);
    over_.erase(found);
}

void nats_engine::subscribe(const std::string& room, const message_id& after, const flag& is_over) {
    followed_.erase(room);
    auto fresh = std::make_unique<subscription>();
    auto kept = std::make_unique<subscription::closure>(this, room, after.epoch, is_over);
    const auto on_message = [](natsConnection*, natsSubscription*, natsMsg* message, void* data) {
        const auto& known = *static_cast<subscription::closure*>(data);
        nats_engine& self = *known.of;
        said what = said_of(known.epoch, number_of(message), message);
        natsMsg_Destroy(message);
        if (what.id.number == 0 || *known.is_over) return;
        self.slots_.acquire();
        if (self.is_closed_) return self.slots_.release(); // for the next one that waits
        asio::post(self.loop_, [&self, room = known.room, what = std::move(what), is_over = known.is_over] {
            self.slots_.release();
            if (!self.is_closed_ && !*is_over) self.tell_.on_said(room, what);
        });
    };
    const std::string name = stream_of(room);
    jsSubOptions how = from(name, after.number + 1);
    subscription::closure* const data = kept.release(); // NATS's, until the last callback is over
    if (js_Subscribe(&fresh->natural, stream_, subject_of(room).c_str(), on_message, data, nullptr, &how,
                     nullptr) != NATS_OK) {
        delete data;
        return;
    }
    natsSubscription_SetOnCompleteCB(
        fresh->natural, [](void* old) { delete static_cast<subscription::closure*>(old); }, data);
    followed_.emplace(room, std::move(fresh));
}
