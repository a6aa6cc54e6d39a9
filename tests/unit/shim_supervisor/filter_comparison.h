// SPDX-License-Identifier: Apache-2.0
// One container's own filter, loaded as a runc loads it (the oracle of tests/support), beside
// Ward's whole answer under a profile that allows everything: the filter in the kernel and, where
// that one notifies, the verdict. Every difference is an exception of docs/profile-format.md, and
// is counted, or it is a failure.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "lib/oci/seccomp.h"
#include "tests/support/random_filters.h"
#include "tests/support/seccomp_evaluator.h"

namespace ward::shim::supervisor {

struct Differences {
  int filters = 0;
  int refused = 0;     // by the runtime, and by Ward
  int unfinished = 0;  // libseccomp does not come back
  int narrower = 0;    // filters of which libseccomp makes something narrower than Ward wrote
  int asked = 0;
  int notified = 0;
  int wrong = 0;                      // answers that nothing excuses
  std::map<std::string, int> listed;  // answers, by the exception that they are

  Differences& operator+=(const Differences& other);
  [[nodiscard]] std::string text() const;
};

struct Asked {
  oci::Seccomp filter;
  testing::Stock runtime;
  std::string name;  // of the filter, in what is printed
};

// A call of some machine. `arch` is the kernel's AUDIT_ARCH_*.
struct Probe {
  std::uint32_t arch = 0;
  int nr = 0;
  filter::CallArgs args{};
};

// Adds to `found`. `probe` is asked `probes` times. Prints what differs and is not listed.
void compare(const Asked& asked, const std::function<Probe()>& probe, int probes,
             Differences& found);

}  // namespace ward::shim::supervisor
