// Reads the S-expressions of the text format: lists, atoms and strings with their place in the
// text. A script is read whole before any of it runs; module bodies stay text (the assembler reads
// those), so the reader knows tokens only: comments, which nest, annotations `(@…)`, which vanish,
// and strings with escapes. Nodes lie in one array in reading order, so depth costs no stack. A
// Node borrows its Document.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"

namespace wrun::spec {

/// Counted from 1, columns in bytes.
struct Position {
    u32 line = 1;
    u32 column = 1;
    constexpr bool operator==(const Position&) const = default;
};

struct ScriptError {
    Position at;
    std::string message;
};

class Document;

class Node {
public:
    enum class Kind : u8 { list, atom, string };

    Node(const Document& document, u32 index) noexcept : document_{&document}, index_{index} {}
    [[nodiscard]] Kind kind() const noexcept;
    [[nodiscard]] bool is_list() const noexcept { return kind() == Kind::list; }
    [[nodiscard]] bool is_string() const noexcept { return kind() == Kind::string; }
    [[nodiscard]] bool is_atom() const noexcept { return kind() == Kind::atom; }
    [[nodiscard]] bool is_atom(std::string_view text) const noexcept;
    /// `$name`, or `$"name"`.
    [[nodiscard]] bool is_id() const noexcept;
    /// As written, parentheses and quotes included.
    [[nodiscard]] std::string_view text() const noexcept;
    /// What a string's escapes stand for.
    [[nodiscard]] std::string string() const;
    [[nodiscard]] Position position() const noexcept;
    /// Of a list whose first item is an atom, that atom; else "".
    [[nodiscard]] std::string_view head() const noexcept;
    /// The items of a list; none of an atom or a string.
    [[nodiscard]] std::vector<Node> items() const;

private:
    const Document* document_;
    u32 index_;
};

class Document {
public:
    /// Takes the text. Fails on parentheses that do not match, and on open comments and strings.
    [[nodiscard]] static std::optional<Document> read(std::string text, ScriptError& error);

    [[nodiscard]] std::vector<Node> items() const;
    [[nodiscard]] std::string_view text() const noexcept { return text_; }
    [[nodiscard]] Position position(u32 offset) const noexcept;

private:
    friend class Node;
    struct Entry {
        Node::Kind kind;
        u32 begin;  // in the text
        u32 end;
        u32 next;  // the entry behind this one and all it holds
    };

    [[nodiscard]] std::vector<Node> items_between(u32 first, u32 last) const;

    std::string text_;
    std::vector<Entry> entries_;
    std::vector<u32> line_begins_;
};

/// The same module text in ASCII alone: characters of strings as escapes, those of comments as
/// spaces. The assembler refuses some characters (changes of direction) that may well stand in
/// names.
[[nodiscard]] std::string escape_non_ascii(std::string_view wat);

}  // namespace wrun::spec
