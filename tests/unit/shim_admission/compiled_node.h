// SPDX-License-Identifier: Apache-2.0
// A state directory with compiled files and a bundle, in a temporary place that ends with the
// object.
#pragma once

#include <sys/syscall.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "lib/base/digest.h"
#include "lib/base/file.h"
#include "lib/base/places.h"
#include "lib/oci/seccomp.h"
#include "profiles/filter/index_writer.h"
#include "profiles/filter/treatment.h"
#include "shim/admission/admission.h"

namespace ward::shim::admission {

class CompiledNode {
 public:
  CompiledNode()
      : root_(std::filesystem::temp_directory_path() / ("ward-admission-" + random_hex(6))) {
    places_.state = root_ / "state";
    places_.run = root_ / "run";
    std::filesystem::create_directories(places_.run);
    std::filesystem::create_directories(places_.compiled());
    std::filesystem::create_directories(bundle());
    std::filesystem::create_directories(private_directory());
    std::filesystem::permissions(root_, std::filesystem::perms::owner_all);
  }
  ~CompiledNode() { std::filesystem::remove_all(root_); }
  CompiledNode(const CompiledNode&) = delete;
  CompiledNode& operator=(const CompiledNode&) = delete;

  [[nodiscard]] const Places& places() const { return places_; }
  [[nodiscard]] std::filesystem::path bundle() const { return root_ / "bundle"; }
  [[nodiscard]] std::filesystem::path private_directory() const { return root_ / "private"; }

  template <typename Message>
  static std::string sealed(const Message& message, const std::string& magic) {
    node::v1::SealedFile file;
    file.set_magic(magic);
    file.set_payload(message.SerializeAsString());
    file.set_sha256(sha256_hex(file.payload()));
    return file.SerializeAsString();
  }
  std::string put_profile(const node::v1::CompiledProfile& profile) const {
    const std::string bytes = sealed(profile, "ward-profile-1");
    const std::string sha256 = sha256_hex(bytes);
    put(places_.compiled() / (sha256 + ".profile"), bytes);
    return sha256;
  }
  void put_index(const node::v1::CompiledIndex& index) const {
    put(places_.compiled_index(), filter::write_index(index).value());
  }
  void put_config(std::string_view json) const { put(bundle() / "config.json", json); }
  [[nodiscard]] std::string config() const { return read_file(bundle() / "config.json").value(); }
  [[nodiscard]] Request request(std::optional<node::v1::NodeSettings> seen = {}) const {
    return {"k8s.io", "c1", bundle(), private_directory(), runtime, "", std::move(seen)};
  }
  [[nodiscard]] Result<Admitted> admit_container(
      std::optional<node::v1::NodeSettings> seen = {}) const {
    auto config = oci::Config::read(bundle());
    if (!config) return tl::unexpected<Error>(config.error());
    NodeIndex index = open_index(places_);
    return admit(places_, request(std::move(seen)), index, *config);
  }
  [[nodiscard]] std::string node_runtime(
      const std::optional<node::v1::NodeSettings>& seen = {}) const {
    return read_node_runtime(places_, open_index(places_), seen);
  }
  std::filesystem::path runtime;  // the binary that admission asks for its version; empty: none

  static void put(const std::filesystem::path& path, std::string_view content) {
    if (!write_file_atomically(path, content, 0600, Durability::kNone)) std::abort();
  }

 private:
  std::filesystem::path root_;
  Places places_;
};

// Allows all that libseccomp knows but unshare, and CAP_KILL.
inline node::v1::CompiledProfile everything_but_unshare() {
  node::v1::CompiledProfile profile;
  profile.set_format(1);
  profile.set_name("web");
  profile.set_version(3);
  profile.set_digest("d1");
  profile.set_arch(oci::native_audit_arch());
  profile.set_no_new_privileges(true);
  profile.add_capabilities("CAP_KILL");
  for (const auto& [name, nr] : oci::known_syscalls()) {
    if (nr == SYS_unshare) continue;
    auto* rule = profile.add_syscalls();
    rule->set_nr(static_cast<std::uint32_t>(nr));
    rule->set_layers(filter::kLayerServing);
  }
  profile.add_danger(SYS_unshare);
  return profile;
}

inline node::v1::CompiledIndex index_of(node::v1::Mode mode, const std::string& compiled_sha256) {
  node::v1::CompiledIndex index;
  index.set_format(1);
  auto* rule = index.add_rules();
  rule->set_policy("p");
  rule->set_mode(mode);
  rule->set_profile_name("web");
  rule->set_profile_digest("d1");
  rule->set_compiled_sha256(compiled_sha256);
  rule->set_missing(node::v1::MISSING_REFUSE);
  return index;
}

// Through the file, as a shim reads it.
inline Result<filter::Treatment> decide_treatment(
    const node::v1::CompiledIndex& index, const node::v1::Identity& identity,
    const std::map<std::string, std::string>& annotations) {
  const CompiledNode node;
  auto complete = index;
  complete.set_format(1);
  node.put_index(complete);
  auto reader = filter::IndexReader::open(node.places().compiled_index());
  if (!reader) return tl::unexpected<Error>(reader.error());
  return filter::decide_treatment(*reader, identity, annotations);
}

}  // namespace ward::shim::admission
