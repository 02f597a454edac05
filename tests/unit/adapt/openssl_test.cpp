// Would catch: a record that is lost, doubled or sent after other bytes when the socket was full, a handshake that waits for the
// wrong direction, an end without close_notify or before what was written, an end of TCP taken for one of TLS, SIGPIPE.

#include <support/catch.hpp>

#include <wsolo/adapt/openssl.hpp>

#include <cstdlib>
#include <filesystem>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string>

using namespace std::string_literals;
using wsolo::io_status;
using wsolo::adapt::openssl::context;
using wsolo::adapt::openssl::secured;
using wsolo::adapt::openssl::tls_stream;
using wsolo::adapt::poll::read_status;

namespace {

/// A certificate for this run, in files.
struct secrets {
    secrets() {
        REQUIRE(::mkdtemp(folder.data()) != nullptr);
        EVP_PKEY* made = nullptr;
        EVP_PKEY_CTX* const maker = ::EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr);
        REQUIRE(::EVP_PKEY_keygen_init(maker) == 1);
        REQUIRE(::EVP_PKEY_keygen(maker, &made) == 1);
        ::EVP_PKEY_CTX_free(maker);
        X509* const signed_one = ::X509_new();
        ::ASN1_INTEGER_set(::X509_get_serialNumber(signed_one), 1);
        ::X509_gmtime_adj(::X509_getm_notBefore(signed_one), -60);
        ::X509_gmtime_adj(::X509_getm_notAfter(signed_one), 3600);
        REQUIRE(::X509_set_pubkey(signed_one, made) == 1);
        REQUIRE(::X509_sign(signed_one, made, nullptr) != 0);
        write(chain(), [&](std::FILE* to) { return ::PEM_write_X509(to, signed_one); });
        write(key(), [&](std::FILE* to) {
            return ::PEM_write_PrivateKey(to, made, nullptr, nullptr, 0, nullptr, nullptr);
        });
        ::X509_free(signed_one);
        ::EVP_PKEY_free(made);
    }
    secrets(const secrets&) = delete;
    secrets& operator=(const secrets&) = delete;
    ~secrets() {
        ::unlink(chain().c_str());
        ::unlink(key().c_str());
        ::rmdir(folder.c_str());
    }
    [[nodiscard]] std::string chain() const { return folder + "/chain.pem"; }
    [[nodiscard]] std::string key() const { return folder + "/key.pem"; }

    std::string folder = (std::filesystem::temp_directory_path() / "wsolo-tls-XXXXXX").string();

private:
    static void write(const std::string& name, auto how) {
        std::FILE* const to = std::fopen(name.c_str(), "w");
        REQUIRE(to != nullptr);
        REQUIRE(how(to) == 1);
        std::fclose(to);
    }
};

struct client_context {
    explicit client_context(int version = TLS1_3_VERSION) {
        ::SSL_CTX_set_min_proto_version(made, version);
        ::SSL_CTX_set_max_proto_version(made, version);
    }
    client_context(const client_context&) = delete;
    client_context& operator=(const client_context&) = delete;
    ~client_context() { ::SSL_CTX_free(made); }
    SSL_CTX* made = ::SSL_CTX_new(::TLS_client_method());
};

/// A tls_stream, and a client at the other end of its socket: one thread, both non-blocking.
struct both_ends {
    explicit both_ends(int version = TLS1_3_VERSION, std::string alpn = "") : of(version) {
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        const int small = 4096;
        for (const int each : ends) ::setsockopt(each, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
        server.emplace(secured(made.get()), ends[0]);
        client = ::SSL_new(of.made);
        ::SSL_set_fd(client, ends[1]);
        ::SSL_set_connect_state(client);
        if (!alpn.empty())
            ::SSL_set_alpn_protos(client, reinterpret_cast<const unsigned char*>(alpn.data()),
                                  static_cast<unsigned>(alpn.size()));
    }
    both_ends(const both_ends&) = delete;
    both_ends& operator=(const both_ends&) = delete;
    ~both_ends() {
        ::SSL_free(client);
        for (const int each : ends)
            if (each >= 0) ::close(each);
    }

    /// Until the client is done; the server's last answer.
    read_status shake_hands() {
        read_status last = read_status::not_now;
        for (int i = 0; i < 100 && (::SSL_in_init(client) != 0 || i < 4); ++i) {
            ::ERR_clear_error();
            static_cast<void>(::SSL_do_handshake(client));
            char one = 0;
            std::size_t none = 0;
            if (::SSL_in_init(client) == 0)
                static_cast<void>(::SSL_peek_ex(client, &one, 1, &none)); // tickets
            last = server->it.read(room).status;
            if (last == read_status::failed) break;
        }
        return last;
    }
    /// What the server reads now.
    [[nodiscard]] std::string server_hears(read_status last) {
        std::string all;
        for (;;) {
            const auto got = server->it.read(room);
            if (got.status != read_status::some) {
                CHECK(got.status == last);
                return all;
            }
            all.append(reinterpret_cast<const char*>(room.data()), got.size);
        }
    }
    /// What the client reads now; `ended` when its stream has, in order.
    [[nodiscard]] std::string client_hears(bool* ended = nullptr) const {
        std::string all;
        char part[5000];
        std::size_t size = 0;
        ::ERR_clear_error();
        int answer = 0;
        while ((answer = ::SSL_read_ex(client, part, sizeof part, &size)) == 1) all.append(part, size);
        const int why = ::SSL_get_error(client, answer);
        if (ended != nullptr) {
            *ended = why == SSL_ERROR_ZERO_RETURN;
        } else {
            CHECK(why == SSL_ERROR_WANT_READ);
        }
        return all;
    }
    void client_says(std::string_view what) const {
        std::size_t size = 0;
        REQUIRE(::SSL_write_ex(client, what.data(), what.size(), &size) == 1);
        REQUIRE(size == what.size());
    }
    wsolo::io_result server_says(std::string_view what) {
        const wsolo::const_bytes part = wsolo::bytes_of(what);
        return server->end.write(std::span(&part, 1), wsolo::no_deadline);
    }

    struct server_end {
        server_end(const secured& wrap, int fd) : it(wrap(fd)), end(it.writing_end()) {}
        tls_stream it;
        decltype(std::declval<tls_stream&>().writing_end()) end;
    };
    secrets files;
    context made{files.chain().c_str(), files.key().c_str()};
    client_context of;
    int ends[2] = {-1, -1};
    std::optional<server_end> server;
    SSL* client = nullptr;
    std::vector<std::byte> room = std::vector<std::byte>(64 * 1024);
};

constexpr int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

std::string numbered(std::size_t size, int seed) {
    std::string text(size, '\0');
    auto next = static_cast<unsigned>(seed);
    for (char& each : text) each = static_cast<char>('a' + (next = next * 1103515245 + 12345) / 65536 % 26);
    return text;
}

} // namespace

TEST_CASE("both directions of a session, at once", "[adapt][openssl]") {
    for (const int version : versions) {
        both_ends pair(version);
        CHECK(pair.shake_hands() == read_status::not_now);
        CHECK(pair.server->it.read_needs() == POLLIN);
        pair.client_says("question");
        CHECK(pair.server_says("answer").transferred == 6);
        CHECK(pair.server_hears(read_status::not_now) == "question");
        CHECK(pair.client_hears() == "answer");
        CHECK(::SSL_version(pair.client) == version);
    }
}

TEST_CASE("what did not fit leaves first, whatever is written next", "[adapt][openssl]") {
    for (const int version : versions) {
        both_ends pair(version);
        CHECK(pair.shake_hands() == read_status::not_now);
        std::string accepted;
        std::string heard;
        int seed = 0;
        int full = 0;
        while (accepted.size() < 1'000'000) {
            // Another length and other bytes than those that were refused: a PONG that overtakes, say.
            const std::string next = numbered(static_cast<std::size_t>(1 + seed * 7919 % 60'000), seed);
            ++seed;
            const auto how = pair.server_says(next);
            if (how.status == io_status::ok) {
                REQUIRE(how.transferred > 0);
                accepted.append(next, 0, how.transferred);
                continue;
            }
            REQUIRE(how.status == io_status::would_block);
            ++full;
            CHECK(pair.server->it.has_unwritten());
            CHECK(pair.server->it.write_needs() == POLLOUT);
            CHECK(pair.server->end.unsent() > 0);
            heard += pair.client_hears();
        }
        CHECK(full > 10);
        for (int i = 0; i < 100 && pair.server->it.has_unwritten(); ++i) {
            heard += pair.client_hears();
            pair.server->it.flush();
        }
        CHECK_FALSE(pair.server->it.has_unwritten());
        heard += pair.client_hears();
        CHECK((heard == accepted));
    }
}

TEST_CASE("the goodbye comes after all that was written, and then TCP's end", "[adapt][openssl]") {
    for (const int version : versions) {
        both_ends pair(version);
        CHECK(pair.shake_hands() == read_status::not_now);
        std::string accepted;
        for (int seed = 0;; ++seed) {
            const std::string next = numbered(10'000, seed);
            const auto how = pair.server_says(next);
            if (how.status != io_status::ok) break;
            accepted.append(next, 0, how.transferred);
        }
        pair.server->end.end_output();
        CHECK(pair.server->it.has_unwritten());
        std::string heard;
        bool ended = false;
        for (int i = 0; i < 100 && !ended; ++i) {
            heard += pair.client_hears(&ended);
            if (pair.server->it.has_unwritten()) pair.server->it.flush();
        }
        CHECK(ended);
        CHECK((heard == accepted));
        char one = 0;
        CHECK(::recv(pair.ends[1], &one, 1, MSG_DONTWAIT) == 0);
        pair.client_says("still to be read"); // this direction is open
        CHECK(pair.server_hears(read_status::not_now) == "still to be read");
        CHECK(::SSL_shutdown(pair.client) == 1);
        CHECK(pair.server_hears(read_status::end).empty());
    }
}

TEST_CASE("after the end of both directions what was kept leaves, unless that is an abort",
          "[adapt][openssl]") {
    for (const int version : versions) {
        for (const bool is_abort : {false, true}) {
            both_ends pair(version);
            CHECK(pair.shake_hands() == read_status::not_now);
            std::string accepted;
            for (int seed = 0; !pair.server->it.has_unwritten(); ++seed) {
                const std::string next = numbered(10'000, seed);
                const auto how = pair.server_says(next);
                REQUIRE(how.status == io_status::ok);
                accepted.append(next, 0, how.transferred);
            }
            if (!is_abort) pair.server->end.end_output();
            pair.server->end.disconnect();
            CHECK(pair.server->it.has_unwritten() == !is_abort);
            std::string heard;
            for (bool ended = is_abort; !ended;) {
                heard += pair.client_hears(&ended);
                if (!ended) REQUIRE(pair.server->it.has_unwritten());
                pair.server->it.flush();
            }
            CHECK((heard == accepted) == !is_abort);
            char part[5000];
            while (::recv(pair.ends[1], part, sizeof part, MSG_DONTWAIT) > 0) {}
            CHECK(::recv(pair.ends[1], part, 1, MSG_DONTWAIT) == 0); // and not EAGAIN
            CHECK(pair.server->end.session() == pair.server->it.session());
        }
    }
}

TEST_CASE("a small room leaves something to read, and the loop is told so", "[adapt][openssl]") {
    both_ends pair;
    CHECK(pair.shake_hands() == read_status::not_now);
    pair.client_says("ten bytes.");
    std::byte small[4];
    std::string all;
    for (const std::size_t size : {4U, 4U, 2U}) {
        const auto got = pair.server->it.read(small);
        REQUIRE(got.status == read_status::some);
        CHECK(got.size == size);
        CHECK(pair.server->it.has_read_ahead() == (size == 4));
        all.append(reinterpret_cast<const char*>(small), got.size);
    }
    CHECK(all == "ten bytes.");
    pair.client_says("last");
    CHECK(::SSL_shutdown(pair.client) == 0);
    CHECK(pair.server->it.read(pair.room).size == 4);
    CHECK(pair.server->it.has_read_ahead()); // the end
    CHECK(pair.server->it.read(pair.room).status == read_status::end);
}

TEST_CASE("an end of TCP is none of TLS", "[adapt][openssl]") {
    both_ends pair;
    CHECK(pair.shake_hands() == read_status::not_now);
    pair.client_says("before");
    ::close(std::exchange(pair.ends[1], -1));
    CHECK(pair.server_hears(read_status::failed) == "before");
    CHECK(pair.server_says("to no peer").status == io_status::failed);
    pair.server->end.end_output(); // without a word
    CHECK_FALSE(pair.server->it.has_unwritten());
}

TEST_CASE("a peer that is gone raises no signal", "[adapt][openssl]") {
    both_ends pair; // SIGPIPE would end the program
    CHECK(pair.shake_hands() == read_status::not_now);
    ::close(std::exchange(pair.ends[1], -1));
    auto how = pair.server_says("into the void");
    for (int i = 0; i < 10 && how.status == io_status::ok; ++i) how = pair.server_says("into the void");
    CHECK(how.status == io_status::failed);
}

TEST_CASE("a session for kernel TLS is written by OpenSSL itself, and others are not", "[adapt][openssl]") {
#if defined(SSL_OP_ENABLE_KTLS)
    const secrets files;
    const context made(files.chain().c_str(), files.key().c_str());
    const bool is_wanted = GENERATE(false, true);
    if (is_wanted) ::SSL_CTX_set_options(made.get(), SSL_OP_ENABLE_KTLS);
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    SSL* const session = ::SSL_new(made.get());
    {
        const tls_stream stream(ends[0], session); // an alert by any other write() would be data
        CHECK((::BIO_method_name(::SSL_get_wbio(session)) == "socket"s) == is_wanted);
    }
    for (const int each : ends) ::close(each);
#endif
}

TEST_CASE("what was said before a write failed is still read", "[adapt][openssl]") {
    both_ends pair;
    CHECK(pair.shake_hands() == read_status::not_now);
    pair.client_says("last words");
    ::shutdown(pair.ends[1], SHUT_RD);
    CHECK(pair.server_says("too late").status == io_status::failed);
    pair.server->end.end_output();
    CHECK(pair.server_hears(read_status::not_now) == "last words");
}

TEST_CASE("http/1.1 is agreed to where protocols are listed", "[adapt][openssl]") {
    const auto agreed = [](const std::string& offered) {
        both_ends pair(TLS1_3_VERSION, offered);
        if (pair.shake_hands() == read_status::failed) return "refused"s;
        const unsigned char* name = nullptr;
        unsigned size = 0;
        ::SSL_get0_alpn_selected(pair.client, &name, &size);
        return std::string(reinterpret_cast<const char*>(name), size);
    };
    CHECK(agreed("\x02h2\x08http/1.1") == "http/1.1");
    CHECK(agreed("\x08http/1.1") == "http/1.1");
    CHECK(agreed("\x02h2") == "refused");
    CHECK(agreed("").empty());
}

TEST_CASE("renegotiation is refused, and the session goes on", "[adapt][openssl]") {
    both_ends pair(TLS1_2_VERSION);
    CHECK(pair.shake_hands() == read_status::not_now);
    REQUIRE(::SSL_renegotiate(pair.client) == 1);
    static_cast<void>(::SSL_do_handshake(pair.client));
    CHECK(pair.server_hears(read_status::not_now).empty());
    ::ERR_clear_error();
    static_cast<void>(::SSL_do_handshake(pair.client)); // is told so
    CHECK(::SSL_num_renegotiations(pair.server->it.session()) == 0);
    CHECK(pair.server_says("on").status == io_status::ok);
}

TEST_CASE("not TLS at all fails at once", "[adapt][openssl]") {
    both_ends pair;
    REQUIRE(::send(pair.ends[1], "GET / HTTP/1.1\r\n\r\n", 18, 0) == 18);
    CHECK(pair.server->it.read(pair.room).status == read_status::failed);
    CHECK(pair.server->it.read(pair.room).status == read_status::failed);
    CHECK(pair.server_says("x").status == io_status::failed);
}

TEST_CASE("files that are none say why", "[adapt][openssl]") {
    const context none("/nonexistent/chain.pem", "/nonexistent/key.pem");
    CHECK_FALSE(none);
    CHECK_FALSE(context::why().empty());
    tls_stream broken(-1, nullptr);
    std::byte room[1];
    CHECK(broken.read(room).status == read_status::failed);
}

namespace {

struct echoing {
    wsolo::errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};

struct asking {
    void on_upgraded(auto& ws) { CHECK(ws.send_text(std::string(100'000, 'x')) == wsolo::errc::none); }
    void on_not_opened(wsolo::errc why, int) { *not_opened = why; }
    wsolo::errc on_message(auto& ws, wsolo::message&& got) {
        *heard = got.size();
        return ws.close();
    }
    std::size_t* heard;
    wsolo::errc* not_opened;
};

} // namespace

TEST_CASE("a loop's client speaks TLS to a loop's server, and trusts whom it is told to",
          "[adapt][openssl]") {
    const secrets files;
    const context of(files.chain().c_str(), files.key().c_str());
    REQUIRE(of.get() != nullptr);
    client_context trusting;
    ::SSL_CTX_set_verify(trusting.made, SSL_VERIFY_PEER, nullptr);
    bool is_trusted = false;
    SECTION("the server's certificate is known") {
        REQUIRE(::SSL_CTX_load_verify_locations(trusting.made, files.chain().c_str(), nullptr) == 1);
        is_trusted = true;
    }
    SECTION("it is not") {}
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    wsolo::connection_group everyone;
    wsolo::adapt::poll::loop loop;
    std::size_t heard = 0;
    wsolo::errc not_opened = wsolo::errc::none;
    REQUIRE(loop.add(ends[0], echoing{}, everyone, {}, secured(of.get())) == wsolo::errc::none);
    const auto wrap = [&](int descriptor) noexcept -> tls_stream {
        SSL* const session = ::SSL_new(trusting.made);
        if (session != nullptr) ::SSL_set_connect_state(session);
        return {descriptor, session};
    };
    REQUIRE(loop.connect(ends[1], asking{&heard, &not_opened}, {.host = "a"}, {}, wrap) == wsolo::errc::none);
    loop.run();
    CHECK(heard == (is_trusted ? 100'000U : 0U));
    CHECK(not_opened == (is_trusted ? wsolo::errc::none : wsolo::errc::connection_lost));
}
