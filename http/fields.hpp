// Fields of a message that is being changed: owned, in order, with repetitions, within limits.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.hpp"

namespace wrun::http {

class FieldList {
public:
    struct Limits {
        std::size_t bytes_max = 64u << 10;  // names and values
        std::size_t fields_max = 256;
    };

    FieldList() = default;
    explicit FieldList(std::span<const Field> fields);

    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }
    /// False, and nothing is added, when it is no field, or beyond the limits.
    [[nodiscard]] bool add(std::string_view name, std::string_view value, const Limits& limits);
    void remove(std::string_view name);
    /// Views, valid until the list changes.
    [[nodiscard]] std::vector<Field> views() const;
    [[nodiscard]] bool has(std::string_view name) const noexcept;

private:
    struct Row {
        std::string name;
        std::string value;
    };
    std::vector<Row> rows_;
    std::size_t bytes_ = 0;
};

}  // namespace wrun::http
