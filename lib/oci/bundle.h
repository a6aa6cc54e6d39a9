// SPDX-License-Identifier: Apache-2.0
// The parts of a bundle's config.json that Ward reads and the few it rewrites. JSON stays inside
// bundle.cc: everything that Ward does not know is carried through unchanged.
// Source: https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config.md
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/oci/capabilities.h"
#include "lib/oci/seccomp.h"

namespace ward::oci {

inline constexpr std::size_t kMaxConfigBytes = 4U << 20U;
inline constexpr int kMaxConfigDepth = 64;

class Config {
 public:
  static Result<Config> parse(std::string_view json);  // kInvalidArgument with the reason
  static Result<Config> read(const std::filesystem::path& bundle);  // <bundle>/config.json
  Config(Config&&) noexcept;
  Config& operator=(Config&&) noexcept;
  ~Config();

  [[nodiscard]] std::string dump() const;
  // Keeps the container's original as config.json.orig (first time only), then a new file and
  // rename.
  [[nodiscard]] Result<void> write(const std::filesystem::path& bundle) const;

  [[nodiscard]] std::map<std::string, std::string> annotations() const;
  [[nodiscard]] std::optional<Capabilities> capabilities() const;
  void set_capabilities(const Capabilities& capabilities);
  [[nodiscard]] bool no_new_privileges() const;
  void set_no_new_privileges(bool value);
  [[nodiscard]] Result<std::optional<Seccomp>> seccomp()
      const;  // linux.seccomp; absent: the container has none
  void set_seccomp(const Seccomp& seccomp);
  [[nodiscard]] std::string cgroups_path() const;  // linux.cgroupsPath, may be empty
  [[nodiscard]] bool terminal() const;
  // A pid namespace of its own: `linux.namespaces` has type pid without a path (decides whether
  // init's exit kills all).
  [[nodiscard]] bool has_private_pid_namespace() const;
  void remove_annotations_with_prefix(std::string_view prefix);  // "run.oci."
  [[nodiscard]] std::string root_path() const;

 private:
  struct Document;
  explicit Config(std::unique_ptr<Document> document);
  std::unique_ptr<Document> document_;
};

// The process document of `Exec` (OCI Process as JSON): same rules as for the container's own
// process.
class ProcessSpec {
 public:
  static Result<ProcessSpec> parse(std::string_view json);
  ProcessSpec(ProcessSpec&&) noexcept;
  ProcessSpec& operator=(ProcessSpec&&) noexcept;
  ~ProcessSpec();
  [[nodiscard]] std::string dump() const;
  [[nodiscard]] std::optional<Capabilities> capabilities() const;
  void set_capabilities(const Capabilities& capabilities);
  [[nodiscard]] bool no_new_privileges() const;
  void set_no_new_privileges(bool value);
  void set_terminal(bool value);
  [[nodiscard]] std::string program() const;  // args[0]
  // Of its environment, the last one of that name; empty where there is none.
  [[nodiscard]] std::string variable(std::string_view name) const;
  [[nodiscard]] std::string directory() const;  // cwd

 private:
  struct Document;
  explicit ProcessSpec(std::unique_ptr<Document> document);
  std::unique_ptr<Document> document_;
};

// linux.seccomp alone, as a document of its own.
std::string seccomp_to_json(const Seccomp& seccomp);
Result<Seccomp> seccomp_from_json(std::string_view json);

}  // namespace ward::oci
