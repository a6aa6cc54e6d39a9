// SPDX-License-Identifier: Apache-2.0
#include "lib/html/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ward::html {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string written(void (*write)(Writer&)) {
  Writer out;
  write(out);
  return std::move(out).finish().text();
}

TEST(Html, TextAndAttributesAreEscapedAndWhatIsNotPrintableIsShown) {
  EXPECT_EQ(written([](Writer& out) {
              out.element("p", {{"title", "a\"'<&\n"}}, "<b>&'\"\x1b\xe2\x80\xae");
            }),
            "<p title=\"a&quot;&#39;&lt;&amp;\\x0a\">&lt;b&gt;&amp;&#39;&quot;\\x1b\\xe2\\x80\\xae"
            "</p>\n");
}

TEST(Html, DataDoublesABackslashAndTextKeepsIt) {
  EXPECT_EQ(written([](Writer& out) { out.data("\\x41").text(" \\x41"); }), "\\\\x41 \\x41");
}

TEST(Html, LinesKeepTheirEndsAndNothingElse) {
  EXPECT_EQ(written([](Writer& out) { out.lines("a\n<\t\r", 100); }), "a\n&lt;\\x09\\x0d");
}

TEST(Html, WhatIsTooLongIsCutAndSaysSo) {
  EXPECT_EQ(written([](Writer& out) { out.text("abcdef", 3); }), "abc...");
  EXPECT_EQ(written([](Writer& out) { out.data(std::string(10, '\n'), 2); }), "\\x0a\\x0a...");
}

TEST(Html, ALinkLeadsNowhereButToThisPageAndItsNeighbours) {
  EXPECT_EQ(written([](Writer& out) { out.link("#next", "down"); }), "<a href=\"#next\">down</a>");
  EXPECT_EQ(written([](Writer& out) { out.link("javascript:a('\"x", "<"); }),
            "<a href=\"javascript_a___x\">&lt;</a>");
  EXPECT_EQ(written([](Writer& out) { out.link("//host/../x.html", "x"); }),
            "<a href=\"__host_.._x.html\">x</a>");
}

TEST(Html, WhatIsOpenIsClosed) {
  EXPECT_EQ(written([](Writer& out) { out.open("main").open("p").text("x"); }),
            "<main><p>x</p>\n</main>\n");
}

// The hash was computed with openssl: printf 'p{color:red}' | openssl dgst -sha256 -binary | base64
TEST(Html, ADocumentAllowsItsOwnStyleByHashAndNothingElse) {
  const std::string page = document("<t>", "p{color:red}", Writer().finish());
  EXPECT_THAT(page,
              HasSubstr("default-src 'none'; style-src "
                        "'sha256-p0bF+un5yUb9MBO6xRb8kPHlY2BdpHVtLiFkDrZPF64='; base-uri 'none'; "
                        "form-action 'none'"));
  EXPECT_THAT(page, HasSubstr("<title>&lt;t&gt;</title>"));
  EXPECT_THAT(page, Not(HasSubstr("script")));
}

}  // namespace
}  // namespace ward::html
