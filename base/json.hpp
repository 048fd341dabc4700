// JSON as it is written, without a tree: objects and lists opened and closed in order, commas put
// where they belong. Text is escaped; bytes that are no UTF-8 become U+FFFD.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace wrun {

class JsonWriter {
public:
    JsonWriter& open(char bracket) {
        separate();
        text_ += bracket;
        fresh_ = true;
        return *this;
    }
    JsonWriter& close(char bracket) {
        text_ += bracket;
        fresh_ = false;
        return *this;
    }
    JsonWriter& key(std::string_view name) {
        value(name);
        text_ += ':';
        fresh_ = true;
        return *this;
    }
    JsonWriter& value(std::string_view text);
    JsonWriter& value(bool truth) {
        separate();
        text_ += truth ? "true" : "false";
        return *this;
    }
    template <std::integral Number>
    JsonWriter& value(Number number) {
        separate();
        text_ += std::to_string(number);
        return *this;
    }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    void separate() {
        if (!fresh_) text_ += ',';
        fresh_ = false;
    }
    std::string text_;
    bool fresh_ = true;
};

}  // namespace wrun
