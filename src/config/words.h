// Lists of names, and the one of them that a misspelt word meant. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcptrace::config {

// "a b c" -> a, b, c.
std::vector<std::string_view> split_words(std::string_view text);
bool is_word_of(std::string_view list, std::string_view word);
std::string join(std::span<const std::string_view> words, std::string_view between);

// The nearest by edit distance (insert, delete, replace, swap), if it is near enough to be meant; else empty.
std::string_view nearest(std::string_view word, std::span<const std::string_view> words);

}  // namespace mcptrace::config
