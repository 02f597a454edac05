#pragma once
// One connection's talk, on poll(): what arrives is printed or sent back, what is typed is sent.
//
// Laws of this file:
// - One thread: the schedule hook only leaves a mark, which the loop sees before it waits.
// - Nothing that is typed leaves before the handshake is over.
// - End of standard input begins the closing handshake; what the server still has to say is printed.

#include "descriptor.hpp"
#include "url.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/client_connection.hpp>

namespace client {

enum class mode : std::uint8_t {
    talk,   ///< each line of standard input is a text message; what arrives is printed
    listen, ///< only prints, until the server closes
    echo,   ///< sends back every message, until the server closes
};

class conversation {
public:
    /// `socket`: connected, and not blocking.
    conversation(descriptor socket, const url& to, mode how);

    /// Until the connection has ended. Returns how.
    wsolo::ending run();
    /// The status of the server's answer; 0: there was none.
    [[nodiscard]] int status() const noexcept { return connection_.status(); }

private:
    struct mark_due {
        bool* is_due;
        void operator()() const noexcept { *is_due = true; }
    };
    struct answering {
        mode how;
        wsolo::errc on_message(auto& connection, const wsolo::message& received) {
            return how == mode::echo ? connection.send(received) : print(received);
        }
    };
    static wsolo::errc print(const wsolo::message& received);
    static wsolo::client_options options_of();

    void read_socket();
    void read_input();
    void send_line(std::string_view line);
    [[nodiscard]] bool wants_input() const noexcept;

    descriptor socket_;
    mode mode_;
    bool is_due_ = false;
    bool input_is_over_;
    std::string typed_;
    wsolo::byte_buffer buffer_;
    wsolo::client_connection<wsolo::adapt::posix_socket, mark_due, answering> connection_;
    wsolo::endpoint_wants wants_;
};

} // namespace client
