// SPDX-License-Identifier: Apache-2.0
// Bad files of harm classes are refused with their place; the build reads the real one with the
// same reader.
#include <asm/prctl.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "profiles/harm/harm_document.h"

namespace ward::profiles {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string real_file() {
  std::ifstream file("profiles/harm/classes.yaml");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The real file with one piece of it replaced.
std::string with(const std::string& piece, const std::string& instead) {
  std::string text = real_file();
  const std::size_t at = text.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  return at == std::string::npos ? text : text.replace(at, piece.size(), instead);
}

std::string error_of(const std::string& text) {
  const auto document = read_harm_classes(text, "classes.yaml");
  return document ? "accepted" : document.error().message;
}

// A small file of its own: no call needs a class.
std::string with_row(const std::string& row) {
  return "apiVersion: ward.dev/v1alpha1\nkind: HarmClasses\nspec:\n  through: {kernel: \"6.18\", "
         "number: 0}\n  newer: "
         "{}\n"
         "  sources: {man: the manual}\n  calls:\n    - {calls: [read], class: held, why: it "
         "reads, docker: allow}\n" +
         row;
}

TEST(HarmReader, TheRealFileIsAccepted) {
  const auto document = read_harm_classes(real_file(), "classes.yaml");
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_GT(document->calls.size(), 370U);
}

TEST(HarmReader, AnUnknownCallIsRefused) {
  const std::string error = error_of(with("calls: [sysinfo]", "calls: [sysinf]"));
  EXPECT_THAT(error, HasSubstr("unknown call 'sysinf' (did you mean 'sysinfo'?)"));
  EXPECT_THAT(error, ::testing::MatchesRegex("classes.yaml:[0-9]+:[0-9]+: unknown call(.|\n)*"));
}

TEST(HarmReader, ACallWithoutAClassIsRefused) {
  EXPECT_THAT(error_of(with("calls: [sysinfo]", "calls: [gettid]")),
              HasSubstr("'gettid' has a class already, at"));
  EXPECT_THAT(error_of(with("[getcpu, getrandom, uname, umask]", "[getcpu, getrandom, uname]")),
              HasSubstr("'umask', number 95, has no class"));
  // Also one that this libseccomp cannot name.
  EXPECT_THAT(error_of(with("calls: [mseal]", "calls: [read]")),
              HasSubstr("'read' has a class already"));
  EXPECT_THAT(error_of(with("[statmount, listmount]", "[statmount]")),
              HasSubstr("'listmount', number 458, has no class"));
  EXPECT_THAT(error_of(with_row("    - {calls: [close], why: it closes, docker: allow}\n")),
              HasSubstr("classes.yaml:9:7: a row needs 'class'"));
}

TEST(HarmReader, ACallWithTwoClassesIsRefused) {
  EXPECT_THAT(error_of(with_row(
                  "    - {calls: [close, read], class: self, why: it closes, docker: allow}\n")),
              HasSubstr("classes.yaml:9:23: 'read' has a class already, at classes.yaml:8:16: a "
                        "call has one class"));
  EXPECT_THAT(error_of(with_row(
                  "    - {calls: [close, close], class: self, why: it closes, docker: allow}\n")),
              HasSubstr("'close' has a class already"));
}

TEST(HarmReader, AValueWithTwoClassesIsRefused) {
  const auto values = [](const std::string& a, const std::string& b) {
    return error_of(with_row(
        "    - calls: [prctl]\n      class: reach\n      why: the rest\n      docker: allow\n"
        "      values:\n        - {args: " +
        a + ", class: self, why: first}\n        - {args: " + b + ", class: held, why: second}\n"));
  };
  EXPECT_THAT(
      values("{0: [PR_SET_NAME]}", "{0: [PR_GET_NAME, PR_SET_NAME]}"),
      HasSubstr("classes.yaml:15:11: a call that this describes has two classes: see the value at "
                "classes.yaml:14:11"));
  EXPECT_THAT(values("{0: [PR_SET_NAME]}", "{0: [PR_SET_NAME]}"), HasSubstr("stand here twice"));
  EXPECT_THAT(values("{0: [PR_SET_NAME]}", "{1: [3]}"), HasSubstr("two classes"));
  EXPECT_THAT(values("{0: {only: [PR_SET_NAME]}}", "{0: {without: [PR_SET_NAME]}}"),
              HasSubstr("two classes"));
  EXPECT_THAT(values("{0: {own: true}}", "{0: {oneOf: [5], own: true}}"), HasSubstr("two classes"));
  EXPECT_EQ(values("{0: [PR_SET_NAME]}", "{0: [PR_GET_NAME]}"), "accepted");
  EXPECT_EQ(values("{0: [PR_SET_NAME], 1: [1]}", "{0: [PR_SET_NAME], 1: [2]}"), "accepted");
  EXPECT_EQ(values("{0: {with: [1], only: [1, 4]}}", "{0: {with: [2], only: [2, 4]}}"), "accepted");
}

TEST(HarmReader, AHotCallHasAClassAndSomethingHeld) {
  const auto hot = [](const std::string& calls) {
    return error_of(with_row("  hot: " + calls + "\n"));
  };
  EXPECT_EQ(hot("[read]"), "accepted");
  EXPECT_THAT(hot("[raed]"), HasSubstr("'raed' has no class"));
  EXPECT_THAT(hot("[read, read]"), HasSubstr("'read' stands here twice"));
  EXPECT_THAT(error_of(with("hot: [accept,", "hot: [getpid,")),
              HasSubstr("'getpid' has nothing of class held"));
}

TEST(HarmReader, WhatIsNotNamedStaysReach) {
  EXPECT_THAT(
      error_of(with_row(
          "    - calls: [prctl]\n      class: held\n      why: the rest\n      docker: allow\n"
          "      values: [{args: {0: [15]}, class: self, why: names it}]\n")),
      HasSubstr("classes.yaml:13:15: a call with values is reach or danger itself"));
  EXPECT_THAT(
      error_of(with_row(
          "    - calls: [prctl]\n      class: reach\n      why: the rest\n      docker: allow\n"
          "      values: [{args: {0: {any: [1, 2]}}, class: self, why: names it}]\n")),
      HasSubstr("any is for reach and danger"));
}

TEST(HarmReader, WhatDockersDefaultDeniesIsNotBelowReach) {
  EXPECT_THAT(
      error_of(with_row(
          "    - {calls: [kcmp], class: self, why: it compares, docker: CAP_SYS_PTRACE}\n")),
      HasSubstr("classes.yaml:9:7: it is self, but Docker's default does not allow it to every "
                "container"));
  EXPECT_THAT(
      error_of(with_row("    - {calls: [kcmp], class: held, why: it compares, docker: deny}\n")),
      HasSubstr("make it reach"));
  EXPECT_EQ(
      error_of(with_row("    - {calls: [kcmp], class: reach, why: it compares, docker: deny}\n")),
      "accepted");
}

TEST(HarmReader, AHoleNeedsItsReasonAndItsSources) {
  EXPECT_THAT(
      error_of(with_row(
          "    - {calls: [close], class: self, why: it closes, docker: allow, opens: a race}\n")),
      HasSubstr("it names a hole below reach: name the sources"));
  EXPECT_THAT(
      error_of(with_row("    - {calls: [close], class: self, why: it closes, docker: allow, "
                        "cves: [CVE-2020-1234]}\n")),
      HasSubstr("it has CVEs: say under opens what it opens"));
  EXPECT_THAT(
      error_of(with_row(
          "    - {calls: [close], class: self, why: it closes, docker: allow, opens: a race, "
          "cves: [2020-1234], sources: [man]}\n")),
      HasSubstr("'2020-1234' is not a CVE's number"));
  EXPECT_THAT(
      error_of(with_row(
          "    - {calls: [close], class: self, why: it closes, docker: allow, opens: a race, "
          "sources: [rumours]}\n")),
      HasSubstr("'rumours' is not listed under sources"));
  EXPECT_THAT(error_of(with_row("    - {calls: [close], class: self, why: \"\", docker: allow}\n")),
              HasSubstr("why needs a reason in words"));
  EXPECT_THAT(error_of(with_row("    - {calls: [close], class: self, why: it closes}\n")),
              HasSubstr("a row needs 'docker'"));
  EXPECT_THAT(error_of(with_row(
                  "    - {calls: [close], class: self, why: it closes, docker: CAP_SYS_ADMN}\n")),
              HasSubstr("'CAP_SYS_ADMN' is not a capability"));
}

TEST(HarmReader, MalformedFilesAreRefusedWithTheirPlace) {
  EXPECT_THAT(error_of(with_row(
                  "    - {calls: [close], class: harmless, why: it closes, docker: allow}\n")),
              HasSubstr("classes.yaml:9:31: class cannot be 'harmless': it is one of self, held, "
                        "reach or danger"));
  EXPECT_THAT(
      error_of(with_row("    - {calls: [close], clas: self, why: it closes, docker: allow}\n")),
      HasSubstr("unknown key 'clas'"));
  EXPECT_THAT(error_of(with_row("    - {calls: [], class: self, why: it closes, docker: allow}\n")),
              HasSubstr("name a call at least"));
  EXPECT_THAT(
      error_of(with_row("    - {calls: close, class: self, why: it closes, docker: allow}\n")),
      HasSubstr("must be a list"));
  EXPECT_THAT(error_of("apiVersion: ward.dev/v1alpha1\nkind: Profile\nspec: {}\n"),
              HasSubstr("a HarmClasses is expected"));
  EXPECT_THAT(error_of(""), HasSubstr("the file is empty"));
  EXPECT_THAT(error_of(with("number: 469", "number: none")), HasSubstr("not a whole number"));
  EXPECT_THAT(error_of(with("fchmodat2: 452", "fchmodat2: 453")),
              Not(::testing::StrEq("accepted")));
  const auto value = [](const std::string& args) {
    return error_of(with_row(
        "    - calls: [mmap]\n      class: reach\n      why: the rest\n      docker: allow\n"
        "      values: [{args: " +
        args + ", class: self, why: a view}]\n"));
  };
  EXPECT_EQ(value("{2: {without: [PROT_EXEC]}}"), "accepted");
  EXPECT_THAT(value("{6: [1]}"), HasSubstr("'6' is no argument: they are 0 to 5"));
  EXPECT_THAT(value("{}"), HasSubstr("args is a map of arguments"));
  EXPECT_THAT(value("[1]"), HasSubstr("args is a map of arguments"));
  EXPECT_THAT(value("{2: []}"), HasSubstr("name a value at least"));
  EXPECT_THAT(value("{2: [PROT_EXECUTE]}"), HasSubstr("unknown value 'PROT_EXECUTE'"));
  EXPECT_THAT(value("{2: [1, PROT_READ]}"), HasSubstr("a value is named twice"));
  EXPECT_THAT(value("{2: {with: [PROT_READ], without: [PROT_READ]}}"),
              HasSubstr("under with and under without"));
  EXPECT_THAT(value("{2: {with: [PROT_EXEC], only: [PROT_READ]}}"),
              HasSubstr("only must name what with names"));
  EXPECT_THAT(value("{2: {oneOf: [1], without: [2]}}"), HasSubstr("an argument has one form"));
  EXPECT_THAT(value("{2: {own: false}}"), HasSubstr("an argument has one form"));
  EXPECT_THAT(value("{2: {ignoring: [1], oneOf: [3]}}"), HasSubstr("has a bit that is ignored"));
}

// The headers of the machine may be older than the file, so a name that they lack is not compared.
TEST(HarmReader, TheNumbersOfTheFileAreTheKernels) {
  const auto document = read_harm_classes(real_file(), "classes.yaml");
  ASSERT_TRUE(document);
  const auto is = [&](const char* place, const char* name, std::uint64_t value) {
    const auto& names = document->constants.at(place);
    ASSERT_TRUE(names.contains(name)) << place << " " << name;
    EXPECT_EQ(names.at(name), value) << place << " " << name;
  };
#define IS(place, name) is(place, #name, static_cast<std::uint32_t>(name))
  IS("openat.2", O_CREAT), IS("openat.2", O_EXCL), IS("pipe2.1", O_NONBLOCK),
      IS("pipe2.1", O_DIRECT);
  IS("pipe2.1", O_CLOEXEC), IS("chmod.1", S_ISUID), IS("chmod.1", S_ISGID), IS("mknod.1", S_IFIFO);
  is("openat.2", "TMPFILE_BIT", O_TMPFILE & ~O_DIRECTORY);
  IS("mknod.1", S_IFCHR), IS("mknod.1", S_IFBLK), IS("mknod.1", S_IFREG), IS("mknod.1", S_IFSOCK);
  IS("preadv2.5", RWF_HIPRI), IS("preadv2.5", RWF_DSYNC), IS("preadv2.5", RWF_SYNC),
      IS("preadv2.5", RWF_NOWAIT);
  IS("preadv2.5", RWF_APPEND), IS("mmap.3", MAP_SHARED), IS("mmap.3", MAP_PRIVATE),
      IS("mmap.3", MAP_FIXED);
  IS("mmap.3", MAP_ANONYMOUS), IS("mmap.3", MAP_32BIT), IS("mmap.3", MAP_GROWSDOWN),
      IS("mmap.3", MAP_DENYWRITE);
  IS("mmap.3", MAP_EXECUTABLE), IS("mmap.3", MAP_LOCKED), IS("mmap.3", MAP_NORESERVE),
      IS("mmap.3", MAP_POPULATE);
  IS("mmap.3", MAP_NONBLOCK), IS("mmap.3", MAP_STACK), IS("mmap.3", MAP_HUGETLB),
      IS("mmap.3", MAP_SYNC);
  IS("mmap.3", MAP_FIXED_NOREPLACE), IS("mremap.3", MREMAP_MAYMOVE), IS("mremap.3", MREMAP_FIXED);
  IS("mremap.3", MREMAP_DONTUNMAP), IS("madvise.2", MADV_DONTNEED), IS("madvise.2", MADV_FREE);
  IS("madvise.2", MADV_REMOVE), IS("madvise.2", MADV_DONTFORK), IS("madvise.2", MADV_DOFORK);
  IS("madvise.2", MADV_MERGEABLE), IS("madvise.2", MADV_UNMERGEABLE),
      IS("madvise.2", MADV_HUGEPAGE);
  IS("madvise.2", MADV_NOHUGEPAGE), IS("madvise.2", MADV_DONTDUMP), IS("madvise.2", MADV_DODUMP);
  IS("madvise.2", MADV_WIPEONFORK), IS("madvise.2", MADV_KEEPONFORK), IS("madvise.2", MADV_COLD);
  IS("madvise.2", MADV_PAGEOUT), IS("madvise.2", MADV_POPULATE_READ),
      IS("madvise.2", MADV_POPULATE_WRITE);
  IS("madvise.2", MADV_HWPOISON), IS("membarrier.0", MEMBARRIER_CMD_GLOBAL);
  IS("membarrier.0", MEMBARRIER_CMD_GLOBAL_EXPEDITED),
      IS("membarrier.0", MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  IS("membarrier.0", MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ);
  IS("membarrier.0", MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE), IS("futex.1", FUTEX_WAIT),
      IS("futex.1", FUTEX_WAKE);
  IS("futex.1", FUTEX_REQUEUE), IS("futex.1", FUTEX_CMP_REQUEUE), IS("futex.1", FUTEX_WAKE_OP);
  IS("futex.1", FUTEX_LOCK_PI), IS("futex.1", FUTEX_UNLOCK_PI), IS("futex.1", FUTEX_WAIT_BITSET);
  IS("futex.1", FUTEX_WAKE_BITSET), IS("futex.1", FUTEX_WAIT_REQUEUE_PI),
      IS("futex.1", FUTEX_PRIVATE_FLAG);
  IS("futex.1", FUTEX_CLOCK_REALTIME), IS("arch_prctl.0", ARCH_SET_FS),
      IS("arch_prctl.0", ARCH_SET_GS);
  IS("arch_prctl.0", ARCH_GET_FS), IS("arch_prctl.0", ARCH_GET_GS),
      IS("arch_prctl.0", ARCH_GET_CPUID);
  IS("arch_prctl.0", ARCH_SET_CPUID), IS("arch_prctl.0", ARCH_REQ_XCOMP_PERM),
      IS("ioctl.1", TIOCSETD);
  IS("ioctl.1", TCSBRK), IS("ioctl.1", TCXONC), IS("ioctl.1", TCFLSH), IS("ioctl.1", TIOCOUTQ),
      IS("ioctl.1", TIOCGETD);
  IS("ioctl.1", TIOCGSID), IS("ioctl.1", TIOCMGET), IS("ioctl.1", TIOCCONS),
      IS("ioctl.1", FIOQSIZE);
  IS("ioctl.1", FS_IOC_GETFLAGS), IS("ioctl.1", FS_IOC_SETFLAGS), IS("ioctl.1", SIOCGIFNAME),
      IS("ioctl.1", SIOCGIFCONF);
  IS("ioctl.1", SIOCGIFFLAGS), IS("ioctl.1", SIOCGIFADDR), IS("ioctl.1", SIOCGIFBRDADDR),
      IS("ioctl.1", SIOCGIFNETMASK);
  IS("ioctl.1", SIOCGIFMTU), IS("ioctl.1", SIOCGIFHWADDR), IS("ioctl.1", SIOCGIFINDEX),
      IS("eventfd2.1", EFD_SEMAPHORE);
  is("ioctl.1", "TCGETS2",
     0x80000000U | 44U << 16U | 'T' << 8U | 0x2AU);  // _IOR('T', 0x2A, struct termios2)
  IS("accept4.3", SOCK_NONBLOCK), IS("accept4.3", SOCK_CLOEXEC), IS("sendto.3", MSG_OOB),
      IS("sendto.3", MSG_EOR);
  IS("sendto.3", MSG_MORE), IS("sendto.3", MSG_NOSIGNAL), IS("sendto.3", MSG_DONTWAIT),
      IS("recvfrom.3", MSG_PEEK);
  IS("recvfrom.3", MSG_TRUNC), IS("recvfrom.3", MSG_WAITALL), IS("recvfrom.3", MSG_CMSG_CLOEXEC);
  IS("recvfrom.3", MSG_ERRQUEUE), IS("setsockopt.2", SO_REUSEADDR), IS("setsockopt.2", SO_TYPE);
  IS("setsockopt.2", SO_ERROR), IS("setsockopt.2", SO_BROADCAST), IS("setsockopt.2", SO_SNDBUF);
  IS("setsockopt.2", SO_RCVBUF), IS("setsockopt.2", SO_KEEPALIVE), IS("setsockopt.2", SO_OOBINLINE);
  IS("setsockopt.2", SO_PRIORITY), IS("setsockopt.2", SO_LINGER), IS("setsockopt.2", SO_REUSEPORT);
  IS("setsockopt.2", SO_PASSCRED), IS("setsockopt.2", SO_PEERCRED), IS("setsockopt.2", SO_RCVLOWAT);
  IS("setsockopt.2", SO_RCVTIMEO), IS("setsockopt.2", SO_SNDTIMEO),
      IS("setsockopt.2", SO_BINDTODEVICE);
  IS("setsockopt.2", SO_ATTACH_FILTER), IS("setsockopt.2", SO_TIMESTAMP),
      IS("setsockopt.2", SO_TIMESTAMPNS);
  IS("setsockopt.2", SO_ACCEPTCONN), IS("setsockopt.2", SO_PROTOCOL), IS("setsockopt.2", SO_DOMAIN);
  IS("setsockopt.2", SO_ATTACH_BPF), IS("setsockopt.2", SO_ZEROCOPY),
      IS("setsockopt.2", TCP_NODELAY);
  IS("setsockopt.2", SO_RCVTIMEO_NEW), IS("setsockopt.2", SO_SNDTIMEO_NEW);
  IS("setsockopt.2", TCP_MAXSEG), IS("setsockopt.2", TCP_CORK), IS("setsockopt.2", TCP_KEEPIDLE);
  IS("setsockopt.2", TCP_KEEPINTVL), IS("setsockopt.2", TCP_KEEPCNT),
      IS("setsockopt.2", TCP_SYNCNT);
  IS("setsockopt.2", TCP_LINGER2), IS("setsockopt.2", TCP_DEFER_ACCEPT),
      IS("setsockopt.2", TCP_WINDOW_CLAMP);
  IS("setsockopt.2", TCP_INFO), IS("setsockopt.2", TCP_QUICKACK),
      IS("setsockopt.2", TCP_USER_TIMEOUT);
  IS("setsockopt.2", TCP_FASTOPEN), IS("setsockopt.2", TCP_NOTSENT_LOWAT),
      IS("setsockopt.2", TCP_ULP);
  IS("setsockopt.2", IP_TOS), IS("setsockopt.2", IP_TTL), IS("setsockopt.2", IP_PKTINFO),
      IS("setsockopt.2", IP_MTU);
  IS("setsockopt.2", IP_MTU_DISCOVER), IS("setsockopt.2", IP_RECVERR),
      IS("setsockopt.2", IP_RECVTTL);
  IS("setsockopt.2", IP_RECVTOS), IS("setsockopt.2", IP_BIND_ADDRESS_NO_PORT),
      IS("setsockopt.2", IP_MULTICAST_TTL);
  IS("setsockopt.2", IP_MULTICAST_LOOP), IS("setsockopt.2", IPV6_UNICAST_HOPS),
      IS("setsockopt.2", IPV6_MTU);
  IS("setsockopt.2", IPV6_MULTICAST_HOPS), IS("setsockopt.2", IPV6_MULTICAST_LOOP),
      IS("setsockopt.2", IPV6_RECVERR);
  IS("setsockopt.2", IPV6_MTU_DISCOVER), IS("setsockopt.2", IPV6_V6ONLY),
      IS("setsockopt.2", IPV6_RECVPKTINFO);
  IS("setsockopt.2", IPV6_RECVHOPLIMIT), IS("setsockopt.2", IPV6_DONTFRAG),
      IS("setsockopt.2", IPV6_RECVTCLASS);
  IS("setsockopt.2", IPV6_TCLASS), IS("setpriority.0", PRIO_PROCESS);
#undef IS
}

TEST(HarmReader, ANameOfTheFileMustNotSayAnotherValueThanProfilesDo) {
  EXPECT_THAT(error_of(with("PR_GET_AUXV: 0x41555856", "PR_SET_NAME: 16")),
              HasSubstr("'PR_SET_NAME' has another value already"));
}

}  // namespace
}  // namespace ward::profiles
