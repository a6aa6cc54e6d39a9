// SPDX-License-Identifier: Apache-2.0
#include "shim/runtime/runc.h"

#include <gtest/gtest.h>

namespace ward::shim::runtime {
namespace {

TEST(RuncLog, TheLastErrorCounts) {
  EXPECT_EQ(
      find_last_error(
          "{\"level\":\"error\",\"msg\":\"a\"}\n{\"level\":\"info\",\"msg\":\"i\"}\n"
          "not json\n{\"level\":\"error\",\"msg\":\"b\"}\n{\"level\":\"warning\",\"msg\":\"w\"}"),
      "b");
  EXPECT_EQ(find_last_error(""), "");
  EXPECT_EQ(find_last_error("{\"level\":3,\"msg\":\"x\"}\n[1]\n"), "");
}

TEST(RuncLog, ARecordMayTakeSeveralLines) {  // crun 1.28
  EXPECT_EQ(find_last_error(
                "{\n  \"msg\": \"first\",\n  \"level\": \"error\"\n}\n"
                "{\n  \"msg\": \"second {}\",\n  \"level\": \"error\"\n}\n{\n  \"msg\": \"cut"),
            "second {}");
}

TEST(RuncLog, AbsenceIsRecognizedInEverySpelling) {
  EXPECT_TRUE(says_not_found("container \"x\" does not exist"));
  EXPECT_TRUE(says_not_found("container `x` does not exist"));
  EXPECT_TRUE(says_not_found("No such process"));
  EXPECT_FALSE(says_not_found("permission denied"));
}

}  // namespace
}  // namespace ward::shim::runtime
