#include "conversation.hpp"

#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace client {
namespace {

constexpr std::size_t buffer_size = 64 * 1024;
constexpr std::size_t max_message = 64 * 1024 * 1024;
constexpr std::uint32_t max_fragments = 1024 * 1024;
constexpr std::size_t max_unsent = 1024 * 1024;

int poll_timeout(wsolo::time_point until) {
    if (until == wsolo::no_deadline) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    return left.count() <= 0 ? 0 : static_cast<int>(left.count() < 60'000 ? left.count() : 60'000);
}

} // namespace

conversation::conversation(descriptor socket, const url& to, mode how)
    : socket_(std::move(socket)),
      mode_(how),
      input_is_over_(how != mode::talk),
      connection_(wsolo::adapt::posix_socket(socket_.get()), mark_due{&is_due_}, answering{how},
                  {.host = to.authority, .target = to.target}, options_of()) {
    if (buffer_.extend(buffer_size) == nullptr) throw std::bad_alloc();
    wants_ = connection_.run();
}

wsolo::client_options conversation::options_of() {
    wsolo::client_options chosen;
    chosen.reading = {
        .max_frame_size = max_message, .max_message_size = max_message, .max_fragments = max_fragments};
    chosen.writing.limits.max_bytes = 2 * max_message + 4 * max_unsent;
    chosen.writing.limits.max_message = 0; // what it echoes is bounded by what it reads
    chosen.max_unsent = max_unsent;
    return chosen;
}

wsolo::ending conversation::run() {
    while (!wants_.finished) {
        if (std::exchange(is_due_, false)) {
            wants_ = connection_.run();
            continue;
        }
        const bool is_watched =
            wants_.read || wants_.write; // poll() tells a hang-up unasked, again and again
        pollfd watched[] = {{is_watched ? socket_.get() : -1, 0, 0},
                            {wants_input() ? STDIN_FILENO : -1, POLLIN, 0}};
        watched[0].events = static_cast<short>((wants_.read ? POLLIN : 0) | (wants_.write ? POLLOUT : 0));
        const int happened = ::poll(watched, 2, poll_timeout(wants_.deadline));
        if (happened < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
        constexpr int broken = POLLERR | POLLHUP; // recv and send say how
        if (wants_.read && (watched[0].revents & (POLLIN | broken)) != 0) read_socket();
        if (watched[1].revents != 0) read_input();
        if (happened == 0 || (wants_.write && (watched[0].revents & (POLLOUT | broken)) != 0))
            wants_ = connection_.run();
    }
    return connection_.how_it_ended();
}

void conversation::read_socket() {
    const ssize_t count = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
    if (count > 0) {
        wants_ = connection_.receive(buffer_.view().first(static_cast<std::size_t>(count)));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        wants_ = connection_.end_of_input(count == 0 ? wsolo::errc::none : wsolo::errc::connection_lost);
    }
}

bool conversation::wants_input() const noexcept {
    return connection_.opened() != nullptr && !input_is_over_ &&
           !wants_.write; // no faster than the server reads
}

void conversation::read_input() {
    char bytes[4096];
    const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (count > 0) typed_.append(bytes, static_cast<std::size_t>(count));
    if (count <= 0 && !typed_.empty()) typed_ += '\n';
    std::size_t begin = 0;
    for (std::size_t end; (end = typed_.find('\n', begin)) != typed_.npos; begin = end + 1)
        send_line(std::string_view(typed_).substr(begin, end - begin));
    typed_.erase(0, begin);
    if (count > 0) return;
    input_is_over_ = true;
    wants_ = connection_.close();
}

void conversation::send_line(std::string_view line) {
    if (!wsolo::is_valid_utf8(wsolo::bytes_of(line))) {
        std::fprintf(stderr, "client: not sent, because it is not UTF-8\n");
    } else if (const wsolo::errc error = connection_.opened()->send_text(line); error != wsolo::errc::none) {
        std::fprintf(stderr, "client: not sent: %.*s\n", static_cast<int>(to_string(error).size()),
                     to_string(error).data());
    }
}

wsolo::errc conversation::print(const wsolo::message& received) {
    if (received.is_text()) {
        std::printf("%.*s\n", static_cast<int>(received.size()), received.text().data());
    } else {
        std::printf("(%zu bytes)\n", received.size());
    }
    std::fflush(stdout);
    return wsolo::errc::none;
}

} // namespace client
