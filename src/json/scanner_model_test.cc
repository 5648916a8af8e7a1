// Properties of the scanner: how the input is cut does not matter, a naive model says the same, and simdjson agrees on
// valid documents.
#include "json/scanner_model.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcptrace::json {
namespace {

constexpr Policy kPolicies[] = {Policy::kEverything, Policy::kMessage, Policy::kMixed};

// Valid documents of every form that RFC 8259 allows.
class Documents {
 public:
  explicit Documents(std::uint32_t seed) : random_(seed) {}

  std::string next() {
    std::string out = blanks();
    left_ = static_cast<std::ptrdiff_t>(below(8) == 0 ? 2 : 20 + below(200));
    value(out, 0);
    return out + blanks();
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }

  std::string_view pick(std::initializer_list<std::string_view> choices) {
    return choices.begin()[below(choices.size())];
  }

  std::string blanks() {
    return std::string(below(3) == 0 ? pick({" ", "\n", "\t ", "\r\n", "                 "}) : "");
  }

  void string(std::string& out) {
    out += '"';
    for (std::size_t left = below(6) == 0 ? below(200) : below(8); left > 0; --left) {
      out += pick({"a", "id", "\\\\",    "\\\"",           "\\n", "{", "}",  "[", "]",        ":",
                   ",", " ",  "\\u00e9", "\\ud83d\\ude00", "é",   "€", "😀", "/", "\\\\\\\"", "\\\\\\\\"});
    }
    out += '"';
  }

  void key(std::string& out) {
    if (below(3) == 0) return string(out);
    out += '"';
    out += pick({"id", "method", "params", "name", "_meta", "result", "a", "", "error", "arguments"});
    out += '"';
  }

  void container(std::string& out, int depth, bool object) {
    out += object ? '{' : '[';
    const std::size_t count = below(8);
    for (std::size_t i = 0; i < count; ++i, --left_) {
      out += i == 0 ? blanks() : blanks() + "," + blanks();
      if (object) {
        key(out);
        out += blanks() + ":" + blanks();
      }
      value(out, depth + 1);
    }
    out += blanks();
    out += object ? '}' : ']';
  }

  void value(std::string& out, int depth) {
    switch (depth > 20 || left_ < 0 ? 2 + below(3) : below(left_ > 10 && depth < 2 ? 2 : 5)) {
      case 0:
        return container(out, depth, true);
      case 1:
        return container(out, depth, below(3) == 0);
      case 2:
        return string(out);
      case 3:
        out += pick(
            {"0", "-0", "7", "-12", "3.25", "1e5", "-2.5E-3", "9007199254740993", "18446744073709551615", "1e-400"});
        return;
      default:
        out += pick({"true", "false", "null"});
    }
  }

  std::mt19937 random_;
  std::ptrdiff_t left_ = 0;  // values that this document may still have, about
};

// A few bytes changed, moved or lost: almost JSON.
std::string spoiled(std::string input, std::mt19937& random) {
  for (std::size_t left = 1 + random() % 4; left > 0 && !input.empty(); --left) {
    static constexpr std::string_view kBytes = "{}[]\"\\:, 1ax\n";
    const std::size_t at = random() % input.size();
    switch (random() % 4) {
      case 0:
        input[at] = kBytes[random() % kBytes.size()];
        break;
      case 1:
        input.erase(at, 1 + random() % 3);
        break;
      case 2:
        input.insert(at, 1, kBytes[random() % kBytes.size()]);
        break;
      default:
        input.resize(at);
    }
  }
  return input;
}

void expect_as_model(std::string_view input, std::mt19937& random) {
  for (const Policy policy : kPolicies) {
    const Report model = model_report(input, policy);
    for (const Kernel& kernel : kernels()) {
      const Report whole = scan_report(kernel, input, policy, [&] { return input.size(); });
      ASSERT_EQ(whole, model) << kernel.name << ": " << input << "\n"
                              << to_string(whole) << "model:\n"
                              << to_string(model);
      const std::size_t largest = 1 + random() % 100;
      const Report cut = scan_report(kernel, input, policy, [&] { return random() % (largest + 1); });
      ASSERT_EQ(cut, model) << kernel.name << ": " << input << "\n" << to_string(cut) << "model:\n" << to_string(model);
    }
  }
}

TEST(ScannerModel, EverySplitInTwoSaysTheSame) {
  std::vector<std::string> inputs = {
      R"({"jsonrpc":"2.0","id":"a\\","method":"tools/call","params":{"name":"x","arguments":{"q":"\\\"}"},"_meta":{"traceparent":"00-"}}})",
      R"([{"id":1},[[]],"\\\\\\\"",null,-1.5e+3,tru])",
      R"({"a":\"b\","c"d"e\\"f":[}]})",
  };
  Documents documents(10);
  while (inputs.size() < 20) {
    if (std::string input = documents.next(); input.size() < 400) inputs.push_back(std::move(input));
  }
  for (const std::string& input : inputs) {
    for (const Policy policy : kPolicies) {
      const Report model = model_report(input, policy);
      for (std::size_t split = 0; split <= input.size(); ++split) {
        std::size_t piece = split;
        const Report report =
            scan_report(best_kernel(), input, policy, [&] { return std::exchange(piece, input.size()); });
        ASSERT_EQ(report, model) << input << " split at " << split;
      }
      ASSERT_EQ(scan_report(best_kernel(), input, policy, [] { return std::size_t{1}; }), model) << input;
    }
  }
}

TEST(ScannerModel, AgreesOnValidDocuments) {
  std::mt19937 random(11);
  Documents documents(12);
  for (int i = 0; i < 400; ++i) {
    const std::string input = documents.next();
    ASSERT_EQ(model_report(input, Policy::kEverything).shape, Shape::kComplete) << input;
    expect_as_model(input, random);
    if (HasFatalFailure()) return;
  }
}

TEST(ScannerModel, AgreesOnSpoiledDocuments) {
  std::mt19937 random(13);
  Documents documents(14);
  for (int i = 0; i < 400; ++i) {
    expect_as_model(spoiled(documents.next(), random), random);
    if (HasFatalFailure()) return;
  }
}

TEST(ScannerModel, AgreesOnBytesOfTheGrammar) {
  std::mt19937 random(15);
  for (int i = 0; i < 1000; ++i) {
    static constexpr std::string_view kBytes = "{{[[}]\"\"\"\\:, 1at";
    std::string input = i % 2 == 0 ? "{\"a\":" : "[";
    for (std::size_t left = random() % 200; left > 0; --left) input += kBytes[random() % kBytes.size()];
    expect_as_model(input, random);
    if (HasFatalFailure()) return;
  }
}

TEST(ScannerModel, AgreesBeyondOneBatch) {
  std::mt19937 random(16);
  Documents documents(17);
  for (int i = 0; i < 20; ++i) {
    std::string input = "{\"params\":{\"arguments\":[";
    while (input.size() < 4000) input += documents.next() + ",";
    input += "0],\"name\":\"n\"},\"id\":1}";
    expect_as_model(input, random);
    if (HasFatalFailure()) return;
  }
}

TEST(ScannerModel, SimdjsonAgreesOnValidDocuments) {
  Documents documents(18);
  int accepted = 0;
  for (int i = 0; i < 800; ++i) {
    const std::string input = documents.next();
    accepted += simdjson_accepts(input) ? 1 : 0;
    ASSERT_EQ(difference_from_simdjson(input), "") << input;
  }
  EXPECT_EQ(accepted, 800);
}

}  // namespace
}  // namespace mcptrace::json
