// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_file.h"

#include <unistd.h>

#include <array>

#include "lib/base/file.h"
#include "profiles/yaml/read_yaml.h"

namespace ward::cli {
namespace {

constexpr std::size_t kMaxBytes = 1U << 20U;  // the reader's own limit is lower and names itself

Result<std::string> read_standard_input() {
  std::string text;
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t n = ::read(0, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("read standard input");
    if (n == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(n));
    if (text.size() > kMaxBytes)
      return fail(Code::kInvalidArgument, "standard input is larger than 1 MiB");
  }
}

}  // namespace

Result<ProfileText> read_profile_text(const std::string& path) {
  auto text = path == "-" ? read_standard_input() : read_file(path, kMaxBytes);
  // Too large is as on standard input: the file is bad, not missing.
  if (!text && text.error().code == Code::kResourceExhausted && text.error().sys_errno == 0) {
    return fail(Code::kInvalidArgument, text.error().message);
  }
  if (!text) return tl::unexpected<Error>(text.error());
  return ProfileText{path == "-" ? "<stdin>" : path, std::move(*text)};
}

Result<profiles::Profile> read_profile_file(const std::string& path) {
  auto file = read_profile_text(path);
  if (!file) return tl::unexpected<Error>(file.error());
  return profiles::read_profile(file->text, file->name);
}

}  // namespace ward::cli
