// Owners of what libcurl gives.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

namespace mcptrace::client {

template <auto end>
struct EndBy {
  template <class Thing>
  void operator()(Thing* thing) const {
    end(thing);
  }
};
using EasyHandle = std::unique_ptr<CURL, EndBy<curl_easy_cleanup>>;
using MultiHandle = std::unique_ptr<CURLM, EndBy<curl_multi_cleanup>>;

class TextList {
 public:
  void add(const std::string& text) { list_.reset(curl_slist_append(list_.release(), text.c_str())); }
  [[nodiscard]] curl_slist* get() const { return list_.get(); }

 private:
  std::unique_ptr<curl_slist, EndBy<curl_slist_free_all>> list_;
};

}  // namespace mcptrace::client
