// SPDX-License-Identifier: Apache-2.0
#include "cli/present/output.h"

#include <unistd.h>

#include <cerrno>

#include "lib/base/write_all.h"

namespace ward::cli {
namespace {

constexpr std::size_t kPiece_bytes = 64U << 10U;
constexpr const char* kWhat = "write to standard output";

}  // namespace

void Output::print(std::string_view text) {
  pending_ += text;
  if (pending_.size() >= kPiece_bytes) (void)flush();
}

Result<void> Output::flush() {
  if (!failed_ && !pending_.empty()) {
    if (auto written = write_all(fd_, pending_, kWhat); !written) failed_ = written.error();
  }
  pending_.clear();
  if (failed_) return tl::unexpected<Error>(*failed_);
  return {};
}

Result<void> Output::close() {
  auto flushed = flush();
  if (!flushed) return flushed;
  if (::close(fd_) != 0) return fail_errno(kWhat);
  return {};
}

}  // namespace ward::cli
