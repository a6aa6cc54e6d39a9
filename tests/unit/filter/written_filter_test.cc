// SPDX-License-Identifier: Apache-2.0
// What libseccomp makes of a filter of ours, where that is not what the filter says.
#include "profiles/filter/written_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cerrno>

#include "lib/base/file.h"
#include "lib/oci/bundle.h"
#include "profiles/filter/runtime_filter.h"
#include "profiles/filter/seccomp_intersect.h"

namespace ward::filter {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Under a profile that allows everything.
oci::Seccomp form_of(std::string_view own_json) {
  const auto own = OwnFilter::make(oci::seccomp_from_json(own_json).value(), {});
  std::vector<CallRule> rules;
  for (const auto& [name, nr] : oci::known_syscalls())
    rules.push_back({static_cast<std::uint32_t>(nr), kLayerServing, {}});
  return complement_form(CallTable(std::move(rules), {}), own.value());
}

FilterProgram written(const oci::Seccomp& filter) {
  return make_runtime_filter(filter, {}).value();
}

// A program of another filter stands for a libseccomp that writes something else.
TEST(WrittenFilter, I2_WhatIsWrittenOtherwiseIsFoundAndNotified) {
  const char* const text = R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["socket"],
      "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": %s, "op": "SCMP_CMP_EQ"}]}]})";
  const auto of = [&](const char* value) {
    std::string filled = text;
    return form_of(filled.replace(filled.find("%s"), 2, value));
  };
  for (const char* value : {"5", "7", "4294967296", "18446744073709551615"}) {
    oci::Seccomp filter = of("6");
    const auto wrong = find_written_wrong(filter, written(of(value)));
    EXPECT_THAT(wrong, ElementsAre("socket")) << value;
    notify_whole(filter, wrong);
    for (const CallArgs& args : {CallArgs{4, 6, 0}, CallArgs{1, 2, 3}}) {
      EXPECT_EQ(written(filter).answer(oci::native_audit_arch(), SYS_socket, args).action,
                oci::SeccompAction::kNotify);
    }
    EXPECT_THAT(notify_what_is_written_wrong(filter, {}).value(), IsEmpty());
  }
}

// A random filter of the long comparison: it refuses socket(4, 5), and libseccomp 2.5.4 lets that
// run.
TEST(WrittenFilter, I2_WhatLibseccompWritesWiderIsNotified) {
  oci::Seccomp filter = form_of(read_file("tests/golden/written/refused_socket.json").value());
  const CallArgs refused{4, 5, 0};
  if (!written(filter).answer(oci::native_audit_arch(), SYS_socket, refused).executes()) {
    GTEST_SKIP() << "this libseccomp writes it as it is told";
  }
  EXPECT_THAT(notify_what_is_written_wrong(filter, {}).value(), Contains("socket"));
  EXPECT_EQ(written(filter).answer(oci::native_audit_arch(), SYS_socket, refused).action,
            oci::SeccompAction::kNotify);
}

TEST(WrittenFilter, WhatIsWrittenRightStays) {
  for (
      const char* own :
      {R"({"defaultAction": "SCMP_ACT_ALLOW"})",
       R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ALLOW",
               "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}]}]})",
       R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_ERRNO",
               "args": [{"index": 0, "value": 2114060288, "valueTwo": 268435456, "op": "SCMP_CMP_MASKED_EQ"}]}]})"}) {
    const oci::Seccomp filter = form_of(own);
    EXPECT_THAT(find_written_wrong(filter, written(filter)), IsEmpty()) << own;
  }
}

TEST(WrittenFilter, WriteCannotBeNotified) {
  oci::Seccomp filter;
  filter.rules = {{{"write", "read"},
                   oci::SeccompAction::kAllow,
                   std::nullopt,
                   {{0, 1, 0, oci::CompareOp::kEq}}}};
  notify_whole(filter, {"write"});
  ASSERT_EQ(filter.rules.size(), 2U);
  EXPECT_THAT(filter.rules[0].names, ElementsAre("read"));
  EXPECT_EQ(filter.rules[1].action, oci::SeccompAction::kErrno);
  EXPECT_EQ(filter.rules[1].errno_ret, std::uint32_t{EPERM});
}

}  // namespace
}  // namespace ward::filter
