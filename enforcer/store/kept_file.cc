// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/kept_file.h"

#include "lib/base/digest.h"
#include "lib/base/log.h"

namespace ward::enforcer {

KeptFile::KeptFile(std::filesystem::path file)
    : file_(std::move(file)),
      kept_(file_.parent_path() / ("." + file_.filename().string() + ".kept-" + random_hex(6))) {
  std::error_code error;
  was_there_ = std::filesystem::exists(std::filesystem::symlink_status(file_, error));
  // To a symbolic link a link of its own: what it points to is not ours.
  if (was_there_) std::filesystem::create_hard_link(file_, kept_, error);
}

KeptFile::~KeptFile() {
  std::error_code error;
  std::filesystem::remove(kept_, error);
}

void KeptFile::bring_back() {
  std::error_code error;
  if (was_there_) {
    std::filesystem::rename(kept_, file_, error);
  } else {
    std::filesystem::remove(file_, error);
  }
  if (error)
    log::error("file not brought back", {{"path", file_.string()}, {"error", error.message()}});
}

}  // namespace ward::enforcer
