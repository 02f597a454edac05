#pragma once
// What every benchmark shares: contenders measured in turn (A B C, A B C, ...), so that a drifting machine
// drifts for all of them; rows with their spread; a table for people and JSON for charts.
//
// A row: case, impl, size (bytes), threads, unit, min, median, max, runs. Compare ratios within one run,
// never absolute figures of two.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

struct row {
    std::string name;
    std::string impl;
    std::size_t size = 0;
    int threads = 1;
    std::string unit;
    double min = 0, median = 0, max = 0;
    int runs = 0;
};

/// One implementation: each call is one run and returns the measured figure.
struct contender {
    std::string impl;
    std::function<double()> run;
};

/// One of several figures that one run yields: `name` becomes the row's case.
struct figure {
    std::string name;
    std::string unit;
    double value = 0;
};

/// An implementation whose runs yield several figures, the same ones each time.
struct observed {
    std::string impl;
    std::function<std::vector<figure>()> run;
};

class suite {
public:
    /// Options: --json FILE, --runs N, --quick, --all, and which rows: --case NAME, --impl NAME, --size BYTES, --threads N
    /// (each may repeat).
    suite(int argc, char** argv) {
        for (int i = 1; i < argc; ++i) {
            const std::string_view option = argv[i];
            const auto value = [&]() -> std::string {
                if (i + 1 < argc) return argv[++i];
                std::cerr << argv[0] << ": " << option << " needs a value\n";
                std::exit(2);
            };
            if (option == "--json")
                json_ = value();
            else if (option == "--runs")
                runs_ = count_of(argv[0], option, value());
            else if (option == "--case")
                cases_.push_back(value());
            else if (option == "--impl")
                impls_.push_back(value());
            else if (option == "--size")
                sizes_.push_back(static_cast<std::size_t>(count_of(argv[0], option, value())));
            else if (option == "--threads")
                threads_.push_back(count_of(argv[0], option, value()));
            else if (option == "--quick")
                quick_ = true;
            else if (option == "--all")
                all_ = true;
            else {
                std::cerr << argv[0] << ": unknown option " << option
                          << "\noptions: --json FILE, --runs N, --quick, --all, --case NAME, --impl NAME, "
                             "--size BYTES, "
                             "--threads N\n";
                std::exit(2);
            }
        }
    }

    [[nodiscard]] bool wants(std::string_view name) const { return is_chosen(cases_, name); }
    /// Less work per run: shows that everything works, measures nothing worth quoting.
    [[nodiscard]] bool quick() const { return quick_; }
    /// Every configuration that the benchmark knows, not only those that it quotes.
    [[nodiscard]] bool all() const { return all_; }

    /// Runs all contenders in turn and adds a row for each.
    void compare(const std::string& name, std::size_t size, int threads, const std::string& unit,
                 const std::vector<contender>& contenders) {
        std::vector<observed> all;
        for (const contender& one : contenders) {
            const auto run = [&name, &unit, &one] { return std::vector<figure>{{name, unit, one.run()}}; };
            all.push_back({one.impl, run});
        }
        observe(name, size, threads, all);
    }

    /// The same for several figures a run: a row for each. --case names the group.
    void observe(const std::string& group, std::size_t size, int threads, const std::vector<observed>& all) {
        observe(group, size, threads, all, quick_ ? 1 : runs_, !quick_);
    }
    /// What does not differ from run to run.
    void observe_once(const std::string& group, std::size_t size, int threads,
                      const std::vector<observed>& all) {
        observe(group, size, threads, all, 1, false);
    }

    void observe(const std::string& group, std::size_t size, int threads, const std::vector<observed>& all,
                 int runs, bool warms_up) {
        if (!wants(group) || !is_chosen(sizes_, size) || !is_chosen(threads_, threads)) return;
        std::vector<const observed*> chosen;
        for (const observed& one : all) {
            if (is_chosen(impls_, one.impl)) chosen.push_back(&one);
        }
        if (warms_up) {
            for (const observed* one : chosen) one->run();
        }
        std::vector<std::vector<std::vector<figure>>> seen(chosen.size()); // [contender][run][figure]
        for (int r = 0; r < runs; ++r) {
            for (std::size_t c = 0; c < chosen.size(); ++c) seen[c].push_back(chosen[c]->run());
        }
        for (std::size_t c = 0; c < chosen.size(); ++c) summarize(chosen[c]->impl, size, threads, seen[c]);
    }

    void add(row one) {
        if (rows_.empty()) {
            std::printf("%-22s %-16s %9s %7s %14s %14s %14s  %s\n", "case", "impl", "size", "threads", "min",
                        "median", "max", "unit");
        }
        std::printf("%-22s %-16s %9zu %7d %14.2f %14.2f %14.2f  %s\n", one.name.c_str(), one.impl.c_str(),
                    one.size, one.threads, one.min, one.median, one.max, one.unit.c_str());
        std::fflush(stdout);
        rows_.push_back(std::move(one));
    }

    /// Writes the JSON where it was asked for. The program's exit code: no row at all is an error.
    [[nodiscard]] int finish() const {
        if (rows_.empty()) {
            std::cerr << "no row has the case, impl, size and threads that were asked for (of c1_d1_cpu the "
                         "case is c1_d1)\n";
            return 2;
        }
        if (json_.empty()) return 0;
        std::ofstream file(json_);
        file << "[\n";
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const row& one = rows_[i];
            file << "  {\"case\": \"" << one.name << "\", \"impl\": \"" << one.impl
                 << "\", \"size\": " << one.size << ", \"threads\": " << one.threads << ", \"unit\": \""
                 << one.unit << "\", \"min\": " << one.min << ", \"median\": " << one.median
                 << ", \"max\": " << one.max << ", \"runs\": " << one.runs << "}"
                 << (i + 1 < rows_.size() ? ",\n" : "\n");
        }
        file << "]\n";
        file.flush();
        if (file) return 0;
        std::cerr << "could not write " << json_ << "\n";
        return 1;
    }

private:
    /// The number that an option names: 1 or more.
    static int count_of(const char* program, std::string_view option, const std::string& value) {
        char* end = nullptr;
        const long count = std::strtol(value.c_str(), &end, 10);
        if (end != value.c_str() && *end == '\0' && count > 0 && count <= 1'000'000'000)
            return static_cast<int>(count);
        std::cerr << program << ": " << option << " needs a number, not " << value << "\n";
        std::exit(2);
    }
    /// Whether an option that may repeat names it; unsaid, it names everything.
    template <class Chosen, class Value>
    [[nodiscard]] static bool is_chosen(const Chosen& chosen, const Value& value) {
        return chosen.empty() || std::find(chosen.begin(), chosen.end(), value) != chosen.end();
    }

    void summarize(const std::string& impl, std::size_t size, int threads,
                   const std::vector<std::vector<figure>>& runs) {
        for (std::size_t f = 0; f < runs.front().size(); ++f) {
            std::vector<double> values;
            for (const std::vector<figure>& run : runs) values.push_back(run[f].value);
            std::sort(values.begin(), values.end());
            add({runs.front()[f].name, impl, size, threads, runs.front()[f].unit, values.front(),
                 values[values.size() / 2], values.back(), static_cast<int>(values.size())});
        }
    }

    std::string json_;
    std::vector<std::string> cases_, impls_;
    std::vector<std::size_t> sizes_;
    std::vector<int> threads_;
    int runs_ = 9;
    bool quick_ = false, all_ = false;
    std::vector<row> rows_;
};

} // namespace bench
