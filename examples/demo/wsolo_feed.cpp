#include "wsolo_feed.hpp"

#include <stdexcept>
#include <string>

namespace demo {
namespace {

using namespace std::chrono_literals;

wsolo::when_member_full group_policy(policy when_full) {
    return when_full == policy::disconnect ? wsolo::when_member_full::disconnect
                                           : wsolo::when_member_full::skip;
}

wsolo::server_options options_of(const settings& how) {
    wsolo::server_options chosen;
    chosen.writing.limits.max_bytes = 64 * 1024; // small, so that the page shows it full
    chosen.writing.limits.max_message = 16 * 1024;
    if (how.when_full == policy::drop_oldest) chosen.writing.limits.when_full = wsolo::overflow::drop_oldest;
    return chosen;
}

} // namespace

wsolo_feed::wsolo_feed(const settings& how) : everyone_(group_policy(how.when_full)) {
    const int listening = listen_on(0, socket_buffer);
    port_ = port_of(listening);
    const wsolo::errc error =
        loop_.accept(listening, everyone_, [this] { return visit{this}; }, options_of(how));
    if (error != wsolo::errc::none) throw std::runtime_error(std::string(to_string(error)));
    thread_ = std::jthread([this] { loop_.run(); });
}

wsolo_feed::~wsolo_feed() {
    if (!is_stopped_) stop(false);
}

void wsolo_feed::visit::on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) {
    is_slow = asked.resource_name() == "/slow";
    if (!asked.is_upgrade()) reply.respond({.status = 404, .body = "a WebSocket lives here"});
}

void wsolo_feed::push(std::string_view text) {
    const wsolo::sent_to_all sent = everyone_.send_text(text);
    accepted_ += sent.accepted;
    skipped_ += sent.full;
}

end_report wsolo_feed::stop(bool is_deploy) {
    is_stopped_ = true;
    loop_.stop_accepting();
    const auto within = is_deploy ? 10'000ms : 200ms; // a switch is the visitor's doing: it need not drain
    static_cast<void>(everyone_.close_all(wsolo::close_code::service_restart, is_deploy ? "deploy" : "switch",
                                          within, is_deploy ? 1500ms : 0ms));
    const auto patience = std::chrono::steady_clock::now() + within + (is_deploy ? 10'000ms : 300ms);
    if (everyone_.wait(patience) != wsolo::errc::none) everyone_.abort_all();
    thread_.join();
    const wsolo::group_report sums = everyone_.report();
    return {.in_order = sums.closed_in_order, .cut_off = sums.failed + sums.gone};
}

wsolo_feed::slow_state wsolo_feed::slow() const {
    const std::scoped_lock hold(lock_);
    return ask_slow_ ? ask_slow_() : slow_state{};
}

} // namespace demo
