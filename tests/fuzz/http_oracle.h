// What the fuzz targets of HTTP heads and bodies share: a stream told as a list of messages, whole or in pieces, and
// Boost.Beast's parser as the judge of it: whatever we accept it accepts too, and reads the same.
#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "http/field_table.h"
#include "http/head.h"
#include "http/message_parser.h"

namespace mcptrace::http {

using FieldText = std::pair<std::string, std::string>;

struct MessageText {
  std::string first;  // "POST /mcp" or "200 OK"
  std::vector<FieldText> fields;
  std::string bytes;  // as it came
  std::size_t head_size = 0;
  std::string body;
  BodyFraming framing = BodyFraming::kNone;
  bool keep_alive = false;
  int minor_version = 1;
  bool complete = false;
};

struct StreamText {
  std::vector<MessageText> messages;
  bool bad = false;
};

inline std::string first_of(const RequestHead& head) {
  return std::string(head.method) + " " + std::string(head.target) + (head.expects_continue ? " expects" : "");
}
inline std::string first_of(const ResponseHead& head) {
  return std::to_string(head.status) + " " + std::string(head.reason);
}

template <class Head>
MessageText text_of(const Head& head) {
  MessageText message;
  message.first = first_of(head);
  for (const Field& field : head.fields) message.fields.emplace_back(field.name, field.value);
  message.framing = head.framing;
  message.keep_alive = head.keep_alive;
  message.minor_version = head.minor_version;
  return message;
}

// `cut`: how many bytes come next, given how many are left. `reset`: of the parser, before each message.
template <class Parser, class Cut, class Reset>
StreamText read_stream(std::string_view stream, Cut cut, Reset reset) {
  Parser parser;
  reset(parser);
  StreamText text;
  std::size_t begin = 0, given = 0;
  bool in_message = false;
  std::string pending;
  while (true) {
    // Exactly as large as what was given, so that a sanitizer sees the first byte too many.
    const std::vector<char> unread(stream.begin() + static_cast<std::ptrdiff_t>(begin),
                                   stream.begin() + static_cast<std::ptrdiff_t>(given));
    std::size_t used = 0;
    const ParseEvent event = parser.next({unread.data(), unread.size()}, used);
    MCPTRACE_CHECK(used <= unread.size());
    MCPTRACE_CHECK(in_message || used == 0 || event == ParseEvent::kHead);
    pending.append(unread.data(), used);
    begin += used;
    if (event == ParseEvent::kHead) {
      text.messages.push_back(text_of(parser.head()));
      in_message = true;
    }
    if (in_message) text.messages.back().bytes += std::exchange(pending, {});
    if (event == ParseEvent::kHead) text.messages.back().head_size = text.messages.back().bytes.size();
    if (event == ParseEvent::kBody) {
      MCPTRACE_CHECK(!parser.body().empty());
      text.messages.back().body += parser.body();
    } else if (event == ParseEvent::kEnd) {
      text.messages.back().complete = true;
      in_message = false;
      if (begin == stream.size()) return text;
      reset(parser);
    } else if (event == ParseEvent::kBad) {
      MCPTRACE_CHECK(!parser.problem().what.empty() && parser.problem().status >= 400);
      text.bad = true;
      return text;
    } else if (event == ParseEvent::kNeedMore) {
      if (given == stream.size()) return text;
      given += std::min(cut(), stream.size() - given);
    }
  }
}

inline void check_equal(const MessageText& a, const MessageText& b) {
  MCPTRACE_CHECK(a.first == b.first);
  MCPTRACE_CHECK(a.fields == b.fields);
  MCPTRACE_CHECK(a.body == b.body);
  MCPTRACE_CHECK(a.framing == b.framing);
  MCPTRACE_CHECK(a.keep_alive == b.keep_alive);
  MCPTRACE_CHECK(a.complete == b.complete);
}

// Pieces of 1 to `most` bytes.
struct RandomCut {
  std::minstd_rand random;
  std::size_t most;
  std::size_t operator()() { return 1 + random() % most; }
};

template <class Parser, class Reset>
StreamText read_both_ways(std::string_view stream, unsigned seed, Reset reset) {
  const StreamText whole = read_stream<Parser>(stream, [&] { return stream.size(); }, reset);
  const StreamText cut = read_stream<Parser>(stream,
                                             RandomCut{std::minstd_rand(seed + 1), seed % 3 == 0   ? 1u
                                                                                   : seed % 3 == 1 ? 7u
                                                                                                   : 300u},
                                             reset);
  MCPTRACE_CHECK(whole.bad == cut.bad);
  MCPTRACE_CHECK(whole.messages.size() == cut.messages.size());
  for (std::size_t i = 0; i < whole.messages.size(); ++i) check_equal(whole.messages[i], cut.messages[i]);
  return whole;
}

inline bool has_field(const MessageText& message, FieldName id) {
  return std::ranges::any_of(message.fields, [&](const FieldText& field) { return field_name(field.first) == id; });
}

inline bool says_close(const MessageText& message) {
  return std::ranges::any_of(message.fields, [](const FieldText& field) {
    return field_name(field.first) == FieldName::kConnection &&
           boost::beast::http::token_list(field.second).exists("close");
  });
}

inline char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// White space before a colon is removed from an answer; Beast refuses it.
inline bool is_repaired(std::string_view head) {
  for (std::size_t end = 0; (end = head.find("\r\n")) != head.npos; head.remove_prefix(end + 2)) {
    const std::size_t colon = head.substr(0, end).find(':');
    if (colon != head.npos && colon > 0 && (head[colon - 1] == ' ' || head[colon - 1] == '\t')) return true;
  }
  return false;
}

// Beast is stricter in what does not matter to framing: the grammar of chunk extensions and of Connection, fields that
// may not be trailers, the space behind a status. And it takes Proxy-Connection for Connection, and knows no empty line
// before a request.
template <bool is_request>
void check_with_beast(const MessageText& message, bool without_body) {
  namespace beast = boost::beast;
  if (message.bytes.starts_with("\r\n") || has_field(message, FieldName::kProxyConnection)) return;
  beast::http::parser<is_request, beast::http::string_body> judge;
  judge.body_limit(boost::none);
  judge.header_limit(1 << 20);
  if (without_body) judge.skip(true);
  beast::error_code error;
  judge.put(boost::asio::const_buffer(message.bytes.data(), message.head_size), error);
  if (error == beast::http::error::bad_status) return;
  if (!is_request && error && is_repaired(std::string_view(message.bytes).substr(0, message.head_size))) return;
  if (error == beast::http::error::bad_value && has_field(message, FieldName::kConnection)) return;
  MCPTRACE_CHECK(!error && judge.is_header_done());
  auto& read = judge.get();
  // Beast keeps fields of one name together.
  std::vector<FieldText> theirs, ours = message.fields;
  for (const auto& field : read) {
    theirs.emplace_back(std::string(field.name_string().data(), field.name_string().size()),
                        std::string(field.value().data(), field.value().size()));
  }
  for (std::vector<FieldText>* fields : {&theirs, &ours}) {
    for (FieldText& field : *fields) std::ranges::transform(field.first, field.first.begin(), to_lower);
    std::ranges::sort(*fields);
  }
  MCPTRACE_CHECK(theirs == ours);
  MCPTRACE_CHECK(judge.chunked() == (message.framing == BodyFraming::kChunked) ||
                 message.framing == BodyFraming::kNone);
  if constexpr (is_request) {
    const std::string_view method(read.method_string().data(), read.method_string().size());
    const std::string_view target(read.target().data(), read.target().size());
    MCPTRACE_CHECK(message.first.starts_with(std::string(method) + " " + std::string(target)));
    // Beside "keep-alive", in 1.0, Beast does not look for "close"; which wins (RFC 9112 9.3).
    const bool outvoted = message.minor_version == 0 && says_close(message);
    MCPTRACE_CHECK(message.keep_alive == (judge.keep_alive() && !outvoted));
  } else {
    MCPTRACE_CHECK(message.first.starts_with(std::to_string(read.result_int())));
  }

  const std::string_view body = std::string_view(message.bytes).substr(message.head_size);
  if (body.empty()) return;
  judge.eager(true);
  judge.put(boost::asio::const_buffer(body.data(), body.size()), error);
  const bool chunked = message.framing == BodyFraming::kChunked;
  if (chunked && !judge.is_done()) return;  // not the end yet, or refused
  MCPTRACE_CHECK(!error && read.body() == message.body);
  if (message.framing != BodyFraming::kUntilClose) MCPTRACE_CHECK(judge.is_done() == message.complete);
}

// Whether `part` is `whole` with some left out.
inline bool is_subsequence(const std::vector<FieldText>& part, const std::vector<FieldText>& whole) {
  std::size_t at = 0;
  for (const FieldText& field : whole) {
    if (at < part.size() && part[at] == field) ++at;
  }
  return at == part.size();
}

// The fields that a hop makes itself, taken out.
inline std::vector<FieldText> without_framing(std::vector<FieldText> fields) {
  std::erase_if(fields, [](const FieldText& field) { return is_hop_by_hop(field_name(field.first)); });
  return fields;
}

// What of `before` was not written again: nothing that we know and pass on, and nothing if Connection named nothing.
inline void check_forwarded(const MessageText& before, const MessageText& after) {
  const std::vector<FieldText> old_fields = without_framing(before.fields), new_fields = without_framing(after.fields);
  MCPTRACE_CHECK(is_subsequence(new_fields, old_fields));
  const auto count_known = [](const std::vector<FieldText>& fields) {
    return std::ranges::count_if(fields,
                                 [](const FieldText& field) { return field_name(field.first) != FieldName::kOther; });
  };
  MCPTRACE_CHECK(count_known(old_fields) == count_known(new_fields));
  if (!has_field(before, FieldName::kConnection)) MCPTRACE_CHECK(old_fields == new_fields);
  for (const FieldText& field : after.fields) MCPTRACE_CHECK(field_name(field.first) != FieldName::kUpgrade);
}

}  // namespace mcptrace::http
