// Writing JSON: an object's and a list's commas. Values are appended to the same text.
//
//   Object object(out);
//   append_quoted(object.key("name"), name);
//   object.end();
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json/text.h"

namespace mcptrace::json {

class Object {
 public:
  explicit Object(std::string& out) : out_(out) { out_ += '{'; }
  // The member's value goes to the result. `name` is one of ours, that needs no escapes.
  std::string& key(std::string_view name) {
    next();
    out_.append(1, '"').append(name).append("\":");
    return out_;
  }
  std::string& foreign_key(std::string_view name) {
    next();
    append_quoted(out_, name);
    out_ += ':';
    return out_;
  }
  void end() { out_ += '}'; }

 private:
  void next() {
    if (!first_) out_ += ',';
    first_ = false;
  }

  std::string& out_;
  bool first_ = true;
};

// `write` takes the text and an item.
template <class Item, class Write>
void append_list(std::string& out, const std::vector<Item>& items, Write&& write) {
  out += '[';
  for (const Item& item : items) {
    if (&item != items.data()) out += ',';
    write(out, item);
  }
  out += ']';
}

}  // namespace mcptrace::json
