#pragma once
// Reads the cases of tests/vectors/*.txt; README.md there gives the format. A file that does not keep to it
// fails the test with its line.

#include "catch.hpp"
#include "event_log.hpp"
#include "hex.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace support {

struct vector_event {
    std::size_t offset = 0;
    std::string line; // as event_log writes it
    friend bool operator==(const vector_event&, const vector_event&) = default;
};

struct vector_case {
    std::string where; // file and title
    role receiver = role::server;
    read_limits limits;
    std::string input;
    std::vector<vector_event> events;
};

namespace vector_format {

/// The bytes that `words` stand for: "quoted" or hexadecimal, with *N after a repeated run.
inline std::string data(std::istream& words) {
    std::string bytes;
    while ((words >> std::ws).good()) {
        if (words.peek() == '"') {
            std::string quoted;
            words.get();
            std::getline(words, quoted, '"');
            bytes += quoted;
            continue;
        }
        std::string run;
        words >> run;
        std::size_t times = 1;
        if (const auto star = run.find('*'); star != std::string::npos) {
            times = std::stoul(run.substr(star + 1));
            run.resize(star);
        }
        REQUIRE(run.size() % 2 == 0);
        REQUIRE(run.find_first_not_of("0123456789abcdef") == std::string::npos);
        const byte_vector once = from_hex(run);
        for (std::size_t i = 0; i < times; ++i) bytes += text_of(const_bytes(once));
    }
    return bytes;
}

inline void limit(vector_case& read, const std::string& word) {
    const auto equals = word.find('=');
    REQUIRE(equals != std::string::npos);
    const std::string name = word.substr(0, equals);
    const std::uint64_t value = std::stoull(word.substr(equals + 1), nullptr, name == "rsv" ? 16 : 10);
    if (name == "frame")
        read.limits.max_frame_size = value;
    else if (name == "message")
        read.limits.max_message_size = value;
    else if (name == "fragments")
        read.limits.max_fragments = static_cast<std::uint32_t>(value);
    else if (name == "rsv")
        read.limits.allowed_rsv = static_cast<std::uint8_t>(value);
    else
        FAIL("an unknown limit: " << word);
}

/// An event in event_log's words, the reply that it owes included.
inline std::string event_line(std::istream& words) {
    std::string kind, name, code;
    words >> kind;
    if (kind == "failed") {
        words >> name >> code;
        return "failed " + name + " -> Close " + code;
    }
    if (kind == "close") {
        words >> code;
        const std::string reason = data(words);
        return "closed " + code + " " + reason +
               (code == "1005" ? " -> Close" : " -> Close " + code + " " + reason);
    }
    const std::string payload = data(words);
    const bool known = kind == "text" || kind == "binary" || kind == "ping" || kind == "pong";
    REQUIRE(known);
    return kind + " " + payload + (kind == "ping" ? " -> pong " + payload : "");
}

inline std::string without_comment(const std::string& line) {
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '"') quoted = !quoted;
        if (line[i] == '#' && !quoted) return line.substr(0, i);
    }
    return line;
}

inline void take_line(std::vector<vector_case>& cases, const std::string& file, const std::string& line) {
    if (line.starts_with("== ")) {
        const bool server = line.starts_with("== server: ");
        if (!server) REQUIRE(line.starts_with("== client: "));
        cases.emplace_back();
        cases.back().where = file + " " + line;
        cases.back().receiver = server ? role::server : role::client;
        return;
    }
    std::istringstream words(without_comment(line));
    std::string first;
    if (!(words >> first)) return;
    REQUIRE_FALSE(cases.empty());
    vector_case& read = cases.back();
    if (first == "in") {
        read.input += data(words);
    } else if (first == "limits") {
        for (std::string word; words >> word;) limit(read, word);
    } else {
        REQUIRE(first == "out");
        std::size_t offset = 0;
        words >> offset;
        read.events.push_back({offset, event_line(words)});
    }
}

} // namespace vector_format

inline std::vector<vector_case> vectors_in(const std::filesystem::path& file) {
    std::vector<vector_case> cases;
    std::ifstream text(file);
    for (std::string line; std::getline(text, line);) {
        INFO(file.string() << ": " << line);
        vector_format::take_line(cases, file.filename().string(), line);
    }
    return cases;
}

/// The files of a folder, in the order of their names.
inline std::vector<std::filesystem::path> vector_files(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".txt") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

} // namespace support
