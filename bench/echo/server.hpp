#pragma once
// What every server of these benchmarks shares: `NAME [--broadcast] [--heap] [--deflate MODE]`, one thread, one line "listening on PORT".
//
// Laws of this file:
// - A server sends back each message as it is, or, with --broadcast, sends it to all connections.
// - With --deflate messages are compressed; a server that can't refuses to begin.
// - With --heap a second thread prints the bytes of heap in use for each byte on standard input. Without it there is one thread
//   only, because malloc is slower in a process that ever had two.
// - It listens on the loopback interface under cubic, which its connections inherit: bbr paces, and would be what is measured.
// - It ends with the process that started it.

#include "support/heap.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace echo {

/// Ends the program when it is false.
inline void must(bool succeeded, const char* what) {
    if (succeeded) return;
    std::perror(what);
    std::exit(1);
}

struct arguments {
    bool broadcasts = false;
    std::string_view deflate; ///< empty: no compression

    arguments(int count, char** given) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        rlimit files{};
        ::getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
        for (int i = 1; i < count; ++i) {
            if (std::strcmp(given[i], "--broadcast") == 0) {
                broadcasts = true;
            } else if (std::strcmp(given[i], "--heap") == 0) {
                tell_heap();
            } else if (std::strcmp(given[i], "--deflate") == 0 && i + 1 < count) {
                deflate = given[++i];
            } else {
                std::fprintf(stderr, "%s [--broadcast] [--heap] [--deflate MODE]\n", given[0]);
                std::exit(2);
            }
        }
    }

private:
    static void tell_heap() {
        std::thread([] {
            char asked = 0;
            while (::read(STDIN_FILENO, &asked, 1) == 1) {
                std::printf("heap %.0f\n", bench::heap_bytes());
                std::fflush(stdout);
            }
        }).detach();
    }
};

/// A socket that listens: its connections are under cubic.
inline void under_cubic(int listening) {
    must(::setsockopt(listening, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) == 0, "cubic");
}

inline void say_listening(int listening) {
    sockaddr_in where{};
    socklen_t size = sizeof where;
    must(::getsockname(listening, reinterpret_cast<sockaddr*>(&where), &size) == 0, "getsockname");
    std::printf("listening on %u\n", unsigned{ntohs(where.sin_port)});
    std::fflush(stdout);
}

/// The descriptor, with a backlog for ten thousand that come at once.
inline int listen_somewhere() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(::bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0, "bind");
    under_cubic(fd);
    must(::listen(fd, 4096) == 0, "listen");
    say_listening(fd);
    return fd;
}

} // namespace echo
