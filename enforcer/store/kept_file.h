// SPDX-License-Identifier: Apache-2.0
// A file that is about to be replaced, so that it can come back without a byte of free space: a
// second link to it under a name that begins with a dot, which no reader of the directory looks at.
#pragma once

#include <filesystem>

namespace ward::enforcer {

class KeptFile {
 public:
  explicit KeptFile(std::filesystem::path file);
  ~KeptFile();
  KeptFile(const KeptFile&) = delete;
  KeptFile& operator=(const KeptFile&) = delete;

  void bring_back();  // the file as it was, or none where there was none

 private:
  std::filesystem::path file_;
  std::filesystem::path kept_;
  bool was_there_ = false;
};

}  // namespace ward::enforcer
