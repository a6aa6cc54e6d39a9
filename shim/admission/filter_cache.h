// SPDX-License-Identifier: Apache-2.0
// Programs of containers' own filters that were compiled before, by what they were made of:
// libseccomp takes ten milliseconds for the default filter of a client. Files below a directory of
// root's alone; what is stale, damaged or not root's is as if it were not there.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "profiles/filter/filter_program.h"
#include "profiles/filter/runtime_filter.h"

namespace ward::shim::admission {

class FilterCache {
 public:
  // An empty directory: nothing is kept.
  explicit FilterCache(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // Of the document, the runtime's habits, and the version of libseccomp and of Ward.
  static std::string key(const oci::Seccomp& seccomp, const filter::RuntimeHabits& habits);

  [[nodiscard]] std::optional<filter::FilterProgram> find(const std::string& key) const;
  // At most 64; the oldest gives way. What cannot be written is not kept.
  void keep(const std::string& key, const filter::FilterProgram& program) const;

  // What else was found out of a document, under a key of its own; bytes.
  [[nodiscard]] std::optional<std::string> find_bytes(const std::string& key) const;
  void keep_bytes(const std::string& key, const std::string& bytes) const;

 private:
  [[nodiscard]] bool is_ours() const;

  std::filesystem::path directory_;
};

}  // namespace ward::shim::admission
