// The lexer works on bytes: nothing of the grammar above tokens needs characters.
#include "spec-tests/sexpr.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace wrun::spec {
namespace {

enum class Token : u8 { open, close, annotation, atom, string, comment, end, bad };

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// What ends an atom. Anything else is part of one, as reserved tokens are.
bool ends_atom(char c) {
    return is_space(c) || c == '(' || c == ')' || c == ';';
}

class Lexer {
public:
    explicit Lexer(std::string_view text) : text_{text} {}

    /// The next token, comments included; its range is [begin(), end()).
    Token next() {
        while (end_ < text_.size() && is_space(text_[end_]))
            ++end_;
        begin_ = end_;
        if (end_ == text_.size()) return Token::end;
        const std::string_view rest = text_.substr(end_);
        if (rest.starts_with(";;")) return line_comment();
        if (rest.starts_with("(;")) return block_comment();
        if (rest.starts_with("(@")) return taken(2, Token::annotation);
        if (rest[0] == '(') return taken(1, Token::open);
        if (rest[0] == ')') return taken(1, Token::close);
        if (rest[0] == '"') return string() ? Token::string : Token::bad;
        return atom();
    }
    [[nodiscard]] std::size_t begin() const noexcept { return begin_; }
    [[nodiscard]] std::size_t end() const noexcept { return end_; }
    /// After Token::bad.
    [[nodiscard]] const char* problem() const noexcept { return problem_; }

private:
    Token taken(std::size_t bytes, Token token) {
        end_ += bytes;
        return token;
    }

    Token bad(const char* problem) {
        problem_ = problem;
        return Token::bad;
    }

    Token line_comment() {
        end_ = std::min(text_.find_first_of("\r\n", end_), text_.size());
        return Token::comment;
    }

    Token block_comment() {
        std::size_t depth = 0;
        do {
            end_ = text_.find_first_of("(;", end_);
            if (end_ == std::string_view::npos) {
                end_ = text_.size();
                return bad("unclosed comment");
            }
            const std::string_view pair = text_.substr(end_, 2);
            depth += pair == "(;" ? 1 : 0;
            depth -= pair == ";)" ? 1 : 0;
            end_ += pair == "(;" || pair == ";)" ? 2 : 1;
        } while (depth > 0);
        return Token::comment;
    }

    bool string() {
        ++end_;
        while (end_ < text_.size() && text_[end_] != '"' && text_[end_] != '\n')
            end_ += text_[end_] == '\\' ? 2 : 1;
        if (end_ >= text_.size() || text_[end_] != '"') {
            end_ = std::min(end_, text_.size());
            problem_ = "unclosed string";
            return false;
        }
        ++end_;
        return true;
    }

    /// Strings may stand inside an atom: `$"a name"`.
    Token atom() {
        do {
            if (text_[end_] != '"') {
                ++end_;
            } else if (!string()) {
                return Token::bad;
            }
        } while (end_ < text_.size() && !ends_atom(text_[end_]));
        return Token::atom;
    }

    std::string_view text_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    const char* problem_ = "";
};

u32 hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return static_cast<u32>(digit - '0');
    if (digit >= 'a' && digit <= 'f') return static_cast<u32>(digit - 'a') + 10;
    if (digit >= 'A' && digit <= 'F') return static_cast<u32>(digit - 'A') + 10;
    return 16;
}

void append_utf8(std::string& to, u32 code_point) {
    const auto byte = [&](u32 bits) { to += static_cast<char>(static_cast<u8>(bits)); };
    const auto tail = [&](u32 shift) { byte(0x80 | ((code_point >> shift) & 0x3f)); };
    if (code_point < 0x80) {
        byte(code_point);
    } else if (code_point < 0x800) {
        byte(0xc0 | (code_point >> 6));
        tail(0);
    } else if (code_point < 0x1'0000) {
        byte(0xe0 | (code_point >> 12));
        tail(6);
        tail(0);
    } else {
        byte(0xf0 | (code_point >> 18));
        tail(12);
        tail(6);
        tail(0);
    }
}

/// Takes one escape off the front of `rest`, which stands behind the backslash.
void append_escape(std::string& to, std::string_view& rest) {
    const char kind = rest[0];
    if (rest.starts_with("u{")) {
        const std::size_t close = std::min(rest.find('}'), rest.size() - 1);
        u32 code_point = 0;
        for (const char digit : rest.substr(2, close - 2))
            if (digit != '_') code_point = (code_point * 16 + hex_value(digit)) & 0x1f'ffff;
        append_utf8(to, code_point);
        rest.remove_prefix(close + 1);
        return;
    }
    if (rest.size() >= 2 && hex_value(kind) < 16 && hex_value(rest[1]) < 16) {
        to += static_cast<char>(static_cast<u8>(hex_value(kind) * 16 + hex_value(rest[1])));
        rest.remove_prefix(2);
        return;
    }
    to += kind == 't' ? '\t' : kind == 'n' ? '\n' : kind == 'r' ? '\r' : kind;
    rest.remove_prefix(1);
}

bool is_ascii(char c) {
    return static_cast<u8>(c) < 0x80;
}

void append_hex_escape(std::string& to, char c) {
    constexpr const char* digits = "0123456789abcdef";
    to += '\\';
    to += digits[static_cast<u8>(c) >> 4];
    to += digits[static_cast<u8>(c) & 15];
}

}  // namespace

// ---- nodes -----------------------------------------------------------------------------------

Node::Kind Node::kind() const noexcept {
    return document_->entries_[index_].kind;
}

bool Node::is_atom(std::string_view text) const noexcept {
    return is_atom() && this->text() == text;
}

bool Node::is_id() const noexcept {
    return is_atom() && text().starts_with('$');
}

std::string_view Node::text() const noexcept {
    const Document::Entry& entry = document_->entries_[index_];
    return document_->text().substr(entry.begin, entry.end - entry.begin);
}

std::string Node::string() const {
    std::string result;
    std::string_view rest = text();
    rest = rest.substr(1, rest.size() - 2);
    while (!rest.empty()) {
        const std::size_t plain = std::min(rest.find('\\'), rest.size());
        result.append(rest.substr(0, plain));
        rest.remove_prefix(std::min(plain + 1, rest.size()));
        if (!rest.empty()) append_escape(result, rest);
    }
    return result;
}

Position Node::position() const noexcept {
    return document_->position(document_->entries_[index_].begin);
}

std::string_view Node::head() const noexcept {
    const u32 first = index_ + 1;
    if (!is_list() || first == document_->entries_[index_].next) return {};
    const Node node{*document_, first};
    return node.is_atom() ? node.text() : std::string_view{};
}

std::vector<Node> Node::items() const {
    return document_->items_between(index_ + 1, document_->entries_[index_].next);
}

// ---- documents -------------------------------------------------------------------------------

std::optional<Document> Document::read(std::string text, ScriptError& error) {
    Document document;
    document.text_ = std::move(text);
    document.line_begins_.push_back(0);
    for (std::size_t i = 0; i < document.text_.size(); ++i)
        if (document.text_[i] == '\n') document.line_begins_.push_back(static_cast<u32>(i + 1));

    const auto fail = [&](std::size_t at, const char* message) {
        error = {document.position(static_cast<u32>(at)), message};
        return std::nullopt;
    };
    if (document.text_.size() > std::numeric_limits<u32>::max() / 2)
        return fail(0, "the script is too long");

    Lexer lexer{document.text_};
    std::vector<Entry>& entries = document.entries_;
    std::vector<u32> open;                   // the lists around this place
    std::vector<std::size_t> in_annotation;  // likewise, from the outermost annotation on
    const auto push = [&](Node::Kind kind) {
        const u32 index = static_cast<u32>(entries.size());
        entries.push_back(
            {kind, static_cast<u32>(lexer.begin()), static_cast<u32>(lexer.end()), index + 1});
        return index;
    };
    for (;;) {
        const Token token = lexer.next();
        if (token == Token::bad) return fail(lexer.begin(), lexer.problem());
        if (token == Token::end) break;
        if (token == Token::annotation || (token == Token::open && !in_annotation.empty())) {
            in_annotation.push_back(lexer.begin());
        } else if (!in_annotation.empty()) {
            if (token == Token::close) in_annotation.pop_back();
        } else if (token == Token::open) {
            open.push_back(push(Node::Kind::list));
        } else if (token == Token::close) {
            if (open.empty()) return fail(lexer.begin(), "a parenthesis too many");
            Entry& list = entries[open.back()];
            list.end = static_cast<u32>(lexer.end());
            list.next = static_cast<u32>(entries.size());
            open.pop_back();
        } else if (token != Token::comment) {
            push(token == Token::string ? Node::Kind::string : Node::Kind::atom);
        }
    }
    if (!in_annotation.empty()) return fail(in_annotation.back(), "unclosed annotation");
    if (!open.empty()) return fail(entries[open.back()].begin, "unclosed parenthesis");
    return document;
}

std::vector<Node> Document::items() const {
    return items_between(0, static_cast<u32>(entries_.size()));
}

std::vector<Node> Document::items_between(u32 first, u32 last) const {
    std::vector<Node> nodes;
    for (u32 index = first; index < last; index = entries_[index].next)
        nodes.emplace_back(*this, index);
    return nodes;
}

Position Document::position(u32 offset) const noexcept {
    const auto behind = std::upper_bound(line_begins_.begin(), line_begins_.end(), offset);
    const auto line = static_cast<u32>(behind - line_begins_.begin());
    return {line, offset - line_begins_[line - 1] + 1};
}

// ---- text for the assembler ------------------------------------------------------------------

std::string escape_non_ascii(std::string_view wat) {
    if (std::all_of(wat.begin(), wat.end(), is_ascii)) return std::string{wat};
    std::string result;
    std::size_t copied = 0;
    Lexer lexer{wat};
    for (;;) {
        const Token token = lexer.next();
        // What is between tokens, and what follows the first mistake, is the assembler's to judge.
        if (token == Token::end || token == Token::bad) break;
        result.append(wat.substr(copied, lexer.begin() - copied));
        const std::string_view text = wat.substr(lexer.begin(), lexer.end() - lexer.begin());
        // A string may be part of an atom; outside of strings and comments only ASCII is a token.
        const bool quoted = token != Token::comment && text.find('"') != std::string_view::npos;
        for (const char c : text) {
            if (is_ascii(c) || (!quoted && token != Token::comment)) {
                result += c;
            } else if (!quoted) {
                result += ' ';
            } else {
                append_hex_escape(result, c);
            }
        }
        copied = lexer.end();
    }
    result.append(wat.substr(copied));
    return result;
}

}  // namespace wrun::spec
