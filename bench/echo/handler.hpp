#pragma once
// What wsolo's servers do with a message: echo it, or send it to all.

#include <wsolo/endpoint/server_connection.hpp>

namespace echo {

struct to_sender {
    wsolo::errc on_message(auto& ws, const wsolo::message& got) { return ws.send(got); }
};

template <class Group = wsolo::connection_group>
struct to_all {
    wsolo::errc on_message(auto&, const wsolo::message& got) {
        const wsolo::sent_to_all sent =
            got.is_text() ? everyone->send_text(got.text()) : everyone->send_binary(got.bytes());
        return sent.error;
    }

    Group* everyone;
};

} // namespace echo
