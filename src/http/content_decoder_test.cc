#include "http/content_decoder.h"

#include <brotli/encode.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace mcptrace::http {
namespace {

constexpr int kGzipBits = 15 + 16, kZlibBits = 15, kRawBits = -15;

// In parts that were flushed, as a server of events does.
std::string deflated(const std::vector<std::string>& parts, int window_bits) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string room(deflateBound(&stream, parts[i].size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(parts[i].data()));
    stream.avail_in = static_cast<uInt>(parts[i].size());
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    stream.avail_out = static_cast<uInt>(room.size());
    EXPECT_GE(deflate(&stream, i + 1 == parts.size() ? Z_FINISH : Z_SYNC_FLUSH), Z_OK);
    out.append(room.data(), room.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  return out;
}

std::string brotli(const std::vector<std::string>& parts, std::uint32_t window = 22) {
  BrotliEncoderState* state = BrotliEncoderCreateInstance(nullptr, nullptr, nullptr);
  BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, 4);
  BrotliEncoderSetParameter(state, BROTLI_PARAM_LARGE_WINDOW, window > BROTLI_MAX_WINDOW_BITS ? 1 : 0);
  BrotliEncoderSetParameter(state, BROTLI_PARAM_LGWIN, window);
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::size_t in_left = parts[i].size(), out_left = 0;
    auto next = reinterpret_cast<const std::uint8_t*>(parts[i].data());
    const auto operation = i + 1 == parts.size() ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_FLUSH;
    do {
      EXPECT_TRUE(BrotliEncoderCompressStream(state, operation, &in_left, &next, &out_left, nullptr, nullptr));
      std::size_t size = 0;
      const std::uint8_t* bytes = BrotliEncoderTakeOutput(state, &size);
      out.append(reinterpret_cast<const char*>(bytes), size);
    } while (in_left > 0 || BrotliEncoderHasMoreOutput(state));
  }
  BrotliEncoderDestroyInstance(state);
  return out;
}

std::string zstd(const std::vector<std::string>& parts, int window_log = 0) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string room(ZSTD_compressBound(parts[i].size()) + 64, '\0');
    ZSTD_inBuffer input{parts[i].data(), parts[i].size(), 0};
    ZSTD_outBuffer output{room.data(), room.size(), 0};
    EXPECT_EQ(ZSTD_compressStream2(context, &output, &input, i + 1 == parts.size() ? ZSTD_e_end : ZSTD_e_flush), 0u);
    out.append(room.data(), output.pos);
  }
  ZSTD_freeCCtx(context);
  return out;
}

struct Coding {
  std::string name;
  std::function<std::string(const std::vector<std::string>&)> encode;
};

const std::vector<Coding>& codings() {
  static const std::vector<Coding> all = {
      {"gzip", [](const auto& parts) { return deflated(parts, kGzipBits); }},
      {"x-gzip", [](const auto& parts) { return deflated(parts, kGzipBits); }},
      {"deflate", [](const auto& parts) { return deflated(parts, kZlibBits); }},
      {" Deflate\t", [](const auto& parts) { return deflated(parts, kRawBits); }},
      {"br", [](const auto& parts) { return brotli(parts); }},
      {"zstd", [](const auto& parts) { return zstd(parts); }},
  };
  return all;
}

struct Decoded {
  std::string text;
  std::vector<std::size_t> sizes;  // of the text after each piece
  Result<> fed, ended;
};

Decoded decode(std::string_view coding, std::string_view bytes, std::size_t cut = std::string_view::npos,
               DecodeLimits limits = {}) {
  Decoded result;
  const auto decoder = ContentDecoder::make(coding, limits);
  for (std::size_t at = 0; at < bytes.size() && result.fed; at += std::min(cut, bytes.size())) {
    const std::string piece(bytes.substr(at, cut));
    result.fed = decoder->feed(piece, [&](std::string_view text) {
      EXPECT_FALSE(text.empty());
      result.text += text;
    });
    result.sizes.push_back(result.text.size());
  }
  result.ended = decoder->end();
  return result;
}

std::string words(std::size_t size) {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < size) text += "\"word" + std::to_string(random() % 5000) + "\": ";
  text.resize(size);
  return text;
}

TEST(ContentDecoder, KnowsTheCodings) {
  for (const std::string_view value : {"", " ", "identity", "Identity ", "identity, identity", " , "}) {
    EXPECT_FALSE(is_encoded(value)) << value;
  }
  for (const std::string_view value : {"gzip", "compress", "gzip, br", "identity, gzip", "x", "none"}) {
    EXPECT_TRUE(is_encoded(value)) << value;
  }
  const std::string bytes = deflated({"text"}, kGzipBits);
  for (const std::string_view value : {"none", "compress", "gzip, br", "gzip, gzip", "gzi", "gzipp", "b r", "dcb"}) {
    const Decoded decoded = decode(value, bytes);
    ASSERT_FALSE(decoded.fed) << value;
    EXPECT_EQ(decoded.fed.error().code, Errc::kUnsupported) << value;
    EXPECT_FALSE(decoded.ended) << value;
  }
  for (const std::string_view value :
       {"gzip", "GZip", "x-gzip", " gzip ", "identity, gzip", "gzip,none", ",gzip,", "utf-8, gzip"}) {
    EXPECT_EQ(decode(value, bytes).text, "text") << value;
  }
}

// H14: servers write anything there.
TEST(ContentDecoder, ReadsPlainTextWhateverItIsCalled) {
  const std::string json = R"({"jsonrpc":"2.0","id":1,"result":{"text":"ü"}})";
  for (const std::string_view value : {"none", "utf-8", "plain", "aws-chunked", "gzip", "x-gzip", "deflate", "br",
                                       "zstd", "gzip, br", "\"\"", "null"}) {
    for (const std::string& text : std::vector<std::string>{
             json, "\xef\xbb\xbf" + json, " \r\n\t" + json, std::string(40, '\n') + json, "[" + json + "]",
             "[\n  " + json + "]", "{\n\"id\": 1, \"result\": {} }", "data: " + json + "\n\n", "data:" + json + "\r\r",
             "event: endpoint\ndata: /m\n\n", ": hello\n\ndata: x\n\n", ":\n\ndata: x\n\n", "id: 1\r\ndata: \r\n\r\n",
             "retry: 5\n\nid\n\n", "\r\n\r\ndata: \u00fc\u20ac\U0001f600\n\n", ": \u00fc\u20ac\U0001f600\n\n"}) {
      for (const std::size_t cut : {text.size(), std::size_t{1}, std::size_t{7}}) {
        const Decoded decoded = decode(value, text, cut);
        EXPECT_TRUE(decoded.fed && decoded.ended) << value << ' ' << text;
        EXPECT_EQ(decoded.text, text) << value << ' ' << cut;
      }
    }
  }
  for (const std::string_view text : {"{}", "[]", ":\n\n", "\n", "id\n\n"})
    EXPECT_TRUE(decode("gzip", text).ended) << text;
}

TEST(ContentDecoder, TakesNothingElseForPlain) {
  for (const std::string_view text : {"qwerty, a very secret text", "<html>not found</html>", "{a: 1} and so on..",
                                      "[1,2,3,4,5,6,7,8]", "datum: a b c d e f", "\x1f\x8b\x08 and more bytes",
                                      "{\"\x01 and more bytes", "{\"\xff and more bytes", "{\"\xc3( and more bytes"}) {
    EXPECT_EQ(look_at(text), Look::kCoded) << text;
    EXPECT_FALSE(decode("none", text).fed);
  }
}

// What encoders begin with may be letters: with them no text is mistaken for another.
TEST(ContentDecoder, TakesNoEncodedBodyForPlain) {
  for (const Coding& coding : codings()) {
    for (std::size_t size = 0; size < 3000; size += 1 + size / 16) {
      for (const std::string& start :
           {std::string(), std::string("{\"id\":"), std::string("data: "), std::string("event: ")}) {
        const std::string text = start + words(size);
        if (!text.empty())
          EXPECT_EQ(decode(coding.name, coding.encode({text})).text, text) << coding.name << ' ' << size;
      }
    }
  }
}

TEST(ContentDecoder, DecodesHoweverTheBytesAreCut) {
  for (const Coding& coding : codings()) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5000}, std::size_t{300'000}}) {
      const std::string text = words(size), bytes = coding.encode({text});
      for (const std::size_t cut : {bytes.size(), std::size_t{1}, std::size_t{7}, std::size_t{4096}}) {
        const Decoded decoded = decode(coding.name, bytes, cut);
        EXPECT_TRUE(decoded.fed && decoded.ended) << coding.name << ' ' << size << ' ' << cut;
        EXPECT_EQ(decoded.text == text, true) << coding.name << ' ' << size << ' ' << cut;
      }
    }
  }
}

TEST(ContentDecoder, HandsOutEveryFlushedEventAtOnce) {
  std::vector<std::string> events;
  for (int i = 0; i < 20; ++i) events.push_back("data: {\"id\":" + std::to_string(i) + "}\n\n");
  for (const Coding& coding : codings()) {
    const auto decoder = ContentDecoder::make(coding.name);
    std::string text, bytes, expected;
    for (std::size_t i = 0; i + 1 < events.size(); ++i) {
      // What the encoder gives after i + 1 flushed parts begins with what it gave after i.
      std::vector<std::string> parts(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      parts.emplace_back();
      const std::string all = coding.encode(parts);
      std::string flushed = all;
      parts.back() = "x";
      const std::string other = coding.encode(parts);
      flushed.resize(static_cast<std::size_t>(std::ranges::mismatch(all, other).in1 - all.begin()));
      expected += events[i];
      ASSERT_TRUE(decoder->feed(flushed.substr(bytes.size()), [&](std::string_view piece) { text += piece; }));
      bytes = flushed;
      ASSERT_EQ(text, expected) << coding.name;
    }
    EXPECT_FALSE(decoder->end());
  }
}

TEST(ContentDecoder, ACutBodyIsNotWhole) {
  for (const Coding& coding : codings()) {
    const std::string text = words(5000), bytes = coding.encode({text});
    for (std::size_t size = 1; size < bytes.size(); size += 1 + size / 8) {
      const Decoded decoded = decode(coding.name, std::string_view(bytes).substr(0, size));
      EXPECT_TRUE(decoded.fed);
      ASSERT_FALSE(decoded.ended) << coding.name << ' ' << size;
      EXPECT_EQ(decoded.ended.error().code, Errc::kCorrupt);
      EXPECT_TRUE(text.starts_with(decoded.text));
    }
    EXPECT_TRUE(decode(coding.name, "").ended) << "an answer to HEAD has no bytes";
  }
}

TEST(ContentDecoder, ReadsMembersAndFramesAndPassesOverWhatFollows) {
  const std::string a = words(3000), b = "and more";
  for (const std::size_t cut : {std::size_t{1}, std::size_t{100'000}}) {
    EXPECT_EQ(decode("gzip", deflated({a}, kGzipBits) + deflated({b}, kGzipBits), cut).text, a + b);
    EXPECT_EQ(decode("zstd", zstd({a}) + zstd({b}), cut).text, a + b);
    for (const auto& [coding, bytes] : {std::pair{"gzip", deflated({a}, kGzipBits)},
                                        {"deflate", deflated({a}, kZlibBits)},
                                        {"deflate", deflated({a}, kRawBits)},
                                        {"br", brotli({a})}}) {
      const Decoded decoded = decode(coding, bytes + std::string(100'000, '\0') + "\x1f\x8btail", cut);
      EXPECT_EQ(decoded.text, a) << coding;
      EXPECT_TRUE(decoded.ended) << coding;
    }
  }
}

TEST(ContentDecoder, ReadsNoZstdFromBeforeTheStandard) {
  using std::string_view_literals::operator""sv;
  const std::string frame = zstd({"text"}), skippable("\x5a\x2a\x4d\x18\x02\0\0\0ab"sv);
  for (const std::size_t cut : {std::size_t{1}, std::size_t{3}, std::size_t{100}}) {
    EXPECT_EQ(decode("zstd", skippable + frame + skippable, cut).text, "text");
    EXPECT_TRUE(decode("zstd", skippable + frame + skippable, cut).ended);
    for (const char version : {'\x22', '\x23', '\x24', '\x25', '\x26', '\x27', '\x1e'}) {
      const Decoded old = decode("zstd", frame + version + frame.substr(1), cut);
      ASSERT_FALSE(old.fed);
      EXPECT_EQ(old.fed.error().code, Errc::kCorrupt);
      EXPECT_EQ(old.text, "text");
    }
  }
}

TEST(ContentDecoder, StopsAtABomb) {
  const std::string zeros(8 << 20, '\0');
  for (const Coding& coding : codings()) {
    const std::string bytes = coding.encode({zeros});
    for (const std::size_t cut : {bytes.size(), std::size_t{100}}) {
      const Decoded decoded = decode(coding.name, bytes, cut);
      ASSERT_FALSE(decoded.fed) << coding.name;
      EXPECT_EQ(decoded.fed.error().code, Errc::kLimit);
      EXPECT_LE(decoded.text.size(), std::max<std::size_t>(1 << 20, bytes.size() * 100));
      ASSERT_FALSE(decoded.ended);
      EXPECT_EQ(decoded.ended.error().code, Errc::kLimit);
    }
  }
}

TEST(ContentDecoder, StopsAtTheLimitOfBytesAndStaysStopped) {
  const std::string text = words(100'000);
  for (const Coding& coding : codings()) {
    const std::string bytes = coding.encode({text});
    EXPECT_TRUE(decode(coding.name, bytes, 50, {.bytes = text.size()}).ended);
    const auto decoder = ContentDecoder::make(coding.name, {.bytes = text.size() - 1});
    std::size_t size = 0;
    const auto count = [&](std::string_view piece) { size += piece.size(); };
    EXPECT_FALSE(decoder->feed(bytes, count));
    EXPECT_LT(size, text.size());
    size = 0;
    const auto again = decoder->feed(bytes, count);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::kLimit);
    EXPECT_EQ(size, 0u);
  }
}

TEST(ContentDecoder, WhatItRemembersIsOnABudget) {
  const std::string text = "{" + std::string(200'000, ' ') + "}";
  const std::pair<std::string, std::string> all[] = {{"gzip", deflated({text}, kGzipBits)},
                                                     {"deflate", deflated({text}, kZlibBits)},
                                                     {"br", brotli({text})},
                                                     {"zstd", zstd({text})}};
  for (const auto& [coding, body] : all) {
    SCOPED_TRACE(coding);
    for (const std::size_t bytes : {std::size_t{1000}, std::size_t{20'000}, std::size_t{64} << 20}) {
      HoldBudget budget(bytes);
      auto decoder = ContentDecoder::make(coding, {}, &budget);
      std::string got;
      const auto fed = decoder->feed(body, [&](std::string_view piece) { got += piece; });
      EXPECT_LE(budget.used(), bytes);
      if (bytes > 1 << 20) {
        EXPECT_TRUE(fed);
        EXPECT_EQ(got, text);
        EXPECT_GT(budget.used(), 20'000u);
      } else {
        ASSERT_FALSE(fed);
        EXPECT_EQ(fed.error().code, Errc::kIo);
        EXPECT_EQ(budget.used(), 0u) << "it is given back at once";
      }
      decoder.reset();
      EXPECT_EQ(budget.used(), 0u);
    }
  }
}

TEST(ContentDecoder, GarbageIsCorrupt) {
  std::mt19937 random(11);
  for (const Coding& coding : codings()) {
    int refused = 0;
    for (int i = 0; i < 200; ++i) {
      std::string bytes(1 + random() % 2000, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      const Decoded decoded = decode(coding.name, bytes, 1 + random() % 300);
      refused += decoded.ended ? 0 : 1;
    }
    EXPECT_GT(refused, 190) << coding.name;
    EXPECT_FALSE(decode(coding.name, "no such coding at all").ended) << coding.name;
    // Damaged in the middle: the checksum, or the format, tells; deflate without one may not.
    std::string bytes = coding.encode({words(5000)});
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x55);
    if (coding.name == "gzip") EXPECT_FALSE(decode(coding.name, bytes).ended);
  }
}

TEST(ContentDecoder, RefusesWindowsAndDictionariesBeyondItsBounds) {
  const std::string text = words(1000);
  EXPECT_TRUE(decode("zstd", zstd({text, ""}, 23)).ended);
  const Decoded large = decode("zstd", zstd({text, ""}, 24));
  ASSERT_FALSE(large.fed);
  EXPECT_EQ(large.fed.error().code, Errc::kUnsupported);
  EXPECT_FALSE(decode("br", brotli({text}, 26)).fed);

  z_stream stream{};
  ASSERT_EQ(deflateInit(&stream, 6), Z_OK);
  ASSERT_EQ(deflateSetDictionary(&stream, reinterpret_cast<const Bytef*>(text.data()), 1000), Z_OK);
  std::string out(2000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = 1000;
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = 2000;
  ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  const Decoded dictionary = decode("deflate", out);
  ASSERT_FALSE(dictionary.fed);
  EXPECT_EQ(dictionary.fed.error().code, Errc::kUnsupported);
}

}  // namespace
}  // namespace mcptrace::http
