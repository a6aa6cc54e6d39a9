// SPDX-License-Identifier: Apache-2.0
#include "inspect/package_files.h"

#include <gtest/gtest.h>

#include <vector>

namespace ward::inspect {
namespace {

const std::set<std::string, std::less<>> kWanted = {"/usr/bin/x", "/usr/lib/y.so", "/init"};

TEST(PackageFiles, DpkgSaysThePackageAndItsMd5) {
  PackagedFiles found;
  read_dpkg_file("libx:amd64.md5sums",
                 "0123456789abcdef0123456789abcdef  usr/bin/x\n"
                 "0123456789abcdef0123456789abcdeg  init\nshort\n",
                 kWanted, found);
  read_dpkg_file("liby.list", "/.\n/usr\n/lib/y.so\n/usr/bin/z\n", kWanted, found);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found["/usr/bin/x"].package, "libx:amd64");
  EXPECT_EQ(found["/usr/bin/x"].md5, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(found["/usr/lib/y.so"].package, "liby") << "/lib is /usr/lib";
  EXPECT_EQ(found["/usr/lib/y.so"].md5, "");
}

TEST(PackageFiles, ApkSaysThePackageAndItsSha1) {
  PackagedFiles found;
  read_apk_installed(
      "C:Q1x\nP:xpkg\nV:1\nF:usr/bin\nR:x\na:0:0:755\nZ:Q1AAECAwQFBgcICQoLDA0ODxAREhM=\nR:z\n"
      "Z:Q1AAECAwQFBgcICQoLDA0ODxAREhM=\n\nP:other\nR:init\nZ:Q1!!\n",
      kWanted, found);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found["/usr/bin/x"].package, "xpkg");
  EXPECT_EQ(found["/usr/bin/x"].sha1, "000102030405060708090a0b0c0d0e0f10111213");
  EXPECT_EQ(found["/init"].package, "other");
  EXPECT_EQ(found["/init"].sha1, "");
}

TEST(PackageFiles, ATextInPlaceOfANameIsNoPackage) {
  PackagedFiles found;
  const std::string sums = "0123456789abcdef0123456789abcdef  usr/bin/x\n";
  read_dpkg_file("libc6; its md5, a weak digest, agrees.md5sums", sums, kWanted, found);
  read_dpkg_file(std::string(kMaxPackageBytes + 1, 'a') + ".md5sums", sums, kWanted, found);
  read_dpkg_file(".md5sums", sums, kWanted, found);
  read_apk_installed("P:musl agrees\nF:usr/bin\nR:x\n\nF:usr/bin\nR:x\n", kWanted, found);
  EXPECT_TRUE(found.empty());
}

TEST(PackageFiles, WhatIsNoDatabaseSaysNothing) {
  PackagedFiles found;
  const std::vector<std::string> texts = {"", "\n\n", "R:", "Z:Q1", ":", std::string(100'000, 'F')};
  for (const std::string& text : texts) {
    read_apk_installed(text, kWanted, found);
    read_dpkg_file("x.md5sums", text, kWanted, found);
    read_dpkg_file("x", text, kWanted, found);
  }
  EXPECT_TRUE(found.empty());
}

}  // namespace
}  // namespace ward::inspect
