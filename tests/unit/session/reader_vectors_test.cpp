// Would catch: a rule of RFC 6455 §5 that is not kept in one of the roles, the wrong rule or status code
// named for it, an event that comes a byte late or early, a split of the input that changes any of these. The
// cases are data: tests/vectors/README.md.
//
// Compiled alone: tests/CMakeLists.txt defines WSOLO_VECTORS for it.

#include <support/vectors.hpp>

using namespace support;

namespace {

/// What was read while the bytes up to `to` were fed, and no byte before `from`.
struct found_event {
    std::size_t from = 0;
    std::size_t to = 0;
    std::string line;
};

template <role Role>
std::vector<found_event> read_in_parts(const vector_case& given, std::vector<std::size_t> ends,
                                       delivery deliver) {
    read_limits limits = given.limits;
    limits.deliver = deliver;
    reader_under_test<Role> reader(limits);
    event_log log;
    std::vector<found_event> found;
    std::size_t from = 0;
    ends.push_back(given.input.size());
    for (const std::size_t to : ends) {
        exact_bytes part(bytes_of(given.input).subspan(from, to - from), (from * 5 + to) % 64);
        for (const auto& event : reader.in.read(part.view())) {
            log.note<Role>(event);
            while (found.size() < log.lines.size()) found.push_back({from, to, log.lines[found.size()]});
        }
        if (!part.guards_stand()) log.broken_promise = "wrote outside of the input";
        from = to;
    }
    CHECK(log.broken_promise == "");
    const bool closed = !found.empty() && found.back().line.starts_with("closed");
    const bool failed = !found.empty() && found.back().line.starts_with("failed");
    CHECK(reader.in.open() == !(closed || failed));
    CHECK((reader.in.end_of_input() == errc::none) == closed);
    return found;
}

bool as_expected(const vector_case& given, const std::vector<found_event>& found) {
    if (found.size() != given.events.size()) return false;
    for (std::size_t i = 0; i < found.size(); ++i) {
        const std::size_t offset = given.events[i].offset;
        if (found[i].line != given.events[i].line) return false;
        if (offset <= found[i].from || offset > found[i].to) return false;
    }
    return true;
}

std::string shown(const std::vector<found_event>& found) {
    std::string lines;
    for (const found_event& event : found) {
        lines += "\n  " + std::to_string(event.from) + ".." + std::to_string(event.to) + " " +
                 event.line.substr(0, 80);
    }
    return lines;
}

void check(const vector_case& given, const std::vector<std::size_t>& ends) {
    for (const delivery deliver : {delivery::messages, delivery::fragments}) {
        const auto found = given.receiver == role::server ? read_in_parts<role::server>(given, ends, deliver)
                                                          : read_in_parts<role::client>(given, ends, deliver);
        if (as_expected(given, found)) continue;
        FAIL_CHECK(given.where << ": " << ends.size() << " cuts, the first at "
                               << (ends.empty() ? 0 : ends[0]) << ", delivery " << static_cast<int>(deliver)
                               << shown(found));
        return;
    }
}

/// Long inputs are split near both ends and at random only.
void check_splits(const vector_case& given) {
    constexpr std::size_t near = 300;
    const std::size_t size = given.input.size();
    for (std::size_t cut = 0; cut <= size; ++cut) {
        if (cut == near && size > 2 * near) cut = size - near;
        check(given, {cut});
    }
}

void check_every_byte(const vector_case& given) {
    std::vector<std::size_t> ends(given.input.size());
    for (std::size_t i = 0; i < ends.size(); ++i) ends[i] = i;
    check(given, ends);
}

void check_random_splits(const vector_case& given, std::size_t seed) {
    std::mt19937 random(static_cast<std::mt19937::result_type>(6455 + seed));
    for (int round = 0; round < 40; ++round) {
        const std::size_t longest = given.input.size() > 1000 ? 5000 : 12;
        std::vector<std::size_t> ends;
        for (std::size_t at = random() % longest; at < given.input.size(); at += 1 + random() % longest) {
            ends.push_back(at);
        }
        check(given, ends);
    }
}

} // namespace

TEST_CASE("each vector is read as it says, however it is split", "[session][vectors]") {
    std::size_t cases = 0;
    for (const auto& file : vector_files(WSOLO_VECTORS)) {
        for (const vector_case& given : vectors_in(file)) {
            INFO(given.where);
            check(given, {});
            check_every_byte(given);
            check_splits(given);
            check_random_splits(given, cases);
            ++cases;
        }
    }
    CHECK(cases >= 370); // a folder that is not found or not read is no success
}
