#pragma once
// The server as it is often written by hand. Nothing here is a data race, and the stream breaks all the same. Do not copy from
// this file.
//
// What is wrong:
// - A frame leaves as two writes, header and payload. Workers lock around the two, so they respect each other; the reader answers
//   a PING on the spot, without the lock: "it is only a control frame".
// - A worker waits inside of write() for a peer that does not read, and all other peers wait for the worker.
// - The end of the process is the end of the sockets.

#include "feed.hpp"

#include <wsolo/session/reader.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace demo {

class wrong_feed final : public feed {
public:
    explicit wrong_feed(const settings& how);
    ~wrong_feed() override;

    [[nodiscard]] std::uint16_t port() const noexcept override { return port_; }
    void push(std::string_view text) override;
    end_report stop(bool is_deploy) override;

    [[nodiscard]] std::uint64_t accepted() const noexcept override { return accepted_; }
    [[nodiscard]] std::uint64_t dropped() const override { return 0; }
    [[nodiscard]] std::uint64_t skipped() const noexcept override { return 0; }
    [[nodiscard]] std::size_t slow_backlog() const override { return 0; }

private:
    class connection {
    public:
        explicit connection(int socket) noexcept : socket_(socket) {}
        connection(const connection&) = delete;
        connection& operator=(const connection&) = delete;
        ~connection();

        [[nodiscard]] bool greet();
        void serve(); ///< reads and answers until the connection ends
        [[nodiscard]] bool push_text(std::string_view text);
        void cut_off() noexcept;
        [[nodiscard]] bool is_open() const noexcept { return is_open_; }

    private:
        bool take(wsolo::mutable_bytes received);
        bool write_all(wsolo::const_bytes bytes);

        const int socket_;
        wsolo::server_reader in_;
        std::mutex text_lock_;
        std::atomic<bool> is_open_ = true;
    };

    void accept_all();
    [[nodiscard]] std::vector<std::shared_ptr<connection>> present();

    std::atomic<std::uint64_t> accepted_ = 0;
    const int listening_;
    const std::uint16_t port_;
    std::atomic<bool> is_stopped_ = false;
    std::mutex lock_;
    std::vector<std::shared_ptr<connection>> present_;
    std::vector<std::jthread> readers_;
    std::jthread door_;
};

} // namespace demo
