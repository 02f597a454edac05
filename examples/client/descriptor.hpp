#pragma once
// One owner for one file descriptor.

#include <unistd.h>
#include <utility>

namespace client {

class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int number) noexcept : number_(number) {}
    descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        descriptor taken(std::move(other));
        std::swap(number_, taken.number_);
        return *this;
    }
    ~descriptor() { reset(); }

    void reset() noexcept {
        if (number_ >= 0) ::close(number_);
        number_ = -1;
    }

    [[nodiscard]] int get() const noexcept { return number_; }
    [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }

private:
    int number_ = -1;
};

} // namespace client
