// SPDX-License-Identifier: Apache-2.0
// Bundles of evidence as files: which there are, what their evidence.json says, and one as an
// archive. Everything read is bounded; links are not followed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/json/json.h"

namespace ward::cli {

// Names of directories below `root`, at most 4096, in the order of their last change.
Result<std::vector<std::string>> bundle_names(const std::filesystem::path& root);

// A name of a bundle below `root`; with a '/' or where there is none of that name, a directory.
// kNotFound.
Result<std::filesystem::path> find_bundle(const std::filesystem::path& root,
                                          const std::string& named);

// kNotFound: it has none (yet); kInvalidArgument: it is no JSON.
Result<nlohmann::ordered_json> read_evidence_document(const std::filesystem::path& bundle);

// A tar archive, compressed by zstd: the files of the bundle in a directory of its name, and the
// public key beside it as evidence.pub, where there is one.
Result<std::string> archive_bundle(const std::filesystem::path& bundle,
                                   const std::string& public_key_pem);

}  // namespace ward::cli
