// SPDX-License-Identifier: Apache-2.0
#include "shim/task/rootfs.h"

#include <gtest/gtest.h>

namespace ward::shim::task {
namespace {

RootfsMount overlay(const std::string& lower, const std::string& upper) {
  return {"overlay",
          "overlay",
          "",
          {"index=off", "workdir=/s/" + upper + "/work", "upperdir=/s/" + upper + "/fs",
           "lowerdir=" + lower}};
}

TEST(Layers, F26_TwoContainersOfOneImageHaveOneDigestAndTwoImagesTwo) {
  const std::string web = digest_of_layers({overlay("/s/2/fs:/s/1/fs", "10")});
  EXPECT_EQ(web.size(), 64U);
  EXPECT_EQ(digest_of_layers({overlay("/s/2/fs:/s/1/fs", "11")}), web);
  EXPECT_NE(digest_of_layers({overlay("/s/3/fs:/s/1/fs", "10")}), web);
  EXPECT_NE(digest_of_layers({overlay("/s/2/fs:/s/1/fs", "10"), overlay("/s/4/fs", "12")}), web);
}

TEST(Layers, F26_WhereTheMountsDoNotSayThereIsNone) {
  EXPECT_EQ(digest_of_layers({}), "");
  EXPECT_EQ(digest_of_layers({{"bind", "/s/1/fs", "", {"rbind", "rw", "lowerdir=/x"}}}), "");
  EXPECT_EQ(digest_of_layers({{"overlay", "overlay", "", {}}}), "");
}

}  // namespace
}  // namespace ward::shim::task
