// SPDX-License-Identifier: Apache-2.0
#include "profiles/learn/unlearnable.h"

#include <set>

#include "lib/base/escape.h"
#include "lib/oci/seccomp.h"

namespace ward::profiles {
namespace {

constexpr std::size_t kMostNamed = 8;

// "a, b and more"
template <typename Items, typename Text>
std::string list(const Items& items, Text text, bool more) {
  std::string out;
  std::size_t named = 0;
  for (const auto& item : items) {
    if (++named > kMostNamed) break;
    out += (out.empty() ? "" : ", ") + text(item);
  }
  return out + (more || named > kMostNamed ? " and more" : "");
}

}  // namespace

std::string describe_foreign(const std::vector<Run>& runs) {
  std::uint64_t calls = 0;
  std::set<std::string> programs;
  for (const Run& run : runs) {
    calls += run.foreign_calls;
    programs.insert(run.foreign_programs.begin(), run.foreign_programs.end());
  }
  if (calls == 0) return "";
  std::string out = std::to_string(calls) + " calls went through a foreign ABI (int 0x80, x32)";
  if (!programs.empty())
    out += ", of " + list(
                         programs, [](const std::string& name) { return escape(name); }, false);
  return out;
}

std::string describe_unknown(const std::vector<Run>& runs) {
  std::set<std::int32_t> numbers;
  bool more = false;
  for (const Run& run : runs) {
    for (const auto* calls : {&run.syscalls, &run.refused}) {
      for (const ObservedSyscall& call : *calls) {
        if (!oci::find_syscall_name(call.nr)) numbers.insert(call.nr);
      }
    }
    // A number is an int: syscall(-1) is one that programs make.
    for (const std::uint64_t number : run.unknown_calls.values)
      numbers.insert(static_cast<std::int32_t>(number));
    more = more || run.unknown_calls.overflowed;
  }
  if (numbers.empty() && !more) return "";
  return std::string(numbers.size() == 1 ? "call number " : "call numbers ") +
         list(
             numbers, [](std::int32_t number) { return std::to_string(number); }, more) +
         (numbers.size() == 1 ? " has" : " have") +
         " no name here: no profile can list such a call, and under every one it is answered "
         "ENOSYS";
}

}  // namespace ward::profiles
