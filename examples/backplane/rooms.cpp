#include "rooms.hpp"

#include <wsolo/text/utf8.hpp>

#include <utility>

namespace {

/// Empty: there is no memory.
wsolo::shared_frame frame_of(const std::string& text) {
    auto made = wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of(text));
    return made ? std::move(*made) : wsolo::shared_frame();
}

/// Empty: it is not a message of ours.
wsolo::shared_frame frame_of(const said& what) {
    if (!what.is_ours || !wsolo::is_valid_utf8(wsolo::bytes_of(what.text))) return {};
    return frame_of(what.id.text() + ' ' + what.text);
}

wsolo::shared_frame resync_frame(const message_id& at) { return frame_of("resync " + at.text()); }

} // namespace

rooms::rooms(engine& between) : between_(between) {
    between.open({[this](bool is_up) {
                      is_ready_ = is_up;
                      if (!is_up) return;
                      for (auto& each : rooms_) find(each.first);
                  },
                  [this](const std::string& name, const said& what) {
                      const auto place = rooms_.find(name);
                      if (place != rooms_.end() && place->second.at) deliver(place->second, what);
                  }});
}

// ---- who is there

rooms::member_number rooms::enter(const std::string& name, std::optional<message_id> after, visitor who) {
    const auto [place, is_new] = rooms_.try_emplace(name);
    const member_number number = ++last_member_;
    place->second.arrivals.emplace(number, arrival{std::move(who), after, false, {}, {}, 0});
    if (place->second.at) {
        admit(name, place->second, number);
    } else if (is_new && is_ready_) {
        find(name);
    }
    return number;
}

void rooms::leave(const std::string& name, member_number whose) {
    const auto place = rooms_.find(name);
    if (place == rooms_.end()) return;
    place->second.seats.erase(whose);
    place->second.arrivals.erase(whose);
    if (place->second.seats.empty() && place->second.arrivals.empty()) {
        rooms_.erase(place);
        between_.unfollow(name);
    }
    finish_if_ended();
}

void rooms::end() {
    is_ending_ = true;
    finish_if_ended();
}

void rooms::finish_if_ended() {
    if (!is_ending_ || !rooms_.empty()) return;
    is_ready_ = false;
    between_.close();
}

/// Where a room stands that is new here, or after the engine was away: goes on from what was seen, if its epoch goes on.
void rooms::find(const std::string& name) {
    between_.find(name, [this, name](std::optional<message_id> last) {
        const auto place = rooms_.find(name);
        if (place == rooms_.end() || !last) return; // it is lost: then it is found when the engine is back
        room& in = place->second;
        const bool is_other = in.at && in.at->epoch != last->epoch;
        if (!in.at || is_other) in.at = last;
        if (is_other) resync(in, *in.at);
        between_.follow(name, *in.at);
        admit_all(name, in);
    });
}

void rooms::admit_all(const std::string& name, room& in) {
    std::vector<member_number> all;
    for (const auto& each : in.arrivals) all.push_back(each.first);
    for (const member_number each : all) admit(name, in, each);
}

/// The room's number is known.
void rooms::admit(const std::string& name, room& in, member_number whose) {
    arrival& who = in.arrivals.at(whose);
    if (who.after == in.at) return seat(in, whose);
    if (!who.after) {
        static_cast<void>(who.who.send(resync_frame(*in.at)));
        return seat(in, whose);
    }
    if (!is_ready_) return; // find() comes back to it
    who.is_asked = true;
    who.upto.reset();
    who.kept.clear();
    who.kept_size = 0;
    between_.recall(name, *who.after, [this, name, whose](const engine::recalled& missed) {
        const auto place = rooms_.find(name);
        if (place != rooms_.end() && !missed.is_lost) catch_up(place->second, whose, missed);
    });
}

/// What it missed if all of that is there, and otherwise that it is not. Then what was said since the engine was asked. The
/// answer may be ahead of what the room here has read.
void rooms::catch_up(room& in, member_number whose, const engine::recalled& missed) {
    const auto place = in.arrivals.find(whose);
    if (place == in.arrivals.end()) return;
    arrival& who = place->second;
    message_id last = *who.after;
    bool is_whole = missed.is_known;
    std::size_t size = 0;
    std::vector<wsolo::shared_frame> frames;
    for (const said& what : missed.messages) {
        is_whole = is_whole && last.is_followed_by(what.id);
        if (!is_whole) break;
        last = what.id;
        frames.push_back(frame_of(what));
        size += frames.back().bytes().size();
        is_whole = frames.back() && size <= max_history;
    }
    if (!is_whole) {
        static_cast<void>(who.who.send(resync_frame(*in.at)));
        return seat(in, whose);
    }
    for (const auto& each : frames) static_cast<void>(who.who.send(each));
    if (last > *in.at) {
        who.after = who.upto = last; // deliver() seats it
        return;
    }
    for (const auto& [id, frame] : who.kept)
        if (id > last) static_cast<void>(who.who.send(frame));
    seat(in, whose);
}

void rooms::seat(room& in, member_number whose) {
    auto who = in.arrivals.extract(whose);
    if (auto joined = who.mapped().who.join(in.members)) in.seats.emplace(whose, std::move(*joined));
}

// ---- what is said

void rooms::say(const std::string& name, std::string_view text, visitor who) {
    std::string unsaid = "unsaid " + std::string(text);
    if (!is_ready_ || unconfirmed_ >= max_unconfirmed) {
        static_cast<void>(who.send(frame_of(unsaid)));
        return;
    }
    ++unconfirmed_;
    between_.publish(name, text, [this, who = std::move(who), unsaid = std::move(unsaid)](bool is_said) {
        --unconfirmed_;
        if (!is_said) static_cast<void>(who.send(frame_of(unsaid)));
    });
}

void rooms::deliver(room& in, const said& what) {
    if (!in.at->is_followed_by(what.id)) resync(in, {what.id.epoch, what.id.number - 1});
    in.at = what.id;
    const wsolo::shared_frame frame = frame_of(what);
    if (!frame) return resync(in, what.id);
    static_cast<void>(in.members.send(frame)); // those without room are cut off
    std::vector<member_number> there;
    for (auto& [number, who] : in.arrivals) {
        if (who.upto == what.id) there.push_back(number);
        if (!who.is_asked || who.upto) continue;
        who.kept.emplace_back(what.id, frame);
        who.kept_size += frame.bytes().size();
        if (who.kept_size <= max_kept) continue;
        static_cast<void>(who.who.send(resync_frame(what.id)));
        there.push_back(number);
    }
    for (const member_number each : there) seat(in, each);
}

/// Everyone, those who have not caught up yet too.
void rooms::resync(room& in, const message_id& at) {
    const wsolo::shared_frame frame = resync_frame(at);
    static_cast<void>(in.members.send(frame));
    while (!in.arrivals.empty()) {
        static_cast<void>(in.arrivals.begin()->second.who.send(frame));
        seat(in, in.arrivals.begin()->first);
    }
}
