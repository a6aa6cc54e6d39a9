// SPDX-License-Identifier: Apache-2.0
// The runtime's verbs over a script.
#include "shim/runtime/runc.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "lib/linux/reaper.h"
#include "tests/support/loop_test.h"

namespace ward::shim::runtime {
namespace {

class RuncTest : public test::LoopTest {};

TEST_F(RuncTest, AFailingRuntimeCallCarriesTheLastErrorOfItsLog) {
  Reaper reaper(loop_);
  ASSERT_TRUE(reaper.start(nullptr, nullptr).has_value());
  const std::string script = directory_ / "fake-runtime";
  std::ofstream(script) << "#!/bin/sh\n[ \"$7\" = ps ] && { echo '[1]'; exit 0; }\n"
                           "[ \"$7\" = state ] && exit 3\n"
                           "echo '{\"level\":\"error\",\"msg\":\"it broke\"}' >> \"$4\"; exit 1\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  Runc runc(reaper, {script, "/root", false});
  const auto call = [&](const char* verb) {
    Result<std::string> answer;
    bool done = false;
    RuncCall request;
    request.arguments = {verb, "id"};
    runc.run(std::move(request), [&](Result<std::string> result) {
      answer = std::move(result);
      done = true;
    });
    EXPECT_TRUE(run_until([&] { return done; }));
    return answer;
  };
  EXPECT_EQ(call("start").error().message, "OCI runtime start failed: it broke");
  EXPECT_EQ(call("state").error().message,
            "OCI runtime state failed: unable to retrieve OCI runtime error (its log is empty): "
            "exit status 3");
  EXPECT_EQ(*call("ps"), "[1]\n");
  reaper.stop();
}

}  // namespace
}  // namespace ward::shim::runtime
