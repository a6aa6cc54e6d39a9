// SPDX-License-Identifier: Apache-2.0
#include "enforcer/store/sources.h"

#include <algorithm>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "profiles/yaml/yaml_tree.h"

namespace ward::enforcer {
namespace {

bool is_source_name(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return !name.empty() && name.front() != '.' &&
         (path.extension() == ".yaml" || path.extension() == ".yml");
}

Result<bool> read_directory(const std::filesystem::path& directory, std::vector<SourceFile>& out) {
  std::error_code error;
  std::filesystem::directory_iterator entries(directory, error);
  if (error == std::errc::no_such_file_or_directory) return false;
  if (error) return fail_errno("read directory '" + directory.string() + "'", error.value());
  std::vector<std::filesystem::path> paths;
  for (; entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    if (error) return fail_errno("read directory '" + directory.string() + "'", error.value());
    if (is_source_name(entries->path())) paths.push_back(entries->path());
    if (paths.size() > kMaxSourceFiles) {
      return fail(Code::kResourceExhausted, "'" + directory.string() + "' has more than " +
                                                std::to_string(kMaxSourceFiles) + " files");
    }
  }
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    // Opening a FIFO would hang the daemon.
    if (!std::filesystem::is_regular_file(path, error)) {
      return fail(Code::kInvalidArgument,
                  path.string() + ":1:1: not a regular file, or a link that leads nowhere");
    }
    auto text = read_file(path, profiles::kMaxYamlBytes);
    // Stands for the file: the reader refuses it for its size, together with what is wrong in the
    // others.
    if (!text && text.error().code == Code::kResourceExhausted)
      text = std::string(profiles::kMaxYamlBytes + 1, '#');
    if (!text) return tl::unexpected<Error>(text.error());
    out.push_back({path, std::move(*text)});
  }
  return true;
}

}  // namespace

std::string Sources::fingerprint() const {
  std::string all = std::string(profiles_exist ? "p" : "-") + (policies_exist ? "p" : "-");
  for (const auto* files : {&profiles, &policies}) {
    all += "|";
    for (const SourceFile& file : *files)
      all += sha256_hex(file.path.string()) + sha256_hex(file.text);
  }
  return sha256_hex(all);
}

Result<Sources> read_sources(const Places& places) {
  Sources sources;
  auto profiles = read_directory(places.profiles(), sources.profiles);
  if (!profiles) return tl::unexpected<Error>(profiles.error());
  auto policies = read_directory(places.policies(), sources.policies);
  if (!policies) return tl::unexpected<Error>(policies.error());
  sources.profiles_exist = *profiles;
  sources.policies_exist = *policies;
  return sources;
}

}  // namespace ward::enforcer
