// SPDX-License-Identifier: Apache-2.0
// What a loaded seccomp program answers, call by call, and whether two programs answer the same.
// Values in, values out.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <string>
#include <vector>

namespace ward::cli {

// How many of the calls that this libseccomp knows get which answer from one program, in the native
// architecture.
struct CallCounts {
  std::size_t allow = 0;
  std::size_t log = 0;
  std::size_t refuse = 0;  // with an error number
  std::size_t notify = 0;
  std::size_t kill = 0;  // the thread or the process
  std::size_t trap = 0;
  std::size_t trace = 0;
  std::size_t by_arguments = 0;  // more than one answer
};

struct FilterSummary {
  std::size_t instructions = 0;
  std::string sha256;  // of the instructions as the kernel takes them, 8 bytes each
  CallCounts calls;
  std::string not_understood;  // why nothing is counted; empty: it is
};

FilterSummary summarize(const std::vector<sock_filter>& program);

enum class Agreement {
  kIdentical,    // instruction by instruction
  kSameAnswers,  // to every call that was asked, on each path and at the edges of all conditions
  kDifferent,
  // One of them has instructions that libseccomp does not write, or more paths than are followed.
  kNotCompared,
};

struct Comparison {
  Agreement agreement = Agreement::kNotCompared;
  std::vector<std::string> differ;        // names of calls, "i386 5" for those of the foreign ABI
  std::vector<std::string> not_compared;  // calls that have too many paths; others may differ
  std::vector<std::string> sampled;  // answered the same, but not asked with all edges together
};

// A runtime may write one filter in several ways (runc before and after 1.2 do), so what counts is
// what is answered. Asked are all known calls, numbers beyond them, and i386's.
Comparison compare(const std::vector<sock_filter>& one, const std::vector<sock_filter>& other);

}  // namespace ward::cli
