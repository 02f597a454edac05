#pragma once
// Reads the cases of tests/vectors/handshake/*.txt; README.md there gives the format. A file that does not keep
// to it fails the test with its line.

#include "catch.hpp"
#include "handshake.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace handshake_samples {

struct handshake_case {
    std::string where; // file and title
    bool server = true;
    wsolo::handshake_limits limits;
    std::string input;
    std::size_t verdict_at = 0; // bytes of `input`
    std::string verdict;        // the line after "out "
    std::vector<std::pair<std::string, std::string>> sees;
};

/// Reads the lines of one case, then makes its bytes.
class case_reader {
public:
    case_reader(const std::string& file, const std::string& title) : head_(rfc_request()) {
        read_.where = file + " " + title;
        read_.server = title.starts_with("== server: ");
        if (!read_.server) {
            REQUIRE(title.starts_with("== client: "));
            head_ = rfc_response();
        }
    }

    void take(const std::string& line) {
        const std::size_t space = line.find(' ');
        const std::string word = line.substr(0, space);
        const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
        if (word == "start") {
            head_ = head_.start(bytes(rest));
        } else if (word == "without") {
            head_ = head_.without(rest);
        } else if (word == "set") {
            head_ = head_.replace(name(rest), value(rest));
        } else if (word == "add") {
            head_ = head_.with(name(rest), value(rest));
        } else if (word == "raw") {
            is_raw_ = true;
            raw_ += bytes(rest);
        } else if (word == "before") {
            before_ += bytes(rest);
        } else if (word == "tail") {
            tail_ += bytes(rest);
        } else if (word == "limits") {
            limits(rest);
        } else if (word == "sees") {
            read_.sees.emplace_back(rest.substr(0, rest.find(' ')), rest.substr(rest.find(' ') + 1));
        } else {
            REQUIRE(word == "out");
            read_.verdict = rest;
        }
    }

    handshake_case finish() {
        INFO(read_.where);
        REQUIRE_FALSE(read_.verdict.empty());
        const std::string text = is_raw_ ? raw_ : before_ + head_.text();
        read_.verdict_at = mark_ == std::string::npos ? text.size() : mark_;
        read_.input = text + tail_;
        return read_;
    }

private:
    static std::string name(const std::string& field) {
        REQUIRE(field.find(':') != std::string::npos);
        return field.substr(0, field.find(':'));
    }
    std::string value(const std::string& field) {
        const std::string text = bytes(field.substr(field.find(':') + 1));
        return text.starts_with(' ') ? text.substr(1) : text;
    }

    std::string bytes(const std::string& text) {
        std::string out;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] != '\\') {
                out += text[i];
                continue;
            }
            REQUIRE(++i < text.size());
            switch (text[i]) {
            case 'r': out += '\r'; break;
            case 'n': out += '\n'; break;
            case 't': out += '\t'; break;
            case '\\': out += '\\'; break;
            case '!': mark_ = raw_.size() + out.size(); break;
            default:
                REQUIRE(text[i] == 'x');
                out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
                i += 2;
            }
        }
        return out;
    }

    void limits(const std::string& text) {
        std::istringstream words(text);
        for (std::string word; words >> word;) {
            const std::size_t equals = word.find('=');
            REQUIRE(equals != std::string::npos);
            const std::size_t number = std::stoul(word.substr(equals + 1));
            const std::string what = word.substr(0, equals);
            if (what == "line")
                read_.limits.max_line_size = number;
            else if (what == "headers")
                read_.limits.max_headers = number;
            else if (what == "size")
                read_.limits.max_size = number;
            else
                FAIL("an unknown limit: " << word);
        }
    }

    handshake_case read_;
    head head_;
    std::string before_, raw_, tail_;
    bool is_raw_ = false;
    std::size_t mark_ = std::string::npos;
};

inline std::vector<handshake_case> handshake_cases_in(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".txt") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    std::vector<handshake_case> cases;
    for (const auto& file : files) {
        std::ifstream text(file);
        std::vector<case_reader> open;
        for (std::string line; std::getline(text, line);) {
            INFO(file.string() << ": " << line);
            if (line.empty() || line[0] == '#') continue;
            if (line.starts_with("== ")) {
                if (!open.empty()) cases.push_back(open.back().finish());
                open.emplace_back(file.filename().string(), line);
                continue;
            }
            REQUIRE_FALSE(open.empty());
            open.back().take(line);
        }
        if (!open.empty()) cases.push_back(open.back().finish());
    }
    return cases;
}

} // namespace handshake_samples
