// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/compiled_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <chrono>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

namespace ward::enforcer {
namespace {

// A shim that has read the old index may open the file of it a moment later.
constexpr std::chrono::minutes kKeepUnreferenced{10};

std::set<std::string> named_files(const node::v1::CompiledIndex& index) {
  std::set<std::string> names;
  for (const auto& rule : index.rules()) names.insert(rule.compiled_sha256());
  for (const auto& profile : index.profiles()) names.insert(profile.compiled_sha256());
  names.insert(index.baseline().compiled_sha256());
  names.erase("");
  return names;
}

// The digest of the source profile inside of a compiled file; empty where the file is damaged.
std::string profile_digest(const std::filesystem::path& path) {
  const auto bytes = read_file(path);
  node::v1::SealedFile sealed;
  node::v1::CompiledProfile profile;
  if (!bytes || !sealed.ParseFromString(*bytes) || !profile.ParseFromString(sealed.payload())) return "";
  return profile.digest();
}

}  // namespace

CompiledDirectory::CompiledDirectory(std::filesystem::path directory) : directory_(std::move(directory)) {}

node::v1::CompiledIndex CompiledDirectory::read_index() const {
  node::v1::CompiledIndex index;
  const auto bytes = read_file(directory_ / "index", 64U << 20U);
  if (!bytes) return index;
  node::v1::SealedFile sealed;
  if (!sealed.ParseFromString(*bytes) || sealed.sha256() != sha256_hex(sealed.payload()) ||
      !index.ParseFromString(sealed.payload())) {
    log::error("the compiled index is damaged and will be written again", {{"path", (directory_ / "index").string()}});
    index.Clear();
  }
  return index;
}

Result<bool> CompiledDirectory::put_in_force(profiles::Resolved& resolved) {
  const node::v1::CompiledIndex before = read_index();
  bool changed = false;
  for (const profiles::SealedBytes& compiled : resolved.files) {
    // Content-addressed: a file of that name with other content is a damaged one.
    const auto there = read_file(file(compiled.sha256));
    if (there && *there == compiled.bytes) continue;
    if (auto written = write_file_atomically(file(compiled.sha256), compiled.bytes); !written) {
      return tl::unexpected<Error>(written.error());
    }
    changed = true;
  }
  resolved.index.set_generation(before.generation());
  if (before.generation() != 0 && before.SerializeAsString() == resolved.index.SerializeAsString()) return changed;
  resolved.index.set_generation(before.generation() + 1);
  if (auto written = write_file_atomically(directory_ / "index", profiles::seal(resolved.index).bytes); !written) {
    return tl::unexpected<Error>(written.error());
  }
  // From now on the time of these files says since when nobody names them.
  const std::set<std::string> still_named = named_files(resolved.index);
  for (const std::string& name : named_files(before)) {
    if (still_named.count(name) == 0) (void)::utimensat(AT_FDCWD, file(name).c_str(), nullptr, 0);
  }
  return true;
}

void CompiledDirectory::collect_garbage(const std::set<std::string>& digests_in_use) {
  const std::set<std::string> named = named_files(read_index());
  std::error_code error;
  std::vector<std::filesystem::path> unused;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    const auto& path = entry.path();
    const bool is_profile = path.extension() == ".profile" && named.count(path.stem().string()) == 0;
    const bool is_torn = path.filename().string().find(".tmp-") != std::string::npos;
    if (!is_profile && !is_torn) continue;
    const auto written = std::filesystem::last_write_time(path, error);
    if (error || std::filesystem::file_time_type::clock::now() - written < kKeepUnreferenced) continue;
    if (is_profile && digests_in_use.count(profile_digest(path)) != 0) continue;
    unused.push_back(path);
  }
  for (const auto& path : unused) {
    if (std::filesystem::remove(path, error))
      log::info("removed a compiled profile nobody uses", {{"file", path.filename().string()}});
  }
}

}  // namespace ward::enforcer
