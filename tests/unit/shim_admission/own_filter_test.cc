// SPDX-License-Identifier: Apache-2.0
// The container's own filter is a tenant's: whatever it is made of, it costs a bounded time, and
// means what the runtime would have loaded or is refused.
#include "shim/admission/own_filter.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <functional>
#include <utility>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "profiles/filter/seccomp_intersect.h"
#include "profiles/filter/written_filter.h"
#include "shim/admission/written_filter.h"

namespace ward::shim::admission {
namespace {

namespace fs = std::filesystem;
using namespace filter;  // NOLINT(google-build-using-namespace): filters are all that this is about
using namespace oci;     // NOLINT(google-build-using-namespace): the same

// Room for a slow machine and a sanitizer.
constexpr double kEnough_s = 8;

double processor_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

CallTable everything_allowed() {
  std::vector<CallRule> rules;
  for (const auto& [name, nr] : known_syscalls()) {
    rules.push_back({static_cast<std::uint32_t>(nr), kLayerServing, {}});
  }
  return {std::move(rules), {}};
}

SeccompArg on(std::size_t index, std::uint64_t value, CompareOp op = CompareOp::kEq) {
  return {static_cast<std::uint32_t>(index % 6), value, 0, op};
}

Seccomp filter_of(std::size_t count, const std::function<SeccompRule(std::size_t)>& make) {
  Seccomp seccomp;
  seccomp.default_action = SeccompAction::kErrno;
  for (std::size_t i = 0; i < count; ++i) seccomp.rules.push_back(make(i));
  return seccomp;
}

SeccompRule allow(std::string name, std::vector<SeccompArg> args) {
  return {{std::move(name)}, SeccompAction::kAllow, {}, std::move(args)};
}

struct Shape {
  const char* name;
  Seccomp filter;
};

std::vector<Shape> costly_shapes() {
  std::vector<Shape> shapes;
  for (const std::size_t count : {100U, 8000U, 40000U}) {
    shapes.push_back({"one call, one argument", filter_of(count, [](std::size_t i) {
                        return allow("ioctl", {on(1, i * 7919)});
                      })});
    shapes.push_back({"in turn two actions", filter_of(count, [](std::size_t i) {
                        SeccompRule rule = allow("ioctl", {on(1, i * 7919)});
                        if (i % 2 == 0) rule.action = SeccompAction::kLog;
                        return rule;
                      })});
    shapes.push_back({"two arguments", filter_of(count, [](std::size_t i) {
                        return allow("ioctl", {on(0, i % 97), on(1, i)});
                      })});
    shapes.push_back({"masks", filter_of(count, [](std::size_t i) {
                        const std::uint64_t mask = (i * 2654435761U) | 1U;
                        return allow("ioctl", {{1, mask, mask & 0xFFFFU, CompareOp::kMaskedEq}});
                      })});
    shapes.push_back({"by order", filter_of(count, [](std::size_t i) {
                        return allow("ioctl",
                                     {on(1, i * 10, i % 2 == 0 ? CompareOp::kGt : CompareOp::kEq)});
                      })});
    shapes.push_back(
        {"spread over calls", filter_of(count, [](std::size_t i) {
           auto name = known_syscalls().begin();
           std::advance(name, i % known_syscalls().size());
           return allow(name->first, {on(i, 1ULL << (i % 64)), on(i + 1, i, CompareOp::kNe)});
         })});
  }
  for (const std::size_t count : {4U, 6U, 10U, 100U, 500U}) {
    shapes.push_back(
        {"unequal on one argument, equal on the next", filter_of(count, [](std::size_t i) {
           return allow("ioctl", {on(i, i * 7919, CompareOp::kNe), on(i + 1, i * 7919)});
         })});
  }
  Seccomp product;
  product.default_action = SeccompAction::kErrno;
  SeccompRule rule{std::vector<std::string>(20'000, "bpf"), SeccompAction::kAllow, {}, {}};
  for (std::size_t i = 0; i < 20'000; ++i) rule.args.push_back(on(0, i));
  product.rules = {rule};
  shapes.push_back({"a name as often as there are conditions", product});
  Seccomp names;
  for (std::size_t i = 0; i < 100'000; ++i)
    rule.names.push_back("no_such_call_" + std::to_string(i));
  rule.args.clear();
  names.rules = {rule};
  shapes.push_back({"names that nobody knows", names});
  return shapes;
}

TEST(OwnFilter, H03_I5_WhateverItsRulesAFilterIsReadCutAndAskedWithBoundedWork) {
  const CallTable table = everything_allowed();
  for (const Shape& shape : costly_shapes()) {
    const double before = processor_seconds();
    const auto begun = std::chrono::steady_clock::now();
    const auto own = make_own_filter(shape.filter, {});
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2)) << shape.name;
    if (!own) {
      EXPECT_NE(own.error().message, "") << shape.name;
      continue;
    }
    const Seccomp made = complement_form(table, *own);
    for (std::uint64_t i = 0; i < 1000; ++i) (void)own->verdict(SYS_ioctl, {1, i * 7919});
    EXPECT_LT(processor_seconds() - before, kEnough_s)
        << shape.name << ", rules " << shape.filter.rules.size();
    std::size_t conditions = 0;
    for (const SeccompRule& rule : made.rules) conditions += rule.args.size();
    EXPECT_LE(conditions, 320U) << shape.name;
  }
}

class KeptFilters : public testing::Test {
 protected:
  KeptFilters() { fs::permissions(root_, fs::perms::owner_all); }
  ~KeptFilters() override { fs::remove_all(root_); }

  static Seccomp denying(std::uint32_t error_number) {
    Seccomp seccomp = filter_of(1, [](std::size_t) { return allow("getpid", {}); });
    seccomp.default_errno_ret = error_number;
    return seccomp;
  }
  fs::path file_of(const Seccomp& seccomp) const {
    return directory() / FilterCache::key(seccomp, {});
  }
  fs::path directory() const { return root_ / "filters"; }
  FilterCache cache() const { return FilterCache(directory()); }
  bool is_kept(const Seccomp& seccomp) const {
    return cache().find(FilterCache::key(seccomp, {})).has_value();
  }

 private:
  fs::path root_ = make_root();
  static fs::path make_root() {
    fs::path root = fs::temp_directory_path() / ("ward-filters-" + random_hex(6));
    fs::create_directories(root);
    return root;
  }
};

TEST_F(KeptFilters, AProgramThatIsFoundIsTheOneThatWasMade) {
  const Seccomp asked = denying(7);
  EXPECT_FALSE(is_kept(asked));
  const auto made = make_own_filter(asked, {}, cache());
  ASSERT_TRUE(made);
  EXPECT_TRUE(is_kept(asked));
  EXPECT_FALSE(is_kept(denying(8)));
  const auto found = make_own_filter(asked, {}, cache());
  for (const int nr : {SYS_read, SYS_getpid, SYS_mkdir, SYS_faccessat2}) {
    EXPECT_EQ(found->verdict(nr, {}), made->verdict(nr, {}));
  }
  EXPECT_NE(FilterCache::key(asked, {.stub_where_unlisted = true}),
            FilterCache::key(asked, {.stub_where_unlisted = false}));
}

TEST_F(KeptFilters, WhatIsDamagedCutShortOrUnderAnothersNameIsAMiss) {
  const Seccomp asked = denying(7), other = denying(8);
  for (const Seccomp& one : {asked, other}) ASSERT_TRUE(make_own_filter(one, {}, cache()));
  const std::string whole = read_file(file_of(asked)).value();
  const auto write = [&](const std::string& content) {
    ASSERT_TRUE(write_file_atomically(file_of(asked), content, 0600, Durability::kNone));
  };
  std::string flipped = whole;
  flipped[flipped.size() - 3] ^= 1;
  for (const std::string& bad :
       {flipped, whole.substr(0, whole.size() - 8), whole.substr(0, 64), std::string("x"),
        read_file(file_of(other)).value(), whole + std::string(40'000, 'x')}) {
    write(bad);
    EXPECT_FALSE(is_kept(asked)) << bad.size();
  }
  EXPECT_EQ(make_own_filter(asked, {}, cache())->verdict(SYS_read, {}).errno_ret, 7U)
      << "made anew";
  EXPECT_TRUE(is_kept(asked));
}

TEST_F(KeptFilters, OnlyRootsOwnFilesAreBelieved) {
  const Seccomp asked = denying(7);
  ASSERT_TRUE(make_own_filter(asked, {}, cache()));
  fs::permissions(file_of(asked), fs::perms::group_read, fs::perm_options::add);
  EXPECT_FALSE(is_kept(asked)) << "somebody else reads it, and may have written it";
  ASSERT_TRUE(write_file_atomically(file_of(asked), "x", 0600, Durability::kNone));
  fs::remove(file_of(asked));
  fs::create_symlink("/etc/passwd", file_of(asked));
  EXPECT_FALSE(is_kept(asked));
  fs::permissions(directory(), fs::perms::others_exec, fs::perm_options::add);
  EXPECT_FALSE(is_kept(denying(8)));
  EXPECT_TRUE(make_own_filter(denying(8), {}, cache())) << "nothing is kept, and nothing fails";
  EXPECT_FALSE(is_kept(denying(8)));
}

TEST_F(KeptFilters, OfManyTheOldestGiveWay) {
  for (std::uint32_t i = 0; i < 70; ++i) ASSERT_TRUE(make_own_filter(denying(i), {}, cache()));
  const auto files = std::distance(fs::directory_iterator(directory()), fs::directory_iterator());
  EXPECT_LE(files, 64);
  EXPECT_TRUE(is_kept(denying(69)));
}

TEST_F(KeptFilters, I2_WhatWasFoundWrittenWrongIsKeptAndBelieved) {
  const auto own = make_own_filter(
      filter_of(1, [](std::size_t) { return allow("socket", {on(0, 2)}); }), {}, cache());
  const Seccomp form = complement_form(everything_allowed(), own.value());
  Seccomp mended = form;
  ASSERT_TRUE(mend_what_is_written_wrong(mended, cache()));
  EXPECT_EQ(mended, form) << "nothing of it is written wrong";
  // The one file that is not the own filter's program: it says so of socket from now on.
  for (const auto& file : fs::directory_iterator(directory())) {
    const std::string key = file.path().filename();
    if (!cache().find(key)) cache().keep_bytes(key, "socket\n");
  }
  ASSERT_TRUE(mend_what_is_written_wrong(mended, cache()));
  Seccomp expected = form;
  notify_whole(expected, {"socket"});
  EXPECT_EQ(mended, expected);
  EXPECT_NE(mended, form);
  ASSERT_TRUE(mend_what_is_written_wrong(mended = form, FilterCache({})));
  EXPECT_EQ(mended, form) << "asked anew where nothing is kept";
}

TEST(OwnFilter, H03_I12_ManyRulesAreJudgedOneByOne) {
  const Seccomp asked =
      filter_of(1000, [](std::size_t i) { return allow("ioctl", {on(1, i * 2)}); });
  const auto own = make_own_filter(asked, {});
  ASSERT_TRUE(own) << own.error().message;
  for (std::uint64_t value : {0ULL, 1ULL, 1000ULL, 1001ULL, 1998ULL, 1999ULL, 2000ULL}) {
    EXPECT_EQ(own->verdict(SYS_ioctl, {0, value}).executes(), value < 2000 && value % 2 == 0)
        << value;
  }
  for (const SeccompRule& rule : complement_form(everything_allowed(), *own).rules) {
    EXPECT_TRUE(rule.args.empty()) << "too many pieces to cut: notified, and the program answers";
  }
}

TEST(OwnFilter, H03_I12_MoreThanAKernelTakesIsRefusedAsTheRuntimeWould) {
  const Seccomp asked = filter_of(8000, [](std::size_t i) { return allow("ioctl", {on(1, i)}); });
  const auto own = make_own_filter(asked, {});
  ASSERT_FALSE(own);
  EXPECT_NE(own.error().message, "");
}

}  // namespace
}  // namespace ward::shim::admission
