// SPDX-License-Identifier: Apache-2.0
// The semantic oracle of filter tests: what does this OCI filter answer to this call? The filter is
// compiled by the real libseccomp, rule by rule as runc does it (its folding of conditions and its
// ENOSYS stub included), and the classic BPF is run here. Compare the answer with SECCOMP_RET_* of
// <linux/seccomp.h>. Nothing is shared with the product.
// Source: https://github.com/opencontainers/runc/tree/v1.5.1/libcontainer/seccomp, and v1.1.5 beside.
#pragma once

#include <linux/filter.h>

#include <array>
#include <cstdint>
#include <vector>

#include "lib/base/result.h"
#include "lib/oci/seccomp.h"

namespace ward::testing {

// Which runc.
struct Stock {
  bool takes_flags = false;         // from 1.2 on
  bool stub_where_unlisted = true;  // from 1.1.15 on: where the native architecture is not listed
  bool optimizes = false;  // from 1.2 on: a tree of numbers, where there are more than 32 names
};

class SeccompEvaluator {
 public:
  // kInvalidArgument for what runc refuses: NOTIFY as default or on write, flags, an unknown
  // architecture.
  static Result<SeccompEvaluator> compile(const oci::Seccomp& seccomp, const Stock& stock = {});

  [[nodiscard]] std::uint32_t evaluate(int nr, const std::array<std::uint64_t, 6>& args,
                                       std::uint32_t arch) const;
  [[nodiscard]] std::uint32_t evaluate(
      int nr, const std::array<std::uint64_t, 6>& args = {}) const;  // native
  [[nodiscard]] std::size_t instructions() const { return program_.size(); }

 private:
  std::vector<sock_filter> program_;
  bool has_stub_ = false;  // numbers above last_nr_ answer ENOSYS
  int last_nr_ = 0;
};

// Compiles and asks once; aborts where runc would refuse the filter.
std::uint32_t evaluate(const oci::Seccomp& seccomp, int nr,
                       const std::array<std::uint64_t, 6>& args, std::uint32_t arch);

}  // namespace ward::testing
