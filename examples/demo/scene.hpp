#pragma once
// What the page shows: one of the two servers, the workers that push through it, the peers, and what came of it.
//
// Laws of this file:
// - Commands come from any thread and are carried out by the scene's own, one after the other: the page is never waited for.
// - A report goes out four times a second, whatever happens meanwhile, a deploy of ten seconds too.
//
// The protocol of /control: a command is a text of two words; a report is a JSON object.
//
//     server wsolo|wrong      policy skip|drop_oldest|disconnect      deploy now
//     connections 2..128      rate 10..500                            slow 4..256

#include "feed.hpp"
#include "peers.hpp"

#include <wsolo/endpoint/connection_group.hpp>

#include <condition_variable>
#include <deque>
#include <future>
#include <optional>

namespace demo {

class scene {
public:
    /// `pages`: who gets the reports. It outlives the scene.
    explicit scene(wsolo::connection_group& pages);
    ~scene();
    scene(const scene&) = delete;
    scene& operator=(const scene&) = delete;

    /// False: it is none.
    bool command(std::string_view words);

private:
    using clock = std::chrono::steady_clock;
    struct order {
        std::string verb;
        std::string object;
        unsigned number = 0;
    };

    void run(const std::stop_token& stop);
    void obey(const order& given);
    void open();
    void begin_end(bool is_deploy);
    void finish_end();
    void report();
    void tell(const std::string& line);
    void work(unsigned worker, const std::stop_token& stop);

    wsolo::connection_group& pages_;
    settings how_;
    std::mutex lock_; ///< of the orders, and of feed_ as the workers see it
    std::condition_variable_any news_;
    std::deque<order> orders_;
    std::shared_ptr<feed> feed_;
    std::atomic<unsigned> per_second_{0};
    peers peers_;

    // The scene's own thread's:
    std::future<end_report> ending_; ///< while the server ends
    std::shared_ptr<feed> ended_;
    bool is_deploy_ = false;
    clock::time_point end_began_{};
    std::uint64_t received_before_ = 0; ///< by the peers, when the server began
    unsigned generation_ = 0;
    bool is_wrong_now_ = false; ///< which server runs, or ends
    std::string said_;          ///< what is new since the last report

    std::vector<std::jthread> workers_;
    std::jthread thread_;
};

} // namespace demo
