#include "proxy/field_rewriter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/field_table.h"

namespace mcptrace::proxy {
namespace {

class FieldRewriterTest : public testing::Test {
 protected:
  // The value of `name` in an answer of that status to a request for `target`, as the client gets it.
  std::string rewritten(int status, std::string_view name, std::string_view value, std::string_view target = "/a/m") {
    rewriter_.begin(routes_, 0, {.scheme = "https", .host = "us:8443", .request_target = target});
    const std::vector<http::Field> fields = {{http::FieldName::kContentType, "Content-Type", "text/plain"},
                                             {http::field_name(name), name, value},
                                             {http::FieldName::kOther, "X-Location", "http://up/base"}};
    http::ResponseHead head;
    head.status = status;
    head.fields = fields;
    if (!rewriter_.rewrite(head)) return std::string(value);
    EXPECT_EQ(rewriter_.fields().size(), fields.size());
    EXPECT_EQ(rewriter_.fields()[2].value, "http://up/base");
    EXPECT_NE(rewriter_.fields()[1].value, value);
    return std::string(rewriter_.fields()[1].value);
  }

  const RouteTable routes_ = *RouteTable::make({*parse_route("/a=http://up/base"), *parse_route("/b=http://other")});
  FieldRewriter rewriter_;
};

TEST_F(FieldRewriterTest, ARedirectionToTheUpstreamLeadsToUs) {
  for (const int status : {301, 302, 303, 307, 308, 201, 200}) {
    EXPECT_EQ(rewritten(status, "Location", "http://up/base/m/?q#f"), "https://us:8443/a/m/?q#f");
    EXPECT_FALSE(rewriter_.leads_away());
    EXPECT_EQ(rewritten(status, "LOCATION", "/base/m/"), "/a/m/");
    EXPECT_EQ(rewritten(status, "Location", "m/"), "m/");
    EXPECT_FALSE(rewriter_.leads_away());
  }
}

TEST_F(FieldRewriterTest, OneToAnotherOriginPassesAndIsTold) {
  for (const std::string uri : {"http://elsewhere/base/m", "//elsewhere/base/m", "http://up:81/base/m", "mailto:a"}) {
    EXPECT_EQ(rewritten(307, "Location", uri), uri);
    EXPECT_TRUE(rewriter_.leads_away()) << uri;
    EXPECT_FALSE(rewriter_.is_unreachable());
    for (const int status : {200, 201, 300, 304, 404}) {
      EXPECT_EQ(rewritten(status, "Location", uri), uri);
      EXPECT_FALSE(rewriter_.leads_away()) << status;
    }
    EXPECT_EQ(rewritten(307, "Content-Location", uri), uri);
    EXPECT_FALSE(rewriter_.leads_away());
  }
}

// As a bare path it would name another server's resource here.
TEST_F(FieldRewriterTest, WhatCannotBeReachedThroughUsSaysWhereItIs) {
  EXPECT_EQ(rewritten(307, "Location", "/b/m"), "http://up/b/m");
  EXPECT_TRUE(rewriter_.leads_away());
  EXPECT_TRUE(rewriter_.is_unreachable());
  EXPECT_EQ(rewritten(307, "Location", "../login?x"), "http://up/login?x");
  EXPECT_EQ(rewritten(307, "Location", "http://up/login"), "http://up/login");
  EXPECT_TRUE(rewriter_.is_unreachable());
}

// Through us the same request would come again, for ever.
TEST_F(FieldRewriterTest, WhoWantsTheOtherSchemeForTheSameIsNotMapped) {
  EXPECT_EQ(rewritten(301, "Location", "https://up/base/m", "/a/m"), "https://up/base/m");
  EXPECT_TRUE(rewriter_.leads_away());
  EXPECT_EQ(rewritten(301, "Location", "https://up/base/m#f", "http://us:8443/a/m"), "https://up/base/m#f");
  EXPECT_EQ(rewritten(301, "Location", "https://up/base/m/", "/a/m"), "https://us:8443/a/m/");
  EXPECT_FALSE(rewriter_.leads_away());
  EXPECT_EQ(rewritten(302, "Location", "http://up/base/m", "/a/m"), "https://us:8443/a/m") << "with a cookie, perhaps";
}

TEST_F(FieldRewriterTest, Refresh) {
  EXPECT_EQ(rewritten(200, "Refresh", "5; url=http://up/base/x"), "5; url=https://us:8443/a/x");
  EXPECT_EQ(rewritten(200, "Refresh", "0;URL='/base/x'"), "0;URL='/a/x'");
  EXPECT_EQ(rewritten(200, "Refresh", "0, url = \"/base/x\" "), "0, url = \"/a/x\" ");
  EXPECT_EQ(rewritten(200, "Refresh", "0; /base/x"), "0; /a/x");
  for (const std::string value : {"5", "5;", "5; url=", "", "5; url=http://elsewhere/", "5; url=\"", "url=", ";"}) {
    EXPECT_EQ(rewritten(200, "Refresh", value), value);
  }
}

TEST_F(FieldRewriterTest, Link) {
  EXPECT_EQ(rewritten(200, "Link", "<http://up/base/x>; rel=\"next\"; title=\"<http://up/base>\", </base/y>;rel=a"),
            "<https://us:8443/a/x>; rel=\"next\"; title=\"<http://up/base>\", </a/y>;rel=a");
  EXPECT_EQ(rewritten(103, "Link", "</base/y\\\">; rel=\"a\\\"\", <http://up/base>"),
            "</a/y\\\">; rel=\"a\\\"\", <https://us:8443/a>");
  for (const std::string value :
       {"", "<", "<http://elsewhere/>; rel=x", "http://up/base", "<x>", "\"</base/x>\"", "<\"/base/x"}) {
    EXPECT_EQ(rewritten(200, "Link", value), value);
  }
}

// However it looks, it costs no more than its length.
TEST_F(FieldRewriterTest, ALinkOfBeginningsAlone) {
  const std::string value(60'000, '<');
  EXPECT_EQ(rewritten(200, "Link", value), value);
  EXPECT_EQ(rewritten(200, "Link", value + "/base/x>"), value + "/base/x>");
}

TEST_F(FieldRewriterTest, EachOfSeveralFields) {
  rewriter_.begin(routes_, 0, {.scheme = "http", .host = "us"});
  const std::vector<http::Field> fields = {{http::FieldName::kLink, "Link", "</base>"},
                                           {http::FieldName::kLocation, "Location", "/base/1"},
                                           {http::FieldName::kLocation, "Location", "http://elsewhere"},
                                           {http::FieldName::kContentLocation, "Content-Location", "/base/2"}};
  http::ResponseHead head;
  head.status = 302;
  head.fields = fields;
  ASSERT_TRUE(rewriter_.rewrite(head));
  std::string all;
  for (const http::Field& field : rewriter_.fields())
    all.append(field.name).append("=").append(field.value).append(";");
  EXPECT_EQ(all, "Link=</a>;Location=/a/1;Location=http://elsewhere;Content-Location=/a/2;");
  EXPECT_TRUE(rewriter_.leads_away());
}

TEST_F(FieldRewriterTest, AnAnswerWithoutThemStaysWhereItIs) {
  rewriter_.begin(routes_, 0, {.scheme = "http", .host = "us"});
  const std::vector<http::Field> fields = {{http::FieldName::kWwwAuthenticate, "WWW-Authenticate",
                                            "Bearer resource_metadata=\"http://up/base/.well-known/x\""}};
  http::ResponseHead head;
  head.status = 401;
  head.fields = fields;
  EXPECT_FALSE(rewriter_.rewrite(head));
  EXPECT_FALSE(rewriter_.leads_away());
}

}  // namespace
}  // namespace mcptrace::proxy
