#include "base/shown.h"

#include <gtest/gtest.h>

namespace mcptrace {
namespace {

TEST(Shown, OfAnAddressOnlyItsOrigin) {
  EXPECT_EQ(shown("http://host"), "http://host");
  EXPECT_EQ(shown("https://Host.example:8443/"), "https://Host.example:8443");
  EXPECT_EQ(shown("https://[::1]:8443"), "https://[::1]:8443");
  EXPECT_EQ(shown("/docs=https://host/k"), "/docs=https://host/…");
  EXPECT_EQ(shown("--upstrem=ftp://host?k"), "--upstrem=ftp://host/…");
  EXPECT_EQ(shown("socks5h://user:k@host:1080"), "socks5h://host:1080");
  EXPECT_EQ(shown(""), "");
  EXPECT_EQ(shown("file-1.json"), "file-1.json");
}

TEST(Shown, NothingThatMayBeASecret) {
  for (const char* text : {"http://host/SECRET",
                           "http://host?SECRET",
                           "http://host?k=SECRET",
                           "http://host#SECRET",
                           "http://host\\SECRET",
                           "http://host/mcp?key=SECRET",
                           "http://SECRET@host",
                           "http://SECRET:SECRET@host/",
                           "http://me:SECRET@host/x",
                           "http://me:SEC/SECRET@host/x",
                           "http://me:a@SECRET@host",
                           "http://me:SECRET",
                           "http://host SECRET",
                           "http://host:8080 SECRET",
                           "http://host%SECRET",
                           "host/SECRET",
                           "host?SECRET",
                           "me:SECRET@host",
                           "--key=SECRET",
                           "--upstream=host/SECRET",
                           "k SECRET http://host",
                           "x=SECRET!://host",
                           "http://\nSECRET",
                           "//host/SECRET"}) {
    EXPECT_EQ(shown(text).find("SECRET"), std::string::npos) << shown(text);
  }
}

}  // namespace
}  // namespace mcptrace
