#pragma once
// One connection's talk, on poll(): what arrives is printed or sent back, what is typed is sent.
//
// Laws of this file:
// - One thread: the schedule hook only leaves a mark, which the loop sees before it waits.
// - End of standard input begins the closing handshake; what the server still has to say is printed.

#include "dial.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/endpoint.hpp>

namespace client {

enum class mode : std::uint8_t {
    talk,   ///< each line of standard input is a text message; what arrives is printed
    listen, ///< only prints, until the server closes
    echo,   ///< sends back every message, until the server closes
};

class conversation {
public:
    conversation(dialled connection, mode how);

    /// Until the connection has ended. Returns how.
    const wsolo::ending& run();

private:
    struct mark_due {
        bool* is_due;
        void operator()() const noexcept { *is_due = true; }
    };
    struct answering {
        mode how;
        wsolo::errc on_message(auto& connection, const wsolo::message& received) {
            if (how != mode::echo) return print(received);
            return received.is_text() ? connection.send_text(received.text())
                                      : connection.send_binary(received.bytes());
        }
    };
    static wsolo::errc print(const wsolo::message& received);
    static wsolo::endpoint_options options_of(mode how);

    void read_socket();
    void read_input();
    void send_line(std::string_view line);
    [[nodiscard]] bool wants_input() const noexcept;

    dialled dialled_;
    mode mode_;
    bool is_due_ = false;
    bool input_is_over_;
    std::string typed_;
    wsolo::byte_buffer buffer_;
    wsolo::endpoint<wsolo::adapt::posix_socket, mark_due, answering, wsolo::client_side<>> connection_;
    wsolo::endpoint_wants wants_;
};

} // namespace client
